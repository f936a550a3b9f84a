"""All fillings of a canvas at once: what leads to a position, and what can go on to the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lipogram.decoding.canvas.fronts import NOWHERE, Front, Fronts
from lipogram.decoding.canvas.holes import Cell, Gap, Slot, Text

EMPTY: Final = -1  # instead of a token: the slot and the rest of its hole stay empty

Choices = tuple[int, ...] | None  # what a slot may take; None: any token, or nothing where it may


class Lattice:
    """Cells with choices for each slot.

    Fronts are exact from the left, verdicts exact to the right; both are kept until a choice that
    they depend on changes.
    """

    def __init__(self, fronts: Fronts, cells: Sequence[Cell], choices: Sequence[Choices]) -> None:
        """`choices` are by slot."""
        self.steps = fronts
        self.cells = cells
        self.end = len(cells)
        self.position_of = [p for p, cell in enumerate(cells) if isinstance(cell, Slot)]
        self._choices = list(choices)
        self._fronts: list[Front] = [fronts.start()]
        self._verdicts: list[dict[Front, bool]] = [{} for _ in range(self.end + 1)]
        self._filled_to: dict[int, int] = {}  # by the end of a hole
        for hole in {cell.hole for cell in cells if isinstance(cell, Slot)}:
            self._note_filled(hole)

    def choices(self, slot: int) -> Choices:
        return self._choices[slot]

    def choose(self, slot: int, choices: Choices) -> None:
        """Change what a slot may take."""
        self._choices[slot] = choices
        position = self.position_of[slot]
        cell = self.cells[position]
        assert isinstance(cell, Slot)
        self._note_filled(cell.hole)
        del self._fronts[position + 1 :]
        for verdicts in self._verdicts[: position + 1]:
            verdicts.clear()

    def is_free(self, position: int) -> bool:
        """Whether the cell is a slot that may take anything."""
        cell = self.cells[position]
        return isinstance(cell, Slot) and self._choices[cell.number] is None

    def may_stop(self, position: int) -> bool:
        """Whether the hole may end in front of the slot there."""
        cell = self.cells[position]
        assert isinstance(cell, Slot)
        choices = self._choices[cell.number]
        return (
            cell.may_be_empty
            and position >= self._filled_to.get(cell.hole.stop, 0)
            and (choices is None or EMPTY in choices)
        )

    def front(self, position: int) -> Front:
        """What all fillings of the cells in front of a position lead to."""
        while len(self._fronts) <= position:
            here = len(self._fronts) - 1
            cell = self.cells[here]
            found = [self.after(self._fronts[here], here)]
            if isinstance(cell, Slot) and cell.hole.stop == here + 1:
                stops = [at for at in cell.hole if self.may_stop(at)]
                found += [self._fronts[at] for at in stops]
            self._fronts.append(self.steps.unite(found))
        return self._fronts[position]

    def after(self, front: Front, position: int) -> Front:
        """What the cell at a position makes of a front, if it is not left empty."""
        if not front:
            return NOWHERE
        cell = self.cells[position]
        if isinstance(cell, Text):
            return self.steps.read(front, cell.text)
        if isinstance(cell, Gap):
            return self.steps.skip(front)
        choices = self._choices[cell.number]
        if choices is None:
            return self.steps.take_any(front)
        return self.steps.unite(
            [self.steps.take(front, token) for token in choices if token != EMPTY]
        )

    def can_end(self, front: Front, position: int) -> bool:
        """Whether some filling of the cells from a position on completes a text of the front."""
        stopped: dict[int, list[Front]] = {}
        passed: list[tuple[int, Front]] = []
        while True:
            if position in stopped:
                front = self.steps.unite([front, *stopped.pop(position)])
            if not stopped:
                verdict = self._verdicts[position].get(front) if front else False
                if verdict is not None:
                    break
                passed.append((position, front))
            if position == self.end:
                verdict = self.steps.is_complete(front)
                break
            cell = self.cells[position]
            if front and isinstance(cell, Slot) and self.may_stop(position):
                stopped.setdefault(cell.hole.stop, []).append(front)
            front = self.after(front, position)
            position += 1
        for place, known in passed:
            self._verdicts[place][known] = verdict
        return verdict

    def _note_filled(self, hole: range) -> None:
        """Note up to where a hole must be filled, because a slot must."""
        self._filled_to[hole.stop] = 0
        for place in reversed(hole):
            cell = self.cells[place]
            assert isinstance(cell, Slot)
            choices = self._choices[cell.number]
            if choices is not None and EMPTY not in choices:
                self._filled_to[hole.stop] = place + 1
                break
