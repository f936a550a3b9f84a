"""What residuals can do first, and what of them is alike for many."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.layout import (
    NO_CALLS,
    ONLY_NAMELESS,
    SOME,
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
    CALL_END,
    CALL_START,
    CALLS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EDGES_ONLY,
    FIRSTS,
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
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import (
    Memory,
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
    if field(m, head, OP) != REPEAT or field(m, head, C) <= most:
        return node
    found = repeat(m, field(m, head, A), field(m, head, B), UNBOUNDED)
    return sequence(m, found, field(m, node, B)) if is_sequence else found


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
