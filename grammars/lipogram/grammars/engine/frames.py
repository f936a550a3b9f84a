"""Keeps frames: what awaits the end of a rule. Those that await the same are one.

So states that differ in the text before, but not in what can follow, are equal.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.layout import (
    CALLED,
    CALLER_COUNT,
    CALLER_END,
    CALLER_START,
    CALLERS,
    FOUND,
    FRAME_COUNT,
    FRAME_FLAGS,
    FRAME_HASH,
    FRAME_SLOTS,
    FRAME_WIDTH,
    FRAMES,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    capacity,
    clear,
    get,
    integer,
    put,
    reserve,
)
from lipogram.grammars.kernels import kernel

_NOT_KEPT: Final = -1


@kernel
def keep_frames(m: Memory, called: int, own: int, found: int) -> None:
    """Give the `own` frames of a configuration their numbers, in FOUND too.

    CALLED has `called` callers, and the frames stand there as numbers from the count of frames on.
    A frame is known once those are known that it returns to; where they go round, they are new.
    """
    if own == 0:
        return
    first = m[FRAME_COUNT]
    kept = np.full(own, _NOT_KEPT, np.int64)
    starts = np.zeros(own + 1, np.int64)
    for index in range(called):
        starts[get(m, CALLED, 4 * index) + 1] += 1
    for index in range(own):
        starts[index + 1] += starts[index]
    place = starts[:own].copy()
    by_frame = np.empty(called, np.int64)
    for index in range(called):
        frame = get(m, CALLED, 4 * index)
        by_frame[place[frame]] = index
        place[frame] += 1
    is_going = True
    while is_going:
        is_going = False
        for index in range(own):
            callers = by_frame[starts[index] : starts[index + 1]]
            if kept[index] == _NOT_KEPT and _are_kept(m, callers, first, kept):
                kept[index] = _frame_of(m, _sorted(m, callers, first, kept), _flags(m, callers))
                is_going = True
    _keep_circles(m, by_frame, starts, first, kept)
    for index in range(found):
        frame = get(m, FOUND, 4 * index + 2)
        if frame >= first:
            put(m, FOUND, 4 * index + 2, kept[frame - first])


@kernel
def _flags(m: Memory, callers: NDArray[np.int64]) -> int:
    return get(m, CALLED, 4 * callers[0] + 3)


@kernel
def _are_kept(m: Memory, callers: NDArray[np.int64], first: int, kept: NDArray[np.int64]) -> bool:
    for caller in callers:
        frame = get(m, CALLED, 4 * caller + 2)
        if frame >= first and kept[frame - first] == _NOT_KEPT:
            return False
    return True


@kernel
def _sorted(
    m: Memory, callers: NDArray[np.int64], first: int, kept: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The callers as (rest << 32 | frame), each once."""
    keys = np.empty(len(callers), np.int64)
    for index, caller in enumerate(callers):
        frame = get(m, CALLED, 4 * caller + 2)
        if frame >= first:
            frame = kept[frame - first]
        keys[index] = get(m, CALLED, 4 * caller + 1) << 32 | frame
    keys.sort()
    size = 0
    for key in keys:
        if size == 0 or key != keys[size - 1]:
            keys[size] = key
            size += 1
    return keys[:size]


@kernel
def _frame_of(m: Memory, callers: NDArray[np.int64], flags: int) -> int:
    """The frame of these callers."""
    count = m[FRAME_COUNT]
    if capacity(m, FRAME_SLOTS) < 8 * count + 64:
        reserve(m, FRAME_SLOTS, 16 * count + 4096)
        clear(m, FRAME_SLOTS)
        for frame in range(1, count):
            if get(m, FRAMES, frame * FRAME_WIDTH + FRAME_HASH):
                put(m, FRAME_SLOTS, _free_slot(m, frame), frame)
    value = np.uint64(flags)
    for key in callers:
        value = mixed(value, np.uint64(key))
    burn(m, 2 * len(callers))
    hash = integer(value & np.uint64(0x3FFFFFFF)) | 1
    mask = capacity(m, FRAME_SLOTS) // 4 - 1
    slot = hash & mask
    while get(m, FRAME_SLOTS, slot):
        frame = get(m, FRAME_SLOTS, slot)
        at = frame * FRAME_WIDTH
        is_same = get(m, FRAMES, at + FRAME_HASH) == hash
        if is_same and get(m, FRAMES, at + FRAME_FLAGS) == flags and _awaits(m, at, callers):
            return frame
        slot = (slot + 1) & mask
    frame = _add_frame(m, callers, flags)
    put(m, FRAMES, frame * FRAME_WIDTH + FRAME_HASH, hash)
    put(m, FRAME_SLOTS, slot, frame)
    return frame


@kernel
def _free_slot(m: Memory, frame: int) -> int:
    mask = capacity(m, FRAME_SLOTS) // 4 - 1
    slot = get(m, FRAMES, frame * FRAME_WIDTH + FRAME_HASH) & mask
    while get(m, FRAME_SLOTS, slot):
        slot = (slot + 1) & mask
    return slot


@kernel
def _awaits(m: Memory, at: int, callers: NDArray[np.int64]) -> bool:
    start = get(m, FRAMES, at + CALLER_START)
    if get(m, FRAMES, at + CALLER_END) - start != len(callers):
        return False
    for index, key in enumerate(callers):
        caller = 2 * (start + index)
        if get(m, CALLERS, caller) != key >> 32 or get(m, CALLERS, caller + 1) != key & 0xFFFFFFFF:
            return False
    return True


@kernel
def _add_frame(m: Memory, callers: NDArray[np.int64], flags: int) -> int:
    frame, start = m[FRAME_COUNT], m[CALLER_COUNT]
    end = start + len(callers)
    reserve(m, FRAMES, 4 * FRAME_WIDTH * (frame + 1))
    reserve(m, CALLERS, 8 * end)
    at = frame * FRAME_WIDTH
    put(m, FRAMES, at + CALLER_START, start)
    put(m, FRAMES, at + CALLER_END, end)
    put(m, FRAMES, at + FRAME_FLAGS, flags)
    for index, key in enumerate(callers):
        put(m, CALLERS, 2 * (start + index), key >> 32)
        put(m, CALLERS, 2 * (start + index) + 1, key & 0xFFFFFFFF)
    m[FRAME_COUNT] = frame + 1
    m[CALLER_COUNT] = end
    return frame


@kernel
def _keep_circles(
    m: Memory, by_frame: NDArray[np.int64], starts: NDArray[np.int64], first: int,
    kept: NDArray[np.int64],
) -> None:  # fmt: skip
    """Number the frames that are left, then write them."""
    count = m[FRAME_COUNT]
    is_left = kept == _NOT_KEPT
    for index in range(len(kept)):
        if is_left[index]:
            kept[index] = count
            count += 1
    for index in range(len(kept)):
        if is_left[index]:
            callers = by_frame[starts[index] : starts[index + 1]]
            _add_frame(m, _sorted(m, callers, first, kept), _flags(m, callers))
