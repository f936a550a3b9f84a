"""A row of cells, each a fixed text or a gap for any text, in a memory of its own.

Cells are numbered; position p is in front of cell p. A place is an element of some cell's text, or
its gap. What is found out about a place depends on what comes up to the next gap.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve
from lipogram.grammars.kernels import exported, kernel

ELEMENTS: Final = 8  # bytes of all texts there have been, and these:
GAP, NEXT, END = -1, -2, -3  # any text; the cell ends; so does the row
CELL_OF: Final = 9  # by element
CELLS: Final = 10  # [., 8]
CELL_WIDTH: Final = 8
C_START, C_LAST, C_SINCE, C_FRONT = range(4)  # first element; last gap in a row; see `ahead`
CLOCK: Final = COUNTERS + 1  # of changes


@kernel
def cell_field(k: Memory, cell: int, column: int) -> int:
    return get(k, CELLS, CELL_WIDTH * cell + column)


@kernel
def set_cell_field(k: Memory, cell: int, column: int, value: int) -> None:
    put(k, CELLS, CELL_WIDTH * cell + column, value)


@kernel
def is_gap(k: Memory, cell: int) -> bool:
    return get(k, ELEMENTS, cell_field(k, cell, C_START)) == GAP


@kernel
def settled(k: Memory, place: int) -> int:
    """The place of the next byte or gap from a place on; of the last gap where several follow."""
    while True:
        element = get(k, ELEMENTS, place)
        if element == NEXT:
            place = cell_field(k, get(k, CELL_OF, place) + 1, C_START)
            continue
        if element == GAP:
            return cell_field(k, cell_field(k, get(k, CELL_OF, place), C_LAST), C_START)
        return place


@exported
def put_text(k: Memory, cell: int, text: NDArray[np.int64]) -> None:
    """Let a cell have the elements given: bytes, or a GAP; `follow` must be told then."""
    start = k[COUNTERS + ELEMENTS]
    size = len(text)
    reserve(k, ELEMENTS, 4 * (start + size + 1))
    reserve(k, CELL_OF, 4 * (start + size + 1))
    reserve(k, CELLS, 4 * CELL_WIDTH * (cell + 1))
    for index in range(size):
        put(k, ELEMENTS, start + index, text[index])
        put(k, CELL_OF, start + index, cell)
    put(k, ELEMENTS, start + size, NEXT)
    put(k, CELL_OF, start + size, cell)
    k[COUNTERS + ELEMENTS] = start + size + 1
    set_cell_field(k, cell, C_START, start)


@exported
def follow(k: Memory, cell: int, count: int) -> None:
    """See to it that what is known takes a change of a cell into account, in a row of `count`."""
    k[CLOCK] += 1
    last = cell
    while last < count and is_gap(k, last):
        last += 1
    has_gap = False
    for at in range(max(last, cell + 1) - 1, -1, -1):
        if is_gap(k, at):
            is_run = at + 1 < count and is_gap(k, at + 1)
            set_cell_field(k, at, C_LAST, cell_field(k, at + 1, C_LAST) if is_run else at)
            has_gap |= at < cell
        elif has_gap:
            break
        set_cell_field(k, at, C_SINCE, k[CLOCK])
    for at in range(cell + 1, count + 1):
        set_cell_field(k, at, C_FRONT, 0)
        if at < count and is_gap(k, at):
            break
