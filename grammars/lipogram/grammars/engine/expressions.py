"""Makes residual expressions: each constructor returns a canonical node.

NOTHING wherever nothing can match. Counts are never unrolled, and big sets of literals are ranges
of one sorted list.
"""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.bytesets import (
    mask_of,
    mask_word,
    mixed,
)
from lipogram.grammars.engine.layout import (
    ANYTHING,
    BOOLEAN,
    CALLING,
    CHOICE,
    CONS,
    EDGE_START,
    EMPTY,
    EMPTY_OP,
    FLAGS,
    HASHES,
    INFINITE,
    LENGTH,
    LIST,
    LIST_COUNT,
    LISTS,
    LONGEST,
    MASK_COUNT,
    MASKS,
    NODE_COUNT,
    NODE_SLOTS,
    NODE_WIDTH,
    NODES,
    NOTHING,
    NULLABLE,
    OP,
    RANK,
    REPEAT,
    SECRET,
    SEQUENCE,
    UNBOUNDED,
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import Memory, burn, get, put, put_word, reserve
from lipogram.grammars.engine.nodes import (
    add,
    added,
    field,
    first_hash,
    known,
    known_list,
    multiplied,
    second_hash,
    set_field,
)
from lipogram.grammars.kernels import kernel

_SHORT_CHAIN = 3  # bytes after the first of a character
_FEW_COUNTED = 32  # options of one choice, which are compared in pairs


@kernel
def prepare(m: Memory) -> None:
    """The first nodes and byte sets of an empty memory."""
    reserve(m, MASKS, 32 * 320)
    for byte in range(256):
        put_word(m, MASKS, 4 * byte + (byte >> 6), np.uint64(1) << np.uint64(byte & 63))
    m[MASK_COUNT] = 256
    reserve(m, NODES, 4 * NODE_WIDTH * 256)
    reserve(m, NODE_SLOTS, 4096)
    m[NODE_COUNT] = 2
    reserve(m, HASHES, 4096)
    set_field(m, NOTHING, LENGTH, INFINITE)
    set_field(m, NOTHING, EDGE_START, 1)
    set_field(m, EMPTY, OP, EMPTY_OP)
    set_field(m, EMPTY, FLAGS, NULLABLE)
    set_field(m, EMPTY, EDGE_START, 1)
    put_word(m, HASHES, 2 * EMPTY, np.uint64(m[SECRET]))
    put_word(m, HASHES, 2 * EMPTY + 1, ~np.uint64(m[SECRET]))
    full = ~np.uint64(0)
    m[ANYTHING] = repeat(m, cons(m, mask_of(m, full, full, full, full), EMPTY), 0, UNBOUNDED)


@kernel
def cons(m: Memory, mask: int, rest: int) -> int:
    """One byte of the set and then `rest`."""
    if rest == NOTHING:
        return NOTHING
    node = known(m, CONS, mask, rest, 0, 0)
    if node:
        return node
    at = rest * NODE_WIDTH
    h0, h1 = (
        mixed(np.uint64(CONS), first_hash(m, rest)),
        mixed(np.uint64(CONS + 64), second_hash(m, rest)),
    )
    for index in range(4):
        h0 = mixed(h0, mask_word(m, mask, index))
        h1 = mixed(h1, mask_word(m, mask, index))
    return add(
        m, CONS, mask, rest, 0, 0, get(m, NODES, at + FLAGS) & ~NULLABLE,
        added(1, get(m, NODES, at + LENGTH)), get(m, NODES, at + RANK),
        added(1, get(m, NODES, at + LONGEST)), h0, h1,
    )  # fmt: skip


@kernel
def sequence(m: Memory, first: int, rest: int) -> int:
    """One after the other.

    Up to three single bytes become a chain with the rest, so that what characters of several bytes
    lead to is the same however it is come by; longer chains are met when they have become short.
    """
    if first == NOTHING or rest == NOTHING:
        return NOTHING
    if rest == EMPTY:
        return first
    end = first
    depth = 0
    while depth <= _SHORT_CHAIN and field(m, end, OP) == CONS:
        end = field(m, end, B)
        depth += 1
    if depth > _SHORT_CHAIN:
        return _pair(m, first, rest)
    node = rest if end == EMPTY else _pair(m, end, rest)
    if depth > 2:
        third = field(m, field(m, first, B), B)
        node = cons(m, field(m, third, A), node)
    if depth > 1:
        node = cons(m, field(m, field(m, first, B), A), node)
    return cons(m, field(m, first, A), node) if depth else node


@kernel
def _pair(m: Memory, first: int, rest: int) -> int:
    node = known(m, SEQUENCE, first, rest, 0, 0)
    if node:
        return node
    at, then = first * NODE_WIDTH, rest * NODE_WIDTH
    flags, more = get(m, NODES, at + FLAGS), get(m, NODES, then + FLAGS)
    return add(
        m, SEQUENCE, first, rest, 0, 0,
        ((flags | more) & ~NULLABLE) | (flags & more & NULLABLE),
        added(get(m, NODES, at + LENGTH), get(m, NODES, then + LENGTH)),
        max(get(m, NODES, at + RANK), get(m, NODES, then + RANK)),
        added(get(m, NODES, at + LONGEST), get(m, NODES, then + LONGEST)),
        mixed(mixed(np.uint64(SEQUENCE), first_hash(m, first)), first_hash(m, rest)),
        mixed(mixed(np.uint64(SEQUENCE + 64), second_hash(m, first)), second_hash(m, rest)),
    )  # fmt: skip


@kernel
def sort_list(m: Memory, array: int, start: int, count: int) -> int:
    """Sort part of an array and leave out what comes again; the new count. (Shell's sort.)"""
    gap = 1
    while gap < count:
        gap = 3 * gap + 1
    while gap > 1:
        gap //= 3
        for index in range(start + gap, start + count):
            value = get(m, array, index)
            at = index
            while at >= start + gap and get(m, array, at - gap) > value:
                put(m, array, at, get(m, array, at - gap))
                at -= gap
            put(m, array, at, value)
    kept = 0
    for index in range(count):
        value = get(m, array, start + index)
        if kept == 0 or get(m, array, start + kept - 1) != value:
            put(m, array, start + kept, value)
            kept += 1
    return kept


@kernel
def push_option(m: Memory, count: int, option: int) -> int:
    """Append an option to the list that `choice` reads; the new count."""
    reserve(m, LIST, 4 * (count + 1))
    put(m, LIST, count, option)
    return count + 1


@kernel
def spread(m: Memory, op: int, count: int) -> int:
    """Copy what is in LIST behind the last of LISTS, members of the same operation in its place."""
    start = m[LIST_COUNT]
    size = 0
    for index in range(count):
        item = get(m, LIST, index)
        if get(m, NODES, item * NODE_WIDTH + OP) == op:
            first = get(m, NODES, item * NODE_WIDTH + A)
            inner = get(m, NODES, item * NODE_WIDTH + B)
            reserve(m, LISTS, 4 * (start + size + inner))
            for member in range(inner):
                put(m, LISTS, start + size + member, get(m, LISTS, first + member))
            size += inner
        else:
            reserve(m, LISTS, 4 * (start + size + 1))
            put(m, LISTS, start + size, item)
            size += 1
    burn(m, size)
    return sort_list(m, LISTS, start, size)


@kernel
def choice(m: Memory, count: int) -> int:
    """Any of the first `count` nodes in LIST."""
    if count == 1:
        return get(m, LIST, 0)
    start = m[LIST_COUNT]
    size = _join_counts(m, start, spread(m, CHOICE, count))
    if size and get(m, LISTS, start) == NOTHING:
        start += 1
        size -= 1
    if size == 0:
        return NOTHING
    if size == 1:
        return get(m, LISTS, start)
    node = known_list(m, CHOICE, start, size)
    if node:
        return node
    flags, length, rank, longest = 0, INFINITE, 0, 0
    h0, h1 = np.uint64(0), np.uint64(0)
    for index in range(size):
        member = get(m, LISTS, start + index)
        at = member * NODE_WIDTH
        flags |= get(m, NODES, at + FLAGS)
        own, own_rank = get(m, NODES, at + LENGTH), get(m, NODES, at + RANK)
        if index == 0 or own < length or (own == length and own_rank < rank):
            length, rank = own, own_rank
        longest = max(longest, get(m, NODES, at + LONGEST))
        h0 += mixed(first_hash(m, member), np.uint64(CHOICE))
        h1 += mixed(second_hash(m, member), np.uint64(CHOICE))
    m[LIST_COUNT] = start + size
    return add(
        m, CHOICE, start, size, 0, 0, flags, length, rank, longest,
        mixed(h0, np.uint64(CHOICE)), mixed(h1, np.uint64(CHOICE)),
    )  # fmt: skip


@kernel
def _is_counted(m: Memory, option: int) -> bool:
    """Whether an option begins with a repeat."""
    while field(m, option, OP) == SEQUENCE:
        option = field(m, option, A)
    return field(m, option, OP) == REPEAT


@kernel
def _join_counts(m: Memory, start: int, size: int) -> int:
    """Make options one that differ in nothing but how often they begin with the same; the new size.

    Where pieces of limited length follow each other, there would be one for each place at which
    a piece may have begun.
    """
    counted = 0
    for index in range(start, start + size):
        counted += _is_counted(m, get(m, LISTS, index))
    if counted < 2 or counted > _FEW_COUNTED:
        return size
    joined = False
    for index in range(start, start + size):
        other = index + 1
        while other < start + size:
            option = _joined_count(m, get(m, LISTS, index), get(m, LISTS, other))
            other += 1
            if option != NOTHING:
                put(m, LISTS, index, option)
                put(m, LISTS, other - 1, NOTHING)
                joined = True
                other = index + 1
    return sort_list(m, LISTS, start, size) if joined else size


@kernel
def _joined_count(m: Memory, left: int, right: int) -> int:
    """What is either of two options, if that is a repeat of the same and then the same rests."""
    one, two, depth = left, right, 0
    while field(m, one, OP) == SEQUENCE and field(m, two, OP) == SEQUENCE:
        if field(m, one, B) != field(m, two, B):
            return NOTHING
        one, two = field(m, one, A), field(m, two, A)
        depth += 1
    if field(m, one, OP) != REPEAT or field(m, two, OP) != REPEAT:
        return NOTHING
    least, most = field(m, one, B), field(m, one, C)
    other_least, other_most = field(m, two, B), field(m, two, C)
    if (
        field(m, one, A) != field(m, two, A)
        or (most >= 0 and other_least > most + 1)
        or (other_most >= 0 and least > other_most + 1)
    ):
        return NOTHING
    most = UNBOUNDED if most < 0 or other_most < 0 else max(most, other_most)
    found = repeat(m, field(m, one, A), min(least, other_least), most)
    while depth:
        depth -= 1
        node = left
        for _ in range(depth):
            node = field(m, node, A)
        found = sequence(m, found, field(m, node, B))
    return found


@kernel
def either(m: Memory, left: int, right: int) -> int:
    """One of the two."""
    push_option(m, 0, left)
    push_option(m, 1, right)
    return choice(m, 2)


@kernel
def repeat(m: Memory, item: int, minimum: int, maximum: int) -> int:
    """`item` so many times (UNBOUNDED: no limit)."""
    while True:
        if maximum == 0 or item == EMPTY or (item == NOTHING and minimum == 0):
            return EMPTY
        if item == NOTHING:
            return NOTHING
        at = item * NODE_WIDTH
        if get(m, NODES, at + FLAGS) & NULLABLE:
            minimum = 0
        if minimum == 1 and maximum == 1:
            return item
        if get(m, NODES, at + OP) != REPEAT or get(m, NODES, at + B) > 1:
            break
        # x{a,b}{c,d} with a <= 1 covers every count from a*c to b*d.
        inner = get(m, NODES, at + C)
        minimum = min(get(m, NODES, at + B) * minimum, INFINITE)
        maximum = UNBOUNDED if maximum < 0 or inner < 0 else min(maximum * inner, INFINITE)
        item = get(m, NODES, at + A)
    node = known(m, REPEAT, item, minimum, maximum, 0)
    if node:
        return node
    at = item * NODE_WIDTH
    flags = get(m, NODES, at + FLAGS) & (BOOLEAN | CALLING)
    counts = mixed(np.uint64(minimum), np.uint64(maximum + 1))
    return add(
        m, REPEAT, item, minimum, maximum, 0,
        (flags & ~BOOLEAN) | NULLABLE if minimum == 0 else flags,
        multiplied(get(m, NODES, at + LENGTH), minimum),
        get(m, NODES, at + RANK) if minimum else 0,
        INFINITE if maximum < 0 else multiplied(get(m, NODES, at + LONGEST), maximum),
        mixed(mixed(np.uint64(REPEAT), first_hash(m, item)), counts),
        mixed(mixed(np.uint64(REPEAT + 64), second_hash(m, item)), counts),
    )  # fmt: skip
