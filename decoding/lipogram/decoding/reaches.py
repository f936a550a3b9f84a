"""What residuals do with a vocabulary, kept for all grammars that contain them.

A *reach* is the tokens that a residual allows and its *crossing*: the trie nodes at which it ends
inside tokens. A *region* is a set of trie nodes below which to go on. Reaches are found by walking
the token trie in step with the automaton of the residual alone. Most of the trie is never walked:
where a residual goes on alike by a class of characters (strings, identifiers), the tokens that
consist of those are known from their byte sets, and only the others are looked at.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.trie import TokenTrie
from lipogram.grammars.engine.derive import derive
from lipogram.grammars.engine.layout import (
    CALL_END,
    CALL_START,
    CALLER_END,
    CALLERS,
    CALLS,
    CONS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EDGES_ONLY,
    EMPTY,
    FIRSTS,
    FRAME_WIDTH,
    FRAMES,
    HASHES,
    ITEMS,
    NAMELESS,
    NODE_COUNT,
    NOTHING,
    OP,
    R_FLAGS,
    REPEAT,
    ROOT,
    ROW_OF,
    ROWS,
    RULE_WIDTH,
    RULES,
    S_END,
    S_START,
    SEQUENCE,
    SKIPPABLE,
    STATE_WIDTH,
    STATES,
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    capacity,
    clear,
    copy_in,
    get,
    get_word,
    integer,
    kernel,
    load,
    new_memory,
    put,
    put_word,
    reserve,
    store,
)
from lipogram.grammars.engine.nodes import (
    choice,
    cons,
    field,
    has_byte,
    is_nullable,
    mask_word,
    mixed,
    push_option,
    sort_list,
)
from lipogram.grammars.engine.programs import body_of
from lipogram.grammars.engine.states import residual_state, row_of

# Arrays of a vocabulary's memory. Nodes are those of its trie.
BYTE: Final = 8
SKIP: Final = 9
DEPTH: Final = 10
TOKEN_START: Final = 11
TOKEN: Final = 12
CHARGE: Final = 13  # the class byte that a node needs: ASCII or lead; -1 none; 255 no character
BELOW: Final = 14  # [N, 4] words: the class bytes that the nodes below need
CHARS_BELOW: Final = 15  # the most characters of a token below the node
IS_OPEN: Final = 16  # whether the node stands inside a character
CHARS: Final = 17  # by token: its characters
CLASS_ROWS: Final = 18  # [., 8]
CLASS_WORDS: Final = 19  # [., 4] words
VISITS: Final = 20  # [., 2] node (-1 - node for one outside the class), where to go on without it
BITS: Final = 21  # bit sets of tokens
SHORT: Final = 22  # by count of characters: 1 more than where in BITS the tokens of so many are
REGION_ROWS: Final = 23  # [., 8]
REGION_NODES: Final = 24
REGION_SLOTS: Final = 25
CHILDREN: Final = 26
REACH_ROWS: Final = 27  # [., 8]
REACH_KEYS: Final = 28  # [., 2] words
REACH_SLOTS: Final = 29
ALLOWED: Final = 30
INNER: Final = 31  # nodes with children inside a class
# Scratch.
PATH: Final = 34  # by depth: the row of the state there
TOKENS_OUT: Final = 35
CROSSED: Final = 36
NODE_BITS: Final = 37
TODO: Final = 38  # [., 3] residual, frame, region
SEEN: Final = 39  # [., 2]
PARTS: Final = 40
LEFT_OUT: Final = 41  # [., 2] ranges of nodes
OWN: Final = 42  # [., 4] frames of rules that are called within a mask
OWN_SLOTS: Final = 44
REGION_BYTES: Final = 45  # [., 4] words: the bytes by which a region goes on
LINKS: Final = 43  # [., 3] a pair, the next in its list

_COUNTERS: Final = 128
(NODES, TOKENS, WORDS, CLASSES, VISIT_COUNT, BITS_COUNT, REGIONS, REGION_NODE_COUNT, CHILD_COUNT,
 REACHES, ALLOWED_COUNT, INNER_COUNT, TOKEN_COUNT_OUT, CROSSED_COUNT, GENERATION, MAX_CHARS,
 EPOCH, LEFT_OUT_COUNT, OWN_COUNT, LINK_COUNT) = range(_COUNTERS, _COUNTERS + 20)  # fmt: skip

CLASS_WIDTH: Final = 8
K_STAY, K_VISIT, K_VISIT_END, K_INNER, K_INNER_END = range(5)
REGION_WIDTH: Final = 8
G_START, G_END, G_INDEX = range(3)  # G_INDEX is 1 more than the place of 257 offsets in CHILDREN
REACH_WIDTH: Final = 8
H_REGION, H_START, H_COUNT, H_IS_BITS, H_CROSSING, H_COMPLETE = range(6)
OWN_WIDTH: Final = 4
O_REGION, O_CALLERS, O_RETURNS = 1, 2, 3  # after the rule
WHOLE: Final = 0  # the region of the whole trie
NOWHERE: Final = 1
ENDLESS: Final = 1 << 20
_FEW_BYTES: Final = 16  # a class of fewer is walked like anything else
_MANY_ALIKE: Final = 160  # bytes by which a state goes on as its base does
_FEW_NODES: Final = 48  # so is a part of the trie with fewer
_NO_CHARACTER: Final = 255
_LIMIT_BYTES: Final = 64 << 20
_PAGES: Final = {
    ALLOWED: 2 * _LIMIT_BYTES, BITS: 2 * _LIMIT_BYTES, CHILDREN: 2 * _LIMIT_BYTES,
    REGION_NODES: 2 * _LIMIT_BYTES, INNER: _LIMIT_BYTES, VISITS: _LIMIT_BYTES,
}  # fmt: skip


class Reaches:
    """The reaches of one vocabulary: a memory for compiled code, and the lock to hold meanwhile."""

    def __init__(self, trie: TokenTrie, tokens: int) -> None:
        memory = self.memory = new_memory(1 << 30, _PAGES)
        self.lock = threading.Lock()
        for array, values in (
            (BYTE, trie.byte), (SKIP, trie.skip), (DEPTH, trie.depth),
            (TOKEN_START, trie.token_offsets), (TOKEN, trie.token_ids),
        ):  # fmt: skip
            copy_in(memory, array, 0, values.astype(np.int32))
        memory[NODES], memory[TOKENS] = len(trie.byte), tokens
        memory[WORDS] = -(-tokens // 32)
        _describe(memory)
        _forget(memory)

    def trim(self) -> None:
        """Forget all reaches if they hold too much memory."""
        v = self.memory
        held = v[ALLOWED_COUNT] + v[BITS_COUNT] + v[REGION_NODE_COUNT] + v[CHILD_COUNT]
        if 4 * held > _LIMIT_BYTES:
            _forget(v)


@kernel
def _describe(v: Memory) -> None:
    """What every node needs of a class of characters, and what is needed below it."""
    count = v[NODES]
    reserve(v, CHARGE, 4 * count + 4)
    reserve(v, BELOW, 32 * count + 32)
    reserve(v, CHARS_BELOW, 4 * count + 4)
    reserve(v, IS_OPEN, 4 * count + 4)
    reserve(v, CHARS, 4 * v[TOKENS] + 4)
    deepest = 0
    for node in range(count):
        deepest = max(deepest, get(v, DEPTH, node))
    reserve(v, PATH, 4 * deepest + 8)
    left = np.zeros(deepest + 1, np.int64)  # by depth: bytes that the character still needs
    low = np.zeros(deepest + 1, np.int64)
    high = np.zeros(deepest + 1, np.int64)
    chars = np.zeros(deepest + 1, np.int64)
    for node in range(count):
        byte, depth = get(v, BYTE, node), get(v, DEPTH, node)
        need = left[depth - 1]
        chars[depth] = chars[depth - 1]
        left[depth] = 0
        low[depth], high[depth] = 0x80, 0xBF
        if need and low[depth - 1] <= byte <= high[depth - 1]:
            left[depth] = need - 1
            charge = -1
        elif need or 0x80 <= byte < 0xC2 or byte > 0xF4:
            charge = _NO_CHARACTER
            chars[depth] += 1
        else:
            charge = byte
            chars[depth] += 1
            if byte >= 0xC2:
                left[depth] = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
                low[depth] = 0xA0 if byte == 0xE0 else 0x90 if byte == 0xF0 else 0x80
                high[depth] = 0x9F if byte == 0xED else 0x8F if byte == 0xF4 else 0xBF
        put(v, CHARGE, node, charge)
        put(v, IS_OPEN, node, left[depth] > 0)
        for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
            put(v, CHARS, get(v, TOKEN, index), chars[depth])
            v[MAX_CHARS] = max(v[MAX_CHARS], chars[depth])
    for node in range(count - 1, -1, -1):
        most = 0
        child = node + 1
        while child < get(v, SKIP, node):
            charge = get(v, CHARGE, child)
            own = get(v, CHARS_BELOW, child) + (charge >= 0)
            most = max(most, own)
            for word in range(4):
                bits = get_word(v, BELOW, 4 * node + word) | get_word(v, BELOW, 4 * child + word)
                if charge >> 6 == word and charge >= 0:
                    bits |= np.uint64(1) << np.uint64(charge & 63)
                if word == 3 and _ends_open(v, child):
                    bits |= np.uint64(1) << np.uint64(_NO_CHARACTER & 63)
                put_word(v, BELOW, 4 * node + word, bits)
            child = get(v, SKIP, child)
        put(v, CHARS_BELOW, node, most)


@kernel
def _ends_open(v: Memory, node: int) -> bool:
    """Whether a token ends at the node, inside a character."""
    return get(v, IS_OPEN, node) != 0 and get(v, TOKEN_START, node) < get(v, TOKEN_START, node + 1)


@kernel
def _forget(v: Memory) -> None:
    """Back to no classes, regions but the first two, and reaches."""
    for counter in range(CLASSES, INNER_COUNT + 1):
        v[counter] = 0
    for array in (SHORT, REGION_SLOTS, REACH_SLOTS, REGION_ROWS):
        clear(v, array)
    v[EPOCH] += 1
    v[REGIONS] = 2
    reserve(v, REGION_ROWS, 4 * REGION_WIDTH * 2)
    reserve(v, CHILDREN, 4 * 257)
    _index_region(v, WHOLE)
    _index_region(v, NOWHERE)


# Regions.


@kernel
def _region_slot(v: Memory, start: int, end: int) -> int:
    size = capacity(v, REGION_SLOTS) // 4
    value = np.uint64(end - start)
    for index in range(start, end):
        value = (value ^ np.uint64(get(v, REGION_NODES, index))) * np.uint64(0x9E3779B97F4A7C15)
        value ^= value >> np.uint64(29)
    slot = integer(mixed(value, np.uint64(1)) & np.uint64(size - 1))
    while True:
        region = get(v, REGION_SLOTS, slot)
        if region == 0:
            return slot
        other = get(v, REGION_ROWS, region * REGION_WIDTH + G_START)
        if get(v, REGION_ROWS, region * REGION_WIDTH + G_END) - other == end - start:
            offset = 0
            while offset < end - start:
                if get(v, REGION_NODES, start + offset) != get(v, REGION_NODES, other + offset):
                    break
                offset += 1
            if offset == end - start:
                return slot
        slot = (slot + 1) & (size - 1)


@kernel
def _intern_region(v: Memory, count: int) -> int:
    """The region of the first nodes in CROSSED, sorted."""
    if count == 0:
        return NOWHERE
    regions = v[REGIONS]
    if capacity(v, REGION_SLOTS) < 8 * regions + 64:
        reserve(v, REGION_SLOTS, 16 * regions + 1024)
        clear(v, REGION_SLOTS)
        for region in range(2, regions):
            at = region * REGION_WIDTH
            slot = _region_slot(v, get(v, REGION_ROWS, at), get(v, REGION_ROWS, at + G_END))
            put(v, REGION_SLOTS, slot, region)
    start = v[REGION_NODE_COUNT]
    reserve(v, REGION_NODES, 4 * (start + count))
    for index in range(count):
        put(v, REGION_NODES, start + index, get(v, CROSSED, index))
    slot = _region_slot(v, start, start + count)
    found = get(v, REGION_SLOTS, slot)
    if found:
        return found
    reserve(v, REGION_ROWS, 4 * REGION_WIDTH * (regions + 1))
    put(v, REGION_ROWS, regions * REGION_WIDTH + G_START, start)
    put(v, REGION_ROWS, regions * REGION_WIDTH + G_END, start + count)
    put(v, REGION_ROWS, regions * REGION_WIDTH + G_INDEX, 0)
    put(v, REGION_SLOTS, slot, regions)
    v[REGION_NODE_COUNT] = start + count
    v[REGIONS] = regions + 1
    return regions


@kernel
def _index_region(v: Memory, region: int) -> int:
    """Where in CHILDREN the region's children stand, by byte: 257 offsets, then the nodes."""
    at = region * REGION_WIDTH
    place = get(v, REGION_ROWS, at + G_INDEX)
    if place:
        return place - 1
    place = v[CHILD_COUNT]
    sizes = np.zeros(257, np.int64)
    start, end = get(v, REGION_ROWS, at + G_START), get(v, REGION_ROWS, at + G_END)
    for index in range(start, max(end, start + (region == WHOLE))):
        root = -1 if region == WHOLE else get(v, REGION_NODES, index)
        stop = v[NODES] if root < 0 else get(v, SKIP, root)
        child = root + 1
        while child < stop:
            sizes[get(v, BYTE, child) + 1] += 1
            child = get(v, SKIP, child)
    for byte in range(256):
        sizes[byte + 1] += sizes[byte]
    total = sizes[256]
    reserve(v, CHILDREN, 4 * (place + 257 + total))
    for byte in range(257):
        put(v, CHILDREN, place + byte, place + 257 + sizes[byte])
    for index in range(start, max(end, start + (region == WHOLE))):
        root = -1 if region == WHOLE else get(v, REGION_NODES, index)
        stop = v[NODES] if root < 0 else get(v, SKIP, root)
        child = root + 1
        while child < stop:
            byte = get(v, BYTE, child)
            put(v, CHILDREN, place + 257 + sizes[byte], child)
            sizes[byte] += 1
            child = get(v, SKIP, child)
    v[CHILD_COUNT] = place + 257 + total
    put(v, REGION_ROWS, at + G_INDEX, place + 1)
    reserve(v, REGION_BYTES, 32 * (region + 1))
    for index in range(4):
        word = np.uint64(0)
        for bit in range(64):
            byte = 64 * index + bit
            if get(v, CHILDREN, place + byte) < get(v, CHILDREN, place + byte + 1):
                word |= np.uint64(1) << np.uint64(bit)
        put_word(v, REGION_BYTES, 4 * region + index, word)
    return place


# Classes of characters.


@kernel
def _lead_leads_to(m: Memory, node: int, byte: int) -> int:
    """What every character that begins with the byte leads to alike; -1 if there is no such."""
    target = -1
    for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
        if not has_byte(m, get(m, EDGES, 2 * index), byte):
            continue
        if target >= 0:
            return -1
        target = get(m, EDGES, 2 * index + 1)
    if target < 0 or byte < 0x80:
        return target
    left = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
    full, upper, lower = ~np.uint64(0), np.uint64(0xFFFFFFFF00000000), np.uint64(0xFFFFFFFF)
    zero = np.uint64(0)
    want = upper if byte == 0xE0 else lower if byte == 0xED else full  # A0-BF, 80-9F, 80-BF
    if byte == 0xF0:
        want = full << np.uint64(16)  # 90-BF
    elif byte == 0xF4:
        want = np.uint64(0xFFFF)  # 80-8F
    while left:
        if field(m, target, OP) != CONS:
            return -1
        mask = field(m, target, A)
        if (
            mask_word(m, mask, 2) != want
            or (mask_word(m, mask, 0) | mask_word(m, mask, 1) | mask_word(m, mask, 3)) != zero
        ):
            return -1
        target = field(m, target, B)
        want = full
        left -= 1
    return target


@kernel
def loop_class(m: Memory, state: int, words: NDArray[np.uint64]) -> int:
    """The class of characters by which a state goes on alike, and how often; 0 if it does not.

    For a state of one item that repeats characters, or that any of a class leads back to. `words`
    gets the class: its ASCII bytes and leads. If the state is complete, it stays so on the way.
    """
    at = state * STATE_WIDTH
    start = get(m, STATES, at + S_START)
    if get(m, STATES, at + S_END) != start + 1:
        return 0
    node, frame = get(m, ITEMS, 2 * start), get(m, ITEMS, 2 * start + 1)
    if is_nullable(m, node) and frame != ROOT:
        return 0
    first, rest = node, EMPTY
    if field(m, node, OP) == SEQUENCE:
        first, rest = field(m, node, A), field(m, node, B)
    derive(m, node)
    if field(m, first, OP) != REPEAT:
        return _own_loop(m, node, words)
    if field(m, first, B) > 0 and is_nullable(m, rest):
        return 0
    item = field(m, first, A)
    derive(m, item)
    if field(m, item, CALL_START) != field(m, item, CALL_END):
        return 0
    other = row_of(m, residual_state(m, rest)) >> 1
    for byte in range(0xF5):
        if 0x80 <= byte < 0xC2:
            continue
        if get(m, ROWS, 256 * other + byte) == 0 and _lead_leads_to(m, item, byte) == EMPTY:
            words[byte >> 6] |= np.uint64(1) << np.uint64(byte & 63)
    most = field(m, first, C)
    return ENDLESS if most < 0 else min(most, ENDLESS)


@kernel
def _own_loop(m: Memory, node: int, words: NDArray[np.uint64]) -> int:
    """The class of characters that lead from a node without calls back to it."""
    if field(m, node, CALL_START) != field(m, node, CALL_END):
        return 0
    for byte in range(0xF5):
        if not 0x80 <= byte < 0xC2 and _lead_leads_to(m, node, byte) == node:
            words[byte >> 6] |= np.uint64(1) << np.uint64(byte & 63)
    return ENDLESS


@kernel
def _count_bits(words: NDArray[np.uint64]) -> int:
    count = 0
    for index in range(4):
        word = words[index]
        while word != np.uint64(0):
            word &= word - np.uint64(1)
            count += 1
    return count


@kernel
def _in_class(words: NDArray[np.uint64], charge: int) -> bool:
    return charge < 0 or (
        (words[charge >> 6] >> np.uint64(charge & 63)) & np.uint64(1) != np.uint64(0)
    )


@kernel
def _all_in_class(v: Memory, words: NDArray[np.uint64], node: int) -> bool:
    """Whether all nodes below are characters of the class."""
    for index in range(4):
        if get_word(v, BELOW, 4 * node + index) & ~words[index] != np.uint64(0):
            return False
    return True


@kernel
def _class_record(v: Memory, words: NDArray[np.uint64]) -> int:
    """The record of a class: tokens that consist of it, and the nodes that must be visited."""
    classes = v[CLASSES]
    for known in range(classes):
        same = True
        for index in range(4):
            same &= get_word(v, CLASS_WORDS, 4 * known + index) == words[index]
        if same:
            return known
    reserve(v, CLASS_ROWS, 4 * CLASS_WIDTH * (classes + 1))
    reserve(v, CLASS_WORDS, 32 * (classes + 1))
    for index in range(4):
        put_word(v, CLASS_WORDS, 4 * classes + index, words[index])
    stay = v[BITS_COUNT]
    reserve(v, BITS, 4 * (stay + v[WORDS]))
    for index in range(v[WORDS]):
        put(v, BITS, stay + index, 0)
    v[BITS_COUNT] = stay + v[WORDS]
    at = classes * CLASS_WIDTH
    put(v, CLASS_ROWS, at + K_STAY, stay)
    put(v, CLASS_ROWS, at + K_VISIT, v[VISIT_COUNT])
    put(v, CLASS_ROWS, at + K_INNER, v[INNER_COUNT])
    _visit_class(v, words, stay)
    put(v, CLASS_ROWS, at + K_VISIT_END, v[VISIT_COUNT])
    put(v, CLASS_ROWS, at + K_INNER_END, v[INNER_COUNT])
    v[CLASSES] = classes + 1
    return classes


@kernel
def _set_bit(v: Memory, array: int, start: int, index: int) -> None:
    at = start + (index >> 5)
    put(v, array, at, get(v, array, at) | (1 << (index & 31)))


@kernel
def _keep_inner(v: Memory, node: int) -> None:
    if get(v, SKIP, node) > node + 1 and not get(v, IS_OPEN, node):
        reserve(v, INNER, 4 * (v[INNER_COUNT] + 1))
        put(v, INNER, v[INNER_COUNT], node)
        v[INNER_COUNT] += 1


@kernel
def _visit_class(v: Memory, words: NDArray[np.uint64], stay: int) -> None:
    node = 0
    count = v[NODES]
    open_visits = np.zeros(1024, np.int64)  # visits whose subtree is not yet passed
    height = 0
    while node < count:
        while height and get(v, SKIP, get(v, VISITS, 2 * open_visits[height - 1])) <= node:
            height -= 1
            put(v, VISITS, 2 * open_visits[height] + 1, v[VISIT_COUNT])
        inside = _in_class(words, get(v, CHARGE, node))
        if inside and not _ends_open(v, node) and _all_in_class(v, words, node):
            stop = get(v, SKIP, node)
            for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, stop)):
                _set_bit(v, BITS, stay, get(v, TOKEN, index))
            for inner in range(node, stop):
                _keep_inner(v, inner)
            node = stop
            continue
        visit = v[VISIT_COUNT]
        reserve(v, VISITS, 8 * (visit + 1))
        v[VISIT_COUNT] = visit + 1
        if not inside:
            put(v, VISITS, 2 * visit, -1 - node)
            put(v, VISITS, 2 * visit + 1, visit + 1)
            node = get(v, SKIP, node)
            continue
        put(v, VISITS, 2 * visit, node)
        open_visits[height] = visit
        height += 1
        _keep_inner(v, node)
        if not get(v, IS_OPEN, node):
            for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
                _set_bit(v, BITS, stay, get(v, TOKEN, index))
        node += 1
    while height:
        height -= 1
        put(v, VISITS, 2 * open_visits[height] + 1, v[VISIT_COUNT])


@kernel
def _short_tokens(v: Memory, chars: int) -> int:
    """Where in BITS the tokens of at most so many characters are."""
    reserve(v, SHORT, 4 * (chars + 1))
    place = get(v, SHORT, chars)
    if place == 0:
        start = v[BITS_COUNT]
        reserve(v, BITS, 4 * (start + v[WORDS]))
        for index in range(v[WORDS]):
            put(v, BITS, start + index, 0)
        for token in range(v[TOKENS]):
            if get(v, CHARS, token) <= chars:
                _set_bit(v, BITS, start, token)
        v[BITS_COUNT] = start + v[WORDS]
        place = start + 1
        put(v, SHORT, chars, place)
    return place - 1


# Walks.


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
            if stop - node > _FEW_NODES and not get(v, IS_OPEN, node):
                words[:] = np.uint64(0)
                times = loop_class(m, state, words)
                rows = m[ROWS]
                if (
                    times >= get(v, CHARS_BELOW, node)
                    and _all_in_class(v, words, node)
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
            if loop_class(m, base, words) == ENDLESS and _count_bits(words) >= _FEW_BYTES:
                other = 256 * (row_of(m, base) >> 1)
                alike = 0
                for at in range(256):
                    alike += get(m, ROWS, row + at) == get(m, ROWS, other + at)
                if alike >= _MANY_ALIKE and get(m, ROWS, other + byte) == base:
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
    if _count_bits(words) < _FEW_BYTES or not (times == ENDLESS or (times and not row & 1)):
        return -1, -1
    record = _class_record(v, words)
    at = record * CLASS_WIDTH
    _walk_class(m, v, record)
    if row & 1:
        for index in range(get(v, CLASS_ROWS, at + K_INNER), get(v, CLASS_ROWS, at + K_INNER_END)):
            _cross(v, get(v, INNER, index))
    short = _short_tokens(v, times) if times < v[MAX_CHARS] else -1
    return get(v, CLASS_ROWS, at + K_STAY), short


@kernel
def _explore_plainly(m: Memory, v: Memory, region: int, row: int) -> None:
    """Walk below each child of the region's nodes that the row has a successor for."""
    place = _index_region(v, region)
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
        _explore_plainly(m, v, region, row)
    return _keep_reach(m, v, node, region, row & 1, stay, short)


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
    reach = _keep_reach(m, v, node, WHOLE, row & 1, stay, short)
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
        _set_bit(v, NODE_BITS, 0, get(v, CROSSED, index))
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
def _keep_reach(
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
            _set_bit(v, ALLOWED, start, get(v, TOKENS_OUT, index))
    else:
        for index in range(count):
            put(v, ALLOWED, start + index, get(v, TOKENS_OUT, index))
    crossing = _intern_region(v, _sorted_crossing(v))
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
    """Append a part to TODO unless it is there or allows nothing; the new count."""
    if region != WHOLE and not is_nullable(m, node):
        _index_region(v, region)
        nothing = np.uint64(0)
        for index in range(4):
            nothing |= first_bytes(m, node, index) & get_word(v, REGION_BYTES, 4 * region + index)
        if nothing == np.uint64(0):
            return count
    if capacity(v, SEEN) < 16 * (count + 1):
        reserve(v, SEEN, 32 * (count + 1) + 1024)
        clear(v, SEEN)
        for index in range(count):
            _see(v, get(v, TODO, 3 * index), get(v, TODO, 3 * index + 1),
                 get(v, TODO, 3 * index + 2), index, generation)  # fmt: skip
    reserve(v, TODO, 12 * (count + 1))
    put(v, TODO, 3 * count, node)
    put(v, TODO, 3 * count + 1, frame)
    put(v, TODO, 3 * count + 2, region)
    return count + _see(v, node, frame, region, count, generation)


@kernel
def _see(v: Memory, node: int, frame: int, region: int, index: int, generation: int) -> int:
    size = capacity(v, SEEN) // 8
    slot = (node * 0x9E3779B1 + frame * 0x85EBCA77 + region * 0xC2B2AE35) & (size - 1)
    while get(v, SEEN, 2 * slot) == generation:
        other = get(v, SEEN, 2 * slot + 1)
        if (
            get(v, TODO, 3 * other) == node
            and get(v, TODO, 3 * other + 1) == frame
            and get(v, TODO, 3 * other + 2) == region
        ):
            return 0
        slot = (slot + 1) & (size - 1)
    put(v, SEEN, 2 * slot, generation)
    put(v, SEEN, 2 * slot + 1, index)
    return 1


@kernel
def _return(m: Memory, v: Memory, frame: int, region: int, count: int, generation: int) -> int:
    """Go on below the region's nodes with what waits in a frame; the new count of TODO."""
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
    """Go on below the region's nodes with a rule and then the rest; the new count of TODO."""
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
def _calls_nameless(m: Memory, node: int) -> bool:
    """Whether a derived residual goes on by calls of nameless rules alone."""
    for index in range(field(m, node, CALL_START), field(m, node, CALL_END)):
        rule = get(m, CALLS, 2 * index)
        if not get(m, RULES, rule * RULE_WIDTH + R_FLAGS) & NAMELESS:
            return False
    return field(m, node, EDGE_START) > field(m, node, EDGE_END)


@kernel
def find_parts(m: Memory, v: Memory, state: int) -> int:
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
        node, frame = get(v, TODO, 3 * position), get(v, TODO, 3 * position + 1)
        region = get(v, TODO, 3 * position + 2)
        position += 1
        burn(m, 4)
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
def walk_state(m: Memory, v: Memory, state: int) -> int:
    """The reach of a whole state, as the only one in PARTS; returns 1.

    Where lexemes are munched, what may follow one depends on all that are in progress.
    """
    row = row_of(m, state)
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
    put(v, PATH, 0, row >> 1)
    _explore_plainly(m, v, WHOLE, row)
    v[CROSSED_COUNT] = 0
    reserve(v, PARTS, 4)
    put(v, PARTS, 0, _keep_reach(m, v, NOTHING, NOWHERE, 0, -1, -1))
    return 1


@kernel
def unite(v: Memory, parts: int, out: NDArray[np.int32]) -> None:
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
