"""What fits a canvas: the cheapest argument that decides.

For a token: the known filling with it, or another that is found near by. Against it: that not even
gaps for any text would do. Where neither settles it, all fillings are run at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lipogram.decoding.canvas.board import Board, Way
from lipogram.decoding.canvas.chart.layout import TOKENS
from lipogram.decoding.canvas.chart.verdicts import SHARE
from lipogram.decoding.canvas.compiled.stretches import ACCEPTED, REJECTED, UNDECIDED
from lipogram.decoding.canvas.fronts import Fronts
from lipogram.decoding.canvas.holes import Cell, Slot
from lipogram.decoding.canvas.lattice import EMPTY, Lattice
from lipogram.decoding.canvas.witness import Witness
from lipogram.grammars import BudgetExceeded, State

_ATTEMPTS: Final = ((2, 4), (2, 13), (16, 13))  # at a first witness; see `first.fill`
_QUICK_S: Final = 0.15  # of work, for the first of them
_FEW_ENTRIES: Final = 200_000  # of a chart of all cells
_MANY_ENTRIES: Final = 1_500_000  # where there is no other way
_RENEWAL_S: Final = 10.0  # of work
LEAST_S: Final = 0.3  # for all fillings at once
ALL_S: Final = 60.0
Wanted = tuple[int, int]  # a slot and what it must take


class Decisions:
    """A lattice, its witness, and verdicts as far as they are known."""

    def __init__(self, steps: Fronts, cells: Sequence[Cell]) -> None:
        slots = sum(isinstance(cell, Slot) for cell in cells)
        self.lattice = Lattice(steps, cells, [None] * slots)
        self.steps = steps
        self.board = Board(self.lattice)
        self._accepted: dict[Wanted, Way] = {}
        self._rejected: set[Wanted] = set()
        self._exact: Lattice | None = None
        self.proof: State | None = None  # from where what was rejected last does not go on

    def can_begin(self) -> bool:
        """Whether anything fills the lattice; then there is a witness. Raises BudgetExceeded."""
        verdict = self._begin_quickly()
        if verdict != UNDECIDED:
            return verdict == ACCEPTED
        try:
            if self.board.fill_by_chart(_FEW_ENTRIES):
                return True
            if self.board.is_hopeless(_FEW_ENTRIES):
                return False
            if self.board.fill_by_chart(_FEW_ENTRIES, TOKENS):
                return True
            for most, loose in _ATTEMPTS:
                verdict = self.board.fill(most, loose)
                if verdict != UNDECIDED:
                    return verdict == ACCEPTED
        except BudgetExceeded:
            self._begin_anew()
            if not self.board.fill_by_chart(_MANY_ENTRIES):
                raise
            return True
        lattice = self._exact_lattice()
        if not lattice.can_end(lattice.steps.start(), 0):
            return False
        witness = Witness(lattice)
        witness.fill()
        self.board.adopt(self._way_of(witness))
        return True

    def _begin_quickly(self) -> int:
        """As the first attempt has it, with little work."""
        later_s = max(self.steps.working.left_s - _QUICK_S, 0.0)
        self.steps.working.left_s -= later_s
        try:
            return self.board.fill(*_ATTEMPTS[0])
        except BudgetExceeded:
            self._begin_anew()
            return UNDECIDED
        finally:
            self.steps.working.left_s += later_s

    def _begin_anew(self) -> None:
        """Go on with nothing but what the automaton knows."""
        self.steps = self.steps.anew()
        slots = len(self.lattice.position_of)
        self.lattice = Lattice(self.steps, self.lattice.cells, [None] * slots)
        self.board = Board(self.lattice)

    def witness(self) -> list[int]:
        """Tokens by slot, EMPTY for those left so."""
        return [self.board.token(position) for position in self.lattice.position_of]

    def fits(self, slot: int, token: int, limit_s: float = ALL_S) -> bool:
        """Whether some filling has the token, or EMPTY, in a free slot.

        Raises BudgetExceeded where that takes more work than is left, or about `limit_s`.
        """
        wanted = slot, token
        self.proof = None
        if token == self.board.token(self.lattice.position_of[slot]) or wanted in self._accepted:
            return True
        if wanted in self._rejected:
            return False
        left_s = self.steps.working.left_s
        work_s = min(left_s, limit_s)
        verdict = self.board.decide(self.lattice.position_of[slot], token, limit_s)
        way = self.board.way() if verdict == ACCEPTED else None
        if verdict == REJECTED:
            self.proof = self.board.proof()
        elif way is None:
            is_spent = left_s - self.steps.working.left_s > work_s / SHARE  # all fillings were run
            if self.board.has_row and (is_spent or work_s < LEAST_S):
                raise BudgetExceeded("deciding what fits a canvas takes too long")
            way = self._exactly(wanted)
        if way is None:
            self._rejected.add(wanted)
            return False
        self._accepted[wanted] = way
        return True

    def commit(self, slot: int, token: int) -> None:
        """Let a free slot take nothing but a token that fits."""
        way = self._accepted.get((slot, token))
        if way is not None:
            self.board.adopt(way)
        self._choose(slot, token)
        self._accepted.clear()

    def remask(self, slot: int) -> None:
        """Let a slot take anything again."""
        self._choose(slot, None)
        self._rejected.clear()
        self._accepted.clear()

    def _choose(self, slot: int, token: int | None) -> None:
        self.lattice.choose(slot, None if token is None else (token,))
        self.board.chosen(self.lattice.position_of[slot])

    def way_of(self, slot: int, token: int) -> Way:
        """Where a filling with a token that fits differs from the witness."""
        return self._accepted.get((slot, token), Way(()))

    def known(self, slot: int) -> tuple[list[int], list[int]]:
        """The tokens, EMPTY too, that are known to fit a slot, and those known not to."""
        fitting = [token for other, token in self._accepted if other == slot]
        return fitting, [token for other, token in self._rejected if other == slot]

    def note(self, slot: int, way: Way) -> int:
        """Take a way that has been found as that of its token in a slot; the token."""
        token = dict(way.tokens)[self.lattice.position_of[slot]]
        self._accepted[slot, token] = way
        return token

    def renewed(self) -> Decisions:
        """The same in the memory that canvases share."""
        self.steps.working.left_s = _RENEWAL_S
        other = Decisions(self.steps.shared(), self.lattice.cells)
        for slot in range(len(self.lattice.position_of)):
            other.lattice.choose(slot, self.lattice.choices(slot))
        other.board = Board(other.lattice)
        pairs = zip(self.lattice.position_of, self.witness(), strict=True)
        other.board.adopt(Way(tuple(pairs), tuple(self.board.gap_texts.items())))
        other._accepted, other._rejected = self._accepted, self._rejected
        return other

    def _exactly(self, wanted: Wanted) -> Way | None:
        """By all fillings at once, in a memory of their own."""
        slot, token = wanted
        lattice = self._exact_lattice()
        try:
            position = lattice.position_of[slot]
            cell = lattice.cells[position]
            assert isinstance(cell, Slot)
            behind = position + 1
            if token != EMPTY:
                front = lattice.steps.take(lattice.front(position), token)
            else:
                places = [p for p in cell.hole if p <= position and lattice.may_stop(p)]
                front = lattice.steps.unite([lattice.front(place) for place in places])
                behind = cell.hole.stop
            if not front or not lattice.can_end(front, behind):
                return None
            lattice.choose(slot, (token,))
            witness = Witness(lattice)
            witness.adopt(self.witness(), self.board.gap_texts)
            witness.renew(slot)
            return self._way_of(witness)
        except BudgetExceeded:
            self._exact = None
            raise

    def _way_of(self, witness: Witness) -> Way:
        pairs = zip(self.lattice.position_of, witness.tokens, strict=True)
        return Way(tuple(pairs), tuple(witness.texts.items()))

    def _exact_lattice(self) -> Lattice:
        """The same lattice, in which all tokens are tried."""
        if self._exact is None or self._exact.steps.is_worn:
            self._exact = Lattice(
                self.steps.fresh(), self.lattice.cells, [None] * len(self.lattice.position_of)
            )
        for slot in range(len(self.lattice.position_of)):
            choices = self.lattice.choices(slot)
            if self._exact.choices(slot) != choices:
                self._exact.choose(slot, choices)
        return self._exact
