"""Walks of the token trie in step with the automaton of one residual alone: its reach."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.classes import (
    all_in_class,
    class_record,
    count_bits,
    loop_class,
    set_bit,
    short_tokens,
)
from lipogram.decoding.reaches.layout import (
    ALLOWED,
    ALLOWED_COUNT,
    BITS,
    BITS_COUNT,
    BYTE,
    CHARS_BELOW,
    CHILDREN,
    CLASS_ROWS,
    CLASS_WIDTH,
    CROSSED,
    CROSSED_COUNT,
    DEPTH,
    ENDLESS,
    FEW_BYTES,
    FEW_NODES,
    G_END,
    H_COMPLETE,
    H_COUNT,
    H_CROSSING,
    H_IS_BITS,
    H_REGION,
    H_START,
    INNER,
    IS_OPEN,
    K_INNER,
    K_INNER_END,
    K_STAY,
    K_VISIT,
    K_VISIT_END,
    LEFT_OUT,
    LEFT_OUT_COUNT,
    MANY_ALIKE,
    MAX_CHARS,
    NODE_BITS,
    NODES,
    PATH,
    REACH_KEYS,
    REACH_ROWS,
    REACH_SLOTS,
    REACH_WIDTH,
    REACHES,
    REGION_NODES,
    REGION_ROWS,
    REGION_WIDTH,
    SKIP,
    TOKEN,
    TOKEN_COUNT_OUT,
    TOKEN_START,
    TOKENS_OUT,
    VISITS,
    WHOLE,
    WORDS,
)
from lipogram.decoding.reaches.regions import (
    index_region,
    intern_region,
)
from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.layout import (
    HASHES,
    ITEMS,
    ROOT,
    ROW_OF,
    ROWS,
    S_START,
    STATE_WIDTH,
    STATES,
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
    load,
    put,
    put_word,
    reserve,
    store,
)
from lipogram.grammars.engine.nodes import (
    sort_list,
)
from lipogram.grammars.engine.states import (
    residual_state,
    row_of,
)


@kernel
def _allow(v: Memory, node: int) -> None:
    """Add the tokens that end at the node."""
    count = v[TOKEN_COUNT_OUT]
    for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
        reserve(v, TOKENS_OUT, 4 * (count + 1))
        put(v, TOKENS_OUT, count, get(v, TOKEN, index))
        count += 1
    v[TOKEN_COUNT_OUT] = count


@kernel
def _cross(v: Memory, node: int) -> None:
    count = v[CROSSED_COUNT]
    reserve(v, CROSSED, 4 * (count + 1))
    put(v, CROSSED, count, node)
    v[CROSSED_COUNT] = count + 1


@kernel
def _walk(m: Memory, v: Memory, root: int, state: int) -> None:
    """Depth first from a node that leads to a state: the tokens that stay alive, the crossing."""
    words = np.zeros(4, np.uint64)
    # Addresses: the trie's arrays do not move, and a state's row only when states are made.
    byte, skip, depth_of, starts = v[BYTE], v[SKIP], v[DEPTH], v[TOKEN_START]
    token, path, rows = v[TOKEN], v[PATH], m[ROWS]
    end = load(skip, root)
    count = v[TOKEN_COUNT_OUT]
    reserve(v, TOKENS_OUT, 4 * (count + load(starts, end) - load(starts, root)))
    allowed = v[TOKENS_OUT]
    node = root
    visited = 0
    while node < end:
        visited += 1
        stop = load(skip, node)
        depth = load(depth_of, node)
        if node != root:
            state = load(rows, 256 * load(path, depth - 1) + load(byte, node))
            if state == 0:
                node = stop
                continue
        for index in range(load(starts, node), load(starts, node + 1)):
            store(allowed, count, load(token, index))
            count += 1
        if stop > node + 1:
            row = get(m, ROW_OF, state)
            if row == 0:
                row = row_of(m, state)
                rows = m[ROWS]
            store(path, depth, row >> 1)
            if row & 1:
                _cross(v, node)
            if stop - node > FEW_NODES and not get(v, IS_OPEN, node):
                words[:] = np.uint64(0)
                times = loop_class(m, state, words)
                rows = m[ROWS]
                if (
                    times >= get(v, CHARS_BELOW, node)
                    and all_in_class(v, words, node)
                    and (times == ENDLESS or not row & 1)
                ):
                    for index in range(load(starts, node + 1), load(starts, stop)):
                        store(allowed, count, load(token, index))
                        count += 1
                    if row & 1:
                        for inner in range(node + 1, stop):
                            if load(skip, inner) > inner + 1 and not get(v, IS_OPEN, inner):
                                _cross(v, inner)
                    node = stop
                    continue
        node += 1
    v[TOKEN_COUNT_OUT] = count
    burn(m, visited)


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
        state = get(m, ROWS, 256 * get(v, PATH, depth - 1) + get(v, BYTE, node))
        if state == 0:
            visit = get(v, VISITS, 2 * visit + 1)
        elif is_outside:
            _walk(m, v, node, state)
            visit += 1
        else:
            _allow(v, node)
            put(v, PATH, depth, row_of(m, state) >> 1)
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
    """Take the tokens of the nodes up to `stop` out of a bit set, and note the nodes."""
    for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, stop)):
        token = get(v, TOKEN, index)
        at = start + (token >> 5)
        put(v, BITS, at, get(v, BITS, at) & ~(1 << (token & 31)))
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
        state = get(m, ROWS, 256 * get(v, PATH, depth - 1) + byte)
        expected = get(m, ROWS, 256 * base_row + byte)
        if state == expected:
            node = stop
            continue
        if expected == 0 or get(m, ROW_OF, expected) >> 1 != base_row or state == 0:
            if expected:
                _leave_out(v, start, node, stop)
            if state:
                _walk(m, v, node, state)
            node = stop
            continue
        _leave_out(v, start, node, node + 1)
        _allow(v, node)
        if stop > node + 1:
            row = row_of(m, state)
            put(v, PATH, depth, row >> 1)
            if row & 1:
                _cross(v, node)
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
    put(v, PATH, 0, row >> 1)
    _walk_difference(m, v, row_of(m, base) >> 1, start)
    region = get(v, REACH_ROWS, other + H_CROSSING) * REGION_WIDTH
    out = 0
    for index in range(get(v, REGION_ROWS, region), get(v, REGION_ROWS, region + G_END)):
        node = get(v, REGION_NODES, index)
        while out < v[LEFT_OUT_COUNT] and get(v, LEFT_OUT, 2 * out + 1) <= node:
            out += 1
        if out == v[LEFT_OUT_COUNT] or node < get(v, LEFT_OUT, 2 * out):
            _cross(v, node)
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
    at = record * CLASS_WIDTH
    _walk_class(m, v, record)
    if row & 1:
        for index in range(get(v, CLASS_ROWS, at + K_INNER), get(v, CLASS_ROWS, at + K_INNER_END)):
            _cross(v, get(v, INNER, index))
    short = short_tokens(v, times) if times < v[MAX_CHARS] else -1
    return get(v, CLASS_ROWS, at + K_STAY), short


@kernel
def explore_plainly(m: Memory, v: Memory, region: int, row: int) -> None:
    """Walk below each child of the region's nodes that the row has a successor for."""
    place = index_region(v, region)
    for byte in range(256):
        successor = get(m, ROWS, 256 * (row >> 1) + byte)
        if successor:
            first, last = get(v, CHILDREN, place + byte), get(v, CHILDREN, place + byte + 1)
            for index in range(first, last):
                _walk(m, v, get(v, CHILDREN, index), successor)


@kernel
def explore(m: Memory, v: Memory, node: int, region: int) -> int:
    """A new reach: of a residual, below the nodes of a region."""
    state = residual_state(m, node)
    row = row_of(m, state)
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
    put(v, PATH, 0, row >> 1)
    stay, short = -1, -1
    if region == WHOLE:
        stay, short = _explore_class(m, v, state, row)
        if stay < 0:
            base = _base_of(m, state)
            if base:
                stay = _explore_difference(m, v, base, row)
    if stay < 0:
        explore_plainly(m, v, region, row)
    return keep_reach(m, v, node, region, row & 1, stay, short)


@kernel
def reach_of_base(m: Memory, v: Memory, node: int) -> int:
    """The reach of a residual that goes on by a class of characters: a bit set."""
    slot = _reach_slot_of(m, v, node, WHOLE)
    found = get(v, REACH_SLOTS, slot)
    if found:
        return found - 1
    state = residual_state(m, node)
    row = row_of(m, state)
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
    put(v, PATH, 0, row >> 1)
    stay, short = _explore_class(m, v, state, row)
    reach = keep_reach(m, v, node, WHOLE, row & 1, stay, short)
    put(v, REACH_SLOTS, slot, reach + 1)
    return reach


@kernel
def _sorted_crossing(v: Memory) -> int:
    """Sort CROSSED and leave out what comes again; the count."""
    count = v[CROSSED_COUNT]
    if count <= 512:
        return sort_list(v, CROSSED, 0, count)
    words = v[NODES] // 32 + 1
    reserve(v, NODE_BITS, 4 * words)
    clear(v, NODE_BITS)
    for index in range(count):
        set_bit(v, NODE_BITS, 0, get(v, CROSSED, index))
    kept = 0
    for index in range(words):
        word = get(v, NODE_BITS, index) & 0xFFFFFFFF
        bit = 0
        while word:
            if word & 1:
                put(v, CROSSED, kept, 32 * index + bit)
                kept += 1
            word >>= 1
            bit += 1
    return kept


@kernel
def keep_reach(
    m: Memory, v: Memory, node: int, region: int, complete: int, stay: int, short: int
) -> int:
    reach = v[REACHES]
    count = v[TOKEN_COUNT_OUT]
    start = v[ALLOWED_COUNT]
    is_bits = stay >= 0 or count > v[WORDS]
    size = v[WORDS] if is_bits else count
    reserve(v, ALLOWED, 4 * (start + size))
    if is_bits:
        for index in range(size):
            word = 0
            if stay >= 0:
                word = get(v, BITS, stay + index)
                if short >= 0:
                    word &= get(v, BITS, short + index)
            put(v, ALLOWED, start + index, word)
        for index in range(count):
            set_bit(v, ALLOWED, start, get(v, TOKENS_OUT, index))
    else:
        for index in range(count):
            put(v, ALLOWED, start + index, get(v, TOKENS_OUT, index))
    crossing = intern_region(v, _sorted_crossing(v))
    reserve(v, REACH_ROWS, 4 * REACH_WIDTH * (reach + 1))
    reserve(v, REACH_KEYS, 16 * (reach + 1))
    at = reach * REACH_WIDTH
    put(v, REACH_ROWS, at + H_REGION, region)
    put(v, REACH_ROWS, at + H_START, start)
    put(v, REACH_ROWS, at + H_COUNT, size)
    put(v, REACH_ROWS, at + H_IS_BITS, is_bits)
    put(v, REACH_ROWS, at + H_CROSSING, crossing)
    put(v, REACH_ROWS, at + H_COMPLETE, complete)
    put_word(v, REACH_KEYS, 2 * reach, get_word(m, HASHES, 2 * node))
    put_word(v, REACH_KEYS, 2 * reach + 1, get_word(m, HASHES, 2 * node + 1))
    v[ALLOWED_COUNT] = start + size
    v[REACHES] = reach + 1
    return reach


@kernel
def _reach_slot(v: Memory, h0: np.uint64, h1: np.uint64, region: int) -> int:
    size = capacity(v, REACH_SLOTS) // 4
    slot = integer(mixed(h0, np.uint64(region)) & np.uint64(size - 1))
    while True:
        reach = get(v, REACH_SLOTS, slot)
        if reach == 0 or (
            get_word(v, REACH_KEYS, 2 * reach - 2) == h0
            and get_word(v, REACH_KEYS, 2 * reach - 1) == h1
            and get(v, REACH_ROWS, (reach - 1) * REACH_WIDTH + H_REGION) == region
        ):
            return slot
        slot = (slot + 1) & (size - 1)


@kernel
def _reach_slot_of(m: Memory, v: Memory, node: int, region: int) -> int:
    """Where the reach is, or is to be; there is room for two more."""
    reaches = v[REACHES]
    if capacity(v, REACH_SLOTS) < 8 * reaches + 64:
        reserve(v, REACH_SLOTS, 16 * reaches + 4096)
        clear(v, REACH_SLOTS)
        for reach in range(reaches):
            slot = _reach_slot(
                v, get_word(v, REACH_KEYS, 2 * reach), get_word(v, REACH_KEYS, 2 * reach + 1),
                get(v, REACH_ROWS, reach * REACH_WIDTH + H_REGION),
            )  # fmt: skip
            put(v, REACH_SLOTS, slot, reach + 1)
    h0, h1 = get_word(m, HASHES, 2 * node), get_word(m, HASHES, 2 * node + 1)
    return _reach_slot(v, h0, h1, region)


@kernel
def reach_of(m: Memory, v: Memory, node: int, region: int) -> int:
    """The reach of a residual below the nodes of a region; found out when first asked for."""
    found = get(v, REACH_SLOTS, _reach_slot_of(m, v, node, region))
    if found == 0:
        found = 1 + explore(m, v, node, region)
        put(v, REACH_SLOTS, _reach_slot_of(m, v, node, region), found)
    return found - 1
