"""One complete filling of a canvas: concrete tokens, and the states on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from lipogram.decoding.canvas.fronts import Fronts
from lipogram.decoding.canvas.holes import Gap, Slot, Text
from lipogram.decoding.canvas.lattice import EMPTY, Lattice
from lipogram.grammars import BudgetExceeded, State

_MAX_TRIED: Final = 100_000  # states, before the search for the text of a gap gives up


class Witness:
    """A filling, kept as it is wherever the lattice allows.

    `tokens` are by slot, EMPTY for those left empty; `states[p]` is the state in front of cell p,
    None in the empty rest of a hole.
    """

    def __init__(self, lattice: Lattice) -> None:
        """No filling yet, only the start."""
        self._lattice = lattice
        self._steps: Fronts = lattice.steps
        self.tokens: list[int] = [EMPTY] * len(lattice.position_of)
        self.texts: dict[int, bytes] = {}  # by the position of a gap
        self.states: list[State | None] = [None] * (lattice.end + 1)

    def adopt(self, tokens: Sequence[int], texts: Mapping[int, bytes]) -> None:
        """Take over a filling from elsewhere."""
        lattice, steps = self._lattice, self._steps
        self.tokens, self.texts = list(tokens), dict(texts)
        self.states = [None] * (lattice.end + 1)
        position, after = 0, steps.start()[0]
        while position < lattice.end:
            self.states[position] = after
            cell = lattice.cells[position]
            position += 1
            found: State | None = after
            if isinstance(cell, Text):
                found = steps.step_over(after, cell.text)
            elif isinstance(cell, Gap):
                found = steps.step_over(after, self.texts[position - 1])
            elif self.tokens[cell.number] == EMPTY:
                position = cell.hole.stop
            else:
                found = steps.step(after, self.tokens[cell.number])
            assert found  # it is a filling
            after = found
        self.states[position] = after

    def fill(self) -> None:
        """Fill from the start on. Raises BudgetExceeded."""
        self.states[0] = self._steps.start()[0]
        self._fill(0)

    def renew(self, slot: int) -> None:
        """Fill again where the choices for a slot have changed; some filling is left."""
        lattice = self._lattice
        position = lattice.position_of[slot]
        places = [p for p in range(position + 1) if self.states[p] is not None]
        low, high = 0, len(places)  # the first `low` are well, those from `high` on are not
        while high - low > 1:
            middle = (low + high) // 2
            state = self.states[places[middle]]
            assert state is not None
            if lattice.can_end((state,), places[middle]):
                low = middle
            else:
                high = middle
        self._fill(places[low])

    def _fill(self, position: int) -> None:
        """Fill from a position on, from where the lattice can end."""
        lattice, steps = self._lattice, self._steps
        while position < lattice.end:
            state = self.states[position]
            assert state is not None
            cell = lattice.cells[position]
            after: State | None
            end = position + 1
            if isinstance(cell, Text):
                after = steps.read((state,), cell.text)[0]
            elif isinstance(cell, Gap):
                text = self._text(state, position)
                self.texts[position] = text
                after = steps.read((state,), text)[0]
            else:
                token, after = self._token(state, position)
                self.tokens[cell.number] = token
                if token == EMPTY:
                    end = cell.hole.stop
                    rest = end - position
                    self.tokens[cell.number : cell.number + rest] = [EMPTY] * rest
                    self.states[position + 1 : end] = [None] * (rest - 1)
            position = end
            self.states[position] = after

    def _token(self, state: State, position: int) -> tuple[int, State]:
        """A token for a slot with which the lattice can end, if possible that of before."""
        lattice = self._lattice
        cell = lattice.cells[position]
        assert isinstance(cell, Slot)
        choices = lattice.choices(cell.number)
        kept = self.tokens[cell.number]
        can_stop = lattice.may_stop(position) and lattice.can_end((state,), cell.hole.stop)
        if can_stop and kept == EMPTY:
            return EMPTY, state
        if kept != EMPTY and (choices is None or kept in choices):
            after = self._steps.step(state, kept)
            if after is not None and lattice.can_end((after,), position + 1):
                return kept, after
        if can_stop:
            return EMPTY, state
        if choices is None:
            options = self._steps.ends(state)
        else:
            options = [
                (after, token)
                for token in choices
                if token != EMPTY and (after := self._steps.step(state, token)) is not None
            ]
        return self._one_of(options, position + 1)

    def _one_of(self, options: Sequence[tuple[State, int]], position: int) -> tuple[int, State]:
        """One of the options with which the lattice can end; there is one. Halves until found."""
        while len(options) > 1:
            half = options[: len(options) // 2]
            front = self._steps.unite([(after,) for after, _ in half])
            is_here = self._lattice.can_end(front, position)
            options = half if is_here else options[len(options) // 2 :]
        after, token = options[0]
        return token, after

    def _text(self, state: State, position: int) -> bytes:
        """A text for a gap, found breadth first."""
        lattice, automaton = self._lattice, self._steps.masker.automaton
        kept = self.texts.get(position)
        if kept is not None:
            front = self._steps.read((state,), kept)
            if front and lattice.can_end(front, position + 1):
                return kept
        seen = {state}
        waiting = deque([(state, b"")])
        while waiting and len(seen) < _MAX_TRIED:
            current, text = waiting.popleft()
            if lattice.can_end((current,), position + 1):
                return text
            for byte in sorted(automaton.next_bytes(current)):
                successor = automaton.step(current, byte)
                if successor is None or successor in seen:
                    continue
                seen.add(successor)
                if lattice.can_end(self._steps.skip((successor,)), position + 1):
                    waiting.append((successor, text + bytes([byte])))
        raise BudgetExceeded("the text of a hole without a number of tokens is hard to find")
