"""Keeps reaches by residual and region, for all grammars."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.layout import (
    ALLOWED,
    ALLOWED_COUNT,
    BITS,
    CROSSED,
    CROSSED_COUNT,
    H_COMPLETE,
    H_COUNT,
    H_CROSSING,
    H_IS_BITS,
    H_REGION,
    H_START,
    NODE_BITS,
    NODES,
    REACH_KEYS,
    REACH_ROWS,
    REACH_SLOTS,
    REACH_WIDTH,
    REACHES,
    TOKEN_COUNT_OUT,
    TOKENS_OUT,
    WORDS,
)
from lipogram.decoding.reaches.lengths import set_bit
from lipogram.decoding.reaches.regions import (
    intern_region,
)
from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.expressions import (
    sort_list,
)
from lipogram.grammars.engine.layout import (
    HASHES,
)
from lipogram.grammars.engine.memory import (
    Memory,
    capacity,
    clear,
    get,
    get_word,
    integer,
    put,
    put_word,
    reserve,
)
from lipogram.grammars.kernels import kernel


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
    """A new reach of what was walked, and of the bit sets at two places in BITS, -1 if none."""
    reach = v[REACHES]
    count = v[TOKEN_COUNT_OUT]
    start = v[ALLOWED_COUNT]
    is_bits = stay >= 0 or count > v[WORDS] >> 2  # a word is read as fast as a quarter of a token
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
def reach_slot(m: Memory, v: Memory, node: int, region: int) -> int:
    """Where in REACH_SLOTS the reach is, or is to be; there is room for two more."""
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
