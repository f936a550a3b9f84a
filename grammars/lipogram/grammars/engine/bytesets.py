"""Sets of bytes by number, and classes of bytes that are alike to several sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.layout import (
    MASK_COUNT,
    MASK_SLOTS,
    MASKS,
    NONCE,
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
def mixed(value: np.uint64, other: np.uint64) -> np.uint64:
    """A hash of two words, in this order (splitmix64's finalizer)."""
    value = (value + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + other
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def lowest_bit(word: np.uint64) -> int:
    """The index of the lowest bit of a word that has one."""
    index = 0
    shift = 32
    while shift:
        if word & ((np.uint64(1) << np.uint64(shift)) - np.uint64(1)) == np.uint64(0):
            word >>= np.uint64(shift)
            index += shift
        shift >>= 1
    return index


@kernel
def mask_word(m: Memory, mask: int, index: int) -> np.uint64:
    return get_word(m, MASKS, 4 * mask + index)


@kernel
def has_byte(m: Memory, mask: int, byte: int) -> bool:
    """Whether the byte is in the set."""
    word = get_word(m, MASKS, 4 * mask + (byte >> 6))
    return bool((word >> np.uint64(byte & 63)) & np.uint64(1) != np.uint64(0))


@kernel
def _mask_slot(m: Memory, w0: np.uint64, w1: np.uint64, w2: np.uint64, w3: np.uint64) -> int:
    size = capacity(m, MASK_SLOTS) // 4
    slot = integer(mixed(mixed(w0, w1), mixed(w2, w3)) & np.uint64(size - 1))
    while True:
        found = get(m, MASK_SLOTS, slot)
        if found == 0 or (
            mask_word(m, found, 0) == w0
            and mask_word(m, found, 1) == w1
            and mask_word(m, found, 2) == w2
            and mask_word(m, found, 3) == w3
        ):
            return slot
        slot = (slot + 1) & (size - 1)


@kernel
def mask_of(m: Memory, w0: np.uint64, w1: np.uint64, w2: np.uint64, w3: np.uint64) -> int:
    """The number of a byte set that is not empty; that of a single byte is the byte."""
    zero, one = np.uint64(0), np.uint64(1)
    filled = (w0 != zero) + (w1 != zero) + (w2 != zero) + (w3 != zero)
    if filled == 1:
        word = w0 | w1 | w2 | w3
        if word & (word - one) == zero:
            base = 0 if w0 != zero else 64 if w1 != zero else 128 if w2 != zero else 192
            return base + lowest_bit(word)
    count = m[MASK_COUNT]
    if capacity(m, MASK_SLOTS) < 16 * count:
        reserve(m, MASK_SLOTS, 32 * count)
        clear(m, MASK_SLOTS)
        for mask in range(256, count):
            slot = _mask_slot(
                m, mask_word(m, mask, 0), mask_word(m, mask, 1), mask_word(m, mask, 2),
                mask_word(m, mask, 3),
            )  # fmt: skip
            put(m, MASK_SLOTS, slot, mask)
    slot = _mask_slot(m, w0, w1, w2, w3)
    found = get(m, MASK_SLOTS, slot)
    if found:
        return found
    reserve(m, MASKS, 32 * (count + 1))
    put_word(m, MASKS, 4 * count, w0)
    put_word(m, MASKS, 4 * count + 1, w1)
    put_word(m, MASKS, 4 * count + 2, w2)
    put_word(m, MASKS, 4 * count + 3, w3)
    put(m, MASK_SLOTS, slot, count)
    m[MASK_COUNT] = count + 1
    return count


@kernel
def sign(m: Memory, signature: NDArray[np.uint64], mask: int, number: int) -> None:
    """Add to the signatures of the bytes of a set what stands for its number."""
    key = mixed(np.uint64(number), np.uint64(m[NONCE]))  # secret: sums can be solved for
    if mask < 256:
        signature[mask] += key
        return
    for at in range(4):
        word = mask_word(m, mask, at)
        while word != np.uint64(0):
            signature[64 * at + lowest_bit(word)] += key
            word &= word - np.uint64(1)


@kernel
def classify(signature: NDArray[np.uint64], class_of: NDArray[np.int64]) -> int:
    """Number the bytes so that equal numbers have equal signatures, 0 having none; how many."""
    numbers = np.zeros(512, np.int64)
    classes = 1
    for byte in range(256):
        value = signature[byte]
        if value == np.uint64(0):
            continue
        slot = integer(value & np.uint64(511))
        while numbers[slot] and signature[numbers[slot] - 1] != value:
            slot = (slot + 1) & 511
        if numbers[slot] == 0:
            numbers[slot] = byte + 1
            class_of[byte] = classes
            classes += 1
        else:
            class_of[byte] = class_of[numbers[slot] - 1]
    return classes
