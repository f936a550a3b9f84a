"""Runs of members (`ir.Members`): positions or sets of what has come, and the shortest rest.

A node of a run is (family, where, count, phase). Where is the next item's index, or the number of
the set of items that have come; the count of members so far stops at the first number that makes no
difference. Phases: nothing has come, a member has come, a member must come, and it must have bytes
if it is one of the others.
"""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.layout import (
    CALLING,
    F_ANY_ORDER,
    F_COUNT,
    F_FIRST,
    F_MAXIMUM,
    F_MINIMUM,
    F_OTHERS_LENGTH,
    F_OTHERS_RANK,
    F_SEPARATOR_LENGTH,
    F_SEPARATOR_RANK,
    F_TOP,
    FAMILIES,
    FAMILY_ITEMS,
    FAMILY_WIDTH,
    I_LENGTH,
    I_NEEDED_COUNT,
    I_NEEDED_LENGTH,
    I_NEEDED_RANK,
    I_RANK,
    I_REQUIRED,
    INFINITE,
    ITEM_WIDTH,
    KEYS,
    MEMBERS,
    NONCE,
    NOTHING,
    NULLABLE,
    SET_COUNT,
    SET_SLOTS,
    SETS,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    capacity,
    clear,
    get,
    get_word,
    integer,
    put,
    put_word,
    reserve,
)
from lipogram.grammars.engine.nodes import (
    add,
    added,
    known,
    multiplied,
)
from lipogram.grammars.kernels import kernel

BEGUN, AFTER, BEFORE, BEFORE_BYTES = range(4)  # phases


@kernel
def family_field(m: Memory, family: int, column: int) -> int:
    return get(m, FAMILIES, family * FAMILY_WIDTH + column)


@kernel
def item_field(m: Memory, family: int, index: int, column: int) -> int:
    first = get(m, FAMILIES, family * FAMILY_WIDTH + F_FIRST)
    return get(m, FAMILY_ITEMS, (first + index) * ITEM_WIDTH + column)


@kernel
def sum_needed(m: Memory, family: int) -> None:
    """For every position, the count and length of the required items from there on."""
    first, count = family_field(m, family, F_FIRST), family_field(m, family, F_COUNT)
    length = needed = rank = 0
    for index in range(count - 1, -1, -1):
        at = (first + index) * ITEM_WIDTH
        if get(m, FAMILY_ITEMS, at + I_REQUIRED):
            needed += 1
            length = added(length, get(m, FAMILY_ITEMS, at + I_LENGTH))
            rank = max(rank, get(m, FAMILY_ITEMS, at + I_RANK))
        put(m, FAMILY_ITEMS, at + I_NEEDED_COUNT, needed)
        put(m, FAMILY_ITEMS, at + I_NEEDED_LENGTH, length)
        put(m, FAMILY_ITEMS, at + I_NEEDED_RANK, rank)


# Sets of items.


@kernel
def has_come(m: Memory, family: int, where: int, index: int) -> bool:
    """Whether the item has come, or cannot come any more."""
    if family_field(m, family, F_ANY_ORDER):
        word = get_word(m, SETS, where + (index >> 6))
        return bool((word >> np.uint64(index & 63)) & np.uint64(1) != np.uint64(0))
    return index < where


@kernel
def _set_slot(m: Memory, start: int, words: int) -> int:
    size = capacity(m, SET_SLOTS) // 4
    value = np.uint64(words)
    for index in range(words):
        value = mixed(value, get_word(m, SETS, start + index))
    slot = integer(value & np.uint64(size - 1))
    while True:
        found = get(m, SET_SLOTS, slot)
        if found == 0 or integer(get_word(m, SETS, found - 1)) == words:
            index = 0
            while found and index < words:
                if get_word(m, SETS, found + index) != get_word(m, SETS, start + index):
                    break
                index += 1
            if found == 0 or index == words:
                return slot
        slot = (slot + 1) & (size - 1)


@kernel
def _intern_set(m: Memory, words: int) -> int:
    """The number of the set that is written one behind the last: its first word's place."""
    if capacity(m, SET_SLOTS) < 8 * m[SET_COUNT] + 64:
        reserve(m, SET_SLOTS, 16 * m[SET_COUNT] + 1024)
        clear(m, SET_SLOTS)
        at = 1
        while at < m[SET_COUNT]:
            size = integer(get_word(m, SETS, at))
            put(m, SET_SLOTS, _set_slot(m, at + 1, size), at + 1)
            at += size + 1
    start = m[SET_COUNT] + 1
    slot = _set_slot(m, start, words)
    found = get(m, SET_SLOTS, slot)
    if found:
        return found
    put_word(m, SETS, start - 1, np.uint64(words))
    put(m, SET_SLOTS, slot, start)
    m[SET_COUNT] = start + words
    return start


@kernel
def beginning(m: Memory, family: int) -> int:
    """Where a run begins: the first position, or the empty set."""
    if not family_field(m, family, F_ANY_ORDER):
        return 0
    words = (family_field(m, family, F_COUNT) + 63) // 64
    m[SET_COUNT] = max(m[SET_COUNT], 1)
    reserve(m, SETS, 8 * (m[SET_COUNT] + 1 + words))
    for index in range(words):
        put_word(m, SETS, m[SET_COUNT] + 1 + index, np.uint64(0))
    return _intern_set(m, words)


@kernel
def after_item(m: Memory, family: int, where: int, index: int) -> int:
    """Where a run is once the item has come."""
    if not family_field(m, family, F_ANY_ORDER):
        return index + 1
    words = (family_field(m, family, F_COUNT) + 63) // 64
    start = m[SET_COUNT] + 1
    reserve(m, SETS, 8 * (start + words))
    for word in range(words):
        put_word(m, SETS, start + word, get_word(m, SETS, where + word))
    bit = np.uint64(1) << np.uint64(index & 63)
    put_word(m, SETS, start + (index >> 6), get_word(m, SETS, start + (index >> 6)) | bit)
    return _intern_set(m, words)


# The shortest rest.


@kernel
def _needed(m: Memory, family: int, where: int) -> tuple[int, int, int]:
    """The count, length and rank of the required items that have not come."""
    count = family_field(m, family, F_COUNT)
    if not family_field(m, family, F_ANY_ORDER):
        if where >= count:
            return 0, 0, 0
        return (
            item_field(m, family, where, I_NEEDED_COUNT),
            item_field(m, family, where, I_NEEDED_LENGTH),
            item_field(m, family, where, I_NEEDED_RANK),
        )
    needed = length = rank = 0
    for index in range(count):
        if item_field(m, family, index, I_REQUIRED) and not has_come(m, family, where, index):
            needed += 1
            length = added(length, item_field(m, family, index, I_LENGTH))
            rank = max(rank, item_field(m, family, index, I_RANK))
    burn(m, count)
    return needed, length, rank


@kernel
def _is_nearer(m: Memory, family: int, length: int, rank: int, other: np.uint64) -> bool:
    own = item_field(m, family, integer(other), I_LENGTH)
    return length < own or (length == own and rank < item_field(m, family, integer(other), I_RANK))


@kernel
def fill(m: Memory, family: int, where: int, missing: int) -> tuple[int, int]:
    """Choose the shortest optional items, at most `missing` that are shorter than the others.

    Their indexes stand in KEYS, shortest first; returns their count and how many
    of the others are to be added, -1 if there are not enough.
    """
    others = family_field(m, family, F_OTHERS_LENGTH)
    chosen = 0
    count = family_field(m, family, F_COUNT)
    reserve(m, KEYS, 8 * (count + 1))
    for index in range(count):
        length = item_field(m, family, index, I_LENGTH)
        if (
            length < INFINITE
            and length <= others
            and not item_field(m, family, index, I_REQUIRED)
            and not has_come(m, family, where, index)
        ):
            rank = item_field(m, family, index, I_RANK)
            if length == others and rank > family_field(m, family, F_OTHERS_RANK):
                continue
            at = chosen
            while at > 0 and _is_nearer(m, family, length, rank, get_word(m, KEYS, at - 1)):
                put_word(m, KEYS, at, get_word(m, KEYS, at - 1))
                at -= 1
            put_word(m, KEYS, at, np.uint64(index))
            chosen = min(chosen + 1, missing)
    burn(m, count + chosen)
    if chosen < missing and others >= INFINITE:
        return chosen, -1
    return chosen, missing - chosen


@kernel
def missing_members(m: Memory, family: int, where: int, count: int, phase: int) -> int:
    """How many members beyond the required ones must come."""
    needed = _needed(m, family, where)[0]
    missing = max(family_field(m, family, F_MINIMUM) - count - needed, 0)
    return 1 if phase >= BEFORE and needed + missing == 0 else missing


@kernel
def rest_of_run(m: Memory, family: int, where: int, count: int, phase: int) -> tuple[int, int]:
    """The length and rank of a shortest rest of the run; INFINITE if there is none."""
    needed, length, rank = _needed(m, family, where)
    missing = missing_members(m, family, where, count, phase)
    maximum = family_field(m, family, F_MAXIMUM)
    total = needed + missing
    if length >= INFINITE or (maximum >= 0 and count + total > maximum):
        return INFINITE, 0
    if missing:
        chosen, extra = fill(m, family, where, missing)
        if extra < 0:
            return INFINITE, 0
        for index in range(chosen):
            item = integer(get_word(m, KEYS, index))
            length = added(length, item_field(m, family, item, I_LENGTH))
            rank = max(rank, item_field(m, family, item, I_RANK))
        if extra:
            length = added(length, multiplied(family_field(m, family, F_OTHERS_LENGTH), extra))
            rank = max(rank, family_field(m, family, F_OTHERS_RANK))
    separators = total if phase == AFTER else max(total - 1, 0)
    if separators:
        own = family_field(m, family, F_SEPARATOR_LENGTH)
        length = added(length, multiplied(own, separators))
        rank = max(rank, family_field(m, family, F_SEPARATOR_RANK))
    return length, rank


@kernel
def members(m: Memory, family: int, where: int, count: int, phase: int) -> int:
    """The node of what is left of a run; NOTHING if it cannot be brought to an end."""
    count = min(count, family_field(m, family, F_TOP))
    packed = count * 4 + phase
    node = known(m, MEMBERS, family, where, packed, 0)
    if node:
        return node
    length, rank = rest_of_run(m, family, where, count, phase)
    if length >= INFINITE:
        return NOTHING
    h0 = mixed(np.uint64(m[NONCE]) + np.uint64(2), np.uint64(family))
    h0 = mixed(mixed(h0, np.uint64(where)), np.uint64(packed))
    h1 = mixed(np.uint64(m[NONCE]) + np.uint64(3), np.uint64(family))
    h1 = mixed(mixed(h1, np.uint64(where)), np.uint64(packed))
    return add(
        m, MEMBERS, family, where, packed, 0, CALLING | (NULLABLE if length == 0 else 0), length,
        rank, INFINITE, h0, h1,
    )  # fmt: skip
