"""Looks for a filling with a token by a chart, from where the witness leads to where it goes on.

Or shows that there is none: then the chart begins with all that texts and gaps allow, and ends with
what they do.
"""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.chart.closing import close, close_entry
from lipogram.decoding.canvas.chart.columns import (
    add_column,
    allow_more,
    begin,
    empty_queue,
    expect,
    is_empty,
    is_over,
    is_worn,
    make_room,
    may_leave,
    move_on,
    next_entry,
    put_end,
    read_byte,
    wipe,
)
from lipogram.decoding.canvas.chart.debts import (
    column_field,
)
from lipogram.decoding.canvas.chart.filling import (
    NOTHING,
    TOO_MUCH,
    leave_room,
    let_in,
    over_cell,
)
from lipogram.decoding.canvas.chart.layout import (
    BYTES,
    ENTRIES,
    FOUND,
    FOUND_STEP,
    IS_BUSY,
    IS_THOROUGH,
    K_END,
    K_FIRST,
    MODE,
    PREFIXES,
    ROUND,
    TOKENS,
)
from lipogram.decoding.canvas.chart.opening import opened
from lipogram.decoding.canvas.chart.tracing import trace, write_way
from lipogram.decoding.canvas.compiled.layout import (
    EMPTY,
    S_STATE,
    S_STOP,
    WAY,
    slot_field,
)
from lipogram.decoding.canvas.compiled.stretches import take
from lipogram.decoding.canvas.compiled.ways import Spellings, is_free, is_gap, is_to_fill, run_end
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.ahead import NOWHERE, front
from lipogram.grammars.lattice.row import CLOCK

FEW_ENTRIES: Final = 8_000  # of one question
# What is asked; what leads to a slot is kept for each.
OWN_RUN, NEAR, FAR, SPELLED, SPELLED_FAR, ANYTHING = range(6)
_KINDS: Final = 6
_PREFIX: Final = 5  # of PREFIXES: what leads to a slot, as long as nothing changes
_POSITION, _FIRST, _OWN_CLOCK, _OTHER_CLOCK, _COLUMN = range(_PREFIX)


@kernel
def begin_question(m: Memory, c: Memory, what: int, most: int) -> None:
    """Let a question make so many entries; until its end the chart is half done."""
    reserve(c, PREFIXES, 4 * _KINDS * _PREFIX)
    if is_worn(c):
        wipe(c)
        for kind in range(_KINDS):
            put(c, PREFIXES, _PREFIX * kind + _OWN_CLOCK, -1)
    allow_more(m, c, most)
    c[IS_BUSY], c[MODE], c[IS_THOROUGH] = 1, what, 0


@kernel
def is_possible(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, kind: int, first: int, position: int,
    token: int, runs: int, most: int, end: int,
) -> bool:  # fmt: skip
    """Whether a filling is found that has the token, and is the witness's but near the slot.

    It may differ from `first` on, in so many runs of free slots behind the slot's own, too.
    """
    begin_question(m, c, TOKENS if kind in (SPELLED, SPELLED_FAR) else BYTES, most)
    column = to_slot(m, c, k, r, s, kind, first, position, token)
    if column >= 0:
        column = _to_goal(m, c, k, r, s, kind, column, position, token, runs, end)
    c[IS_BUSY] = 0
    k[COUNTERS + WAY] = 0
    count = trace(c, c[FOUND], c[FOUND_STEP]) if column >= 0 else -1
    if count >= 0:
        take(k, position, token)
        if write_way(c, k, s, column, count):
            return True
    k[COUNTERS + WAY] = 0
    return False


@kernel
def is_impossible(
    m: Memory, c: Memory, k: Memory, s: Spellings, own: int, position: int, token: int, end: int
) -> bool:
    """Whether not even any bytes in the other slots, and in all runs near by, make room for it."""
    state = front(m, k, own)
    if state <= 0:
        return state == NOWHERE
    begin_question(m, c, BYTES, FEW_ENTRIES)
    column = to_slot(m, c, k, k, s, ANYTHING, own, position, token)
    if column >= 0:
        column = _to_goal(m, c, k, k, s, ANYTHING, column, position, token, 0, end)
    c[IS_BUSY] = 0
    return column == NOTHING


@kernel
def to_slot(
    m: Memory, c: Memory, k: Memory, g: Memory, s: Spellings, kind: int, first: int, position: int,
    token: int,
) -> int:  # fmt: skip
    """The column in front of a slot; closed, and kept, unless the slot is to be empty."""
    at = _PREFIX * kind
    is_kept = token != EMPTY and get(c, PREFIXES, at + _POSITION) == position
    is_kept &= get(c, PREFIXES, at + _FIRST) == first
    is_kept &= get(c, PREFIXES, at + _OWN_CLOCK) == k[CLOCK]
    if is_kept and get(c, PREFIXES, at + _OTHER_CLOCK) == g[CLOCK]:
        return get(c, PREFIXES, at + _COLUMN)
    column, place = add_column(c, -1), first
    is_any = kind == ANYTHING
    begin(m, c, front(m, k, first) if is_any else slot_field(k, first, S_STATE), column)
    while column >= 0 and place < position:
        is_own = is_free(k, place) and run_end(k, place) > position
        if is_own or (is_any and is_to_fill(k, place)):
            stop = slot_field(k, position, S_STOP) if token == EMPTY else position
            size = -1 if is_any else position - place
            make_room(c, column, size, token != EMPTY, place, stop)
            column, place = leave_room(m, c, s, column), position
        else:
            column, place = over_cell(m, c, k, g, s, column, place)
    if column < 0 or token == EMPTY:
        return column
    if not close(m, c, s, column):
        return TOO_MUCH
    put(c, PREFIXES, at + _POSITION, position)
    put(c, PREFIXES, at + _FIRST, first)
    put(c, PREFIXES, at + _OWN_CLOCK, k[CLOCK])
    put(c, PREFIXES, at + _OTHER_CLOCK, g[CLOCK])
    put(c, PREFIXES, at + _COLUMN, column)
    return column


@kernel
def _to_goal(
    m: Memory, c: Memory, k: Memory, g: Memory, s: Spellings, kind: int, column: int,
    position: int, token: int, runs: int, end: int,
) -> int:  # fmt: skip
    """The column behind a run, with the entry FOUND that is completed by what `g` has there."""
    if token != EMPTY:
        column = _over_token(m, c, s, column, token)
        if column < 0:
            return column
    return behind_token(m, c, k, g, s, kind, column, position, token, runs, end)


@kernel
def behind_token(
    m: Memory, c: Memory, k: Memory, g: Memory, s: Spellings, kind: int, column: int,
    position: int, token: int, runs: int, end: int,
) -> int:  # fmt: skip
    """The same from a column behind the token, which is not closed."""
    at = slot_field(k, position, S_STOP) if token == EMPTY else position + 1
    is_behind = token == EMPTY or at == slot_field(k, position, S_STOP) or not is_free(k, at)
    is_behind &= kind != ANYTHING or not is_gap(k, at)
    if is_behind and _is_any_found(m, c, g, column, at):
        return column
    while at < end:
        if is_to_fill(k, at):
            if runs < 0:
                break
            column, at = _over_run(m, c, k, g, s, kind, column, at)
            if column < 0 or c[FOUND] >= 0:
                return column
        elif kind == ANYTHING:
            break
        else:
            column, at = over_cell(m, c, k, g, s, column, at)
            if column < 0:
                return column
            runs -= at >= end or is_to_fill(k, at)
    empty_queue(c, column)
    return NOTHING


@kernel
def _over_token(m: Memory, c: Memory, s: Spellings, column: int, token: int) -> int:
    """The column behind a token, from one that is closed."""
    first = s.starts[s.of[token]]
    for index in range(first, s.starts[s.of[token] + 1]):
        if index > first:
            expect(c, column, s.text[index])
            if not close(m, c, s, column):
                return TOO_MUCH
        column = read_byte(m, c, column, s.text[index])
        if is_empty(c, column):
            return NOTHING
    return column


@kernel
def _is_any_found(m: Memory, c: Memory, g: Memory, column: int, cell: int) -> bool:
    """Whether an entry of a column that is not closed is completed from a cell on."""
    for entry in range(column_field(c, column, K_FIRST), c[COUNTERS + ENTRIES]):
        if _is_found(m, c, g, entry, cell):
            empty_queue(c, column)
            return True
    return False


@kernel
def _is_found(m: Memory, c: Memory, g: Memory, entry: int, cell: int) -> bool:
    step = opened(m, c, g, entry, cell)
    c[FOUND], c[FOUND_STEP] = (entry, step) if step >= 0 else (-1, -1)
    return step >= 0


@kernel
def _over_run(
    m: Memory, c: Memory, k: Memory, g: Memory, s: Spellings, kind: int, column: int, cell: int
) -> tuple[int, int]:
    """The column behind a run of free slots, or a gap, and the cell there.

    FOUND is -1 but at a goal.
    """
    behind = let_in(c, k, column, cell)
    if kind == ANYTHING:
        make_room(c, column, -1, False, cell, behind)
    c[FOUND] = -1
    while not is_over(m, c):
        entry = next_entry(c, column)
        if entry < 0:
            put_end(c, column)
            if _is_found_in(m, c, g, column, behind):
                return column, behind
            column = move_on(c, column)
            return NOTHING if is_empty(c, column) else column, behind
        if may_leave(c, entry) and _is_found(m, c, g, entry, behind):
            empty_queue(c, column)
            return column, behind
        close_entry(m, c, s, entry)
    empty_queue(c, column)
    return TOO_MUCH, behind


@kernel
def _is_found_in(m: Memory, c: Memory, g: Memory, column: int, cell: int) -> bool:
    """Whether an entry of a closed room is completed from a cell on.

    Rules that were called there may have been called from more places since an entry was asked for.
    """
    c[ROUND] += 1
    for entry in range(column_field(c, column, K_FIRST), column_field(c, column, K_END)):
        if may_leave(c, entry) and _is_found(m, c, g, entry, cell):
            return True
    return False
