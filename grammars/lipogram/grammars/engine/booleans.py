"""Intersections and complements of residual expressions that call no rules."""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.bytesets import (
    mask_of,
    mask_word,
    mixed,
)
from lipogram.grammars.engine.expressions import (
    cons,
    push_option,
    spread,
)
from lipogram.grammars.engine.layout import (
    ANYTHING,
    BOOLEAN,
    BOTH,
    BUILD,
    CONS,
    EMPTY,
    EMPTY_OP,
    FLAGS,
    INFINITE,
    LENGTH,
    LIST_COUNT,
    LISTS,
    LONGEST,
    NODE_WIDTH,
    NODES,
    NOT,
    NOTHING,
    NULLABLE,
    OP,
    A,
    B,
)
from lipogram.grammars.engine.memory import Memory, get, put, reserve
from lipogram.grammars.engine.nodes import (
    add,
    first_hash,
    known,
    known_list,
    second_hash,
)
from lipogram.grammars.kernels import kernel


@kernel
def both(m: Memory, count: int) -> int:
    """What the first `count` nodes in LIST have in common; they call no rules."""
    depth = 0
    node = NOTHING
    while True:
        start = m[LIST_COUNT]
        size = _drop_anything(m, start, spread(m, BOTH, count))
        if size < 0:
            return NOTHING
        if size == 0:
            node = m[ANYTHING]
            break
        if size == 1:
            node = get(m, LISTS, start)
            break
        chains = 0
        has_empty = False
        all_nullable = True
        for index in range(size):
            at = get(m, LISTS, start + index) * NODE_WIDTH
            chains += get(m, NODES, at + OP) == CONS
            has_empty |= get(m, NODES, at + OP) == EMPTY_OP
            all_nullable &= (get(m, NODES, at + FLAGS) & NULLABLE) != 0
        if has_empty:
            if not all_nullable:
                return NOTHING
            node = EMPTY
            break
        if chains < size:
            node = _intersection(m, start, size)
            break
        # All begin with one byte: so does what they have in common.
        w0 = w1 = w2 = w3 = ~np.uint64(0)
        for index in range(size):
            member = get(m, LISTS, start + index)
            mask = get(m, NODES, member * NODE_WIDTH + A)
            w0 &= mask_word(m, mask, 0)
            w1 &= mask_word(m, mask, 1)
            w2 &= mask_word(m, mask, 2)
            w3 &= mask_word(m, mask, 3)
            push_option(m, index, get(m, NODES, member * NODE_WIDTH + B))
        if (w0 | w1 | w2 | w3) == np.uint64(0):
            return NOTHING
        reserve(m, BUILD, 4 * (depth + 1))
        put(m, BUILD, depth, mask_of(m, w0, w1, w2, w3))
        depth += 1
        count = size
    while depth:
        depth -= 1
        node = cons(m, get(m, BUILD, depth), node)
    return node


@kernel
def _drop_anything(m: Memory, start: int, size: int) -> int:
    """Leave out what restricts nothing; -1 if one of the members is NOTHING."""
    kept = 0
    for index in range(size):
        member = get(m, LISTS, start + index)
        if member == NOTHING:
            return -1
        if member != m[ANYTHING]:
            put(m, LISTS, start + kept, member)
            kept += 1
    return kept


@kernel
def _intersection(m: Memory, start: int, size: int) -> int:
    node = known_list(m, BOTH, start, size)
    if node:
        return node
    flags, length, longest = NULLABLE, 0, INFINITE
    h0, h1 = np.uint64(0), np.uint64(0)
    for index in range(size):
        member = get(m, LISTS, start + index)
        at = member * NODE_WIDTH
        flags &= get(m, NODES, at + FLAGS)
        length = max(length, get(m, NODES, at + LENGTH))
        longest = min(longest, get(m, NODES, at + LONGEST))
        h0 += mixed(first_hash(m, member), np.uint64(BOTH))
        h1 += mixed(second_hash(m, member), np.uint64(BOTH))
    m[LIST_COUNT] = start + size
    return add(
        m, BOTH, start, size, 0, 0, (flags & NULLABLE) | BOOLEAN, length, 0, longest,
        mixed(h0, np.uint64(BOTH)), mixed(h1, np.uint64(BOTH)),
    )  # fmt: skip


@kernel
def complement(m: Memory, item: int) -> int:
    """All byte strings that are not in `item`, which calls no rules."""
    if item == NOTHING:
        return m[ANYTHING]
    if item == m[ANYTHING]:
        return NOTHING
    at = item * NODE_WIDTH
    if get(m, NODES, at + OP) == NOT:
        return get(m, NODES, at + A)
    node = known(m, NOT, item, 0, 0, 0)
    if node:
        return node
    nullable = (get(m, NODES, at + FLAGS) & NULLABLE) == 0
    return add(
        m, NOT, item, 0, 0, 0, BOOLEAN | (NULLABLE if nullable else 0), 0 if nullable else 1, 0,
        INFINITE, mixed(first_hash(m, item), np.uint64(NOT)),
        mixed(second_hash(m, item), np.uint64(NOT)),
    )  # fmt: skip
