"""What fits a canvas: the cheapest argument that decides.

For a token: the known filling with it, or another that is found near by. Against it: that not even
gaps for any text would do. Where neither settles it, all fillings are run at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.fronts import Fronts
from lipogram.decoding.canvas.holes import Cell, Slot, Text
from lipogram.decoding.canvas.lattice import EMPTY, Lattice
from lipogram.decoding.canvas.search import Search, Step, Wanted
from lipogram.decoding.canvas.upper import Upper
from lipogram.decoding.canvas.witness import Way, Witness
from lipogram.grammars import BudgetExceeded, State

_FOLLOWED: Final = 12  # cells, in which what a token changes must be made up for
_EFFORT: Final = 8  # times as much is tried for the first witness, where little does not suffice
_RUNS_BACK: Final = (
    0,
    1,
    4,
)  # runs of free slots before that of a token, from which on to fill anew
_MAX_TRIED: Final = 200  # tokens of a mask, tried one by one
_COMMITS: Final = 8  # after so many the gaps are looked at again, where it matters


class Decisions:
    """A lattice, its witness, and verdicts as far as they are known."""

    def __init__(self, steps: Fronts, cells: Sequence[Cell]) -> None:
        slots = sum(isinstance(cell, Slot) for cell in cells)
        self.lattice = Lattice(steps, cells, [None] * slots)
        self.witness = Witness(self.lattice)
        self.steps = steps
        self._accepted: dict[Wanted, Way] = {}
        self._rejected: set[Wanted] = set()
        self._exact: Lattice | None = None
        self._look()

    def can_begin(self) -> bool:
        """Whether anything fills the lattice; then there is a witness. Raises BudgetExceeded."""
        start = self.steps.start()[0]
        if self._upper is not None and not self._upper.can_end(start, 0):
            return False
        for effort in (1, _EFFORT):
            found = Search(self.lattice, self._upper, self.witness, effort).find(
                Step(0, start, None)
            )
            if found is not None:
                self.witness.adopt(self._way(0, found))
                return True
        lattice = self._exact_lattice()
        if not lattice.can_end(lattice.steps.start(), 0):
            return False
        witness = Witness(lattice)
        witness.fill()
        self.witness.adopt(witness.whole())
        return True

    def fits(self, slot: int, token: int) -> bool:
        """Whether some filling has the token, or EMPTY, in a free slot. Raises BudgetExceeded."""
        wanted = slot, token
        if token == self.witness.tokens[slot] or wanted in self._accepted:
            return True
        if wanted in self._rejected:
            return False
        verdict = self._decide(wanted)
        if not verdict:
            self._rejected.add(wanted)
        return verdict

    def commit(self, slot: int, token: int) -> None:
        """Let a free slot take nothing but a token that fits."""
        way = self._accepted.get((slot, token))
        self.lattice.choose(slot, (token,))
        if way is not None:
            self.witness.adopt(way)
        self._accepted.clear()
        self._commits += 1

    def add_fitting(self, slot: int, fitting: NDArray[np.bool_]) -> bool:
        """Set the tokens that fit a free slot; whether all of them were found in time.

        Tokens that lead from one state to one state are alike.
        """
        left: NDArray[np.bool_] | None = None
        classes: dict[State, NDArray[np.int32]] = {}
        token = self.witness.tokens[slot]
        try:
            left = self._possible(slot)
            state = self.witness.states[self.lattice.position_of[slot]]
            tried = [] if state is None else [token for _, token in self.steps.ends(state)]
            tried.reverse()
            for _ in range(len(tried) + _MAX_TRIED):
                token = tried.pop() if tried else int(np.argmax(left))
                if not left[token]:
                    if not tried and not left.any():
                        return True
                    continue
                left[token] = False
                if not self.fits(slot, token):
                    continue
                fitting[token] = True
                before = self._before(slot, token)
                after = classes.get(before)
                if after is None:
                    after = classes[before] = self.steps.outcomes(before)[0].copy()
                if after[token]:
                    alike = left & (after == after[token])
                    fitting |= alike
                    left &= ~alike
        except BudgetExceeded:
            token = self.witness.tokens[slot]
            if token != EMPTY:
                fitting[token] = True
            return False
        return not left.any()

    def _possible(self, slot: int) -> NDArray[np.bool_]:
        """The tokens that gaps for any text around the slot leave possible."""
        position = self.lattice.position_of[slot]
        found = np.zeros(len(self.steps.masker.vocabulary), np.bool_)
        for token in self.steps.masker.vocabulary.spellings.values():
            found[token] = True  # of which there may be several spellings
        upper = self._upper
        front = self.lattice.front(position) if upper is None else upper.front(position)
        for state in front:
            after, ends = self.steps.outcomes(state)
            wrong = [
                end for end, _ in ends if upper is not None and not upper.can_end(end, position + 1)
            ]
            found |= (after != 0) & ~np.isin(after, wrong)
        return found

    def _before(self, slot: int, token: int) -> State:
        """The state before a slot on the way that has the token there."""
        position = self.lattice.position_of[slot]
        way = self._accepted.get((slot, token))
        witness = self.witness
        if way is not None and way.begin < position:
            witness = Witness(self.lattice)
            witness.take(self.witness)
            witness.adopt(way)
        state = witness.states[position]
        assert state is not None  # the token is there
        return state

    def renewed(self, was_stopped: bool) -> Decisions:
        """The same in new memory, where too much was visited, or work was stopped half way."""
        if not was_stopped and not self.steps.masker.automaton.is_worn:
            return self
        other = Decisions(self.steps.fresh(), self.lattice.cells)
        for slot in range(len(self.lattice.position_of)):
            other.lattice.choose(slot, self.lattice.choices(slot))
        other.witness.adopt(self.witness.whole())
        other._accepted, other._rejected = self._accepted, self._rejected
        other._look()
        return other

    def remask(self, slot: int) -> None:
        """Let a slot take anything again."""
        self.lattice.choose(slot, None)
        self._rejected.clear()
        self._look()

    def _look(self) -> None:
        """See the fixed texts and the gaps between them as they are now."""
        self._commits = 0
        self._upper: Upper | None = None
        if self.steps.masker.has_lexemes:
            self._search = Search(self.lattice, None, self.witness)
            return
        found: list[bytes | None] = []
        for cell in self.lattice.cells:
            if isinstance(cell, Text):
                found.append(cell.text)
                continue
            choices = self.lattice.choices(cell.number) if isinstance(cell, Slot) else None
            if choices is None or choices == (EMPTY,):
                found.append(None)
            else:
                found.append(self.steps.text(choices[0]))
        self._upper = Upper(self.steps, found)
        self._search = Search(self.lattice, self._upper, self.witness)

    def _decide(self, wanted: Wanted) -> bool:
        if wanted[1] == EMPTY and not self.lattice.may_stop(self.lattice.position_of[wanted[0]]):
            return False
        after = self._after(wanted)
        if after is not None and self._accept(wanted, self._followed(wanted, after)):
            return True
        if self._is_beyond(wanted):
            return False
        if after is not None and self._accept(wanted, self._found(wanted, after)):
            return True
        if self._commits >= _COMMITS:
            self._look()
            if self._is_beyond(wanted):
                return False
        for runs in _RUNS_BACK:
            if self._accept(wanted, self._refilled(wanted, runs)):
                return True
        return self._accept(wanted, self._exactly(wanted))

    def _accept(self, wanted: Wanted, way: Way | None) -> bool:
        if way is not None:
            self._accepted[wanted] = way
        return way is not None

    def _after(self, wanted: Wanted) -> State | None:
        """The state after the token, the witness before it."""
        slot, token = wanted
        state = self.witness.states[self.lattice.position_of[slot]]
        return state if state is None or token == EMPTY else self.steps.step(state, token)

    def _behind(self, wanted: Wanted) -> int:
        slot, token = wanted
        position = self.lattice.position_of[slot]
        cell = self.lattice.cells[position]
        assert isinstance(cell, Slot)
        return cell.hole.stop if token == EMPTY else position + 1

    def _followed(self, wanted: Wanted, state: State) -> Way | None:
        """The witness but for the token, where it soon makes no difference."""
        lattice, witness = self.lattice, self.witness
        begin = lattice.position_of[wanted[0]]
        position = self._behind(wanted)
        for _ in range(_FOLLOWED):
            if state == witness.states[position]:
                return Way(begin, (wanted,), position, ())
            if position == lattice.end:
                is_complete = self.steps.is_complete((state,))
                return Way(begin, (wanted,), position, ()) if is_complete else None
            cell = lattice.cells[position]
            if isinstance(cell, Text):
                front = self.steps.read((state,), cell.text)
                after = front[0] if front else None
            elif isinstance(cell, Slot):
                token = witness.tokens[cell.number]
                if token == EMPTY:
                    position = cell.hole.stop
                    continue
                after = self.steps.step(state, token)
            else:
                return None
            if after is None:
                return None
            state = after
            position += 1
        return None

    def _is_beyond(self, wanted: Wanted) -> bool:
        """Whether not even any texts around make room for the token."""
        if self._upper is None:
            return False
        slot, token = wanted
        front = self._upper.front(self.lattice.position_of[slot])
        if token != EMPTY:
            front = self.steps.take(front, token)
        behind = self._behind(wanted)
        return not any(self._upper.can_end(state, behind) for state in front)

    def _found(self, wanted: Wanted, state: State) -> Way | None:
        """Another filling behind the token."""
        slot, token = wanted
        found = self._search.find(Step(self._behind(wanted), state, None, slot, token))
        return None if found is None else self._way(self.lattice.position_of[slot], found)

    def _refilled(self, wanted: Wanted, runs: int) -> Way | None:
        """Another filling of some runs of free slots before the token, and behind it."""
        position = self.lattice.position_of[wanted[0]]
        begin = position
        while True:
            while begin > 0 and self.lattice.is_free(begin - 1):
                begin -= 1
            if not runs or begin == 0:
                break
            runs -= 1
            while begin > 0 and not self.lattice.is_free(begin - 1):
                begin -= 1
        while self.witness.states[begin] is None:
            begin -= 1
        state = self.witness.states[begin]
        assert state is not None
        found = self._search.find(Step(begin, state, None), wanted)
        return None if found is None else self._way(begin, found)

    def _way(self, begin: int, step: Step) -> Way:
        return Way(begin, tuple(step.tokens()), step.position, ())

    def _exactly(self, wanted: Wanted) -> Way | None:
        """By all fillings at once, in a memory of their own."""
        slot, token = wanted
        lattice = self._exact_lattice()
        try:
            position = lattice.position_of[slot]
            if token != EMPTY:
                front = lattice.steps.take(lattice.front(position), token)
            else:
                cell = lattice.cells[position]
                assert isinstance(cell, Slot)
                places = [p for p in cell.hole if p <= position and lattice.may_stop(p)]
                front = lattice.steps.unite([lattice.front(place) for place in places])
            if not front or not lattice.can_end(front, self._behind(wanted)):
                return None
            lattice.choose(slot, (token,))
            witness = Witness(lattice)
            witness.adopt(self.witness.whole())
            witness.renew(slot)
            return witness.whole()
        except BudgetExceeded:
            self._exact = None
            raise

    def _exact_lattice(self) -> Lattice:
        """The same lattice, in which all tokens are tried."""
        if self._exact is None or self._exact.steps.masker.automaton.is_worn:
            self._exact = Lattice(
                self.steps.fresh(), self.lattice.cells, [None] * len(self.lattice.position_of)
            )
        for slot in range(len(self.lattice.position_of)):
            choices = self.lattice.choices(slot)
            if self._exact.choices(slot) != choices:
                self._exact.choose(slot, choices)
        return self._exact
