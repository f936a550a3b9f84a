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
    column_field,
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
from lipogram.decoding.canvas.chart.filling import NOTHING, TOO_MUCH, leave_room, over_cell
from lipogram.decoding.canvas.chart.layout import (
    BYTES,
    ENTRIES,
    FOUND,
    FOUND_STEP,
    IS_BUSY,
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
    FEW_SLOTS,
    S_MAY_STOP,
    S_STATE,
    S_STOP,
    WAY,
    slot_field,
)
from lipogram.decoding.canvas.compiled.search import run_begin, runs_back
from lipogram.decoding.canvas.compiled.stretches import ACCEPTED, REJECTED, UNDECIDED, take
from lipogram.decoding.canvas.compiled.ways import Spellings, is_free, run_end
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.ahead import NOWHERE, front
from lipogram.grammars.lattice.row import CLOCK

_RUNS: Final = 4  # before a slot and behind it
_FEW_ENTRIES: Final = 8_000  # of one question
_MANY_ENTRIES: Final = 30_000
_MOST_ENTRIES: Final = 40_000
# What is asked; what leads to a slot is kept for each.
_OWN, _NEAR, _FAR, _SPELLED, _SPELLED_FAR, _ANYTHING = range(6)
_KINDS: Final = 6
_PREFIX: Final = 5  # of PREFIXES: what leads to a slot, as long as nothing changes
_POSITION, _FIRST, _OWN_CLOCK, _OTHER_CLOCK, _COLUMN = range(_PREFIX)


@kernel
def decide_in_run(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """Whether a token, or EMPTY, fits a slot by what is in its own run; what has it goes to WAY.

    UNDECIDED where that does not tell, and where the run is short.
    """
    own = run_begin(k, position)
    if run_end(k, own) <= own + FEW_SLOTS or not _is_one_text(s, token):
        return UNDECIDED
    if _is_possible(m, c, k, r, s, _OWN, own, position, token, 0, _FEW_ENTRIES, end):
        return ACCEPTED
    if _is_impossible(m, c, k, s, own, position, token, end):
        return REJECTED
    return UNDECIDED


@kernel
def decide_near(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """ACCEPTED where a token, or EMPTY, fits a slot by what is in its run and the one before."""
    first = runs_back(k, position, 1)
    if not _is_one_text(s, token) or not is_free(k, first):
        return UNDECIDED
    is_found = _is_possible(m, c, k, r, s, _NEAR, first, position, token, 0, _FEW_ENTRIES, end)
    return ACCEPTED if is_found else UNDECIDED


@exported
def decide_far(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """ACCEPTED where a token, or EMPTY, fits a slot by what is in some runs before and behind."""
    if not _is_one_text(s, token):
        return UNDECIDED
    first = runs_back(k, position, _RUNS)
    is_found = _is_possible(m, c, k, r, s, _FAR, first, position, token, _RUNS, _MANY_ENTRIES, end)
    return ACCEPTED if is_found else UNDECIDED


@exported
def decide_by_spelling(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """The same with tokens of several bytes: those of the trie in `s`."""
    if not _is_one_text(s, token):
        return UNDECIDED
    for kind, before, behind in ((_SPELLED, 1, 0), (_SPELLED_FAR, _RUNS, _RUNS)):
        first = runs_back(k, position, before)
        if _is_possible(m, c, k, r, s, kind, first, position, token, behind, _MOST_ENTRIES, end):
            return ACCEPTED
    return UNDECIDED


@kernel
def _is_one_text(s: Spellings, token: int) -> bool:
    return token == EMPTY or s.of[token] + 1 == s.of[token + 1]


@kernel
def _start(m: Memory, c: Memory, what: int, most: int) -> None:
    reserve(c, PREFIXES, 4 * _KINDS * _PREFIX)
    if is_worn(c):
        wipe(c)
        for kind in range(_KINDS):
            put(c, PREFIXES, _PREFIX * kind + _OWN_CLOCK, -1)
    allow_more(m, c, most)
    c[IS_BUSY], c[MODE] = 1, what


@kernel
def _is_possible(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, kind: int, first: int, position: int,
    token: int, runs: int, most: int, end: int,
) -> bool:  # fmt: skip
    """Whether a filling is found that has the token, and is the witness's but near the slot.

    It may differ from `first` on, in so many runs of free slots behind the slot's own, too.
    """
    _start(m, c, TOKENS if kind in (_SPELLED, _SPELLED_FAR) else BYTES, most)
    column = _to_slot(m, c, k, r, s, kind, first, position, token)
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
def _is_impossible(
    m: Memory, c: Memory, k: Memory, s: Spellings, own: int, position: int, token: int, end: int
) -> bool:
    """Whether not even any bytes in the other slots, and in all runs near by, make room for it."""
    state = front(m, k, own)
    if state <= 0:
        return state == NOWHERE
    _start(m, c, BYTES, _FEW_ENTRIES)
    column = _to_slot(m, c, k, k, s, _ANYTHING, own, position, token)
    if column >= 0:
        column = _to_goal(m, c, k, k, s, _ANYTHING, column, position, token, 0, end)
    c[IS_BUSY] = 0
    return column == NOTHING


@kernel
def _to_slot(
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
    is_any = kind == _ANYTHING
    begin(m, c, front(m, k, first) if is_any else slot_field(k, first, S_STATE), column)
    while column >= 0 and place < position:
        if is_free(k, place) and (is_any or run_end(k, place) > position):
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
    at = position + 1
    if token == EMPTY:
        at = slot_field(k, position, S_STOP)
    else:
        column = _over_token(m, c, s, column, token)
        if column < 0:
            return column
    if (token == EMPTY or at == slot_field(k, position, S_STOP) or not is_free(k, at)) and (
        _is_any_found(m, c, g, column, at)
    ):
        return column
    while at < end:
        if is_free(k, at):
            if runs < 0:
                break
            column, at = _over_run(m, c, k, g, s, kind, column, at)
            if column < 0 or c[FOUND] >= 0:
                return column
        elif kind == _ANYTHING:
            break
        else:
            column, at = over_cell(m, c, k, g, s, column, at)
            if column < 0:
                return column
        runs -= at >= end or is_free(k, at)
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
    """The column behind a run of free slots, and the cell there; FOUND is -1 but at a goal."""
    stop, may_stop = run_end(k, cell), slot_field(k, cell, S_MAY_STOP) != 0
    behind = slot_field(k, cell, S_STOP) if may_stop else stop
    make_room(c, column, -1 if kind == _ANYTHING else stop - cell, not may_stop, cell, behind)
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
