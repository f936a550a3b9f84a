"""A first filling of all slots of a canvas, by as few bytes as will do."""

from __future__ import annotations

from lipogram.decoding.canvas.chart.closing import close
from lipogram.decoding.canvas.chart.columns import (
    add_column,
    allow_more,
    begin,
    column_field,
    expect,
    is_empty,
    make_room,
    move_on,
    read_byte,
    wipe,
)
from lipogram.decoding.canvas.chart.layout import BYTES, ENTRIES, IS_BUSY, K_FIRST, MODE
from lipogram.decoding.canvas.chart.opening import opened
from lipogram.decoding.canvas.chart.tracing import trace, write_way
from lipogram.decoding.canvas.compiled.layout import (
    ANY_TEXT,
    EMPTY,
    S_CHOICE,
    S_KIND,
    S_MAY_STOP,
    S_STATE,
    S_STOP,
    SLOT,
    WAY,
    slot_field,
)
from lipogram.decoding.canvas.compiled.ways import Spellings, is_free, run_end
from lipogram.grammars.engine.memory import COUNTERS, Memory, get
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.row import C_START, ELEMENTS, NEXT, cell_field

NOTHING, TOO_MUCH = -1, -2  # instead of a column


@exported
def fill_by_chart(m: Memory, c: Memory, k: Memory, s: Spellings, end: int, most: int) -> bool:
    """Whether a filling is found; it goes to WAY. Slots are all free, or have their tokens.

    Not where a gap has no slots, or more than `most` entries would be needed.
    """
    wipe(c)
    allow_more(m, c, most)
    c[IS_BUSY], c[MODE] = 1, BYTES
    column, at = add_column(c, -1), 0
    begin(m, c, slot_field(k, 0, S_STATE), column)
    while at < end and column >= 0:
        if slot_field(k, at, S_KIND) == ANY_TEXT:
            return False
        column, at = over_cell(m, c, k, k, s, column, at)
    if column < 0:
        return False
    for entry in range(column_field(c, column, K_FIRST), c[COUNTERS + ENTRIES]):
        step = opened(m, c, k, entry, end)
        if step >= 0:
            k[COUNTERS + WAY] = 0
            count = trace(c, entry, step)
            if count >= 0 and write_way(c, k, s, column, count):
                return True
    return False


@kernel
def over_cell(
    m: Memory, c: Memory, k: Memory, g: Memory, s: Spellings, column: int, cell: int
) -> tuple[int, int]:
    """The column behind a run of free slots, or a cell with a text in the row `g`; the cell there.

    From a column that is not closed.
    """
    if is_free(k, cell):
        stop, may_stop = run_end(k, cell), slot_field(k, cell, S_MAY_STOP) != 0
        behind = slot_field(k, cell, S_STOP) if may_stop else stop
        make_room(c, column, stop - cell, not may_stop, cell, behind)
        return leave_room(m, c, s, column), behind
    if slot_field(k, cell, S_KIND) == SLOT and slot_field(k, cell, S_CHOICE) == EMPTY:
        return column, slot_field(k, cell, S_STOP)
    place = cell_field(g, cell, C_START)
    while get(g, ELEMENTS, place) != NEXT:
        byte = get(g, ELEMENTS, place)
        expect(c, column, byte)
        if not close(m, c, s, column):
            return TOO_MUCH, cell
        column = read_byte(m, c, column, byte)
        if is_empty(c, column):
            return NOTHING, cell
        place += 1
    return column, cell + 1


@kernel
def leave_room(m: Memory, c: Memory, s: Spellings, column: int) -> int:
    """The column behind a room."""
    if not close(m, c, s, column):
        return TOO_MUCH
    column = move_on(c, column)
    return NOTHING if is_empty(c, column) else column
