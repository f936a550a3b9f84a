"""What boolean nodes denote: whether anything, and a shortest member.

Best first (A*): the length of an intersection is at least that of each of its parts, so where one
part says how to go on there is little to search.
"""

from __future__ import annotations

from typing import Final

from lipogram.grammars.engine.derive import (
    derive,
)
from lipogram.grammars.engine.layout import (
    ALIVE,
    BOOLEAN,
    BOTH,
    CHOICE,
    CONS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EXACT,
    FLAGS,
    HEAP,
    INFINITE,
    LENGTH,
    LISTS,
    LIVING,
    MEASURING,
    NODE_COUNT,
    NOT,
    NOTHING,
    NULLABLE,
    OP,
    OUTPUT,
    REPEAT,
    SEARCH,
    SEARCHES,
    SEQUENCE,
    VISITED,
    A,
    B,
)
from lipogram.grammars.engine.limits import (
    ABOVE_SOME,
    least_limit,
    loosened,
)
from lipogram.grammars.engine.memory import Memory, burn, get, put, reserve
from lipogram.grammars.engine.nodes import (
    added,
    field,
    is_nullable,
    multiplied,
    set_field,
)
from lipogram.grammars.kernels import kernel

_UNKNOWN, _LIVE, _DEAD = 0, 1, 2


@kernel
def _life(m: Memory, node: int) -> int:
    """What is known of whether a node denotes anything."""
    flags = field(m, node, FLAGS)
    if not flags & BOOLEAN:
        return _DEAD if node == NOTHING else _LIVE
    if flags & NULLABLE:
        return _LIVE
    exact = field(m, node, EXACT)
    if exact:
        return _DEAD if exact > INFINITE else _LIVE
    return field(m, node, ALIVE)


@kernel
def is_alive(m: Memory, node: int) -> bool:
    """Whether the node denotes anything at all. Cost: a search, once, for boolean nodes."""
    life = _life(m, node)
    if life != _UNKNOWN:
        return life == _LIVE
    reserve(m, LIVING, 4)
    put(m, LIVING, 0, node)
    top = 1
    while top:
        current = get(m, LIVING, top - 1)
        waiting = NOTHING
        if _life(m, current) == _UNKNOWN:
            waiting = _decide(m, current)
        if waiting == NOTHING:
            top -= 1
        else:
            reserve(m, LIVING, 4 * (top + 1))
            put(m, LIVING, top, waiting)
            top += 1
    return _life(m, node) == _LIVE


@kernel
def _decide(m: Memory, node: int) -> int:
    """Decide whether a node is alive from its parts; returns a part to be decided first, if any."""
    op, a, b = field(m, node, OP), field(m, node, A), field(m, node, B)
    life = _UNKNOWN
    if op in (BOTH, NOT):
        life = _life_within_limits(m, node)
        if life == _UNKNOWN:
            life = _search_life(m, node)
    elif op == CHOICE:
        life = _DEAD
        for index in range(b):
            option = get(m, LISTS, a + index)
            own = _life(m, option)
            if own == _LIVE:
                life = _LIVE
                break
            if own == _UNKNOWN:
                return option
    else:
        first = _LIVE if op == CONS else _life(m, a)
        rest = _LIVE if op == REPEAT else _life(m, b)
        if first == _UNKNOWN:
            return a
        if rest == _UNKNOWN:
            return b
        life = _LIVE if first == _LIVE and rest == _LIVE else _DEAD
    set_field(m, node, ALIVE, life)
    return NOTHING


@kernel
def _life_within_limits(m: Memory, node: int) -> int:
    """Whether a shortest member without the limits shows whether there is one with them."""
    loose = loosened(m, node, ABOVE_SOME)
    if loose == node:
        return _UNKNOWN
    length = exact_length(m, loose)
    if length >= INFINITE:
        return _DEAD
    return _LIVE if length <= least_limit(m, node, ABOVE_SOME) else _UNKNOWN


@kernel
def _search_life(m: Memory, start: int) -> int:
    """Whether anything that is known to be alive can be reached; notes what that says of others."""
    m[SEARCHES] += 1
    generation = m[SEARCHES]
    size = visited = 0
    if _reach(m, start, generation, 0, NOTHING, 0):
        size = _heap_push(m, size, field(m, start, LENGTH), 0, start)
    while size:
        current = get(m, HEAP, 2)
        depth = get(m, HEAP, 1)
        size = _heap_pop(m, size)
        reserve(m, VISITED, 4 * (visited + 1))
        put(m, VISITED, visited, current)
        visited += 1
        derive(m, current)
        burn(m, 8)
        for index in range(field(m, current, EDGE_START) - 1, field(m, current, EDGE_END)):
            rest = get(m, EDGES, 2 * index + 1)
            life = _life(m, rest)
            if life == _LIVE:
                while current != NOTHING:
                    set_field(m, current, ALIVE, _LIVE)
                    current = get(m, SEARCH, 4 * current + PARENT)
                return _LIVE
            if life == _UNKNOWN and _reach(m, rest, generation, 0, current, 0):
                size = _heap_push(m, size, field(m, rest, LENGTH), depth + 1, rest)
    for index in range(visited):
        set_field(m, get(m, VISITED, index), ALIVE, _DEAD)
        set_field(m, get(m, VISITED, index), EXACT, INFINITE + 1)
    return _DEAD


@kernel
def exact_length(m: Memory, node: int) -> int:
    """The number of bytes of a shortest member; INFINITE if there is none."""
    if not field(m, node, FLAGS) & BOOLEAN:
        return field(m, node, LENGTH)
    if field(m, node, EXACT):
        return field(m, node, EXACT) - 1
    reserve(m, MEASURING, 4)
    put(m, MEASURING, 0, node)
    top = 1
    while top:
        current = get(m, MEASURING, top - 1)
        waiting = _push_parts(m, current, top)
        if waiting > top:
            top = waiting
            continue
        top -= 1
        if _is_measured(m, current):
            continue
        op = field(m, current, OP)
        if op in (BOTH, NOT):
            _search(m, current)
        else:
            set_field(m, current, EXACT, _composed(m, current) + 1)
    return field(m, node, EXACT) - 1


@kernel
def _is_measured(m: Memory, node: int) -> bool:
    return not field(m, node, FLAGS) & BOOLEAN or field(m, node, EXACT) != 0


@kernel
def _measured(m: Memory, node: int) -> int:
    if not field(m, node, FLAGS) & BOOLEAN:
        return field(m, node, LENGTH)
    return field(m, node, EXACT) - 1


@kernel
def _push_part(m: Memory, node: int, top: int) -> int:
    if _is_measured(m, node):
        return top
    reserve(m, MEASURING, 4 * (top + 1))
    put(m, MEASURING, top, node)
    return top + 1


@kernel
def _push_parts(m: Memory, node: int, top: int) -> int:
    """Put the parts whose lengths make up the node's on the stack; the new height."""
    if _is_measured(m, node):
        return top
    op, a, b = field(m, node, OP), field(m, node, A), field(m, node, B)
    if op == CONS:
        top = _push_part(m, b, top)
    elif op == SEQUENCE:
        top = _push_part(m, a, _push_part(m, b, top))
    elif op == REPEAT:
        top = _push_part(m, a, top)
    elif op == CHOICE:
        for index in range(b):
            top = _push_part(m, get(m, LISTS, a + index), top)
    return top


@kernel
def _composed(m: Memory, node: int) -> int:
    op, a, b = field(m, node, OP), field(m, node, A), field(m, node, B)
    if op == CONS:
        return added(1, _measured(m, b))
    if op == SEQUENCE:
        return added(_measured(m, a), _measured(m, b))
    if op == REPEAT:
        return multiplied(_measured(m, a), b)
    length = INFINITE
    for index in range(b):
        length = min(length, _measured(m, get(m, LISTS, a + index)))
    return length


# Columns of SEARCH and HEAP.
GENERATION_OF: Final = 0
DEPTH: Final = 1
PARENT: Final = 2
BY_MASK: Final = 3


@kernel
def _precedes(m: Memory, left: int, right: int) -> bool:
    """Heap order: least first, deepest first among equals."""
    a, b = get(m, HEAP, 3 * left), get(m, HEAP, 3 * right)
    return a < b or (a == b and get(m, HEAP, 3 * left + 1) > get(m, HEAP, 3 * right + 1))


@kernel
def _swap(m: Memory, left: int, right: int) -> None:
    for column in range(3):
        value = get(m, HEAP, 3 * left + column)
        put(m, HEAP, 3 * left + column, get(m, HEAP, 3 * right + column))
        put(m, HEAP, 3 * right + column, value)


@kernel
def _heap_push(m: Memory, size: int, least: int, depth: int, node: int) -> int:
    reserve(m, HEAP, 12 * (size + 1))
    put(m, HEAP, 3 * size, least)
    put(m, HEAP, 3 * size + 1, depth)
    put(m, HEAP, 3 * size + 2, node)
    at = size
    while at and _precedes(m, at, (at - 1) // 2):
        _swap(m, at, (at - 1) // 2)
        at = (at - 1) // 2
    return size + 1


@kernel
def _heap_pop(m: Memory, size: int) -> int:
    """Move the first to the end and leave it out; the new size."""
    size -= 1
    _swap(m, 0, size)
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            return size
        if child + 1 < size and _precedes(m, child + 1, child):
            child += 1
        if not _precedes(m, child, at):
            return size
        _swap(m, at, child)
        at = child


@kernel
def _reach(m: Memory, node: int, generation: int, depth: int, parent: int, mask: int) -> bool:
    """Note that a node is reached on a path; whether on a shorter one than before."""
    at = 4 * node
    reserve(m, SEARCH, 16 * max(m[NODE_COUNT], node + 1))
    if get(m, SEARCH, at + GENERATION_OF) == generation and get(m, SEARCH, at + DEPTH) <= depth:
        return False
    put(m, SEARCH, at + GENERATION_OF, generation)
    put(m, SEARCH, at + DEPTH, depth)
    put(m, SEARCH, at + PARENT, parent)
    put(m, SEARCH, at + BY_MASK, mask)
    return True


@kernel
def _least(m: Memory, node: int) -> int:
    """The node's length where it is known, else a lower bound of it."""
    exact = field(m, node, EXACT)
    return exact - 1 if exact else field(m, node, LENGTH)


@kernel
def _search(m: Memory, start: int) -> int:
    """Find a node of known length on a shortest path; note lengths on the way, or that all is dead.

    Returns the node found, NOTHING if there is none; the path to it is in SEARCH.
    """
    m[SEARCHES] += 1
    generation = m[SEARCHES]
    size = visited = 0
    if _reach(m, start, generation, 0, NOTHING, 0):
        size = _heap_push(m, size, field(m, start, LENGTH), 0, start)
    while size:
        depth, current = get(m, HEAP, 1), get(m, HEAP, 2)
        size = _heap_pop(m, size)
        if depth > get(m, SEARCH, 4 * current + DEPTH):
            continue  # reached on a shorter path since
        if is_nullable(m, current) or (current != start and field(m, current, EXACT)):
            _note_lengths(m, start, current)
            return current
        reserve(m, VISITED, 4 * (visited + 1))
        put(m, VISITED, visited, current)
        visited += 1
        derive(m, current)
        burn(m, 8)
        for index in range(field(m, current, EDGE_START) - 1, field(m, current, EDGE_END)):
            rest = get(m, EDGES, 2 * index + 1)
            if field(m, rest, EXACT) == INFINITE + 1:
                continue
            if _reach(m, rest, generation, depth + 1, current, get(m, EDGES, 2 * index)):
                size = _heap_push(m, size, depth + 1 + _least(m, rest), depth + 1, rest)
    for index in range(visited):
        set_field(m, get(m, VISITED, index), EXACT, INFINITE + 1)
    return NOTHING


@kernel
def _note_lengths(m: Memory, start: int, end: int) -> None:
    length = 0 if is_nullable(m, end) else field(m, end, EXACT) - 1
    node = end
    while True:
        set_field(m, node, EXACT, length + 1)
        if node == start:
            return
        node = get(m, SEARCH, 4 * node + PARENT)
        length += 1


@kernel
def shortest_path(m: Memory, node: int, start: int) -> int:
    """Write the byte sets of a shortest member of a live boolean node to OUTPUT; the end."""
    while not is_nullable(m, node):
        found = _search(m, node)
        length = get(m, SEARCH, 4 * found + DEPTH)
        reserve(m, OUTPUT, 4 * (start + length))
        at = start + length
        start = at
        step = found
        while step != node:
            at -= 1
            put(m, OUTPUT, at, get(m, SEARCH, 4 * step + BY_MASK))
            step = get(m, SEARCH, 4 * step + PARENT)
        node = found
    return start
