"""Fills slots from rows of scores: the surest first, and never stuck.

A draw that the rule refuses is replaced by the next best of its row; after some, the rule is asked
for all that the slot can take; and where the model gives none of that a chance, the token of a
filling that is known to be valid is taken.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.draws import Draws, Rows
from lipogram.decoding.errors import UnsupportedJob
from lipogram.decoding.filling import Filling
from lipogram.decoding.job import Job, Order, Sampling
from lipogram.decoding.models.base import Logits
from lipogram.decoding.sampling import unpack
from lipogram.decoding.slots import EMPTY
from lipogram.decoding.vocabulary import Vocabulary

# Draws of one slot that are refused before the rule is asked for all that the slot can take.
MOST_REFUSED: Final = 8

_Sureness: TypeAlias = Callable[[int, int], float]  # of a row and its column; larger comes earlier
_Draw: TypeAlias = tuple[float, int, int | None]  # -sureness, row, column


def check(job: Job, who: str) -> None:
    """Raises UnsupportedJob for what has no meaning where text is not written in its order."""
    law = job.sampling
    wanted = {
        "log-probabilities": job.top_logprobs is not None or job.echo_logprobs,
        "penalties": law.presence_penalty or law.frequency_penalty or law.repetition_penalty != 1,
        "faithful sampling": job.faithful is not None,
        "generation by bytes": job.byte_mode == "full",
        "stop strings in holes": job.infill and job.stop,
    }
    for what, is_wanted in wanted.items():
        if is_wanted:
            raise UnsupportedJob(f"{who} has no {what}")


class Filler:
    """Draws tokens for the slots of one filling."""

    def __init__(
        self,
        filling: Filling,
        vocabulary: Vocabulary,
        law: Sampling,
        rng: np.random.Generator,
        *,
        ends: Iterable[int] = (),
        ignore_eos: bool = False,
        has_specials: bool = False,
    ) -> None:
        """The score of a hole's end is that of all end-of-sequence tokens and `ends` together.

        `ignore_eos` ends a hole only where nothing else can stand. `has_specials`: the rule has
        special tokens in its texts.
        """
        self.filling = filling
        self.witness_tokens = 0
        self._law = law
        self._rng = rng
        self._ends = [] if ignore_eos else sorted({*vocabulary.eos_ids, *ends})
        self._base = np.append(vocabulary.has_text, True)
        if has_specials:
            self._base[list(vocabulary.specials.values())] = True
        if vocabulary.mask_id is not None:
            self._base[vocabulary.mask_id] = False
        self._possible: dict[int, NDArray[np.bool_]] = {}  # by slot, less what was refused
        self._sure: dict[int, float] = {}

    def fill(self, slots: Sequence[int], rows: Logits, count: int, order: Order) -> None:
        """Fill `count` of these masked slots, more where a hole ends; a row scores each."""
        possible = np.array([self._possible.get(slot, self._base) for slot in slots])
        draws = Draws(self._scored(rows), self._base, possible, self._law, self._rng)
        sweep = _Sweep(self.filling, slots, draws, self._sureness(order, draws))
        sweep.run(count)
        self.witness_tokens += sweep.witness_tokens
        self._sure |= sweep.sure
        self._possible |= zip(slots, possible, strict=True)

    def take_back(self, slots: Iterable[int], count: int) -> list[int]:
        """Remask those `count` of the filled slots that were filled with the least sureness."""
        filled = [slot for slot in slots if self.filling.tokens[slot] >= 0]
        least = heapq.nsmallest(count, filled, key=self._sure.__getitem__)
        for slot in least:
            self.filling.remask(slot)
        if least:
            self._possible.clear()
        return least

    def _scored(self, rows: Logits) -> Rows:
        """The rows with biases, and a last column for the end."""
        scores = np.empty((len(rows), rows.shape[1] + 1), np.float64)
        scores[:, :-1] = rows
        for token, bias in self._law.logit_bias.items():
            scores[:, token] += bias
        ends = scores[:, self._ends]
        scores[:, -1] = np.logaddexp.reduce(ends, 1) if self._ends else -np.inf
        return scores

    def _sureness(self, order: Order, draws: Draws) -> _Sureness:
        if order == "random":
            chance = self._rng.random(len(draws))
            return lambda row, column: float(chance[row])
        logs = draws.log_probabilities()
        if order == "entropy":
            shares = np.exp(logs)
            negative = (shares * np.where(shares > 0, logs, 0.0)).sum(1)
            return lambda row, column: float(negative[row])
        return lambda row, column: float(logs[row, column])


class _Sweep:
    """One step: draws wait in the order of their sureness and are put to the rule in waves."""

    def __init__(
        self, filling: Filling, slots: Sequence[int], draws: Draws, sureness: _Sureness
    ) -> None:
        self._filling = filling
        self._slots = slots
        self._draws = draws
        self._sureness = sureness
        self._refusals = Counter[int]()
        self._waiting: list[_Draw] = []
        self.sure: dict[int, float] = {}
        self.witness_tokens = 0

    def run(self, count: int) -> None:
        """Fill `count` slots, or all."""
        for row in range(len(self._slots)):
            self._wait(row)
        goal = max(len(self._slots) - count, 0)
        while (left := len(self._filling.masked(self._slots))) > goal:
            wave: list[_Draw] = []
            while self._waiting and len(wave) < left - goal:
                entry = heapq.heappop(self._waiting)
                if self._filling.masked([self._slots[entry[1]]]):
                    wave.append(entry)
            self._put(wave)

    def _wait(self, row: int) -> None:
        column = self._draws.column(row)
        key = np.inf if column is None else -self._sureness(row, column)
        heapq.heappush(self._waiting, (key, row, column))

    def _put(self, wave: Sequence[_Draw]) -> None:
        """Commit what the rule takes of a wave; what it refuses is drawn again."""
        drawn = [(key, row, column) for key, row, column in wave if column is not None]
        pairs = [(self._slots[row], self._token(column)) for _, row, column in drawn]
        given = self._filling.commit_all(pairs)
        for key, row, column in drawn:
            slot = self._slots[row]
            if slot in given:
                self.sure[slot] = -key
            elif self._filling.masked([slot]):
                self._refuse(row, column)
        for slot in (self._slots[row] for _, row, column in wave if column is None):
            if self._filling.masked([slot]):
                self._take_witness(slot)

    def _token(self, column: int) -> int:
        return EMPTY if column == self._draws.columns - 1 else column

    def _refuse(self, row: int, column: int) -> None:
        self._draws.refuse(row, column)
        self._refusals[row] += 1
        if self._refusals[row] % MOST_REFUSED == 0:
            self._draws.restrict(row, self._takes(self._slots[row]))
        self._wait(row)

    def _takes(self, slot: int) -> NDArray[np.bool_]:
        """All columns that the slot can take."""
        size = self._draws.columns - 1
        words = np.zeros(-(-size // 32), np.int32)
        self._filling.slots.mask(slot, words)
        can_end = self._filling.slots.check(slot, EMPTY) == "accept"
        return np.append(unpack(words, size), can_end)

    def _take_witness(self, slot: int) -> None:
        token = self._filling.slots.witness()[slot]
        given = self._filling.commit_all([(slot, token)])
        assert given, "what a witness has can be committed"
        self.sure[slot] = -np.inf
        self.witness_tokens += token != EMPTY
