"""From states to reaches: which residuals a token can meet, and below which nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.reaches.layout import (
    ALLOWED,
    CROSSED_COUNT,
    GENERATION,
    H_COMPLETE,
    H_COUNT,
    H_CROSSING,
    H_IS_BITS,
    H_START,
    LINK_COUNT,
    LINKS,
    MAX_BYTES,
    NOWHERE,
    O_CALLERS,
    O_REGION,
    O_RETURNS,
    OWN,
    OWN_COUNT,
    OWN_SLOTS,
    OWN_WIDTH,
    PARTS,
    PATH,
    PENDING,
    REACH_ROWS,
    REACH_WIDTH,
    REGION_BYTES,
    SEEN,
    TOKEN_COUNT_OUT,
    WHOLE,
)
from lipogram.decoding.reaches.regions import (
    forget,
    index_region,
    is_full,
)
from lipogram.decoding.reaches.walks import (
    explore_plainly,
    keep_reach,
    reach_of,
)
from lipogram.grammars.engine.derive import (
    derive,
)
from lipogram.grammars.engine.layout import (
    CALL_END,
    CALL_START,
    CALLER_END,
    CALLERS,
    CALLS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EDGES_ONLY,
    EMPTY,
    FIRSTS,
    FRAME_WIDTH,
    FRAMES,
    ITEMS,
    NAMELESS,
    NODE_COUNT,
    NOTHING,
    OP,
    R_FLAGS,
    REPEAT,
    ROOT,
    ROWS,
    RULE_WIDTH,
    RULES,
    S_END,
    S_START,
    SEQUENCE,
    SKIPPABLE,
    STATE_WIDTH,
    STATES,
    UNBOUNDED,
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    capacity,
    clear,
    get,
    get_word,
    kernel,
    put,
    put_word,
    reserve,
)
from lipogram.grammars.engine.nodes import (
    choice,
    cons,
    field,
    is_nullable,
    push_option,
    repeat,
    sequence,
    sort_list,
)
from lipogram.grammars.engine.programs import (
    body_of,
)
from lipogram.grammars.engine.states import (
    residual_state,
    row_of,
)
from lipogram.grammars.engine.worklist import (
    add_once,
)


@kernel
def first_bytes(m: Memory, node: int, index: int) -> np.uint64:
    """A word of the set of bytes that a residual which is not empty can go on by."""
    reserve(m, FIRSTS, 32 * m[NODE_COUNT])
    at = 4 * node
    known = np.uint64(0)
    for word in range(4):
        known |= get_word(m, FIRSTS, at + word)
    if known == np.uint64(0):
        row = 256 * (row_of(m, residual_state(m, node)) >> 1)
        reserve(m, FIRSTS, 32 * m[NODE_COUNT])
        for byte in range(256):
            if get(m, ROWS, row + byte):
                bits = get_word(m, FIRSTS, at + (byte >> 6))
                put_word(m, FIRSTS, at + (byte >> 6), bits | np.uint64(1) << np.uint64(byte & 63))
    return get_word(m, FIRSTS, at + index)


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
def _push_part(
    m: Memory, v: Memory, node: int, frame: int, region: int, count: int, generation: int
) -> int:
    """Append a part to PENDING unless it is there or allows nothing; the new count."""
    if region != WHOLE and not is_nullable(m, node):
        index_region(v, region)
        nothing = np.uint64(0)
        for index in range(4):
            nothing |= first_bytes(m, node, index) & get_word(v, REGION_BYTES, 4 * region + index)
        if nothing == np.uint64(0):
            return count
    return add_once(v, PENDING, SEEN, node, frame, region, count, generation)


@kernel
def _return(m: Memory, v: Memory, frame: int, region: int, count: int, generation: int) -> int:
    """Go on below the region's nodes with what waits in a frame; the new count of PENDING."""
    if frame > ROOT:
        at = frame * FRAME_WIDTH
        for index in range(get(m, FRAMES, at), get(m, FRAMES, at + CALLER_END)):
            rest, caller = get(m, CALLERS, 2 * index), get(m, CALLERS, 2 * index + 1)
            count = _push_part(m, v, rest, caller, region, count, generation)
    elif frame < ROOT:
        at = -1 - frame
        if get(v, OWN, OWN_WIDTH * at + O_REGION) == region:
            return count  # a rule that may be empty is skipped where it is called
        entry = get(v, OWN, OWN_WIDTH * at + O_RETURNS)
        while entry:
            burn(m, 1)
            if get(v, LINKS, 3 * entry) == region:
                return count
            entry = get(v, LINKS, 3 * entry + 2)
        _link(v, OWN_WIDTH * at + O_RETURNS, region, 0)
        entry = get(v, OWN, OWN_WIDTH * at + O_CALLERS)
        while entry:
            rest, caller = get(v, LINKS, 3 * entry), get(v, LINKS, 3 * entry + 1)
            count = _push_part(m, v, rest, caller, region, count, generation)
            entry = get(v, LINKS, 3 * entry + 2)
    return count


@kernel
def _link(v: Memory, head: int, first: int, second: int) -> None:
    """Put a pair in front of a list."""
    entry = v[LINK_COUNT] + 1
    reserve(v, LINKS, 12 * (entry + 1))
    put(v, LINKS, 3 * entry, first)
    put(v, LINKS, 3 * entry + 1, second)
    put(v, LINKS, 3 * entry + 2, get(v, OWN, head))
    put(v, OWN, head, entry)
    v[LINK_COUNT] = entry


@kernel
def _own_slot(v: Memory, rule: int, region: int, generation: int) -> int:
    size = capacity(v, OWN_SLOTS) // 8
    slot = (rule * 0x9E3779B1 + region * 0x85EBCA77) & (size - 1)
    while get(v, OWN_SLOTS, 2 * slot) == generation:
        row = OWN_WIDTH * get(v, OWN_SLOTS, 2 * slot + 1)
        if get(v, OWN, row) == rule and get(v, OWN, row + O_REGION) == region:
            return slot
        slot = (slot + 1) & (size - 1)
    return slot


@kernel
def _own_frame(v: Memory, rule: int, region: int, generation: int) -> int:
    """The frame of a rule that is called below a region's nodes; one for all its callers."""
    at = v[OWN_COUNT]
    if capacity(v, OWN_SLOTS) < 16 * (at + 1):
        reserve(v, OWN_SLOTS, 32 * (at + 1) + 1024)
        clear(v, OWN_SLOTS)
        for other in range(at):
            row = OWN_WIDTH * other
            slot = _own_slot(v, get(v, OWN, row), get(v, OWN, row + O_REGION), generation)
            put(v, OWN_SLOTS, 2 * slot, generation)
            put(v, OWN_SLOTS, 2 * slot + 1, other)
    slot = _own_slot(v, rule, region, generation)
    if get(v, OWN_SLOTS, 2 * slot) == generation:
        return get(v, OWN_SLOTS, 2 * slot + 1)
    put(v, OWN_SLOTS, 2 * slot, generation)
    put(v, OWN_SLOTS, 2 * slot + 1, at)
    reserve(v, OWN, 4 * OWN_WIDTH * (at + 1))
    put(v, OWN, OWN_WIDTH * at, rule)
    put(v, OWN, OWN_WIDTH * at + O_REGION, region)
    put(v, OWN, OWN_WIDTH * at + O_CALLERS, 0)
    put(v, OWN, OWN_WIDTH * at + O_RETURNS, 0)
    v[OWN_COUNT] = at + 1
    return at


@kernel
def _call(
    m: Memory, v: Memory, rule: int, rest: int, frame: int, region: int, count: int, generation: int
) -> int:
    """Go on below the region's nodes with a rule and then the rest; the new count of PENDING."""
    body = body_of(m, rule)
    if get(m, RULES, rule * RULE_WIDTH + R_FLAGS) & SKIPPABLE:
        count = _push_part(m, v, rest, frame, region, count, generation)
    if rest == EMPTY:
        return _push_part(m, v, body, frame, region, count, generation)
    at = _own_frame(v, rule, region, generation)
    entry = get(v, OWN, OWN_WIDTH * at + O_CALLERS)
    while entry:
        burn(m, 1)
        if get(v, LINKS, 3 * entry) == rest and get(v, LINKS, 3 * entry + 1) == frame:
            return count
        entry = get(v, LINKS, 3 * entry + 2)
    _link(v, OWN_WIDTH * at + O_CALLERS, rest, frame)
    entry = get(v, OWN, OWN_WIDTH * at + O_RETURNS)
    while entry:
        count = _push_part(m, v, rest, frame, get(v, LINKS, 3 * entry), count, generation)
        entry = get(v, LINKS, 3 * entry + 2)
    return _push_part(m, v, body, -1 - at, region, count, generation)


@kernel
def _unlimited(m: Memory, node: int, most: int) -> int:
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
def _calls_nameless(m: Memory, node: int) -> bool:
    """Whether a derived residual goes on by calls of nameless rules alone."""
    for index in range(field(m, node, CALL_START), field(m, node, CALL_END)):
        rule = get(m, CALLS, 2 * index)
        if not get(m, RULES, rule * RULE_WIDTH + R_FLAGS) & NAMELESS:
            return False
    return field(m, node, EDGE_START) > field(m, node, EDGE_END)


@kernel
def _find_parts(m: Memory, v: Memory, state: int) -> int:
    """The reaches whose union is what a state allows, to PARTS, each once; their number.

    A residual that can end within a token hands over to those that wait in its frame. One that may
    begin with rules is taken apart, so that what they do is found out once for all callers.
    """
    v[GENERATION] += 1
    generation = v[GENERATION] & 0x7FFFFFFF
    v[OWN_COUNT] = v[LINK_COUNT] = 0
    count = position = parts = 0
    at = state * STATE_WIDTH
    for index in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
        node, frame = get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1)
        count = _push_part(m, v, node, frame, WHOLE, count, generation)
    while position < count:
        node, frame = get(v, PENDING, 3 * position), get(v, PENDING, 3 * position + 1)
        region = get(v, PENDING, 3 * position + 2)
        position += 1
        burn(m, 4)
        node = _unlimited(m, node, v[MAX_BYTES])
        derive(m, node)
        first, last = field(m, node, CALL_START), field(m, node, CALL_END)
        if first < last and (region == WHOLE or _calls_nameless(m, node)):
            if is_nullable(m, node):
                count = _return(m, v, frame, region, count, generation)
            for index in range(first, last):
                rule, rest = get(m, CALLS, 2 * index), get(m, CALLS, 2 * index + 1)
                count = _call(m, v, rule, rest, frame, region, count, generation)
            node = edges_only(m, node)
            if node == NOTHING:
                continue
        reach = reach_of(m, v, node, region)
        reserve(v, PARTS, 4 * (parts + 1))
        put(v, PARTS, parts, reach)
        parts += 1
        if get(v, REACH_ROWS, reach * REACH_WIDTH + H_COMPLETE):
            count = _return(m, v, frame, region, count, generation)
        crossing = get(v, REACH_ROWS, reach * REACH_WIDTH + H_CROSSING)
        if crossing != NOWHERE:
            count = _return(m, v, frame, crossing, count, generation)
    return sort_list(v, PARTS, 0, parts)


@kernel
def _walk_state(m: Memory, v: Memory, state: int) -> int:
    """The reach of a whole state, as the only one in PARTS; returns 1.

    Where lexemes are munched, what may follow one depends on all that are in progress.
    """
    row = row_of(m, state)
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
    put(v, PATH, 0, row >> 1)
    explore_plainly(m, v, WHOLE, row)
    v[CROSSED_COUNT] = 0
    reserve(v, PARTS, 4)
    put(v, PARTS, 0, keep_reach(m, v, NOTHING, NOWHERE, 0, -1, -1))
    return 1


@kernel
def _unite(v: Memory, parts: int, out: NDArray[np.int32]) -> None:
    """Write the union of the first reaches in PARTS."""
    out[:] = 0
    for part in range(parts):
        at = get(v, PARTS, part) * REACH_WIDTH
        start, size = get(v, REACH_ROWS, at + H_START), get(v, REACH_ROWS, at + H_COUNT)
        if get(v, REACH_ROWS, at + H_IS_BITS):
            for index in range(size):
                out[index] |= np.int32(get(v, ALLOWED, start + index))
        else:
            for index in range(start, start + size):
                token = get(v, ALLOWED, index)
                out[token >> 5] |= np.int32(np.uint32(1) << np.uint32(token & 31))


@kernel
def write_mask(m: Memory, v: Memory, state: int, has_lexemes: bool, out: NDArray[np.int32]) -> bool:
    """Write the tokens that a state allows; whether its text is complete."""
    if is_full(v):
        forget(v)
    parts = _walk_state(m, v, state) if has_lexemes else _find_parts(m, v, state)
    _unite(v, parts, out)
    return row_of(m, state) & 1 == 1
