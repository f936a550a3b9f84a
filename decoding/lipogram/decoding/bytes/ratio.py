"""Drafts of bytes that count by the ratio of two laws, as often as laws can agree at all.

A byte that a small model draws from its law q is taken with probability min(1, p / q), where p is
the law of what is written; else one is drawn from what p has more of than q. That is a draw from p
(Leviathan et al. 2023; Chen et al. 2023). Decision 12 says what it costs beside drafts that count
by exact match: under a seed the text is another one with every drafter.

How far to draft follows from what was taken so far and from the sizes of the models, never from
the clock or the guesses themselves: the first would make seeds worthless, the second the law.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding import sampling
from lipogram.decoding.bytes.ahead import asks
from lipogram.decoding.bytes.course import BYTES
from lipogram.decoding.bytes.heads import STOP
from lipogram.decoding.bytes.mixed import MixedState
from lipogram.decoding.course import Outlook
from lipogram.decoding.drafting.base import Drafter
from lipogram.decoding.drafting.small import ByteLaws, SmallModel
from lipogram.decoding.errors import DecodingError
from lipogram.decoding.sampling import Candidates
from lipogram.grammars.errors import Error

if TYPE_CHECKING:
    from lipogram.decoding.job import Job

_TAKEN, _JUDGED = 13, 16  # counts to begin with
_PLAIN_PASSES = 0.5  # a byte, where none are drafted and not all of a law is needed


class Ratio:
    """A small model whose bytes count by the ratio of the laws; serves many runs.

    One of its calls is worth `cost` calls of the model that it drafts for. `most_bytes` bounds a
    draft.
    """

    def __init__(self, drafter: SmallModel, cost: float, most_bytes: int = 16) -> None:
        self.drafters: Sequence[Drafter] = (drafter,)
        self.cost = cost
        self.most_bytes = most_bytes

    def open(self, job: Job, text: bytes) -> RatioDrafts:
        """Begin a run after a text, whose bytes are drawn from a law of bytes."""
        laws = self.drafters[0].open(job, text)
        assert isinstance(laws, ByteLaws)  # of bytes it is
        return RatioDrafts(self, laws, job, text)


class RatioDrafts:
    """The drafts of one run, whose bytes so far are `text`; see `Ahead`."""

    def __init__(self, ratio: Ratio, laws: ByteLaws, job: Job, text: bytes) -> None:
        self._ratio = ratio
        self._laws = laws
        self._sampling = job.sampling
        self._text = bytearray(text)
        # Of the draft that is left: symbols, and what they were drawn from if there was a choice.
        self._guesses: list[tuple[int, Candidates | None]] = []
        self._drafted = self._judged = self._taken = 0

    @property
    def counts(self) -> tuple[int, int]:
        """How many bytes were guessed, and how many of those were taken."""
        return self._drafted, self._taken

    @property
    def needs_law(self) -> bool:
        """Whether the whole law of the next byte is needed: to judge a guess."""
        return bool(self._guesses)

    async def look(
        self, state: MixedState, course: Outlook, rng: np.random.Generator, most: int, share: float
    ) -> None:
        """Guess at most so many bytes and ask for their scores, if none are guessed or known."""
        count = self._length(share)
        if self._guesses or not state.lacks(0.0 if count else share):
            return
        await self._draft(course, rng, min(count, most))
        text = bytes(symbol for symbol, _ in self._guesses if symbol != STOP)
        if text:
            await state.look_ahead(text, asks(text, course, state.needs_every_law))
        else:
            await state.ask(share)

    def _length(self, share: float) -> int:
        """The number of guesses that promises most bytes for what it costs; 0: none do."""
        rate = (self._taken + _TAKEN) / (self._judged + _JUDGED)
        counts = np.arange(self._ratio.most_bytes + 1)
        costs = 1 + self._ratio.cost * counts
        costs[0] = _PLAIN_PASSES if share else 1.0
        return int(((1 - rate ** (counts + 1)) / (1 - rate) / costs).argmax())

    async def _draft(self, course: Outlook, rng: np.random.Generator, count: int) -> None:
        try:
            while count and not course.is_over:
                only, law = course.only, None
                if only is None:
                    row = await self._laws.row(self._text, [each for each, _ in self._guesses])
                    if row is None:
                        return
                    law = sampling.candidates(row, course.allowed, self._sampling)
                    count -= 1
                    self._drafted += 1
                symbol = law.draw(rng.random()) if law is not None else only
                assert symbol is not None  # one of them is there
                self._guesses.append((symbol, law))
                after = None if course.ends(symbol) else course.after(symbol)
                if after is None:
                    return
                course = after
        except (DecodingError, Error):  # what comes may be simpler where the output goes
            return

    def first(self, rng: np.random.Generator) -> Callable[[Candidates], int] | None:
        """How the next symbol is drawn from what is left of its law; None: as ever."""
        guess, law = self._guesses[0] if self._guesses else (STOP, None)
        if law is None:
            return None

        def draw(target: Candidates) -> int:
            drawn = by_ratio(guess, law, rng, target)
            self._judged += 1
            self._taken += drawn == guess
            return drawn

        return draw

    def took(self, byte: int) -> None:
        """A byte was written."""
        self._text.append(byte)
        is_right = bool(self._guesses) and self._guesses[0][0] == byte
        self._guesses = self._guesses[1:] if is_right else []


def by_ratio(guess: int, law: Candidates, rng: np.random.Generator, target: Candidates) -> int:
    """A draw from `target`: the guess, drawn from `law`, as often as that can be."""
    wanted, drafted = _shares(target), _shares(law)
    rest = np.maximum(wanted - drafted, 0)
    if rng.random() * drafted[guess] < wanted[guess] or not rest.any():
        return guess
    return Candidates(np.arange(len(rest)), rest).draw(rng.random())


def _shares(law: Candidates) -> NDArray[np.float64]:
    """Probabilities float64[257]."""
    shares = np.zeros(len(BYTES))
    shares[law.ids] = law.weights / law.weights.sum()
    return shares
