"""Tokens of several bytes in a room, across calls and returns.

Within a token an entry stands in a column of its own, one of the room for each place to which the
token may have come: one more than a node of the trie. A token counts when it begins.

Only bytes are followed for which a grammar leaves little choice: punctuation, names, white space.
What may be any of many bytes comes byte by byte, since any token may do there.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lipogram.decoding.canvas.chart.columns import (
    add_entry,
)
from lipogram.decoding.canvas.chart.debts import (
    column_field,
    entry_field,
)
from lipogram.decoding.canvas.chart.firsts import first_word
from lipogram.decoding.canvas.chart.jumps import index_roots
from lipogram.decoding.canvas.chart.layout import (
    COLUMN_WIDTH,
    COLUMNS,
    CONSUMED,
    E_COLUMN,
    E_COST,
    E_DEBT,
    E_FLAGS,
    E_FRAME,
    E_NODE,
    IS_SMALL,
    JUMP,
    K_AT,
    K_ROOM,
    NEXT_BYTES,
    PART,
    PUMPED,
    SOME_ROOTS,
    WITHIN,
)
from lipogram.decoding.canvas.compiled.ways import Spellings
from lipogram.decoding.reaches.layout import BYTE, SKIP, TOKEN, TOKEN_START
from lipogram.grammars.engine.bytesets import lowest_bit, mask_word
from lipogram.grammars.engine.layout import EDGE_END, EDGE_START, EDGES
from lipogram.grammars.engine.memory import (
    COUNTERS,
    Memory,
    get,
    get_word,
    put,
    put_word,
    reserve,
    spend,
)
from lipogram.grammars.engine.nodes import field
from lipogram.grammars.engine.search import is_alive
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.tables import VALUE, row_at

_SMALL: Final = 4  # bytes
_SINGLE: Final = 256  # byte sets below are of one byte


@kernel
def _is_small(m: Memory, c: Memory, mask: int) -> bool:
    """Whether a byte set has few bytes."""
    if mask < _SINGLE:
        return True
    reserve(c, IS_SMALL, 4 * (mask + 1))
    if get(c, IS_SMALL, mask) == 0:
        count = 0
        for index in range(4):
            word = mask_word(m, mask, index)
            while word != np.uint64(0) and count <= _SMALL:
                word &= word - np.uint64(1)
                count += 1
        put(c, IS_SMALL, mask, 1 if count <= _SMALL else 2)
    return get(c, IS_SMALL, mask) == 1


@kernel
def _within(c: Memory, a: Memory, room: int, at: int) -> int:
    """The column of a room for how far a token has come."""
    row = row_at(c, WITHIN, room, at, 0)
    known = get(c, WITHIN, row + VALUE)
    if known:
        return known - 1
    column = c[COUNTERS + COLUMNS]
    reserve(c, COLUMNS, 4 * COLUMN_WIDTH * (column + 1))
    for index in range(COLUMN_WIDTH):
        put(c, COLUMNS, COLUMN_WIDTH * column + index, get(c, COLUMNS, COLUMN_WIDTH * room + index))
    put(c, COLUMNS, COLUMN_WIDTH * column + K_AT, at)
    c[COUNTERS + COLUMNS] = column + 1
    put(c, WITHIN, row + VALUE, column + 1)
    reserve(c, NEXT_BYTES, 32 * (column + 1))
    for index in range(4 * column, 4 * column + 4):
        put_word(c, NEXT_BYTES, index, np.uint64(0))
    child, stop = at, get(a, SKIP, at - 1)  # a node's children follow it
    while child < stop:
        byte = get(a, BYTE, child)
        index = 4 * column + (byte >> 6)
        bit = np.uint64(1) << np.uint64(byte & 63)
        put_word(c, NEXT_BYTES, index, get_word(c, NEXT_BYTES, index) | bit)
        child = get(a, SKIP, child)
    return column


@kernel
def _child(c: Memory, a: Memory, at: int, byte: int) -> int:
    """The place that a byte leads to; 0 if no token goes on so."""
    if at == 0:
        return get(c, SOME_ROOTS, byte)
    child, stop = at, get(a, SKIP, at - 1)
    while child < stop:
        if get(a, BYTE, child) == byte:
            return child + 1
        child = get(a, SKIP, child)
    return 0


@kernel
def _goes_on_by(c: Memory, column: int, byte: int) -> bool:
    """Whether a token can go on by a byte."""
    word = get_word(c, NEXT_BYTES, 4 * column + (byte >> 6))
    return bool((word >> np.uint64(byte & 63)) & np.uint64(1) != np.uint64(0))


@kernel
def can_go_on(m: Memory, c: Memory, rule: int, column: int) -> bool:
    """Whether a rule can begin with a byte by which a token can go on."""
    for index in range(4):
        if get_word(c, NEXT_BYTES, 4 * column + index) & first_word(m, c, rule, index):
            return True
    return False


@kernel
def add_tokens(m: Memory, c: Memory, s: Spellings, entry: int) -> None:
    """Add what follows from an entry of a room by another byte of a token, or the first."""
    if c[COUNTERS + SOME_ROOTS] == 0:
        index_roots(c, SOME_ROOTS, s.trie)
    node = entry_field(c, entry, E_NODE)
    for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
        mask, rest = get(m, EDGES, 2 * index), get(m, EDGES, 2 * index + 1)
        if not _is_small(m, c, mask) or not is_alive(m, rest):
            continue
        if mask < _SINGLE:
            _add_byte(m, c, s, entry, rest, mask)
        else:
            for part in range(4):
                word = mask_word(m, mask, part)
                while word != np.uint64(0):
                    _add_byte(m, c, s, entry, rest, 64 * part + lowest_bit(word))
                    word &= word - np.uint64(1)


@kernel
def _add(c: Memory, entry: int, rest: int, column: int, how: int, token: int) -> None:
    is_first = column_field(c, entry_field(c, entry, E_COLUMN), K_AT) == 0
    cost = entry_field(c, entry, E_COST) + (1 if is_first else 0)
    flags = CONSUMED | (entry_field(c, entry, E_FLAGS) & PUMPED)
    frame, debt = entry_field(c, entry, E_FRAME), entry_field(c, entry, E_DEBT)
    add_entry(c, rest, frame, column, flags, cost, debt, how, entry, token)


@kernel
def _add_byte(m: Memory, c: Memory, s: Spellings, entry: int, rest: int, byte: int) -> None:
    """Add what a byte of a token leads to."""
    column = entry_field(c, entry, E_COLUMN)
    at, room = column_field(c, column, K_AT), column_field(c, column, K_ROOM)
    spend(m, 4)
    if at and not _goes_on_by(c, column, byte):
        return
    place = _child(c, s.trie, at, byte)
    if place == 0:
        return
    if get(s.trie, SKIP, place - 1) > place:
        _add(c, entry, rest, _within(c, s.trie, room, place), PART, byte)
    token = _token(s, place - 1)
    if token >= 0 and at:
        _add(c, entry, rest, room, JUMP, token)


@kernel
def _token(s: Spellings, node: int) -> int:
    """A token that ends at a node; -1 if none may be used."""
    for index in range(get(s.trie, TOKEN_START, node), get(s.trie, TOKEN_START, node + 1)):
        token = get(s.trie, TOKEN, index)
        if s.usable[token >> 5] >> (token & 31) & 1:
            return token
    return -1
