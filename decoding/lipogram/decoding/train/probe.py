"""A cheap held-out measure for the loss curve, over a few windows of code."""

import math
import random
from collections.abc import Callable

import torch
from tokenizers import Tokenizer

from lipogram.decoding.train import batches, corpus, documents, vocabularies
from lipogram.decoding.train.architecture import Transformer

_WINDOWS = 16
_SEED = 7


def probe(model: Transformer, tokenizer: Tokenizer, length: int) -> Callable[[], float]:
    """A function that measures the model: bits a byte if causal, else nats a masked token."""
    encode, rng = vocabularies.Encoder(tokenizer), random.Random(_SEED)
    cut: list[list[documents.Document]] = []
    while len(cut) < _WINDOWS:
        text = rng.choice(corpus.held_out_modules()).text
        tokens = encode(text[rng.randrange(len(text)) :])[:length]
        if len(tokens) == length:
            cut.append(
                [documents.Document([vocabularies.END_OF_TEXT, *tokens], [1.0] * (length + 1))]
            )
    if model.shape.causal:
        batch = next(batches.causal_batches(iter(cut), length, _WINDOWS))
    else:
        batch = next(batches.masked_batches(iter(cut), length, _WINDOWS, rng))
    byte_count = sum(len(tokenizer.decode(row[0].ids[1:]).encode()) for row in cut)
    scale = _WINDOWS * length / byte_count / math.log(2) if model.shape.causal else 1.0

    def measure() -> float:
        with torch.no_grad():
            return float(scale * model.loss(batch))

    return measure
