"""The tokens by which an entry of a chart has come, written as a way."""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.chart.debts import (
    column_field,
    entry_field,
)
from lipogram.decoding.canvas.chart.layout import (
    BEGUN,
    BYTE,
    CALLED,
    CHAIN,
    E_COLUMN,
    E_FROM,
    E_HOW,
    E_WITH,
    JUMP,
    K_BEFORE,
    K_CELL,
    K_IS_EXACT,
    K_IS_GAP,
    K_ROOM,
    K_SIZE,
    K_STOP,
    OPEN_STEPS,
    OWN_CALLERS,
    PUMP,
    RETURNED,
    TRAIL,
    WAITING,
)
from lipogram.decoding.canvas.chart.opening import STEP_WIDTH, T_BEFORE, T_CALLER
from lipogram.decoding.canvas.compiled.layout import EMPTY
from lipogram.decoding.canvas.compiled.stretches import take
from lipogram.decoding.canvas.compiled.ways import Spellings
from lipogram.grammars.engine.memory import Memory, get, put, reserve
from lipogram.grammars.kernels import kernel

_LONGEST: Final = 100_000  # steps of a trace


@kernel
def _write_chain(c: Memory, step: int) -> int:
    """Write the calls returned to by the steps up to one, the first last; their number."""
    count = 0
    while step >= 0:
        caller = get(c, OPEN_STEPS, STEP_WIDTH * step + T_CALLER)
        if caller >= 0:
            reserve(c, CHAIN, 4 * (count + 1))
            put(c, CHAIN, count, caller)
            count += 1
        step = get(c, OPEN_STEPS, STEP_WIDTH * step + T_BEFORE)
    return count


@kernel
def _note(c: Memory, count: int, column: int, what: int, how: int) -> int:
    reserve(c, TRAIL, 12 * (count + 1))
    put(c, TRAIL, 3 * count, column)
    put(c, TRAIL, 3 * count + 1, what)
    put(c, TRAIL, 3 * count + 2, how)
    return count + 1


@kernel
def trace(c: Memory, entry: int, step: int) -> int:
    """Write what fills all slots up to an entry to TRAIL, last first; how much, -1: too much."""
    chain = _write_chain(c, step)
    count = waiting = 0
    for _ in range(_LONGEST):
        how, source = entry_field(c, entry, E_HOW), entry_field(c, entry, E_FROM)
        if how == BEGUN:
            return count
        if BYTE <= how <= JUMP:
            column = entry_field(c, source, E_COLUMN)
            if column_field(c, column, K_SIZE) >= 0:
                room = column_field(c, column, K_ROOM)
                count = _note(c, count, room, entry_field(c, entry, E_WITH), how)
        if how == RETURNED:
            reserve(c, WAITING, 4 * (waiting + 1))
            put(c, WAITING, waiting, get(c, OWN_CALLERS, 3 * source))
            waiting += 1
            entry = entry_field(c, entry, E_WITH)
        elif how == CALLED and waiting:
            waiting -= 1
            entry = get(c, WAITING, waiting)
        elif how == CALLED and chain:
            chain -= 1
            entry = get(c, OWN_CALLERS, 3 * get(c, CHAIN, chain))
        else:
            entry = source
    return -1


@kernel
def write_way(c: Memory, k: Memory, s: Spellings, column: int, count: int) -> bool:
    """Append the tokens of all rooms up to a column to WAY; whether each has room for its bytes.

    A gap is filled as if each of its bytes were a token; see `_write_gap`.
    """
    at = 0
    while column >= 0:
        size = column_field(c, column, K_SIZE)
        first, pump = at, -1
        while at < count and get(c, TRAIL, 3 * at) == column:
            if get(c, TRAIL, 3 * at + 2) == PUMP:
                pump = at
            at += 1
        if column_field(c, column, K_IS_GAP):
            _write_gap(c, k, s, column_field(c, column, K_CELL), first, at)
        elif size >= 0 and not _write_room(c, k, s, column, first, at, pump):
            return False
        column = column_field(c, column, K_BEFORE)
    return at == count


@kernel
def _write_room(
    c: Memory, k: Memory, s: Spellings, column: int, first: int, last: int, pump: int
) -> bool:
    cell, size = column_field(c, column, K_CELL), column_field(c, column, K_SIZE)
    stop, more = column_field(c, column, K_STOP), 0
    used = last - first
    if used > size:
        return False
    if column_field(c, column, K_IS_EXACT) and used < size:
        if pump < 0:
            return False
        more = size - used
    place = cell
    for index in range(last - 1, first - 1, -1):
        token = get(c, TRAIL, 3 * index + 1)
        if get(c, TRAIL, 3 * index + 2) != JUMP:
            token = s.of_bytes[token]
        for _ in range(1 + (more if index == pump else 0)):
            take(k, place, token)
            place += 1
    if place < stop:
        take(k, place, EMPTY)
    return True


@kernel
def _write_gap(c: Memory, k: Memory, s: Spellings, cell: int, first: int, last: int) -> None:
    """Append EMPTY for a gap, then the bytes of its text."""
    take(k, cell, EMPTY)
    for index in range(last - 1, first - 1, -1):
        what = get(c, TRAIL, 3 * index + 1)
        if get(c, TRAIL, 3 * index + 2) == JUMP:
            for place in range(s.starts[s.of[what]], s.starts[s.of[what] + 1]):
                take(k, cell, s.text[place])
        else:
            take(k, cell, what)
