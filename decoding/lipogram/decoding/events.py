"""What happened: the events of one generation. Text is bytes; UTF-8 is the server's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token with its log-probability (nats) under the law it was drawn from before truncation.

    That is the model's own softmax of the masked row at temperature 1. `logprob` is None for a
    prompt's first token, which nothing precedes.
    """

    id: int
    text: bytes
    logprob: float | None
    top: tuple[ScoredToken, ...] = ()


@dataclass(frozen=True, slots=True)
class Sketch:
    """An output after a step of denoising: texts, and numbers of slots that are still masked.

    It may still change everywhere behind the text of the chunks so far.
    """

    step: int
    pieces: tuple[bytes | int, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Text that is final, and the tokens it came from (empty unless log-probabilities are asked).

    The chunks' texts concatenated are the output; tokens of text that a stop string withheld
    never appear. Of a text with holes, `hole` numbers the one that the text fills; None: it is
    of a segment. A `sketch`, if sketches are asked for, may come without text.
    """

    text: bytes
    tokens: tuple[ScoredToken, ...] = ()
    hole: int | None = None
    sketch: Sketch | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one generation, and how the output came about.

    `forced_tokens` were determined by the grammar alone and cost no model call;
    `model_calls` counts scored positions asked of the model; of an ensemble, `member_calls` counts
    them by member's name, in its order. `cached_tokens` of the prompt the model had read for others
    before. `denoising_steps` are the calls in which a masked model scored all of its slots;
    `witness_tokens` were taken from a known filling, because the model gave no chance to any token
    that could stand there. `model_passes` counts the times it was asked after the prompt,
    `drafted_tokens` the guesses that it was given to check, and `accepted_tokens` those that it
    would have made itself.
    """

    prompt_tokens: int
    completion_tokens: int
    forced_tokens: int = 0
    model_calls: int = 0
    cached_tokens: int = 0
    denoising_steps: int = 0
    witness_tokens: int = 0
    model_passes: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    member_calls: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """How a text came about that was to follow the model's law given the language.

    `stage` "attempts": it was written without the rule, and is a member: an exact draw.
    "particles": it was drawn from so many weighted ones as `effective_samples` of equal weight, at
    the least on the way, would be worth.
    """

    stage: Literal["attempts", "particles"]
    effective_samples: float


FinishReason: TypeAlias = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Finish:
    """The end. `reason` "stop": the model or the rule ended it, or stop string `stop` was met.

    "length": the budget ran out; a constrained text is complete all the same.
    """

    reason: FinishReason
    usage: Usage
    stop: bytes | None = None
    prompt_tokens: tuple[ScoredToken, ...] = ()
    evidence: Evidence | None = None


Event: TypeAlias = Chunk | Finish
