"""Finds out reaches: by classes of characters and by differences where that spares walks."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.classes import class_record, count_bits
from lipogram.decoding.reaches.layout import (
    ALLOWED,
    BITS,
    BITS_COUNT,
    BYTE,
    CLASS_ROWS,
    CLASS_WIDTH,
    CROSSED_COUNT,
    DEPTH,
    ENDLESS,
    FEW_BYTES,
    G_END,
    H_COUNT,
    H_CROSSING,
    H_IS_BITS,
    H_START,
    K_STAY,
    K_VISIT,
    K_VISIT_END,
    LEFT_OUT,
    LEFT_OUT_COUNT,
    MANY_ALIKE,
    MAX_BYTES,
    MAX_CHARS,
    NODES,
    PATH,
    REACH_ROWS,
    REACH_SLOTS,
    REACH_WIDTH,
    REGION_NODES,
    REGION_ROWS,
    REGION_WIDTH,
    SHORT_SPANS,
    SKIP,
    TOKEN,
    TOKEN_COUNT_OUT,
    TOKEN_START,
    TOKENS_OUT,
    VISITS,
    WHOLE,
    WORDS,
)
from lipogram.decoding.reaches.lengths import short_tokens, tokens_of_few_bytes
from lipogram.decoding.reaches.loops import loop_class
from lipogram.decoding.reaches.residuals import (
    span,
)
from lipogram.decoding.reaches.table import (
    keep_reach,
    reach_slot,
)
from lipogram.decoding.reaches.walks import (
    allow,
    cross,
    explore_long,
    explore_plainly,
    walk,
)
from lipogram.grammars.engine.interning import residual_state
from lipogram.grammars.engine.layout import (
    BOOLEAN,
    FLAGS,
    ITEMS,
    ROOT,
    ROW_OF,
    ROWS,
    S_START,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.limits import (
    ABOVE_SOME,
    loosened,
)
from lipogram.grammars.engine.memory import Memory, burn, get, put, reserve
from lipogram.grammars.engine.nodes import (
    field,
    is_nullable,
)
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import kernel


@kernel
def _walk_class(m: Memory, v: Memory, record: int) -> None:
    """Walk the nodes that the class of the state at depth 0 says nothing of."""
    at = record * CLASS_WIDTH
    visit, end = get(v, CLASS_ROWS, at + K_VISIT), get(v, CLASS_ROWS, at + K_VISIT_END)
    visited = 0
    while visit < end:
        visited += 1
        node = get(v, VISITS, 2 * visit)
        is_outside = node < 0
        if is_outside:
            node = -1 - node
        depth = get(v, DEPTH, node)
        before = get(v, PATH, depth - 1)
        may_have_ended = depth > 1 and before & 1 == 1
        state = get(m, ROWS, 256 * (before >> 1) + get(v, BYTE, node))
        if is_outside and state:
            walk(m, v, node, state, may_have_ended)
        elif may_have_ended:
            cross(v, node)
        if state == 0:
            visit = get(v, VISITS, 2 * visit + 1)
            continue
        if not is_outside:
            allow(v, node)
            put(v, PATH, depth, row_of(m, state))
        visit += 1
    burn(m, visited)


@kernel
def _base_of(m: Memory, state: int) -> int:
    """A state that most characters lead to and back to, as a text does that has come to differ
    from all forbidden names; 0 if there is none.
    """
    row = 256 * (row_of(m, state) >> 1)
    words = np.zeros(4, np.uint64)
    for byte in (0x71, 0x5F, 0x37, 0x20):  # q _ 7 space
        base = get(m, ROWS, row + byte)
        item = 2 * get(m, STATES, base * STATE_WIDTH + S_START)
        if base and base != state and get(m, ITEMS, item + 1) == ROOT:
            words[:] = np.uint64(0)
            if loop_class(m, base, words) == ENDLESS and count_bits(words) >= FEW_BYTES:
                other = 256 * (row_of(m, base) >> 1)
                alike = 0
                for at in range(256):
                    alike += get(m, ROWS, row + at) == get(m, ROWS, other + at)
                if alike >= MANY_ALIKE and get(m, ROWS, other + byte) == base:
                    return base
    return 0


@kernel
def _leave_out(v: Memory, start: int, node: int, stop: int) -> None:
    """Take the tokens of the nodes up to `stop` out of a bit set."""
    for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, stop)):
        token = get(v, TOKEN, index)
        at = start + (token >> 5)
        put(v, BITS, at, get(v, BITS, at) & ~(1 << (token & 31)))


@kernel
def _note_walked(v: Memory, node: int, stop: int) -> None:
    """Note nodes of which the base's crossing says nothing."""
    count = v[LEFT_OUT_COUNT]
    reserve(v, LEFT_OUT, 8 * (count + 1))
    put(v, LEFT_OUT, 2 * count, node)
    put(v, LEFT_OUT, 2 * count + 1, stop)
    v[LEFT_OUT_COUNT] = count + 1


@kernel
def _walk_difference(m: Memory, v: Memory, base_row: int, start: int) -> None:
    """Walk only where the state at depth 0 differs from its base; the base's tokens are in BITS."""
    node = 0
    count = v[NODES]
    visited = 0
    while node < count:
        visited += 1
        depth, byte, stop = get(v, DEPTH, node), get(v, BYTE, node), get(v, SKIP, node)
        before = get(v, PATH, depth - 1)
        may_have_ended = depth > 1 and before & 1 == 1
        state = get(m, ROWS, 256 * (before >> 1) + byte)
        expected = get(m, ROWS, 256 * base_row + byte)
        if state != expected and (
            expected == 0 or get(m, ROW_OF, expected) >> 1 != base_row or state == 0
        ):
            _note_walked(v, node, stop)
            if expected:
                _leave_out(v, start, node, stop)
            if state:
                walk(m, v, node, state, may_have_ended)
            elif may_have_ended:
                cross(v, node)
            node = stop
            continue
        _note_walked(v, node, node + 1)
        if may_have_ended:
            cross(v, node)
        if state == expected:
            node = stop
            continue
        _leave_out(v, start, node, node + 1)
        allow(v, node)
        if stop > node + 1:
            put(v, PATH, depth, row_of(m, state))
        node += 1
    burn(m, visited)


@kernel
def _explore_difference(m: Memory, v: Memory, base: int, row: int) -> int:
    """Where in BITS the tokens are that a state's base allows and the state does not differ in."""
    at = base * STATE_WIDTH
    reach = reach_of_base(m, v, get(m, ITEMS, 2 * get(m, STATES, at + S_START)))
    start = v[BITS_COUNT]
    reserve(v, BITS, 4 * (start + v[WORDS]))
    other = reach * REACH_WIDTH
    place = get(v, REACH_ROWS, other + H_START)
    for index in range(v[WORDS]):
        put(v, BITS, start + index, get(v, ALLOWED, place + index))
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = v[LEFT_OUT_COUNT] = 0
    put(v, PATH, 0, row)
    _walk_difference(m, v, row_of(m, base) >> 1, start)
    region = get(v, REACH_ROWS, other + H_CROSSING) * REGION_WIDTH
    out = 0
    for index in range(get(v, REGION_ROWS, region), get(v, REGION_ROWS, region + G_END)):
        node = get(v, REGION_NODES, index)
        while out < v[LEFT_OUT_COUNT] and get(v, LEFT_OUT, 2 * out + 1) <= node:
            out += 1
        if out == v[LEFT_OUT_COUNT] or node < get(v, LEFT_OUT, 2 * out):
            cross(v, node)
    return start


@kernel
def _explore_class(m: Memory, v: Memory, state: int, row: int) -> tuple[int, int]:
    """Where in BITS the tokens are that consist of the class by which a state goes on, and those
    that are short enough; the others are walked. -1 if it does not go on so.
    """
    words = np.zeros(4, np.uint64)
    times = loop_class(m, state, words)
    if count_bits(words) < FEW_BYTES or not (times == ENDLESS or (times and not row & 1)):
        return -1, -1
    record = class_record(v, words)
    _walk_class(m, v, record)
    short = short_tokens(v, times) if times < v[MAX_CHARS] else -1
    return get(v, CLASS_ROWS, record * CLASS_WIDTH + K_STAY), short


@kernel
def explore(m: Memory, v: Memory, node: int, region: int) -> int:
    """A new reach: of a residual, below the nodes of a region."""
    state = residual_state(m, node)
    row = row_of(m, state)
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
    put(v, PATH, 0, row)
    stay, short = -1, -1
    if region == WHOLE:
        stay, short = _explore_class(m, v, state, row)
        if stay < 0:
            base = _base_of(m, state)
            if base:
                stay = _explore_difference(m, v, base, row)
    if stay < 0:
        explore_plainly(m, v, region, row)
    return keep_reach(m, v, node, region, int(is_nullable(m, node)), stay, short)


@kernel
def reach_of_base(m: Memory, v: Memory, node: int) -> int:
    """The reach of a residual that goes on by a class of characters: a bit set."""
    slot = reach_slot(m, v, node, WHOLE)
    found = get(v, REACH_SLOTS, slot)
    if found:
        return found - 1
    state = residual_state(m, node)
    row = row_of(m, state)
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
    put(v, PATH, 0, row)
    stay, short = _explore_class(m, v, state, row)
    reach = keep_reach(m, v, node, WHOLE, row & 1, stay, short)
    put(v, REACH_SLOTS, slot, reach + 1)
    return reach


@kernel
def _reach_alone(m: Memory, v: Memory, node: int, region: int) -> int:
    """The reach of a residual below the nodes of a region; explored when first asked for."""
    found = get(v, REACH_SLOTS, reach_slot(m, v, node, region))
    if found == 0:
        found = 1 + explore(m, v, node, region)
        put(v, REACH_SLOTS, reach_slot(m, v, node, region), found)
    return found - 1


@kernel
def reach_of(m: Memory, v: Memory, node: int, region: int) -> int:
    """The same, of tokens of few bytes without limits that they do not feel."""
    loose = loosened(m, node, ABOVE_SOME) if field(m, node, FLAGS) & BOOLEAN else node
    if loose == node or get(v, REACH_SLOTS, reach_slot(m, v, node, region)):
        return _reach_alone(m, v, node, region)
    free = span(m, v, node, loose, ABOVE_SOME)
    most = 0
    for bytes_ in SHORT_SPANS:
        if most == 0 and bytes_ <= free:
            most = bytes_
    if most == 0:
        return _reach_alone(m, v, node, region)
    found = _reach_alone(m, v, loose, region)
    if free < v[MAX_BYTES]:
        found = _with_long(m, v, node, region, found, most)
    put(v, REACH_SLOTS, reach_slot(m, v, node, region), found + 1)
    return found


@kernel
def _with_long(m: Memory, v: Memory, node: int, region: int, base: int, most: int) -> int:
    """A new reach: what another one says of tokens of at most so many bytes; others are walked."""
    short = tokens_of_few_bytes(v, most)
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
    explore_long(m, v, region, node, most)
    at = base * REACH_WIDTH
    start, size = get(v, REACH_ROWS, at + H_START), get(v, REACH_ROWS, at + H_COUNT)
    stay = -1
    if get(v, REACH_ROWS, at + H_IS_BITS):
        stay = v[BITS_COUNT]
        reserve(v, BITS, 4 * (stay + v[WORDS]))
        for index in range(size):
            put(v, BITS, stay + index, get(v, ALLOWED, start + index))
    else:
        count = v[TOKEN_COUNT_OUT]
        reserve(v, TOKENS_OUT, 4 * (count + size))
        for index in range(start, start + size):
            token = get(v, ALLOWED, index)
            if get(v, BITS, short + (token >> 5)) >> (token & 31) & 1:
                put(v, TOKENS_OUT, count, token)
                count += 1
        v[TOKEN_COUNT_OUT] = count
    at = get(v, REACH_ROWS, at + H_CROSSING) * REGION_WIDTH
    for index in range(get(v, REGION_ROWS, at), get(v, REGION_ROWS, at + G_END)):
        crossed = get(v, REGION_NODES, index)
        if get(v, DEPTH, crossed) <= most + 1:
            cross(v, crossed)
    return keep_reach(m, v, node, region, int(is_nullable(m, node)), stay, short)
