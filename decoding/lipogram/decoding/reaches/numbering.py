"""Numbers things by kind, in the order in which they come, while one mask is made."""

from __future__ import annotations

from lipogram.decoding.reaches.layout import (
    GENERATION,
    KEY_COUNT,
    KEY_SLOTS,
    KEY_WIDTH,
    KEYS,
    KINDS,
    LAST_GENERATION,
    NUMBERED,
)
from lipogram.grammars.engine.memory import Memory, capacity, clear, get, load, put, reserve
from lipogram.grammars.kernels import kernel


@kernel
def start_numbering(v: Memory) -> None:
    """Forget all numbers."""
    v[GENERATION] += 1
    if v[GENERATION] == LAST_GENERATION:
        v[GENERATION] = 1
        clear(v, KEY_SLOTS)
    v[KEY_COUNT] = 0
    for kind in range(KINDS):
        v[NUMBERED + kind] = 0


@kernel
def number(v: Memory, kind: int, a: int, b: int) -> int:
    """The number of the pair (a, b) among those of its kind: the next one if it is new."""
    count = v[KEY_COUNT]
    if capacity(v, KEY_SLOTS) < 8 * KEY_WIDTH * (count + 1):
        reserve(v, KEY_SLOTS, 16 * KEY_WIDTH * (count + 1) + 4096)
        clear(v, KEY_SLOTS)
        for index in range(count):
            at = KEY_WIDTH * index
            known, first, second = get(v, KEYS, at), get(v, KEYS, at + 1), get(v, KEYS, at + 2)
            slot = _slot(v, known, first, second)
            _put_row(v, KEY_SLOTS, slot, known, first, second, get(v, KEYS, at + 3))
    key = v[GENERATION] * KINDS + kind
    slot = _slot(v, key, a, b)
    if get(v, KEY_SLOTS, slot) == key:
        return get(v, KEY_SLOTS, slot + 3)
    found = v[NUMBERED + kind]
    reserve(v, KEYS, 4 * KEY_WIDTH * (count + 1))
    _put_row(v, KEYS, KEY_WIDTH * count, key, a, b, found)
    _put_row(v, KEY_SLOTS, slot, key, a, b, found)
    v[NUMBERED + kind] = found + 1
    v[KEY_COUNT] = count + 1
    return found


@kernel
def _put_row(v: Memory, array: int, at: int, key: int, a: int, b: int, found: int) -> None:
    put(v, array, at, key)
    put(v, array, at + 1, a)
    put(v, array, at + 2, b)
    put(v, array, at + 3, found)


@kernel
def _slot(v: Memory, key: int, a: int, b: int) -> int:
    """Where in KEY_SLOTS the pair is noted, or is to be."""
    size = capacity(v, KEY_SLOTS) // (4 * KEY_WIDTH)
    slots = v[KEY_SLOTS]
    slot = (a * 0x9E3779B1 + b * 0x85EBCA77 + key * 0xC2B2AE35) & (size - 1)
    while load(slots, KEY_WIDTH * slot) >= v[GENERATION] * KINDS:
        at = KEY_WIDTH * slot
        if load(slots, at) == key and load(slots, at + 1) == a and load(slots, at + 2) == b:
            break
        slot = (slot + 1) & (size - 1)
    return KEY_WIDTH * slot
