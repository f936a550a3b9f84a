"""Rows: the successors of a state by byte, found together for bytes that no edge tells apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.bytesets import (
    CLASS_WORDS,
    begin_classes,
    first_byte,
    has_byte,
    isolate,
    lowest_bit,
    split,
)
from lipogram.grammars.engine.interning import intern_state
from lipogram.grammars.engine.layout import (
    FOUND,
    ITEMS,
    KEYS,
    MAX_STATES,
    ROW_COUNT,
    ROW_OF,
    ROWS,
    STATE_ITEM_COUNT,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    get,
    get_word,
    integer,
    put,
    put_word,
    reserve,
)
from lipogram.grammars.kernels import kernel


@kernel
def write_row(m: Memory, state: int, found: int, is_complete: bool) -> None:
    """Write the successors of a closed state."""
    row = max(m[ROW_COUNT], 1)
    if row > m[MAX_STATES]:
        raise MemoryError
    reserve(m, ROWS, 1024 * (row + 1))
    burn(m, 30)
    if found == 1 and get(m, FOUND, 0) < 256:  # most states stand inside a literal
        put(m, FOUND, 3, 0)
        successor = _successor(m, found, np.zeros(1, np.int64), get(m, FOUND, 0))
        put(m, ROWS, 256 * row + get(m, FOUND, 0), successor)
    elif found:
        sets = _grouped(m, found)
        partition = np.empty(CLASS_WORDS, np.uint64)
        classes = begin_classes(partition, False)
        for first in sets:
            classes = split(m, partition, classes, get(m, FOUND, 4 * first))
        for number in range(isolate(partition, classes)):
            if first_byte(partition, number) >= 0:
                successor = _successor(m, found, sets, first_byte(partition, number))
                _write_class(m, row, partition, number, successor)
    m[ROW_COUNT] = row + 1
    put(m, ROW_OF, state, 2 * row + is_complete)  # last: readers take no lock


@kernel
def _grouped(m: Memory, found: int) -> NDArray[np.int64]:
    """Link the edges that have the same byte set; the first of each."""
    size = 4
    while size < 2 * found:
        size *= 2
    slots, firsts = np.zeros(size, np.int64), np.empty(found, np.int64)
    sets = 0
    for index in range(found):
        mask = get(m, FOUND, 4 * index)
        slot = (mask * 0x9E3779B1 >> 8) & (size - 1)
        while slots[slot] and get(m, FOUND, 4 * (slots[slot] - 1)) != mask:
            slot = (slot + 1) & (size - 1)
        if slots[slot] == 0:
            firsts[sets] = index
            sets += 1
            slots[slot] = index + 1
            put(m, FOUND, 4 * index + 3, 0)
        else:
            first = slots[slot] - 1
            put(m, FOUND, 4 * index + 3, get(m, FOUND, 4 * first + 3))
            put(m, FOUND, 4 * first + 3, index)
    return firsts[:sets]


@kernel
def _write_class(
    m: Memory, row: int, partition: NDArray[np.uint64], number: int, successor: int
) -> None:
    for index in range(4):
        word = partition[4 * number + index]
        while word != np.uint64(0):
            put(m, ROWS, 256 * row + 64 * index + lowest_bit(word), successor)
            word &= word - np.uint64(1)


@kernel
def _successor(m: Memory, found: int, sets: NDArray[np.int64], byte: int) -> int:
    """The state of the items of all edges that take the byte."""
    start = m[STATE_ITEM_COUNT]
    reserve(m, ITEMS, 8 * (start + found))
    reserve(m, KEYS, 8 * found)
    count = 0
    for index in sets:
        if has_byte(m, get(m, FOUND, 4 * index), byte):
            linked = index
            while True:
                node = np.uint64(get(m, FOUND, 4 * linked + 1))
                key = (node << np.uint64(32)) | np.uint64(get(m, FOUND, 4 * linked + 2))
                put_word(m, KEYS, count, key)
                count += 1
                linked = get(m, FOUND, 4 * linked + 3)
                if linked == 0:
                    break
    burn(m, found + 4 * count)
    _sort_keys(m, count)
    end = start
    previous = ~np.uint64(0)
    for index in range(count):
        key = get_word(m, KEYS, index)
        if key != previous:
            put(m, ITEMS, 2 * end, integer(key >> np.uint64(32)))
            put(m, ITEMS, 2 * end + 1, integer(key & np.uint64(0xFFFFFFFF)))
            end += 1
        previous = key
    return intern_state(m, end)


@kernel
def _sort_keys(m: Memory, count: int) -> None:
    """Sort the first words of KEYS. (Shell's sort.)"""
    gap = 1
    while gap < count:
        gap = 3 * gap + 1
    while gap > 1:
        gap //= 3
        for index in range(gap, count):
            value = get_word(m, KEYS, index)
            at = index
            while at >= gap and get_word(m, KEYS, at - gap) > value:
                put_word(m, KEYS, at, get_word(m, KEYS, at - gap))
                at -= gap
            put_word(m, KEYS, at, value)
