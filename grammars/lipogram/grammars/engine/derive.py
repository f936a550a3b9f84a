"""How nodes go on, byte by byte or by calling a rule.

Heads are partial derivatives (Antimirov, "Partial derivatives of regular expressions", 1996),
extended by rule calls; intersection and complement are derived deterministically (Brzozowski
1964). A node's are written once, when first asked for. Rests of boolean nodes may be dead: see
`is_alive`.
"""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.booleans import (
    both,
    complement,
)
from lipogram.grammars.engine.bytesets import (
    CLASS_WORDS,
    begin_classes,
    first_byte,
    has_byte,
    isolate,
    mask_of,
    split,
)
from lipogram.grammars.engine.calls import (
    nameless,
)
from lipogram.grammars.engine.expressions import (
    choice,
    either,
    push_option,
    repeat,
    sequence,
)
from lipogram.grammars.engine.layout import (
    BOTH,
    CALL,
    CALL_COUNT,
    CALL_END,
    CALL_START,
    CALLS,
    CHOICE,
    CONS,
    DERIVING,
    EDGE_COUNT,
    EDGE_END,
    EDGE_START,
    EDGES,
    EMPTY,
    F_ANY_ORDER,
    F_COUNT,
    F_MAXIMUM,
    F_OTHERS_LENGTH,
    I_LENGTH,
    I_REQUIRED,
    INFINITE,
    LIST,
    LISTS,
    LITERALS,
    MEMBERS,
    NOT,
    NOTHING,
    OP,
    OPTIONS,
    REPEAT,
    SEQUENCE,
    UNFOLDED,
    A,
    B,
    C,
)
from lipogram.grammars.engine.literals import (
    literals,
    text_byte,
    text_length,
)
from lipogram.grammars.engine.memory import Memory, burn, get, put, reserve
from lipogram.grammars.engine.nodes import (
    field,
    is_nullable,
    set_field,
)
from lipogram.grammars.engine.programs import (
    item_node,
    others_of,
    separator_of,
)
from lipogram.grammars.engine.runs import (
    AFTER,
    BEFORE,
    BEFORE_BYTES,
    after_item,
    family_field,
    has_come,
    item_field,
    members,
)
from lipogram.grammars.kernels import kernel


@kernel
def derive(m: Memory, node: int) -> None:
    """Write the heads of a node: EDGE_START and the other columns are valid then."""
    if field(m, node, EDGE_START):
        return
    reserve(m, DERIVING, 4)
    put(m, DERIVING, 0, node)
    top = 1
    while top:
        current = get(m, DERIVING, top - 1)
        if field(m, current, EDGE_START):
            top -= 1
            continue
        waiting = _push_needed(m, current, top)
        if waiting > top:
            top = waiting
            continue
        top -= 1
        _write_heads(m, current)


@kernel
def _push(m: Memory, node: int, top: int) -> int:
    """Put a node on the stack unless its heads are written; the new height."""
    if field(m, node, EDGE_START):
        return top
    reserve(m, DERIVING, 4 * (top + 1))
    put(m, DERIVING, top, node)
    return top + 1


@kernel
def _push_needed(m: Memory, node: int, top: int) -> int:
    """Put on the stack what must be derived first; the new height."""
    op, a = field(m, node, OP), field(m, node, A)
    if op == SEQUENCE:
        # A loop: a long series of optional parts is as deep as it is long.
        while True:
            top = _push(m, a, top)
            if not is_nullable(m, a) or field(m, a, OP) == CALL:
                break  # a rule that may be empty is skipped where it is called
            node = field(m, node, B)
            if field(m, node, OP) != SEQUENCE:
                return _push(m, node, top)
            a = field(m, node, A)
    elif op in (REPEAT, NOT):
        top = _push(m, a, top)
    elif op in (CHOICE, BOTH):
        for index in range(field(m, node, B)):
            top = _push(m, get(m, LISTS, a + index), top)
    elif op == MEMBERS:
        top = _push(m, _unfolded(m, node), top)
    return top


@kernel
def _edge(m: Memory, mask: int, rest: int) -> None:
    count = m[EDGE_COUNT]
    reserve(m, EDGES, 8 * (count + 1))
    put(m, EDGES, 2 * count, mask)
    put(m, EDGES, 2 * count + 1, rest)
    m[EDGE_COUNT] = count + 1


@kernel
def _head_call(m: Memory, rule: int, rest: int) -> None:
    count = m[CALL_COUNT]
    reserve(m, CALLS, 8 * (count + 1))
    put(m, CALLS, 2 * count, rule)
    put(m, CALLS, 2 * count + 1, rest)
    m[CALL_COUNT] = count + 1


@kernel
def _copy_heads(m: Memory, node: int, rest: int) -> None:
    """Write the heads of a node, each followed by `rest`."""
    for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
        _edge(m, get(m, EDGES, 2 * index), sequence(m, get(m, EDGES, 2 * index + 1), rest))
    for index in range(field(m, node, CALL_START), field(m, node, CALL_END)):
        _head_call(m, get(m, CALLS, 2 * index), sequence(m, get(m, CALLS, 2 * index + 1), rest))


@kernel
def _write_heads(m: Memory, node: int) -> None:
    """Write the heads of a node from those that it needs, which are written."""
    op, a, b, c = field(m, node, OP), field(m, node, A), field(m, node, B), field(m, node, C)
    edge_start, call_start = m[EDGE_COUNT], m[CALL_COUNT]
    if op == CONS:
        _edge(m, a, b)
    elif op == CALL:
        _head_call(m, a, EMPTY)
    elif op == SEQUENCE:
        rest = b
        while True:
            _copy_heads(m, a, rest)
            if not is_nullable(m, a) or field(m, a, OP) == CALL:
                break
            if field(m, rest, OP) != SEQUENCE:
                _copy_heads(m, rest, EMPTY)
                break
            a, rest = field(m, rest, A), field(m, rest, B)
    elif op == CHOICE:
        for index in range(b):
            _copy_heads(m, get(m, LISTS, a + index), EMPTY)
    elif op == REPEAT:
        _copy_heads(m, a, repeat(m, a, max(b - 1, 0), c if c < 0 else c - 1))
    elif op == LITERALS:
        _literal_edges(m, a, b, c)
    elif op in (BOTH, NOT):
        _boolean_edges(m, node)
    elif op == MEMBERS:
        other = _unfolded(m, node)
        edge_start, call_start = field(m, other, EDGE_START) - 1, field(m, other, CALL_START)
        set_field(m, node, EDGE_END, field(m, other, EDGE_END))
        set_field(m, node, CALL_START, call_start)
        set_field(m, node, CALL_END, field(m, other, CALL_END))
        set_field(m, node, EDGE_START, edge_start + 1)
        return
    burn(m, 4 * (m[EDGE_COUNT] - edge_start + m[CALL_COUNT] - call_start))
    set_field(m, node, EDGE_END, m[EDGE_COUNT])
    set_field(m, node, CALL_START, call_start)
    set_field(m, node, CALL_END, m[CALL_COUNT])
    set_field(m, node, EDGE_START, edge_start + 1)


@kernel
def _literal_edges(m: Memory, low: int, high: int, depth: int) -> None:
    while low < high and text_length(m, low) == depth:
        low += 1
    while low < high:
        byte = text_byte(m, low, depth)
        stop = low + 1
        while stop < high and text_byte(m, stop, depth) == byte:
            stop += 1
        burn(m, stop - low)
        _edge(m, byte, literals(m, low, stop, depth + 1))
        low = stop


# Runs of members.


@kernel
def _unfolded(m: Memory, node: int) -> int:
    """What a run is in terms of the members that may come next and of the run after each."""
    known = field(m, node, UNFOLDED)
    if known:
        return known
    family, where = field(m, node, A), field(m, node, B)
    count, phase = field(m, node, C) >> 2, field(m, node, C) & 3
    if phase == AFTER:
        separator = separator_of(m, family)
        before = members(m, family, where, count, BEFORE)
        if is_nullable(m, separator) and is_nullable(m, others_of(m, family)):
            # Steps without bytes would go round for ever, and lead nowhere that is not here.
            other = either(
                m,
                sequence(m, nameless(m, separator, False), before),
                members(m, family, where, count, BEFORE_BYTES),
            )
        else:
            other = sequence(m, separator, before)
    else:
        other = _next_members(m, family, where, count, phase == BEFORE_BYTES)
    set_field(m, node, UNFOLDED, other)
    return other


@kernel
def _next_members(m: Memory, family: int, where: int, count: int, with_bytes: bool) -> int:
    maximum = family_field(m, family, F_MAXIMUM)
    if maximum >= 0 and count >= maximum:
        return NOTHING
    any_order = family_field(m, family, F_ANY_ORDER) != 0
    items = family_field(m, family, F_COUNT)
    size = 0
    index = 0 if any_order else where
    needed = False
    while index < items and not needed:
        if not (any_order and has_come(m, family, where, index)):
            needed = not any_order and item_field(m, family, index, I_REQUIRED) != 0
            if item_field(m, family, index, I_LENGTH) < INFINITE:
                item = item_node(m, family, index)
                place = after_item(m, family, where, index)
                option = sequence(m, item, members(m, family, place, count + 1, AFTER))
                size = _keep_option(m, size, option)
        index += 1
    if not needed and family_field(m, family, F_OTHERS_LENGTH) < INFINITE:
        place = where if any_order else items
        rest = members(m, family, place, count + 1, AFTER)
        others = others_of(m, family)
        if with_bytes and is_nullable(m, others):
            others = nameless(m, others, False)
        size = _keep_option(m, size, sequence(m, others, rest))
    for index in range(size):
        push_option(m, index, get(m, OPTIONS, index))
    return choice(m, size)


@kernel
def _keep_option(m: Memory, count: int, option: int) -> int:
    """Keep an option aside while others are made; the new count."""
    reserve(m, OPTIONS, 4 * (count + 1))
    put(m, OPTIONS, count, option)
    return count + 1


# Intersection and complement.


@kernel
def _boolean_edges(m: Memory, node: int) -> None:
    """Deterministic edges: one for each class of bytes that all items treat alike."""
    op, a = field(m, node, OP), field(m, node, A)
    items = field(m, node, B) if op == BOTH else 1
    partition = np.empty(CLASS_WORDS, np.uint64)
    classes, edges = begin_classes(partition, op == NOT), 0
    for item in range(items):
        part = get(m, LISTS, a + item) if op == BOTH else a
        for index in range(field(m, part, EDGE_START) - 1, field(m, part, EDGE_END)):
            edges += 1
            classes = split(m, partition, classes, get(m, EDGES, 2 * index))
    classes = isolate(partition, classes)
    burn(m, 16 + 4 * edges + 4 * classes * items)
    for number in range(classes):
        rest, byte = NOTHING, first_byte(partition, number)
        if byte >= 0:
            rest = _boolean_rest(m, op, a, items, byte)
        if rest != NOTHING:
            w0, w1 = partition[4 * number], partition[4 * number + 1]
            w2, w3 = partition[4 * number + 2], partition[4 * number + 3]
            _edge(m, mask_of(m, w0, w1, w2, w3), rest)


@kernel
def _boolean_rest(m: Memory, op: int, a: int, items: int, byte: int) -> int:
    """What is left of an intersection or complement after one byte."""
    if op == NOT:
        return complement(m, rest_after(m, a, byte))
    for item in range(items):
        rest = rest_after(m, get(m, LISTS, a + item), byte)
        if rest == NOTHING:
            return NOTHING
        _keep_option(m, item, rest)
    for item in range(items):
        push_option(m, item, get(m, OPTIONS, item))
    return both(m, items)


@kernel
def rest_after(m: Memory, node: int, byte: int) -> int:
    """What is left of a node without calls after one byte."""
    size = 0
    for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
        if has_byte(m, get(m, EDGES, 2 * index), byte):
            size = push_option(m, size, get(m, EDGES, 2 * index + 1))
    return get(m, LIST, 0) if size == 1 else choice(m, size)
