"""Sets of bytes by number, and the classes of bytes that several sets do not tell apart."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.layout import (
    MASK_COUNT,
    MASK_SLOTS,
    MASKS,
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
from lipogram.grammars.kernels import intrinsic, kernel

_SINGLES: Final = 4 * 512  # words of the bytes that are to be classes of their own
CLASS_WORDS: Final = _SINGLES + 4


@kernel
def mixed(value: np.uint64, other: np.uint64) -> np.uint64:
    """A hash of two words, in this order (splitmix64's finalizer)."""
    value = (value + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + other
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@intrinsic
def lowest_bit(word: np.uint64) -> int:
    """The index of the lowest bit of a word that has one."""
    raise NotImplementedError


@intrinsic
def bit_count(word: np.uint64) -> int:
    """How many bits of a word are set."""
    raise NotImplementedError


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
def begin_classes(partition: NDArray[np.uint64], has_all: bool) -> int:
    """Begin to part bytes into classes, with one class of all bytes or with none; how many.

    A class is four words of the partition, which has CLASS_WORDS.
    """
    partition[_SINGLES:] = np.uint64(0)
    partition[:4] = ~np.uint64(0)
    return int(has_all)


@kernel
def split(m: Memory, partition: NDArray[np.uint64], classes: int, mask: int) -> int:
    """Split classes that a set cuts in two, and add what lies in none; how many there are then.

    Single bytes are only noted: see `isolate`.
    """
    if mask < 256:
        partition[_SINGLES + (mask >> 6)] |= np.uint64(1) << np.uint64(mask & 63)
        return classes
    w0, w1 = mask_word(m, mask, 0), mask_word(m, mask, 1)
    w2, w3 = mask_word(m, mask, 2), mask_word(m, mask, 3)
    for at in range(0, 4 * classes, 4):
        b0, b1, b2, b3 = partition[at], partition[at + 1], partition[at + 2], partition[at + 3]
        c0, c1, c2, c3 = b0 & w0, b1 & w1, b2 & w2, b3 & w3
        if c0 | c1 | c2 | c3 == np.uint64(0):
            continue
        if (b0 ^ c0) | (b1 ^ c1) | (b2 ^ c2) | (b3 ^ c3) != np.uint64(0):
            _put_class(partition, 4 * classes, b0 ^ c0, b1 ^ c1, b2 ^ c2, b3 ^ c3)
            _put_class(partition, at, c0, c1, c2, c3)
            classes += 1
        w0, w1, w2, w3 = w0 ^ c0, w1 ^ c1, w2 ^ c2, w3 ^ c3
    if w0 | w1 | w2 | w3 != np.uint64(0):
        _put_class(partition, 4 * classes, w0, w1, w2, w3)
        classes += 1
    return classes


@kernel
def _put_class(
    partition: NDArray[np.uint64], at: int,
    w0: np.uint64, w1: np.uint64, w2: np.uint64, w3: np.uint64,
) -> None:  # fmt: skip
    partition[at], partition[at + 1] = w0, w1
    partition[at + 2], partition[at + 3] = w2, w3


@kernel
def isolate(partition: NDArray[np.uint64], classes: int) -> int:
    """Make each single byte that was noted a class of its own; how many there are then.

    A class that they were taken from may have none left.
    """
    zero, one = np.uint64(0), np.uint64(1)
    before = classes
    for word in range(4):
        singles = partition[_SINGLES + word]
        if singles == zero:
            continue
        for at in range(word, 4 * before, 4):
            partition[at] &= ~singles
        while singles != zero:
            _put_class(partition, 4 * classes, zero, zero, zero, zero)
            partition[4 * classes + word] = one << np.uint64(lowest_bit(singles))
            singles &= singles - one
            classes += 1
    return classes


@kernel
def first_byte(partition: NDArray[np.uint64], number: int) -> int:
    """The lowest byte of a class, -1 if it has none."""
    for word in range(4):
        if partition[4 * number + word] != np.uint64(0):
            return 64 * word + lowest_bit(partition[4 * number + word])
    return -1
