"""Residual expressions: what is left to match, as hash-consed nodes.

A node is an integer; equal expressions are equal nodes. Counts are never unrolled, big sets of
literals are ranges of one sorted list, and members of a run are a position or a set: `derive` says
how nodes go on, when asked.
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
    BOTH,
    BUILD,
    CALL,
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
    LITERALS,
    LONGEST,
    MASK_COUNT,
    MASKS,
    MAX_NODES,
    NAME,
    NAMELESS,
    NODE_COUNT,
    NODE_SLOTS,
    NODE_WIDTH,
    NODES,
    NONCE,
    NOT,
    NOTHING,
    NULLABLE,
    OP,
    R_BODY,
    R_FLAGS,
    R_LENGTH,
    R_RANK,
    RANK,
    REPEAT,
    RULE_COUNT,
    RULE_WIDTH,
    RULES,
    SECRET,
    SEQUENCE,
    SKIPPABLE,
    UNBOUNDED,
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
    kernel,
    put,
    put_word,
    reserve,
)

_SHORT_CHAIN = 3  # bytes after the first of a character
_SHORT_BYTES = 16  # what is repeated and no longer than this is derived where it stands


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


# Interning.


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
def _h0(m: Memory, node: int) -> np.uint64:
    return get_word(m, HASHES, 2 * node)


@kernel
def _h1(m: Memory, node: int) -> np.uint64:
    return get_word(m, HASHES, 2 * node + 1)


# Constructors. Each returns a canonical node; NOTHING wherever nothing can match.


@kernel
def cons(m: Memory, mask: int, rest: int) -> int:
    """One byte of the set and then `rest`."""
    if rest == NOTHING:
        return NOTHING
    node = known(m, CONS, mask, rest, 0, 0)
    if node:
        return node
    at = rest * NODE_WIDTH
    h0, h1 = mixed(np.uint64(CONS), _h0(m, rest)), mixed(np.uint64(CONS + 64), _h1(m, rest))
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
        mixed(mixed(np.uint64(SEQUENCE), _h0(m, first)), _h0(m, rest)),
        mixed(mixed(np.uint64(SEQUENCE + 64), _h1(m, first)), _h1(m, rest)),
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
def _spread(m: Memory, op: int, count: int) -> int:
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
    size = _spread(m, CHOICE, count)
    if size and get(m, LISTS, start) == NOTHING:
        start += 1
        size -= 1
    if size == 0:
        return NOTHING
    if size == 1:
        return get(m, LISTS, start)
    node = get(m, NODE_SLOTS, _list_slot(m, CHOICE, start, size))
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
        h0 += mixed(_h0(m, member), np.uint64(CHOICE))
        h1 += mixed(_h1(m, member), np.uint64(CHOICE))
    m[LIST_COUNT] = start + size
    return add(
        m, CHOICE, start, size, 0, 0, flags, length, rank, longest,
        mixed(h0, np.uint64(CHOICE)), mixed(h1, np.uint64(CHOICE)),
    )  # fmt: skip


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
        mixed(mixed(np.uint64(REPEAT), _h0(m, item)), counts),
        mixed(mixed(np.uint64(REPEAT + 64), _h1(m, item)), counts),
    )  # fmt: skip


@kernel
def both(m: Memory, count: int) -> int:
    """What the first `count` nodes in LIST have in common; they call no rules."""
    depth = 0
    node = NOTHING
    while True:
        start = m[LIST_COUNT]
        size = _drop_anything(m, start, _spread(m, BOTH, count))
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
    node = get(m, NODE_SLOTS, _list_slot(m, BOTH, start, size))
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
        h0 += mixed(_h0(m, member), np.uint64(BOTH))
        h1 += mixed(_h1(m, member), np.uint64(BOTH))
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
        INFINITE, mixed(_h0(m, item), np.uint64(NOT)), mixed(_h1(m, item), np.uint64(NOT)),
    )  # fmt: skip


@kernel
def call(m: Memory, rule: int) -> int:
    """Whatever the rule denotes."""
    at = rule * RULE_WIDTH
    length = get(m, RULES, at + R_LENGTH)
    if length >= INFINITE:
        return NOTHING
    node = known(m, CALL, rule, 0, 0, 0)
    if node:
        return node
    if get(m, RULES, at + R_FLAGS) & NAMELESS:
        body = get(m, RULES, at + R_BODY) - 1
        flags = np.uint64(get(m, RULES, at + R_FLAGS))
        h0 = mixed(mixed(np.uint64(CALL), _h0(m, body)), flags)
        h1 = mixed(mixed(np.uint64(CALL), _h1(m, body)), flags)
    else:
        h0 = mixed(np.uint64(m[NONCE]), np.uint64(rule))
        h1 = mixed(np.uint64(m[NONCE]) + np.uint64(1), np.uint64(rule))
    return add(
        m, CALL, rule, 0, 0, 0, CALLING | (NULLABLE if length == 0 else 0), length,
        get(m, RULES, at + R_RANK), INFINITE, h0, h1,
    )  # fmt: skip


@kernel
def named(m: Memory, node: int) -> int:
    """A call of a nameless rule of this body, where that saves making states again.

    Alternatives are worth it; not what may end after any byte, like most repeats: a token would
    return from it at every turn.
    """
    op = field(m, node, OP)
    if op in (CHOICE, LITERALS) or (op == REPEAT and field(m, node, C) == 1):
        return nameless(m, node, is_nullable(m, node))
    return node


@kernel
def repeated(m: Memory, item: int, minimum: int, maximum: int) -> int:
    """`repeat` with a call of a nameless rule in place of an item that may be long."""
    if item > EMPTY and field(m, item, OP) != REPEAT and not (minimum == maximum == 1):
        if is_nullable(m, item) and maximum != UNBOUNDED and maximum != 1:
            item = nameless(m, item, False)  # else an empty turn leads to each count
        elif (field(m, item, FLAGS) & CALLING) or field(m, item, LONGEST) > _SHORT_BYTES:
            item = named(m, item)
    return repeat(m, item, minimum, maximum)


@kernel
def nameless(m: Memory, body: int, may_be_empty: bool) -> int:
    """A call of a rule of this body: of its members but the empty one, unless so said."""
    name = known(m, NAME, body, may_be_empty, 0, 0)
    if name:
        return field(m, name, LENGTH)
    rule = m[RULE_COUNT]
    reserve(m, RULES, 4 * RULE_WIDTH * (rule + 1))
    m[RULE_COUNT] = rule + 1
    at = rule * RULE_WIDTH
    length = field(m, body, LENGTH)
    put(m, RULES, at + R_BODY, body + 1)
    put(m, RULES, at + R_FLAGS, NAMELESS | (SKIPPABLE if may_be_empty else 0))
    put(m, RULES, at + R_LENGTH, length)
    put(m, RULES, at + R_RANK, field(m, body, RANK))
    node = call(m, rule)
    zero = np.uint64(0)
    add(m, NAME, body, may_be_empty, 0, 0, 0, node, 0, 0, zero, zero)
    return node
