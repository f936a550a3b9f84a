"""Residual expressions, what is left to match, as hash-consed nodes.

A node is an integer; equal expressions are equal nodes. `expressions` makes them, `derive` says how
they go on.
"""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.layout import (
    BOTH,
    CHOICE,
    FLAGS,
    HASHES,
    INFINITE,
    LENGTH,
    LISTS,
    LONGEST,
    MAX_NODES,
    NODE_COUNT,
    NODE_SLOTS,
    NODE_WIDTH,
    NODES,
    NULLABLE,
    OP,
    RANK,
    A,
    B,
    C,
    D,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    capacity,
    clear,
    get,
    get_word,
    integer,
    put,
    put_word,
    reserve,
)
from lipogram.grammars.kernels import kernel


@kernel
def field(m: Memory, node: int, column: int) -> int:
    return get(m, NODES, node * NODE_WIDTH + column)


@kernel
def set_field(m: Memory, node: int, column: int, value: int) -> None:
    put(m, NODES, node * NODE_WIDTH + column, value)


@kernel
def is_nullable(m: Memory, node: int) -> bool:
    return (get(m, NODES, node * NODE_WIDTH + FLAGS) & NULLABLE) != 0


@kernel
def added(left: int, right: int) -> int:
    """The sum of two lengths; what is long but not infinite stays so."""
    if left >= INFINITE or right >= INFINITE:
        return INFINITE
    return min(left + right, INFINITE - 1)


@kernel
def multiplied(length: int, count: int) -> int:
    if count == 0:
        return 0
    if length >= INFINITE:
        return INFINITE
    return min(length * count, INFINITE - 1)


@kernel
def _slot(m: Memory, op: int, a: int, b: int, c: int, d: int) -> int:
    """Where the node of these fields is, or is to be."""
    size = capacity(m, NODE_SLOTS) // 4
    value = np.uint64(op) | (np.uint64(a & 0xFFFFFFFF) << np.uint64(8))
    other = np.uint64(b & 0xFFFFFFFF) | (np.uint64(c & 0xFFFFFFFF) << np.uint64(32))
    slot = integer(mixed(mixed(value, other), np.uint64(d)) & np.uint64(size - 1))
    while True:
        node = get(m, NODE_SLOTS, slot)
        if node == 0:
            return slot
        at = node * NODE_WIDTH
        if (
            get(m, NODES, at + OP) == op
            and get(m, NODES, at + A) == a
            and get(m, NODES, at + B) == b
            and get(m, NODES, at + C) == c
            and get(m, NODES, at + D) == d
        ):
            return slot
        slot = (slot + 1) & (size - 1)


@kernel
def known(m: Memory, op: int, a: int, b: int, c: int, d: int) -> int:
    """The node of these fields; 0 if there is none."""
    return get(m, NODE_SLOTS, _slot(m, op, a, b, c, d))


@kernel
def _list_slot(m: Memory, op: int, start: int, count: int) -> int:
    """Where the choice or intersection of the members from `start` of LISTS is, or is to be."""
    size = capacity(m, NODE_SLOTS) // 4
    value = np.uint64(op)
    for index in range(count):
        value = mixed(value, np.uint64(get(m, LISTS, start + index)))
    slot = integer(value & np.uint64(size - 1))
    while True:
        node = get(m, NODE_SLOTS, slot)
        if node == 0:
            return slot
        at = node * NODE_WIDTH
        if get(m, NODES, at + OP) == op and get(m, NODES, at + B) == count:
            other = get(m, NODES, at + A)
            index = 0
            while index < count and get(m, LISTS, other + index) == get(m, LISTS, start + index):
                index += 1
            if index == count:
                return slot
        slot = (slot + 1) & (size - 1)


@kernel
def known_list(m: Memory, op: int, start: int, count: int) -> int:
    """The choice or intersection of the members from `start` of LISTS; 0 if there is none."""
    return get(m, NODE_SLOTS, _list_slot(m, op, start, count))


@kernel
def _rehash(m: Memory) -> None:
    reserve(m, NODE_SLOTS, 2 * capacity(m, NODE_SLOTS))
    clear(m, NODE_SLOTS)
    for node in range(2, m[NODE_COUNT]):
        at = node * NODE_WIDTH
        op, a, b = get(m, NODES, at + OP), get(m, NODES, at + A), get(m, NODES, at + B)
        if op in (CHOICE, BOTH):
            slot = _list_slot(m, op, a, b)
        else:
            slot = _slot(m, op, a, b, get(m, NODES, at + C), get(m, NODES, at + D))
        put(m, NODE_SLOTS, slot, node)


@kernel
def add(
    m: Memory, op: int, a: int, b: int, c: int, d: int, flags: int, length: int, rank: int,
    longest: int, h0: np.uint64, h1: np.uint64,
) -> int:  # fmt: skip
    """A new node of these fields."""
    burn(m, 10)
    node = m[NODE_COUNT]
    if node >= m[MAX_NODES]:
        raise MemoryError
    if 8 * (node + 1) > capacity(m, NODE_SLOTS):
        _rehash(m)
    reserve(m, NODES, 4 * NODE_WIDTH * (node + 1))
    reserve(m, HASHES, 16 * (node + 1))
    at = node * NODE_WIDTH
    put(m, NODES, at + OP, op)
    put(m, NODES, at + A, a)
    put(m, NODES, at + B, b)
    put(m, NODES, at + C, c)
    put(m, NODES, at + D, d)
    put(m, NODES, at + FLAGS, flags)
    put(m, NODES, at + LENGTH, length)
    put(m, NODES, at + RANK, rank)
    put(m, NODES, at + LONGEST, longest)
    put_word(m, HASHES, 2 * node, h0)
    put_word(m, HASHES, 2 * node + 1, h1)
    slot = _list_slot(m, op, a, b) if op in (CHOICE, BOTH) else _slot(m, op, a, b, c, d)
    put(m, NODE_SLOTS, slot, node)
    m[NODE_COUNT] = node + 1
    return node


@kernel
def first_hash(m: Memory, node: int) -> np.uint64:
    """One of the two words that stand for the expression in all grammars."""
    return get_word(m, HASHES, 2 * node)


@kernel
def second_hash(m: Memory, node: int) -> np.uint64:
    return get_word(m, HASHES, 2 * node + 1)
