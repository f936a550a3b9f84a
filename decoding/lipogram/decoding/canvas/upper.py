"""What cannot be: a canvas whose free slots are gaps for any text. What does not fit it never fits.

Answers stay right when tokens are committed, only less sharp, since commits take fillings away.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from lipogram.decoding.canvas.fronts import Front, Fronts
from lipogram.grammars import BudgetExceeded, State
from lipogram.grammars.arrays import view
from lipogram.grammars.engine.layout import ROOT
from lipogram.grammars.lattice import exits

Item = tuple[int, int]  # residual, frame


class Upper:
    """Fixed texts and gaps; a place is an offset into all of them, a gap counting for one."""

    def __init__(self, steps: Fronts, cells: Sequence[bytes | None]) -> None:
        """A cell is a fixed text, or None for any text."""
        self._steps = steps
        self._memory = steps.masker.automaton.memory
        text: list[int] = []
        self._place_of: list[int] = []  # by position; within a gap, the gap's
        for cell in cells:
            if cell is not None:
                self._place_of.append(len(text))
                text.extend(cell)
            else:
                if not text or text[-1] != -1:
                    text.append(-1)
                self._place_of.append(len(text) - 1)
        self._place_of.append(len(text))
        self._text = np.array(text, np.int16)
        self._fronts: dict[int, Front] = {0: steps.start()}
        gaps = np.flatnonzero(self._text == -1)
        self._stops: list[int] = np.union1d([0, len(text)], [gaps, gaps + 1]).tolist()
        self._exits: dict[tuple[int, int], tuple[int, ...]] = {}
        self._items: dict[State, tuple[Item, ...]] = {}
        self._residuals: dict[State, frozenset[int]] = {}
        self._callers: dict[int, tuple[Item, ...]] = {}
        self._alive: dict[tuple[int, int, int], bool] = {}
        self._verdicts: dict[tuple[State, int], bool] = {}

    def front(self, position: int) -> Front:
        """What all fillings lead to at a position; anywhere in a gap where it is in one."""
        place = self._place_of[position]
        if position and self._place_of[position - 1] == place:
            place += 1  # within a gap
        at = bisect_right(self._stops, place) - 1
        while self._stops[at] not in self._fronts:
            at -= 1
        front = self._fronts[self._stops[at]]
        while front and self._stops[at] < place:
            begin = self._stops[at]
            at += 1
            end = min(self._stops[at], place)
            if self._text[begin] == -1:
                front = self._steps.skip(front)
            else:
                front = self._steps.read(front, self._text[begin:end].astype(np.uint8).tobytes())
            self._fronts[end] = front
        return front

    def can_end(self, state: State, position: int) -> bool:
        """Whether what leads to a state can be completed from a position on."""
        place = self._place_of[position]
        verdict = self._verdicts.get((state, place))
        if verdict is None:
            items = self._items_of(state)
            try:
                verdict = any(self._is_alive(node, frame, place) for node, frame in items)
            except BudgetExceeded:
                if self._steps.working.left_s <= 0:
                    raise
                verdict = True  # the gap has too many readings
            self._verdicts[state, place] = verdict
        return verdict

    def residuals(self, state: State) -> frozenset[int]:
        """What is left to match of the rules that a state is in, without what they return to."""
        found = self._residuals.get(state)
        if found is None:
            found = frozenset(node for node, _ in self._items_of(state))
            self._residuals[state] = found
        return found

    def _is_alive(self, node: int, frame: int, place: int) -> bool:
        """Whether a residual, then what waits in a frame, can end with the canvas."""
        start = (node, frame, place)
        known = self._alive.get(start)
        if known is not None:
            return known
        parents: dict[tuple[int, int, int], tuple[int, int, int] | None] = {start: None}
        waiting = [start]
        while waiting:
            current = waiting.pop()
            node, frame, place = current
            for end in self._exits_of(node, place):
                if end == exits.BEYOND:
                    return self._note(current, parents)
                if frame == ROOT:
                    if end == len(self._text) or (
                        end == len(self._text) - 1 and self._text[end] == -1
                    ):
                        return self._note(current, parents)
                    continue
                for rest, outer in self._callers_of(frame):
                    following = (rest, outer, end)
                    verdict = self._alive.get(following)
                    if verdict:
                        return self._note(current, parents)
                    if verdict is None and following not in parents:
                        parents[following] = current
                        waiting.append(following)
        self._alive.update(dict.fromkeys(parents, False))
        return False

    def _note(
        self,
        found: tuple[int, int, int] | None,
        parents: dict[tuple[int, int, int], tuple[int, int, int] | None],
    ) -> bool:
        """Note that all on the way to what was found are alive; True."""
        while found is not None:
            self._alive[found] = True
            found = parents[found]
        return True

    def _exits_of(self, node: int, place: int) -> tuple[int, ...]:
        found = self._exits.get((node, place))
        if found is None:
            with self._steps.working:
                count = exits.exits(self._memory, node, place, self._text)
                found = tuple(view(self._memory, exits.PLACES)[:count]) if count else ()
            self._exits[node, place] = found
        return found

    def _items_of(self, state: State) -> tuple[Item, ...]:
        found = self._items.get(state)
        if found is None:
            with self._steps.working:
                count = exits.items_of(self._memory, state)
                found = self._pairs(count)
            self._items[state] = found
        return found

    def _callers_of(self, frame: int) -> tuple[Item, ...]:
        found = self._callers.get(frame)
        if found is None:
            with self._steps.working:
                count = exits.callers_of(self._memory, frame)
                found = self._pairs(count)
            self._callers[frame] = found
        return found

    def _pairs(self, count: int) -> tuple[Item, ...]:
        flat = view(self._memory, exits.PLACES)[: 2 * count].tolist() if count else []
        return tuple(zip(flat[::2], flat[1::2], strict=True))
