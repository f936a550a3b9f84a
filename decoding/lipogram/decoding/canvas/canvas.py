"""Texts with holes, filled token by token in any order, under a grammar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.fronts import Fronts
from lipogram.decoding.canvas.holes import Gap, Hole, Part, Slot, cells
from lipogram.decoding.canvas.lattice import EMPTY, Lattice
from lipogram.decoding.canvas.witness import Witness
from lipogram.decoding.errors import HolesTooSmall, TokenRejected, Unfillable, UnsupportedJob
from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, BudgetExceeded, State
from lipogram.grammars.munched import MunchedMiddle

Verdict = Literal["accept", "reject", "unknown"]

_MAX_WANTED: Final = 64  # tokens in a hole, when looking for how many would do
_WANTED_S: Final = 0.1  # of work for that


@dataclass(slots=True)
class Statistics:
    """What a canvas was asked, how much it left undecided, and the work it took."""

    checks: int = 0
    unknown: int = 0
    work_s: float = 0.0


class Canvas:
    """Fixed texts and holes; every answer takes all holes into account.

    Slots are numbered from 0 over all holes and keep their numbers. A token is accepted iff some
    tokens for all other slots make the whole a member. At any time there is a witness, so that a
    canvas can always be filled.
    """

    def __init__(
        self,
        automaton: Automaton,
        vocabulary: Vocabulary,
        parts: Sequence[Part],
        *,
        max_check_s: float = 1.0,
        max_construction_s: float = 10.0,
    ) -> None:
        """Both limits are counted in work, like the budgets of automata.

        Raises HolesTooSmall, Unfillable, UnsupportedJob, BudgetExceeded.
        """
        if isinstance(automaton, MunchedMiddle):
            raise UnsupportedJob(
                "expected the automaton of a whole text, found one of a middle with munched "
                "lexemes: give its prefix and suffix as parts of the canvas"
            )
        self.statistics = Statistics()
        self._vocabulary = vocabulary
        self._max_check_s = max_check_s
        self._steps = Fronts(Masker(automaton, vocabulary))
        self._steps.left_s = max_construction_s
        found = cells(parts)
        slots = sum(isinstance(cell, Slot) for cell in found)
        self._lattice = Lattice(self._steps, found, [None] * slots)
        if not self._lattice.can_end(self._steps.start(), 0):
            raise self._misfit(parts)
        self._witness = Witness(self._lattice)

    def __len__(self) -> int:
        """The number of slots."""
        return len(self._lattice.position_of)

    @property
    def committed(self) -> tuple[int | None, ...]:
        """By slot: the token committed there, -1 for none, None while it is masked."""
        found = (self._lattice.choices(slot) for slot in range(len(self)))
        return tuple(None if choices is None else choices[0] for choices in found)

    def check(self, slot: int, token: int) -> Verdict:
        """Whether a token fits a slot, given what is committed.

        -1 leaves the slot and the rest of its hole empty, where the hole has at most so many
        tokens; so does a token that ends texts, unless the grammar has it there.
        """
        self.statistics.checks += 1
        self._steps.left_s = self._max_check_s
        try:
            return "accept" if self._fits(slot, token) else "reject"
        except BudgetExceeded:
            self.statistics.unknown += 1
            return "unknown"
        finally:
            self.statistics.work_s += self._max_check_s - self._steps.left_s

    def mask(self, slot: int, out: NDArray[np.int32]) -> None:
        """Write the tokens that fit: int32[ceil(V/32)], bit j of word i is token 32*i + j.

        Tokens that end texts are among them iff the slot may stay empty. What cannot be told
        within the limit is left out and counted as unknown.
        """
        out[:] = 0
        position = self._lattice.position_of[slot]
        self._steps.left_s = self._max_check_s
        try:
            if self._lattice.choices(slot) is None:
                for state in self._lattice.front(position):
                    self._add_fitting(state, position, out)
        except BudgetExceeded:
            self.statistics.unknown += 1
        special = self._vocabulary.spellings.values() if self._steps.masker.has_specials else ()
        fitting = {self._witness.tokens[slot], *special, *self._vocabulary.eos_ids}
        fitting |= set(self._lattice.choices(slot) or ())
        for token in fitting - {EMPTY}:
            bit = np.uint32(1 << (token & 31)).astype(np.int32)
            out[token >> 5] &= ~bit
            if self.check(slot, token) == "accept":
                out[token >> 5] |= bit

    def commit(self, slot: int, token: int) -> None:
        """Put a token into a slot. Raises TokenRejected where `check` does not accept it."""
        verdict = self.check(slot, token)
        if verdict != "accept":
            raise TokenRejected(f"expected a token that fits slot {slot}, found {token}: {verdict}")
        if self._lattice.choices(slot) is None:
            self._put(slot, token)

    def commit_all(self, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Put in tokens in turn, as far as each fits with those before it; those put in."""
        accepted = []
        for slot, token in pairs:
            if self.check(slot, token) == "accept":
                if self._lattice.choices(slot) is None:
                    self._put(slot, token)
                accepted.append((slot, token))
        return accepted

    def remask(self, slot: int) -> None:
        """Take a committed token out again; the witness keeps it."""
        self._lattice.choose(slot, None)

    def witness(self) -> list[int]:
        """Tokens by slot, -1 for those left empty, which with the fixed texts make a member."""
        return list(self._witness.tokens)

    def text(self) -> bytes:
        """The member that the witness makes."""
        found = []
        for position, cell in enumerate(self._lattice.cells):
            if isinstance(cell, Slot):
                token = self._witness.tokens[cell.number]
                found.append(b"" if token == EMPTY else self._vocabulary.tokens[token])
            elif isinstance(cell, Gap):
                found.append(self._witness.texts[position])
            else:
                found.append(cell.text)
        return b"".join(found)

    def _fits(self, slot: int, token: int) -> bool:
        lattice = self._lattice
        choices = lattice.choices(slot)
        position = lattice.position_of[slot]
        if choices is not None:
            return token in choices or (choices == (EMPTY,) and self._ends(token))
        if token != EMPTY:
            if token == self._witness.tokens[slot]:
                return True
            front = self._steps.take(lattice.front(position), token)
            if front and lattice.can_end(front, position + 1):
                return True
            if not self._ends(token):
                return False
        return self._witness.tokens[slot] == EMPTY or self._can_stop(position)

    def _can_stop(self, position: int) -> bool:
        """Whether the hole can end in front of the slot there, or before."""
        lattice = self._lattice
        cell = lattice.cells[position]
        assert isinstance(cell, Slot)
        places = [p for p in cell.hole if p <= position and lattice.may_stop(p)]
        front = self._steps.unite([lattice.front(place) for place in places])
        return bool(front) and lattice.can_end(front, cell.hole.stop)

    def _ends(self, token: int) -> bool:
        return token in self._vocabulary.eos_ids

    def _put(self, slot: int, token: int) -> None:
        """Commit a token that fits; a mere end of texts leaves the slot empty."""
        lattice = self._lattice
        if self._ends(token):
            position = lattice.position_of[slot]
            front = self._steps.take(lattice.front(position), token)
            token = token if front and lattice.can_end(front, position + 1) else EMPTY
        lattice.choose(slot, (token,))
        self._steps.left_s = self._max_check_s
        try:
            self._witness.renew(slot)
        except BudgetExceeded:
            lattice.choose(slot, None)
            raise

    def _add_fitting(self, state: State, position: int, out: NDArray[np.int32]) -> None:
        """Add the tokens that lead from a state to where the rest can be filled."""
        after, ends = self._steps.outcomes(state)
        after = after.copy()
        fits = [end for end, _ in ends if self._lattice.can_end((end,), position + 1)]
        tokens = np.flatnonzero(np.isin(after, fits))
        np.bitwise_or.at(out, tokens >> 5, np.left_shift(1, tokens & 31).astype(np.int32))

    def _misfit(self, parts: Sequence[Part]) -> Unfillable:
        """Why nothing fills the canvas."""
        gaps = [Hole() if isinstance(part, Hole) else part for part in parts]
        found = cells(gaps)
        if not Lattice(self._steps, found, []).can_end(self._steps.start(), 0):
            return Unfillable("no text of the grammar consists of these parts, whatever is between")
        self._steps.left_s = _WANTED_S
        try:
            wanted = self._wanted(parts)
        except BudgetExceeded:
            wanted = None
        if wanted is None:
            return Unfillable("no numbers of tokens were found that fill these holes")
        return HolesTooSmall(
            "these holes cannot be filled with so many tokens; "
            f"with at most {wanted} in each they can",
            wanted,
        )

    def _wanted(self, parts: Sequence[Part]) -> int | None:
        """The least number of tokens with which all holes can be filled, if none has more."""
        if self._is_enough(parts, 0):
            return 0
        size = 1
        while not self._is_enough(parts, size):
            size *= 2
            if size > _MAX_WANTED:
                return None
        low, high = size // 2, size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._is_enough(parts, middle) else (middle, high)
        return high

    def _is_enough(self, parts: Sequence[Part], size: int) -> bool:
        """Whether holes of at most so many tokens can be filled."""
        roomy = [
            Hole(max_tokens=size) if isinstance(part, Hole) and not part.is_open else part
            for part in parts
        ]
        found = cells(roomy)
        slots = sum(isinstance(cell, Slot) for cell in found)
        return Lattice(self._steps, found, [None] * slots).can_end(self._steps.start(), 0)
