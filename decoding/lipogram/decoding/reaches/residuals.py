"""What residuals can do first, and what of them is alike for many."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.layout import (
    FEW_RESTS,
    NO_CALLS,
    ONLY_NAMELESS,
    RESTS,
    SOME,
)
from lipogram.grammars.engine.booleans import (
    both,
)
from lipogram.grammars.engine.derive import (
    derive,
)
from lipogram.grammars.engine.expressions import (
    choice,
    cons,
    push_option,
    repeat,
    sequence,
)
from lipogram.grammars.engine.layout import (
    BOTH,
    CALL_END,
    CALL_START,
    CALLS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EDGES_ONLY,
    FIRSTS,
    INFINITE,
    LISTS,
    NAMELESS,
    NODE_COUNT,
    OP,
    R_FLAGS,
    REPEAT,
    ROWS,
    RULE_WIDTH,
    RULES,
    SEQUENCE,
    UNBOUNDED,
    VISITED,
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    get,
    get_word,
    kernel,
    put,
    put_word,
    reserve,
)
from lipogram.grammars.engine.nodes import (
    field,
)
from lipogram.grammars.engine.search import (
    exact_length,
    is_alive,
)
from lipogram.grammars.engine.states import (
    residual_state,
    row_of,
)


@kernel
def know_first_bytes(m: Memory, node: int) -> None:
    """Let FIRSTS have the set of bytes that a residual which is not empty can go on by."""
    reserve(m, FIRSTS, 32 * m[NODE_COUNT])
    at = 4 * node
    known = np.uint64(0)
    for word in range(4):
        known |= get_word(m, FIRSTS, at + word)
    if known != np.uint64(0):
        return
    row = 256 * (row_of(m, residual_state(m, node)) >> 1)
    reserve(m, FIRSTS, 32 * m[NODE_COUNT])
    for byte in range(256):
        if get(m, ROWS, row + byte):
            bits = get_word(m, FIRSTS, at + (byte >> 6))
            put_word(m, FIRSTS, at + (byte >> 6), bits | np.uint64(1) << np.uint64(byte & 63))


@kernel
def edges_only(m: Memory, node: int) -> int:
    """A derived residual without the rules that it may begin with."""
    reserve(m, EDGES_ONLY, 4 * m[NODE_COUNT])
    known = get(m, EDGES_ONLY, node)
    if known:
        return known - 1
    count = 0
    for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
        edge = cons(m, get(m, EDGES, 2 * index), get(m, EDGES, 2 * index + 1))
        count = push_option(m, count, edge)
    found = choice(m, count)
    reserve(m, EDGES_ONLY, 4 * m[NODE_COUNT])
    put(m, EDGES_ONLY, node, found + 1)
    return found


@kernel
def unlimited(m: Memory, node: int, most: int) -> int:
    """A residual without the upper limit of what it begins with, if that is beyond `most` turns.

    Within a token of so many bytes it goes on alike, and shares its reach with all others.
    """
    is_sequence = field(m, node, OP) == SEQUENCE
    head = field(m, node, A) if is_sequence else node
    if field(m, head, OP) == REPEAT and field(m, head, C) > most:
        found = repeat(m, field(m, head, A), field(m, head, B), UNBOUNDED)
    elif field(m, head, OP) == BOTH:
        found = _unlimited_intersection(m, head, most)
    else:
        return node
    return sequence(m, found, field(m, node, B)) if is_sequence else found


@kernel
def _unlimited_intersection(m: Memory, node: int, most: int) -> int:
    """An intersection without upper limits on counts, if no token of so many bytes meets them.

    A text that goes on without the limits, by so many bytes and then by a shortest rest, has no
    more turns than bytes: so it goes on with limits that are not below their sum.
    """
    start, count = field(m, node, A), field(m, node, B)
    least = INFINITE
    for index in range(count):
        member = get(m, LISTS, start + index)
        if field(m, member, OP) == REPEAT and field(m, member, C) > most:
            least = min(least, field(m, member, C))
            member = repeat(m, field(m, member, A), field(m, member, B), UNBOUNDED)
        push_option(m, index, member)
    if least == INFINITE:
        return node
    found = both(m, count)
    return found if _longest_rest(m, found) + most <= least else node


@kernel
def _longest_rest(m: Memory, node: int) -> int:
    """The most bytes that a residual without calls can be from a member, wherever it has come to.

    INFINITE where it can come to more than is looked at.
    """
    reserve(m, RESTS, 4 * m[NODE_COUNT])
    known = get(m, RESTS, node)
    if known:
        return known - 1
    reserve(m, VISITED, 4 * (FEW_RESTS + 1))
    put(m, VISITED, 0, node)
    count, position, longest = 1, 0, 0
    while position < count and longest < INFINITE:
        current = get(m, VISITED, position)
        position += 1
        longest = max(longest, exact_length(m, current))
        derive(m, current)
        for edge in range(field(m, current, EDGE_START) - 1, field(m, current, EDGE_END)):
            rest = get(m, EDGES, 2 * edge + 1)
            index = 0
            while index < count and get(m, VISITED, index) != rest:
                index += 1
            if index == count and is_alive(m, rest):
                if count == FEW_RESTS:
                    longest = INFINITE
                    break
                put(m, VISITED, count, rest)
                count += 1
        burn(m, count)
    reserve(m, RESTS, 4 * m[NODE_COUNT])
    put(m, RESTS, node, longest + 1)
    return longest


@kernel
def calls_of(m: Memory, node: int) -> int:
    """Whether a residual begins with NO_CALLS, SOME, or goes on by calls of ONLY_NAMELESS rules."""
    derive(m, node)
    first, last = field(m, node, CALL_START), field(m, node, CALL_END)
    if first == last:
        return NO_CALLS
    for index in range(first, last):
        rule = get(m, CALLS, 2 * index)
        if not get(m, RULES, rule * RULE_WIDTH + R_FLAGS) & NAMELESS:
            return SOME
    return ONLY_NAMELESS if field(m, node, EDGE_START) > field(m, node, EDGE_END) else SOME
