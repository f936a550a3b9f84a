"""The seam between the loop and whatever guesses ahead of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lipogram.decoding.course import Outlook

if TYPE_CHECKING:
    from lipogram.decoding.job import Job


@dataclass(frozen=True, slots=True)
class Guess:
    """A token that may come next, and how likely its drafter thinks that is (0 to 1)."""

    token: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where guesses are wanted: after `tokens` of prompt and output, and a `draft` behind them.

    For a model that writes bytes all of them are bytes, and the end is 256.

    `chance` is the uniform number with which the model's token at this place will be drawn: a
    drafter that draws from a law of its own with the same number agrees with the model more often
    than with any other (common random numbers).
    """

    tokens: Sequence[int]
    draft: Sequence[int]
    course: Outlook
    chance: float


class Guesses(Protocol):
    """A drafter at work on one run."""

    async def propose(self, place: Place, most: int) -> Sequence[Guess]:
        """At most `most` tokens in a row, maybe none; they need not be allowed.

        A run's places only move on: `tokens` grow.
        """
        ...


class Drafter(Protocol):
    """Guesses what comes next, for the model to check; good guesses save passes of the model."""

    @property
    def name(self) -> str: ...

    def open(self, job: Job, prompt: Sequence[int]) -> Guesses | None:
        """Begin a run; `prompt` are the tokens before the output, or its bytes.

        None: there will be nothing to guess. Raises UnsupportedJob where it cannot guess bytes, and
        they are to be written.
        """
        ...
