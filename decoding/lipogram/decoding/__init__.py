"""Decoding knows tokens and scores: jobs in, events out, whatever the model and the rule."""

from lipogram.decoding.autoregressive import Autoregressive
from lipogram.decoding.bytes.heads import Cover
from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.bytes.ratio import Ratio
from lipogram.decoding.bytes.states import ByteState, laws
from lipogram.decoding.canvas import Canvas, Hole
from lipogram.decoding.denoising import Denoiser
from lipogram.decoding.drafting.base import Drafter, Guess, Place
from lipogram.decoding.drafting.chain import Chain
from lipogram.decoding.drafting.forced import Forced
from lipogram.decoding.drafting.ngrams import Ngrams
from lipogram.decoding.drafting.small import SmallModel
from lipogram.decoding.ensemble import Ensemble
from lipogram.decoding.errors import (
    BackendFailed,
    BudgetTooSmall,
    ContextTooLong,
    DeadEnd,
    DecodingError,
    HolesTooSmall,
    InvalidEnsemble,
    TokenRejected,
    Unfillable,
    Unspellable,
    UnsupportedJob,
    UnsupportedTokenizer,
)
from lipogram.decoding.events import Chunk, Event, Finish, FinishReason, ScoredToken, Usage
from lipogram.decoding.job import Denoising, Infill, Job, Sampling
from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary

__all__ = [
    "Autoregressive",
    "BackendFailed",
    "BudgetTooSmall",
    "ByteModel",
    "ByteState",
    "Canvas",
    "Chain",
    "Chunk",
    "ContextTooLong",
    "Cover",
    "DeadEnd",
    "DecodingError",
    "Denoiser",
    "Denoising",
    "Drafter",
    "Ensemble",
    "Event",
    "Finish",
    "FinishReason",
    "Forced",
    "Guess",
    "Hole",
    "HolesTooSmall",
    "Infill",
    "InvalidEnsemble",
    "Job",
    "Masker",
    "Mixing",
    "Ngrams",
    "Place",
    "Ratio",
    "Sampling",
    "ScoredToken",
    "SmallModel",
    "TokenRejected",
    "Unfillable",
    "Unspellable",
    "UnsupportedJob",
    "UnsupportedTokenizer",
    "Usage",
    "Vocabulary",
    "laws",
]
