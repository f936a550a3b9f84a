"""What covers are made of, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.bytes.leaves import Weights

Mode: TypeAlias = Literal["valid", "renormalised", "all"]
Tokens: TypeAlias = tuple[int, ...]

STOP: Final = 256  # the index of the end in a law of bytes


class Rule(Protocol):
    """Restricts tokens from the cursor on; `text` is what has been written after it."""

    def allowed(self, text: bytes) -> NDArray[np.bool_]:
        """The tokens that may follow, ends included: bool[V]."""
        ...

    def is_live(self, text: bytes) -> bool:
        """Whether the text may be written at all."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """Covers but for their last token.

    `path` are the tokens after the state's trunk; ranks `low` to `high` of the lexicon begin with
    the bytes `pending` and go on. Where nothing is pending the path itself is a cover.
    """

    path: Tokens
    pending: bytes
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Cover:
    """A cover: its tokens after the last fixed one, what it spells beyond the text, its weight.

    `log_weight` (nats) is relative to the other covers of the same state.
    """

    tokens: Tokens
    overhang: bytes
    log_weight: float


@dataclass(frozen=True, eq=False)
class Law:
    """What a state knows by the rows that are there: `logprobs` float64[257], and what they lack.

    The probability `unknown` is of heads whose rows are not there, and of any symbols. `kept` are
    the heads to go on with, `dropped` the log-weight of those left out so far.
    """

    logprobs: Weights
    leak: float
    missing_mass: float
    kept: tuple[Head, ...]
    dropped: float
    unknown: float
