"""Regions: sets of trie nodes at which to go on, and which of them take a byte."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.layout import (
    ALLOWED_COUNT,
    BITS_COUNT,
    BYTE,
    CHILD_COUNT,
    CHILDREN,
    CLASSES,
    CROSSED,
    G_END,
    G_INDEX,
    G_START,
    LIMIT_BYTES,
    NODES,
    NOWHERE,
    REACH_SLOTS,
    REACHES,
    REGION_BYTES,
    REGION_NODE_COUNT,
    REGION_NODES,
    REGION_ROWS,
    REGION_SLOTS,
    REGION_WIDTH,
    REGIONS,
    SHORT,
    SHORT_BYTES,
    SHORT_SPANS,
    SKIP,
)
from lipogram.decoding.reaches.lengths import tokens_of_few_bytes
from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.memory import (
    Memory,
    capacity,
    clear,
    get,
    integer,
    put,
    put_word,
    reserve,
)
from lipogram.grammars.kernels import exported, kernel


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
def intern_region(v: Memory, count: int) -> int:
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
    put(v, REGION_SLOTS, slot, regions)
    return _add_region(v, start, start + count)


@kernel
def _add_region(v: Memory, start: int, end: int) -> int:
    """The region of the nodes that stand from `start` to `end` of REGION_NODES."""
    region = v[REGIONS]
    at = region * REGION_WIDTH
    reserve(v, REGION_ROWS, 4 * (at + REGION_WIDTH))
    put(v, REGION_ROWS, at + G_START, start)
    put(v, REGION_ROWS, at + G_END, end)
    put(v, REGION_ROWS, at + G_INDEX, 0)
    words = np.zeros(4, np.uint64)
    for index in range(start, end):
        byte = get(v, BYTE, get(v, REGION_NODES, index))
        words[byte >> 6] |= np.uint64(1) << np.uint64(byte & 63)
    reserve(v, REGION_BYTES, 32 * (region + 1))
    for index in range(4):
        put_word(v, REGION_BYTES, 4 * region + index, words[index])
    v[REGION_NODE_COUNT] = end
    v[REGIONS] = region + 1
    return region


@kernel
def index_region(v: Memory, region: int) -> int:
    """Where in CHILDREN the region's nodes stand by byte: 257 offsets, then the nodes."""
    at = region * REGION_WIDTH
    place = get(v, REGION_ROWS, at + G_INDEX)
    if place:
        return place - 1
    place = v[CHILD_COUNT]
    start, end = get(v, REGION_ROWS, at + G_START), get(v, REGION_ROWS, at + G_END)
    sizes = np.zeros(257, np.int64)
    for index in range(start, end):
        sizes[get(v, BYTE, get(v, REGION_NODES, index)) + 1] += 1
    for byte in range(256):
        sizes[byte + 1] += sizes[byte]
    first = place + 257
    reserve(v, CHILDREN, 4 * (first + end - start))
    for byte in range(257):
        put(v, CHILDREN, place + byte, first + sizes[byte])
    for index in range(start, end):
        node = get(v, REGION_NODES, index)
        byte = get(v, BYTE, node)
        put(v, CHILDREN, first + sizes[byte], node)
        sizes[byte] += 1
    v[CHILD_COUNT] = first + end - start
    put(v, REGION_ROWS, at + G_INDEX, place + 1)
    return place


@exported
def forget(v: Memory) -> None:
    """Back to no classes, regions but the first two, and reaches; tokens of few bytes are known."""
    for counter in range(CLASSES, REACHES + 1):
        v[counter] = 0
    for array in (SHORT, SHORT_BYTES, REGION_SLOTS, REACH_SLOTS):
        clear(v, array)
    roots = node = 0
    while node < v[NODES]:
        reserve(v, REGION_NODES, 4 * (roots + 1))
        put(v, REGION_NODES, roots, node)
        roots += 1
        node = get(v, SKIP, node)
    _add_region(v, 0, roots)  # WHOLE
    _add_region(v, roots, roots)  # NOWHERE
    for span in SHORT_SPANS:
        tokens_of_few_bytes(v, span)


@kernel
def is_full(v: Memory) -> bool:
    """Whether what is kept holds too much memory."""
    held = v[ALLOWED_COUNT] + v[BITS_COUNT] + v[REGION_NODE_COUNT] + v[CHILD_COUNT]
    return 4 * held > LIMIT_BYTES
