"""Classes of characters: by which states go on alike, and which tokens consist of them.

A class is a set of ASCII bytes and of bytes that begin characters; what continues a character
needs nothing more. What every node of the trie needs, and all below it, is worked out once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.reaches.layout import (
    BELOW,
    BELOW_AT,
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
    IS_OPEN,
    K_STAY,
    K_VISIT,
    K_VISIT_END,
    MAX_BYTES,
    MAX_CHARS,
    NO_CHARACTER,
    NODES,
    OPEN,
    PATH,
    SKIP,
    TOKEN,
    TOKEN_START,
    TOKENS,
    VISIT_COUNT,
    VISITS,
    WORDS,
)
from lipogram.decoding.reaches.lengths import list_long, set_bit
from lipogram.grammars.engine.bytesets import bit_count, mixed
from lipogram.grammars.engine.memory import Memory, get, get_word, integer, put, put_word, reserve
from lipogram.grammars.kernels import exported, kernel

_SLOTS: Final = 1 << 14


@exported
def describe(v: Memory) -> None:
    """What every node needs of a class of characters, and what is needed below it."""
    count = v[NODES]
    reserve(v, CHARGE, 4 * count + 4)
    reserve(v, BELOW_AT, 4 * count + 4)
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
    list_long(v)
    _describe_below(v)


@kernel
def _describe_below(v: Memory) -> None:
    """What is needed below each node; what is alike is kept once in most cases."""
    count, rows = v[NODES], 0
    below, known = np.zeros(4 * count, np.uint64), np.zeros(_SLOTS, np.int64)
    for node in range(count - 1, -1, -1):
        most = longest = 0
        child = node + 1
        while child < get(v, SKIP, node):
            charge = get(v, CHARGE, child)
            own = get(v, CHARS_BELOW, child) + (charge >= 0)
            most = max(most, own)
            longest = max(longest, get(v, BYTES_BELOW, child) + 1)
            for word in range(4):
                bits = below[4 * node + word] | below[4 * child + word]
                if charge >> 6 == word and charge >= 0:
                    bits |= np.uint64(1) << np.uint64(charge & 63)
                if word == 3 and _ends_open(v, child):
                    bits |= np.uint64(1) << np.uint64(NO_CHARACTER & 63)
                below[4 * node + word] = bits
            child = get(v, SKIP, child)
        put(v, CHARS_BELOW, node, most)
        put(v, BYTES_BELOW, node, longest)
        rows = _keep_below(v, node, below[4 * node : 4 * node + 4], rows, known)


@kernel
def _keep_below(
    v: Memory, node: int, words: NDArray[np.uint64], rows: int, known: NDArray[np.int64]
) -> int:
    """Give a node a row of BELOW, a new one unless one of `known` has the same; how many."""
    slot = integer(mixed(mixed(words[0], words[1]), mixed(words[2], words[3]))) & (_SLOTS - 1)
    row = known[slot] - 1
    is_same = row >= 0
    for index in range(4):
        is_same = is_same and get_word(v, BELOW, 4 * row + index) == words[index]
    if not is_same:
        row = rows
        known[slot] = row + 1
        reserve(v, BELOW, 32 * (row + 1))
        for index in range(4):
            put_word(v, BELOW, 4 * row + index, words[index])
    put(v, BELOW_AT, node, row)
    return rows if is_same else rows + 1


@kernel
def _ends_open(v: Memory, node: int) -> bool:
    """Whether a token ends at the node, inside a character."""
    return get(v, IS_OPEN, node) != 0 and get(v, TOKEN_START, node) < get(v, TOKEN_START, node + 1)


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
    row = get(v, BELOW_AT, node)
    for index in range(4):
        if get_word(v, BELOW, 4 * row + index) & ~words[index] != np.uint64(0):
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
