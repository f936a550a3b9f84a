"""Which tokens are alike: they lead from the same entries of a chart to the same."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.chart.bridging import (
    ANYTHING,
    OWN_RUN,
    begin_question,
    behind_token,
    to_slot,
)
from lipogram.decoding.canvas.chart.closing import close
from lipogram.decoding.canvas.chart.columns import (
    empty_queue,
    is_empty,
    read_byte,
)
from lipogram.decoding.canvas.chart.debts import (
    column_field,
    entry_field,
)
from lipogram.decoding.canvas.chart.filling import NOTHING, TOO_MUCH
from lipogram.decoding.canvas.chart.layout import (
    ALIKE_AT,
    BYTES,
    COLUMN_WIDTH,
    COLUMNS,
    E_DEBT,
    E_FLAGS,
    E_FRAME,
    E_NODE,
    ENTRIES,
    IS_BUSY,
    K_END,
    K_FIRST,
    POSSIBLE_AT,
    ROUND,
    SIGNATURES,
    STEPS,
)
from lipogram.decoding.canvas.compiled.layout import S_STATE, slot_field
from lipogram.decoding.canvas.compiled.outcomes import counts_before
from lipogram.decoding.canvas.compiled.search import is_wide_at, stretch_begin
from lipogram.decoding.canvas.compiled.ways import Spellings
from lipogram.decoding.reaches.layout import BYTE, DEPTH, MAX_BYTES, NODES, SKIP, TOKEN, TOKEN_START
from lipogram.grammars.engine.bytesets import mixed
from lipogram.grammars.engine.layout import ROWS
from lipogram.grammars.engine.memory import (
    COUNTERS,
    Memory,
    get,
    get_word,
    integer,
    put,
    put_word,
    reserve,
    spend,
)
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.ahead import ANYWHERE, front
from lipogram.grammars.lattice.tables import VALUE, row_at

_ENTRIES: Final = 120_000
_FIRST_LETTER: Final = 0x41
UNTOLD, NOWHERE = 0, 1  # instead of a class


@exported
def classify(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int,
    wanted: NDArray[np.bool_], classes: NDArray[np.uint64],
) -> None:  # fmt: skip
    """Write a class for each wanted token of the trie, or UNTOLD where there is no more room.

    Of tokens of one class `decide` says the same, with little work, in a wide run; none of class
    NOWHERE fits.
    """
    classes[:] = np.uint64(UNTOLD)
    own = stretch_begin(k, position)
    if not is_wide_at(k, position) or front(m, k, own) <= 0:
        return
    begin_question(m, c, BYTES, _ENTRIES)
    mine = to_slot(m, c, k, r, s, OWN_RUN, own, position, 0)
    any_text = to_slot(m, c, k, k, s, ANYTHING, own, position, 0)
    if mine != TOO_MUCH and any_text != TOO_MUCH:
        state = slot_field(k, position, S_STATE)
        _walk(m, c, s, mine, any_text, state, wanted, classes)
    c[IS_BUSY] = 0


@exported
def keep_possible(
    m: Memory, c: Memory, k: Memory, s: Spellings, position: int, end: int,
    left: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Keep those of the tokens left that any texts in all other slots make room for.

    And those that are not looked at, where there is no more room.
    """
    own = stretch_begin(k, position)
    state = front(m, k, own)
    if state == ANYWHERE:
        return
    begin_question(m, c, BYTES, _ENTRIES)
    column = NOTHING
    if state > 0:
        column = to_slot(m, c, k, k, s, ANYTHING, own, position, 0)
    if column != TOO_MUCH:
        _keep(m, c, k, s, column, position, end, left)
    c[IS_BUSY] = 0


@kernel
def _keep(
    m: Memory, c: Memory, k: Memory, s: Spellings, start: int, position: int, end: int,
    left: NDArray[np.bool_],
) -> None:  # fmt: skip
    """The same from a closed column, or NOTHING."""
    v = s.trie
    counts = counts_before(m, v, left)
    columns = np.empty(v[MAX_BYTES] + 2, np.int64)
    columns[0] = start
    node = 0
    while node < v[NODES]:
        first, stop = get(v, TOKEN_START, node), get(v, SKIP, node)
        last = get(v, TOKEN_START, stop)
        if counts[first] == counts[last]:
            node = stop
            continue
        depth, below = get(v, DEPTH, node), get(v, TOKEN_START, node + 1)
        byte, before = get(v, BYTE, node), columns[depth - 1]
        column = _step(m, c, s, start, before, byte, counts[below] < counts[last])
        if column == TOO_MUCH:
            return
        if column == NOTHING:
            _leave_out(v, first, last, left)
            node = stop
            continue
        if counts[first] < counts[below] and not _is_possible(
            m, c, k, s, start, before, byte, column, position, end
        ):
            _leave_out(v, first, below, left)
        columns[depth] = column
        node += 1


@kernel
def _leave_out(v: Memory, first: int, end: int, left: NDArray[np.bool_]) -> None:
    for index in range(first, end):
        left[get(v, TOKEN, index)] = False


@kernel
def _is_possible(
    m: Memory, c: Memory, k: Memory, s: Spellings, start: int, before: int, byte: int,
    column: int, position: int, end: int,
) -> bool:  # fmt: skip
    """Whether any texts may follow a column that a byte leads to from one before."""
    row = _row_of(c, POSSIBLE_AT, get_word(c, SIGNATURES, column), start)
    if get(c, POSSIBLE_AT, row + VALUE) == 0:
        c[ROUND] += 1
        column = read_byte(m, c, before, byte)  # anew, since that one is not to be changed
        found = behind_token(m, c, k, k, s, ANYTHING, column, position, 0, 0, end)
        put(c, POSSIBLE_AT, row + VALUE, 2 if found == NOTHING else 1)
    return get(c, POSSIBLE_AT, row + VALUE) == 1


@kernel
def _walk(
    m: Memory, c: Memory, s: Spellings, mine: int, any_text: int, state: int,
    wanted: NDArray[np.bool_], classes: NDArray[np.uint64],
) -> None:  # fmt: skip
    """Class tokens by what they lead to from two closed columns, or NOTHING, and from a state.

    Those that begin with letters come first: they are many, and lead to little.
    """
    v = s.trie
    counts = counts_before(m, v, wanted)
    path = np.empty(3 * (v[MAX_BYTES] + 2), np.int64)
    path[0], path[1], path[2] = mine, any_text, state
    letters = 0
    while letters < v[NODES] and get(v, BYTE, letters) < _FIRST_LETTER:
        letters = get(v, SKIP, letters)
    if _is_walked(m, c, s, letters, v[NODES], path, counts, wanted, classes):
        _is_walked(m, c, s, 0, letters, path, counts, wanted, classes)


@kernel
def _is_walked(
    m: Memory, c: Memory, s: Spellings, node: int, last: int, path: NDArray[np.int64],
    counts: NDArray[np.int32], wanted: NDArray[np.bool_], classes: NDArray[np.uint64],
) -> bool:  # fmt: skip
    """Whether there was room for a part of the trie."""
    v = s.trie
    while node < last:
        first, stop = get(v, TOKEN_START, node), get(v, SKIP, node)
        end = get(v, TOKEN_START, stop)
        if counts[first] == counts[end]:
            node = stop
            continue
        depth, below = get(v, DEPTH, node), get(v, TOKEN_START, node + 1)
        byte, is_inner, before = get(v, BYTE, node), counts[below] < counts[end], 3 * depth - 3
        own = _step(m, c, s, path[0], path[before], byte, is_inner)
        other = _step(m, c, s, path[1], path[before + 1], byte, is_inner)
        if own == TOO_MUCH or other == TOO_MUCH:
            return False
        there = 0
        if path[before + 2]:
            there = get(m, ROWS, 256 * (row_of(m, path[before + 2]) >> 1) + byte)
        if other == NOTHING:
            _write(v, first, end, np.uint64(NOWHERE), wanted, classes)
            node = stop
            continue
        if counts[first] < counts[below]:
            found = get_word(c, SIGNATURES, own) if own >= 0 else np.uint64(0)
            found = mixed(mixed(found, get_word(c, SIGNATURES, other)), np.uint64(there))
            _write(v, first, below, found, wanted, classes)
        path[before + 3], path[before + 4], path[before + 5] = own, other, there
        node += 1
    return True


@kernel
def _write(
    v: Memory, first: int, end: int, found: np.uint64, wanted: NDArray[np.bool_],
    classes: NDArray[np.uint64],
) -> None:  # fmt: skip
    """Write a class for the wanted of some tokens of the trie."""
    for index in range(first, end):
        token = get(v, TOKEN, index)
        if wanted[token]:
            classes[token] = found


@kernel
def _step(
    m: Memory, c: Memory, s: Spellings, start: int, before: int, byte: int, is_inner: bool
) -> int:
    """The column, closed if need be, behind a byte; one for all that have the same entries."""
    if before < 0:
        return NOTHING
    spend(m, 2)
    row = row_at(c, STEPS, before, byte, 0)
    known = get(c, STEPS, row + VALUE)
    if known < 0:
        return NOTHING
    if known and (not is_inner or column_field(c, known - 1, K_END) >= 0):
        return known - 1
    column = read_byte(m, c, before, byte)
    if is_empty(c, column):
        put(c, STEPS, row + VALUE, -1)
        return NOTHING
    signature = _signature(c, column)
    alike = _row_of(c, ALIKE_AT, signature, start)
    known = get(c, ALIKE_AT, alike + VALUE)
    if known and (not is_inner or column_field(c, known - 1, K_END) >= 0):
        empty_queue(c, column)
        column = known - 1
    else:
        reserve(c, SIGNATURES, 8 * (column + 1))
        put_word(c, SIGNATURES, column, signature)
        put(c, COLUMNS, COLUMN_WIDTH * column + K_END, -1)
        put(c, ALIKE_AT, alike + VALUE, column + 1)
        if not is_inner:
            empty_queue(c, column)
        elif not close(m, c, s, column):
            return TOO_MUCH
    put(c, STEPS, row + VALUE, column + 1)
    return column


@kernel
def _row_of(c: Memory, table: int, signature: np.uint64, start: int) -> int:
    """The row of a table for columns of a signature, of those that a first one leads to."""
    high, low = signature >> np.uint64(33), signature & np.uint64(0x7FFFFFFF)
    return row_at(c, table, integer(high), integer(low), start)


@kernel
def _signature(c: Memory, column: int) -> np.uint64:
    """A hash of the entries of a new column."""
    found = np.uint64(1)
    for entry in range(column_field(c, column, K_FIRST), c[COUNTERS + ENTRIES]):
        what = mixed(
            np.uint64(entry_field(c, entry, E_NODE)), np.uint64(entry_field(c, entry, E_FRAME))
        )
        owed = np.uint64(4 * entry_field(c, entry, E_DEBT))
        found += mixed(what, owed + np.uint64(entry_field(c, entry, E_FLAGS) & 3))
    return found
