"""Regions: sets of trie nodes below which to go on, and their children by byte."""

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
    INNER_COUNT,
    LIMIT_BYTES,
    NODES,
    NOWHERE,
    REACH_SLOTS,
    REGION_BYTES,
    REGION_NODE_COUNT,
    REGION_NODES,
    REGION_ROWS,
    REGION_SLOTS,
    REGION_WIDTH,
    REGIONS,
    SHORT,
    SKIP,
    WHOLE,
)
from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.memory import (
    Memory,
    capacity,
    clear,
    get,
    integer,
    kernel,
    put,
    put_word,
    reserve,
)


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
    reserve(v, REGION_ROWS, 4 * REGION_WIDTH * (regions + 1))
    put(v, REGION_ROWS, regions * REGION_WIDTH + G_START, start)
    put(v, REGION_ROWS, regions * REGION_WIDTH + G_END, start + count)
    put(v, REGION_ROWS, regions * REGION_WIDTH + G_INDEX, 0)
    put(v, REGION_SLOTS, slot, regions)
    v[REGION_NODE_COUNT] = start + count
    v[REGIONS] = regions + 1
    return regions


@kernel
def index_region(v: Memory, region: int) -> int:
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


@kernel
def forget(v: Memory) -> None:
    """Back to no classes, regions but the first two, and reaches."""
    for counter in range(CLASSES, INNER_COUNT + 1):
        v[counter] = 0
    for array in (SHORT, REGION_SLOTS, REACH_SLOTS, REGION_ROWS):
        clear(v, array)
    v[REGIONS] = 2
    reserve(v, REGION_ROWS, 4 * REGION_WIDTH * 2)
    reserve(v, CHILDREN, 4 * 257)
    index_region(v, WHOLE)
    index_region(v, NOWHERE)


@kernel
def is_full(v: Memory) -> bool:
    """Whether what is kept holds too much memory."""
    held = v[ALLOWED_COUNT] + v[BITS_COUNT] + v[REGION_NODE_COUNT] + v[CHILD_COUNT]
    return 4 * held > LIMIT_BYTES
