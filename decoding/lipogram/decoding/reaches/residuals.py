"""What residuals can do first, and what of them is alike for many."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.layout import (
    FEW_RESTS,
    MAX_BYTES,
    NO_CALLS,
    ONLY_NAMELESS,
    RESTS_FOUND,
    SOME,
)
from lipogram.grammars.engine.derive import (
    derive,
)
from lipogram.grammars.engine.expressions import (
    choice,
    cons,
    push_option,
)
from lipogram.grammars.engine.interning import residual_state
from lipogram.grammars.engine.layout import (
    BOOLEAN,
    CALL_END,
    CALL_START,
    CALLS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EDGES_ONLY,
    FIRSTS,
    FLAGS,
    INFINITE,
    NAMELESS,
    NODE_COUNT,
    R_FLAGS,
    RESTS,
    ROWS,
    RULE_WIDTH,
    RULES,
)
from lipogram.grammars.engine.limits import (
    ABOVE_MANY,
    least_limit,
    loosened,
)
from lipogram.grammars.engine.memory import Memory, burn, get, get_word, put, put_word, reserve
from lipogram.grammars.engine.nodes import (
    field,
)
from lipogram.grammars.engine.search import (
    exact_length,
    is_alive,
)
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import kernel


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
def unlimited(m: Memory, v: Memory, node: int) -> int:
    """A residual without the limits that no token feels: it shares its reach with all such."""
    loose = loosened(m, node, ABOVE_MANY)
    return loose if span(m, v, node, loose, ABOVE_MANY) >= v[MAX_BYTES] else node


@kernel
def span(m: Memory, v: Memory, node: int, loose: int, degree: int) -> int:
    """For how many bytes a residual does what it does without its limits.

    Behind so many of an intersection there may have to be a shortest rest.
    """
    limit = least_limit(m, node, degree)
    if loose == node or limit == INFINITE or not field(m, node, FLAGS) & BOOLEAN:
        return limit
    return limit - _longest_rest(m, v, loose)


@kernel
def _longest_rest(m: Memory, v: Memory, node: int) -> int:
    """The most bytes that a residual without calls can be from a member, wherever it has come to.

    INFINITE where it can come to more than is looked at.
    """
    reserve(m, RESTS, 4 * m[NODE_COUNT])
    known = get(m, RESTS, node)
    if known:
        return known - 1
    reserve(v, RESTS_FOUND, 4 * (FEW_RESTS + 1))
    put(v, RESTS_FOUND, 0, node)
    count, position, longest = 1, 0, 0
    while position < count and longest < INFINITE:
        current = get(v, RESTS_FOUND, position)
        position += 1
        longest = max(longest, exact_length(m, current))
        derive(m, current)
        for edge in range(field(m, current, EDGE_START) - 1, field(m, current, EDGE_END)):
            rest = get(m, EDGES, 2 * edge + 1)
            index = 0
            while index < count and get(v, RESTS_FOUND, index) != rest:
                index += 1
            if index == count and is_alive(m, rest):
                if count == FEW_RESTS:
                    longest = INFINITE
                    break
                put(v, RESTS_FOUND, count, rest)
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
