"""Fillings of many slots at once, item by item: a chart over texts and rooms (Earley 1970).

A column stands in front of a byte of a text, or is a room: a run of free slots in which any bytes
may come, one a token, up to so many; or a gap, as if it had many slots. How many there are is the
cost of an entry, so what is found first takes the fewest (Knuth 1977). Where a room is to be filled
exactly, some byte must be found that can come again and again: a pump.

Nothing is united or interned here, so a chart of a thousand entries takes about as long as a state
of the engine that has as many items.
"""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.chart.debts import (
    column_field,
    debt_behind,
    entry_field,
    is_called_in,
    total,
)
from lipogram.decoding.canvas.chart.layout import (
    ALIKE_AT,
    BEGUN,
    BUCKETS,
    BYTE,
    COLUMN_WIDTH,
    COLUMNS,
    CONSUMED,
    CURSOR,
    DEAD_ENDS,
    DONE,
    E_COLUMN,
    E_COST,
    E_DEBT,
    E_FLAGS,
    E_FRAME,
    E_FROM,
    E_HOW,
    E_NODE,
    E_WITH,
    ENDED,
    ENTRIES,
    ENTRY_AT,
    ENTRY_LIMIT,
    ENTRY_WIDTH,
    IS_BUSY,
    IS_THOROUGH,
    JUMP,
    K_AT,
    K_BEFORE,
    K_BYTE,
    K_CELL,
    K_END,
    K_FIRST,
    K_IS_EXACT,
    K_IS_GAP,
    K_ROOM,
    K_SIZE,
    K_STOP,
    KERNEL,
    MOVED,
    NODE_LIMIT,
    O_BASE,
    OWN,
    OWN_CALLERS,
    OWN_FRAME_AT,
    OWN_FRAMES,
    OWN_WIDTH,
    POSSIBLE_AT,
    PUMPED,
    QUEUE,
    STEPS,
    WITHIN,
    WORN,
)
from lipogram.decoding.canvas.compiled.layout import FEW_SLOTS
from lipogram.grammars.engine.bytesets import has_byte
from lipogram.grammars.engine.layout import (
    EDGE_END,
    EDGE_START,
    EDGES,
    ITEMS,
    NODE_COUNT,
    S_END,
    S_START,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.memory import COUNTERS, Memory, clear, get, put, reserve, spend
from lipogram.grammars.engine.nodes import field
from lipogram.grammars.engine.search import is_alive
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.tables import VALUE, row_at

ANY_BYTE: Final = -1
_GAP_BYTES: Final = 1 << 12  # at most, in a gap for any text


@kernel
def add_column(c: Memory, before: int) -> int:
    """A new column behind another; it is in front of a byte unless `make_room` says otherwise."""
    column = c[COUNTERS + COLUMNS]
    at = COLUMN_WIDTH * column
    reserve(c, COLUMNS, 4 * (at + COLUMN_WIDTH))
    put(c, COLUMNS, at + K_SIZE, -1)
    put(c, COLUMNS, at + K_BYTE, -1)
    put(c, COLUMNS, at + K_IS_EXACT, 0)
    put(c, COLUMNS, at + K_BEFORE, before)
    put(c, COLUMNS, at + K_FIRST, c[COUNTERS + ENTRIES])
    put(c, COLUMNS, at + K_ROOM, column)
    put(c, COLUMNS, at + K_AT, 0)
    put(c, COLUMNS, at + K_IS_GAP, 0)
    c[COUNTERS + COLUMNS] = column + 1
    c[COUNTERS + QUEUE] = 0
    return column


@kernel
def make_room(c: Memory, column: int, size: int, is_exact: bool, cell: int, stop: int) -> None:
    """Let so many bytes come in a column, in slots from a cell on; any number if `size` is -1."""
    at = COLUMN_WIDTH * column
    put(c, COLUMNS, at + K_SIZE, max(size, 0))
    put(c, COLUMNS, at + K_BYTE, 1 if size >= 0 else 0)
    put(c, COLUMNS, at + K_IS_EXACT, 1 if is_exact and size >= 0 else 0)
    put(c, COLUMNS, at + K_CELL, cell)
    put(c, COLUMNS, at + K_STOP, stop)
    reserve(c, BUCKETS, 4 * (max(size, 0) + 1))


@kernel
def make_gap(c: Memory, column: int, cell: int) -> None:
    """Let any text come in a column, as if each of its bytes were a token."""
    make_room(c, column, _GAP_BYTES, False, cell, cell + 1)
    put(c, COLUMNS, COLUMN_WIDTH * column + K_IS_GAP, 1)
    c[IS_THOROUGH] = 1  # the text of a gap might take the bytes that slots behind it need


@kernel
def wipe(c: Memory) -> None:
    """Forget all."""
    for table in (ENTRY_AT, OWN_FRAME_AT, DEAD_ENDS, WITHIN, ALIKE_AT, STEPS, POSSIBLE_AT):
        c[COUNTERS + table] = 0
        clear(c, table + 1)
    for array in (ENTRIES, OWN_FRAMES, OWN_CALLERS, ENDED, COLUMNS):
        c[COUNTERS + array] = 0
    clear(c, BUCKETS)


@kernel
def is_worn(c: Memory) -> bool:
    """Whether all is better forgotten."""
    return c[IS_BUSY] != 0 or c[COUNTERS + ENTRIES] > WORN


@kernel
def allow_more(m: Memory, c: Memory, count: int) -> None:
    """Let a question make so many more entries, and residuals."""
    c[ENTRY_LIMIT] = c[COUNTERS + ENTRIES] + count
    c[NODE_LIMIT] = m[NODE_COUNT] + count


@kernel
def is_over(m: Memory, c: Memory) -> bool:
    """Whether a question has made as many entries, or residuals, as it may."""
    return c[COUNTERS + ENTRIES] >= c[ENTRY_LIMIT] or m[NODE_COUNT] >= c[NODE_LIMIT]


@kernel
def add_entry(
    c: Memory, node: int, frame: int, column: int, flags: int, cost: int, debt: int, how: int,
    source: int, other: int,
) -> None:  # fmt: skip
    """Add an entry, or let one that is there cost less. Not where its room is too small."""
    bucket = cost
    if is_called_in(c, frame, column):
        bucket += get(c, OWN_FRAMES, OWN_WIDTH * (frame - OWN) + O_BASE)
    size = max(column_field(c, column, K_SIZE), 0)
    if bucket > size:
        return
    key = flags & (CONSUMED | PUMPED)
    # What costs more may fill a room exactly, where one that costs less does not.
    is_apart = c[IS_THOROUGH] and column_field(c, column, K_IS_EXACT) and size <= FEW_SLOTS
    apart = cost if is_apart else 0
    row = row_at(c, ENTRY_AT, node, frame, (apart << 28) + 4 * column + key)
    entry = get(c, ENTRY_AT, row + VALUE) - 1
    if entry < 0:
        entry = c[COUNTERS + ENTRIES]
        reserve(c, ENTRIES, 4 * ENTRY_WIDTH * (entry + 1))
        put(c, ENTRY_AT, row + VALUE, entry + 1)
        c[COUNTERS + ENTRIES] = entry + 1
    else:
        known = entry_field(c, entry, E_COST)
        if known < cost or (known == cost and entry_field(c, entry, E_DEBT) <= debt):
            return
    at = ENTRY_WIDTH * entry
    put(c, ENTRIES, at + E_NODE, node)
    put(c, ENTRIES, at + E_FRAME, frame)
    put(c, ENTRIES, at + E_COLUMN, column)
    put(c, ENTRIES, at + E_FLAGS, key | (KERNEL if how <= JUMP else 0))
    put(c, ENTRIES, at + E_COST, cost)
    put(c, ENTRIES, at + E_HOW, how)
    put(c, ENTRIES, at + E_FROM, source)
    put(c, ENTRIES, at + E_WITH, other)
    put(c, ENTRIES, at + E_DEBT, debt)
    queued = c[COUNTERS + QUEUE]
    reserve(c, QUEUE, 8 * (queued + 1))
    put(c, QUEUE, 2 * queued, entry)
    reserve(c, BUCKETS, 4 * (size + 1))
    put(c, QUEUE, 2 * queued + 1, get(c, BUCKETS, bucket))
    put(c, BUCKETS, bucket, queued + 1)
    c[COUNTERS + QUEUE] = queued + 1
    c[CURSOR] = min(c[CURSOR], bucket)


@kernel
def begin(m: Memory, c: Memory, state: int, column: int) -> None:
    """Put the items of a state of the engine into a column."""
    at = state * STATE_WIDTH
    for index in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
        node, frame = get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1)
        add_entry(c, node, frame, column, CONSUMED, 0, 0, BEGUN, -1, 0)


@kernel
def next_entry(c: Memory, column: int) -> int:
    """The cheapest entry of a column that is not done; -1 if there is none."""
    size = max(column_field(c, column, K_SIZE), 0)
    while c[CURSOR] <= size:
        queued = get(c, BUCKETS, c[CURSOR]) - 1
        if queued < 0:
            c[CURSOR] += 1
            continue
        put(c, BUCKETS, c[CURSOR], get(c, QUEUE, 2 * queued + 1))
        entry = get(c, QUEUE, 2 * queued)
        flags = entry_field(c, entry, E_FLAGS)
        if not flags & DONE:
            put(c, ENTRIES, ENTRY_WIDTH * entry + E_FLAGS, flags | DONE)
            return entry
    return -1


@kernel
def empty_queue(c: Memory, column: int) -> None:
    """Forget what waits in a column."""
    for bucket in range(max(column_field(c, column, K_SIZE), 0) + 1):
        put(c, BUCKETS, bucket, 0)
    c[COUNTERS + QUEUE] = 0
    c[CURSOR] = 0


@kernel
def may_leave(c: Memory, entry: int) -> bool:
    """Whether an entry stands behind a byte, and its room is filled as it must be."""
    flags, column = entry_field(c, entry, E_FLAGS), entry_field(c, entry, E_COLUMN)
    if not flags & KERNEL or column_field(c, column, K_AT):
        return False
    if column_field(c, column, K_IS_EXACT) == 0 or flags & PUMPED:
        return True
    return total(c, entry) == column_field(c, column, K_SIZE)


@kernel
def put_end(c: Memory, column: int) -> None:
    """Note that a column has all its entries."""
    put(c, COLUMNS, COLUMN_WIDTH * column + K_END, c[COUNTERS + ENTRIES])


@kernel
def move_on(c: Memory, column: int) -> int:
    """A column behind a room that is closed, with what may leave it."""
    after = add_column(c, column)
    for entry in range(column_field(c, column, K_FIRST), column_field(c, column, K_END)):
        if may_leave(c, entry):
            node, frame = entry_field(c, entry, E_NODE), entry_field(c, entry, E_FRAME)
            debt = debt_behind(c, entry)
            add_entry(c, node, frame, after, CONSUMED, 0, debt, MOVED, entry, 0)
    return after


@kernel
def expect(c: Memory, column: int, byte: int) -> None:
    """Let a column that is to be closed stand in front of a byte."""
    put(c, COLUMNS, COLUMN_WIDTH * column + K_BYTE, byte)


@kernel
def read_byte(m: Memory, c: Memory, column: int, byte: int) -> int:
    """A column behind a byte, ANY_BYTE for any, that comes in one that is closed."""
    after = add_column(c, column)
    spend(m, 10 * (column_field(c, column, K_END) - column_field(c, column, K_FIRST)))
    for entry in range(column_field(c, column, K_FIRST), column_field(c, column, K_END)):
        node, frame = entry_field(c, entry, E_NODE), entry_field(c, entry, E_FRAME)
        debt = debt_behind(c, entry)
        for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
            rest = get(m, EDGES, 2 * index + 1)
            is_there = byte == ANY_BYTE or has_byte(m, get(m, EDGES, 2 * index), byte)
            if is_there and is_alive(m, rest):
                add_entry(c, rest, frame, after, CONSUMED, 0, debt, BYTE, entry, byte)
    return after


@kernel
def is_empty(c: Memory, column: int) -> bool:
    """Whether a new column has no entries."""
    return c[COUNTERS + ENTRIES] == column_field(c, column, K_FIRST)
