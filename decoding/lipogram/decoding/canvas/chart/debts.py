"""What columns and entries of a chart say, and what entries owe behind a room.

A rule called in a room may end behind it; where it returns, what it has used there counts.
"""

from __future__ import annotations

from lipogram.decoding.canvas.chart.layout import (
    COLUMN_WIDTH,
    COLUMNS,
    E_COLUMN,
    E_COST,
    E_DEBT,
    E_FLAGS,
    E_FRAME,
    ENTRIES,
    ENTRY_WIDTH,
    K_IS_EXACT,
    K_ROOM,
    K_SIZE,
    O_BASE,
    O_COLUMN,
    OWN,
    OWN_FRAMES,
    OWN_WIDTH,
    PUMPED,
)
from lipogram.grammars.engine.memory import Memory, get
from lipogram.grammars.kernels import kernel


@kernel
def column_field(c: Memory, column: int, which: int) -> int:
    return get(c, COLUMNS, COLUMN_WIDTH * column + which)


@kernel
def entry_field(c: Memory, entry: int, which: int) -> int:
    return get(c, ENTRIES, ENTRY_WIDTH * entry + which)


@kernel
def is_called_in(c: Memory, frame: int, column: int) -> bool:
    """Whether a frame is that of a rule called in a column, or elsewhere in its room."""
    if frame < OWN:
        return False
    own = get(c, OWN_FRAMES, OWN_WIDTH * (frame - OWN) + O_COLUMN)
    return column_field(c, own, K_ROOM) == column_field(c, column, K_ROOM)


@kernel
def total(c: Memory, entry: int) -> int:
    """The bytes in the room up to an entry, by the nearest of its callers."""
    frame, cost = entry_field(c, entry, E_FRAME), entry_field(c, entry, E_COST)
    if is_called_in(c, frame, entry_field(c, entry, E_COLUMN)):
        return cost + get(c, OWN_FRAMES, OWN_WIDTH * (frame - OWN) + O_BASE)
    return cost


@kernel
def debt_behind(c: Memory, entry: int) -> int:
    """What an entry owes behind its column."""
    if is_called_in(c, entry_field(c, entry, E_FRAME), entry_field(c, entry, E_COLUMN)):
        pumped = 1 if entry_field(c, entry, E_FLAGS) & PUMPED else 0
        return 2 * entry_field(c, entry, E_COST) + pumped
    return entry_field(c, entry, E_DEBT)


@kernel
def debt_of_return(c: Memory, calling: int, debt: int) -> int:
    """What is owed after a return to an entry of a column before; -1: its room is too small."""
    column = entry_field(c, calling, E_COLUMN)
    size = column_field(c, column, K_SIZE)
    is_same = is_called_in(c, entry_field(c, calling, E_FRAME), column)
    if size >= 0:
        used = total(c, calling) + (debt >> 1)
        is_exact = column_field(c, column, K_IS_EXACT) and not debt & 1
        if used > size or (is_exact and used < size):
            return -1
        if is_same:
            return debt + 2 * entry_field(c, calling, E_COST)
    return 0 if is_same else entry_field(c, calling, E_DEBT)
