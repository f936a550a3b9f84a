"""A first filling of all slots of a canvas, by as few bytes as will do."""

from __future__ import annotations

from lipogram.decoding.canvas.chart.closing import close
from lipogram.decoding.canvas.chart.columns import (
    ANY_BYTE,
    add_column,
    allow_more,
    begin,
    expect,
    is_empty,
    make_gap,
    make_room,
    move_on,
    read_byte,
    wipe,
)
from lipogram.decoding.canvas.chart.debts import column_field
from lipogram.decoding.canvas.chart.layout import (
    BYTES,
    ENTRIES,
    IS_BUSY,
    IS_THOROUGH,
    K_FIRST,
    MODE,
)
from lipogram.decoding.canvas.chart.opening import opened
from lipogram.decoding.canvas.chart.tracing import trace, write_way
from lipogram.decoding.canvas.compiled.layout import (
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
from lipogram.decoding.canvas.compiled.ways import Spellings, is_free, is_gap, is_to_fill, run_end
from lipogram.grammars.engine.memory import COUNTERS, Memory, get
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.row import C_START, ELEMENTS, NEXT, cell_field

NOTHING, TOO_MUCH = -1, -2  # instead of a column


@exported
def fill_by_chart(
    m: Memory, c: Memory, k: Memory, s: Spellings, end: int, most: int, mode: int
) -> bool:
    """Whether a filling is found; it goes to WAY. Slots are all free, or have their tokens.

    In rooms come bytes or, where that is the mode, tokens of the trie in `s`, too. Not where more
    than `most` entries would be needed.
    """
    column, at = _begin(m, c, k, most, mode), 0
    while at < end and column >= 0:
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


@exported
def is_hopeless(m: Memory, c: Memory, k: Memory, s: Spellings, end: int, most: int) -> bool:
    """Whether no texts in free slots and gaps make a member, as at most so many entries show.

    Those of slots that must have tokens have a byte for each.
    """
    column, at = _begin(m, c, k, most, BYTES), 0
    while at < end and column >= 0:
        if is_to_fill(k, at):
            column, at = _over_any_text(m, c, k, s, column, at)
        else:
            column, at = over_cell(m, c, k, k, s, column, at)
    if column < 0:
        return column == NOTHING
    for entry in range(column_field(c, column, K_FIRST), c[COUNTERS + ENTRIES]):
        if opened(m, c, k, entry, end) >= 0:
            return False
    return True


@kernel
def _over_any_text(
    m: Memory, c: Memory, k: Memory, s: Spellings, column: int, cell: int
) -> tuple[int, int]:
    """The column behind any text of at least as many bytes as must come; the cell there."""
    behind = _behind(k, cell)
    is_exact = is_free(k, cell) and not slot_field(k, cell, S_MAY_STOP)
    for _ in range(behind - cell if is_exact else 0):
        if not close(m, c, s, column):
            return TOO_MUCH, behind
        column = read_byte(m, c, column, ANY_BYTE)
        if is_empty(c, column):
            return NOTHING, behind
    make_room(c, column, -1, False, cell, behind)
    return leave_room(m, c, s, column), behind


@kernel
def _begin(m: Memory, c: Memory, k: Memory, most: int, mode: int) -> int:
    """The first column of a new chart."""
    wipe(c)
    allow_more(m, c, most)
    c[IS_BUSY], c[MODE], c[IS_THOROUGH] = 1, mode, 1
    column = add_column(c, -1)
    begin(m, c, slot_field(k, 0, S_STATE), column)
    return column


@kernel
def over_cell(
    m: Memory, c: Memory, k: Memory, g: Memory, s: Spellings, column: int, cell: int
) -> tuple[int, int]:
    """The column behind a run of free slots, a gap, or a cell with a text in `g`; the cell there.

    From a column that is not closed.
    """
    if is_to_fill(k, cell):
        behind = let_in(c, k, column, cell)
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
def let_in(c: Memory, k: Memory, column: int, cell: int) -> int:
    """Make a room of a column, for a run of free slots or a gap; the cell behind it."""
    behind = _behind(k, cell)
    if is_gap(k, cell):
        make_gap(c, column, cell)
    else:
        is_exact = slot_field(k, cell, S_MAY_STOP) == 0
        make_room(c, column, run_end(k, cell) - cell, is_exact, cell, behind)
    return behind


@kernel
def _behind(k: Memory, cell: int) -> int:
    """The cell behind a gap, or a run of free slots: at the hole's end if they may stay empty."""
    if is_gap(k, cell):
        return cell + 1
    return slot_field(k, cell, S_STOP) if slot_field(k, cell, S_MAY_STOP) else run_end(k, cell)


@kernel
def leave_room(m: Memory, c: Memory, s: Spellings, column: int) -> int:
    """The column behind a room."""
    if not close(m, c, s, column):
        return TOO_MUCH
    column = move_on(c, column)
    return NOTHING if is_empty(c, column) else column
