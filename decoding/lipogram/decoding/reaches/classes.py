"""Classes of characters: by which states go on alike, and which tokens consist of them.

A class is a set of ASCII bytes and of bytes that begin characters; what continues a character
needs nothing more. What every node of the trie needs, and all below it, is worked out once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.reaches.layout import (
    BELOW,
    BITS,
    BITS_COUNT,
    BYTE,
    BYTES_BELOW,
    CHARGE,
    CHARS,
    CHARS_BELOW,
    CLASS_ROWS,
    CLASS_WIDTH,
    CLASS_WORDS,
    CLASSES,
    DEPTH,
    ENDLESS,
    FEW_CHARS,
    IS_OPEN,
    K_STAY,
    K_VISIT,
    K_VISIT_END,
    LEAST_SPAN,
    LONG,
    LONG_COUNT,
    MAX_BYTES,
    MAX_CHARS,
    NO_CHARACTER,
    NODES,
    OPEN,
    PATH,
    SHORT,
    SHORT_BYTES,
    SKIP,
    TOKEN,
    TOKEN_START,
    TOKENS,
    VISIT_COUNT,
    VISITS,
    WORDS,
)
from lipogram.grammars.engine.bytesets import (
    bit_count,
    has_byte,
    mask_word,
)
from lipogram.grammars.engine.derive import (
    derive,
)
from lipogram.grammars.engine.layout import (
    CALL_END,
    CALL_START,
    CONS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EMPTY,
    ITEMS,
    OP,
    REPEAT,
    ROOT,
    ROWS,
    S_END,
    S_START,
    SEQUENCE,
    STATE_WIDTH,
    STATES,
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import Memory, get, get_word, put, put_word, reserve
from lipogram.grammars.engine.nodes import (
    field,
    is_nullable,
)
from lipogram.grammars.engine.states import (
    residual_state,
    row_of,
)
from lipogram.grammars.kernels import exported, kernel


@exported
def describe(v: Memory) -> None:
    """What every node needs of a class of characters, and what is needed below it."""
    count = v[NODES]
    reserve(v, CHARGE, 4 * count + 4)
    reserve(v, BELOW, 32 * count + 32)
    reserve(v, CHARS_BELOW, 4 * count + 4)
    reserve(v, BYTES_BELOW, 4 * count + 4)
    reserve(v, IS_OPEN, 4 * count + 4)
    reserve(v, CHARS, 4 * v[TOKENS] + 4)
    deepest = 0
    for node in range(count):
        deepest = max(deepest, get(v, DEPTH, node))
    v[MAX_BYTES] = deepest
    reserve(v, PATH, 4 * deepest + 8)
    reserve(v, OPEN, 12 * deepest + 12)
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
            charge = NO_CHARACTER
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
    _list_long(v)
    for node in range(count - 1, -1, -1):
        most = longest = 0
        child = node + 1
        while child < get(v, SKIP, node):
            charge = get(v, CHARGE, child)
            own = get(v, CHARS_BELOW, child) + (charge >= 0)
            most = max(most, own)
            longest = max(longest, get(v, BYTES_BELOW, child) + 1)
            for word in range(4):
                bits = get_word(v, BELOW, 4 * node + word) | get_word(v, BELOW, 4 * child + word)
                if charge >> 6 == word and charge >= 0:
                    bits |= np.uint64(1) << np.uint64(charge & 63)
                if word == 3 and _ends_open(v, child):
                    bits |= np.uint64(1) << np.uint64(NO_CHARACTER & 63)
                put_word(v, BELOW, 4 * node + word, bits)
            child = get(v, SKIP, child)
        put(v, CHARS_BELOW, node, most)
        put(v, BYTES_BELOW, node, longest)


@kernel
def _ends_open(v: Memory, node: int) -> bool:
    """Whether a token ends at the node, inside a character."""
    return get(v, IS_OPEN, node) != 0 and get(v, TOKEN_START, node) < get(v, TOKEN_START, node + 1)


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
def counts(m: Memory, state: int) -> bool:
    """Whether a state is of one item, which begins with a limited number of repeats."""
    at = state * STATE_WIDTH
    start = get(m, STATES, at + S_START)
    if get(m, STATES, at + S_END) != start + 1:
        return False
    node = get(m, ITEMS, 2 * start)
    if field(m, node, OP) == SEQUENCE:
        node = field(m, node, A)
    return field(m, node, OP) == REPEAT and field(m, node, C) >= 0


@kernel
def letters_back(m: Memory, state: int, row: int, words: NDArray[np.uint64]) -> int:
    """Add to `words` the ASCII bytes that lead from a state back to it; 0 if there are none."""
    found = 0
    for byte in range(0x80):
        if get(m, ROWS, 256 * row + byte) == state:
            words[byte >> 6] |= np.uint64(1) << np.uint64(byte & 63)
            found = ENDLESS
    return found


@kernel
def count_bits(words: NDArray[np.uint64]) -> int:
    return bit_count(words[0]) + bit_count(words[1]) + bit_count(words[2]) + bit_count(words[3])


@kernel
def _in_class(words: NDArray[np.uint64], charge: int) -> bool:
    return charge < 0 or (
        (words[charge >> 6] >> np.uint64(charge & 63)) & np.uint64(1) != np.uint64(0)
    )


@kernel
def all_in_class(v: Memory, words: NDArray[np.uint64], node: int) -> bool:
    """Whether all nodes below are characters of the class."""
    for index in range(4):
        if get_word(v, BELOW, 4 * node + index) & ~words[index] != np.uint64(0):
            return False
    return True


@kernel
def class_record(v: Memory, words: NDArray[np.uint64]) -> int:
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
    _visit_class(v, words, stay)
    put(v, CLASS_ROWS, at + K_VISIT_END, v[VISIT_COUNT])
    v[CLASSES] = classes + 1
    return classes


@kernel
def set_bit(v: Memory, array: int, start: int, index: int) -> None:
    at = start + (index >> 5)
    put(v, array, at, get(v, array, at) | (1 << (index & 31)))


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
        if inside and not _ends_open(v, node) and all_in_class(v, words, node):
            stop = get(v, SKIP, node)
            for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, stop)):
                set_bit(v, BITS, stay, get(v, TOKEN, index))
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
        if not get(v, IS_OPEN, node):
            for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
                set_bit(v, BITS, stay, get(v, TOKEN, index))
        node += 1
    while height:
        height -= 1
        put(v, VISITS, 2 * open_visits[height] + 1, v[VISIT_COUNT])


@kernel
def tokens_of_few_bytes(v: Memory, most: int) -> int:
    """Where in BITS the tokens of at most so many bytes are."""
    reserve(v, SHORT_BYTES, 4 * (most + 1))
    place = get(v, SHORT_BYTES, most)
    if place == 0:
        least = LEAST_SPAN if most > LEAST_SPAN else 0
        few = tokens_of_few_bytes(v, least) if least else 0
        start = v[BITS_COUNT]
        reserve(v, BITS, 4 * (start + v[WORDS]))
        for index in range(v[WORDS]):
            put(v, BITS, start + index, get(v, BITS, few + index) if least else 0)
        for node in range(v[NODES]):
            if least < get(v, DEPTH, node) <= most:
                for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
                    set_bit(v, BITS, start, get(v, TOKEN, index))
        v[BITS_COUNT] = start + v[WORDS]
        place = start + 1
        put(v, SHORT_BYTES, most, place)
    return place - 1


@kernel
def short_tokens(v: Memory, chars: int) -> int:
    """Where in BITS the tokens of at most so many characters are."""
    reserve(v, SHORT, 4 * (chars + 1))
    place = get(v, SHORT, chars)
    if place == 0:
        few = short_tokens(v, FEW_CHARS) if chars > FEW_CHARS else 0
        start = v[BITS_COUNT]
        reserve(v, BITS, 4 * (start + v[WORDS]))
        for index in range(v[WORDS]):
            put(v, BITS, start + index, get(v, BITS, few + index) if chars > FEW_CHARS else 0)
        for index in range(v[LONG_COUNT] if chars > FEW_CHARS else v[TOKENS]):
            token = get(v, LONG, index) if chars > FEW_CHARS else index
            if get(v, CHARS, token) <= chars:
                set_bit(v, BITS, start, token)
        v[BITS_COUNT] = start + v[WORDS]
        place = start + 1
        put(v, SHORT, chars, place)
    return place - 1


@kernel
def _list_long(v: Memory) -> None:
    for token in range(v[TOKENS]):
        if get(v, CHARS, token) > FEW_CHARS:
            reserve(v, LONG, 4 * (v[LONG_COUNT] + 1))
            put(v, LONG, v[LONG_COUNT], token)
            v[LONG_COUNT] += 1
