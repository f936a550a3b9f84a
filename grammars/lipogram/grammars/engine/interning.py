"""Configurations by number: equal ones are one state."""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.layout import (
    ITEMS,
    MAX_STATES,
    NONCE,
    ROOT,
    ROW_OF,
    S_END,
    S_START,
    STATE_COUNT,
    STATE_ITEM_COUNT,
    STATE_SLOTS,
    STATE_WIDTH,
    STATES,
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


@kernel
def intern_state(m: Memory, end: int) -> int:
    """The state of the sorted items written behind the last state's, up to `end`.

    A new state keeps them; otherwise they are left to be overwritten.
    """
    count = m[STATE_COUNT]
    if capacity(m, STATE_SLOTS) < 8 * count + 64:
        reserve(m, STATE_SLOTS, 16 * count + 4096)
        clear(m, STATE_SLOTS)
        for state in range(1, count):
            at = state * STATE_WIDTH
            slot = _state_slot(m, get(m, STATES, at + S_START), get(m, STATES, at + S_END))
            put(m, STATE_SLOTS, slot, state)
    start = m[STATE_ITEM_COUNT]
    slot = _state_slot(m, start, end)
    found = get(m, STATE_SLOTS, slot)
    if found:
        return found
    if count >= 8 * m[MAX_STATES]:
        raise MemoryError
    burn(m, 20)
    reserve(m, STATES, 4 * STATE_WIDTH * (count + 1))
    reserve(m, ROW_OF, 4 * (count + 1))
    put(m, STATES, count * STATE_WIDTH + S_START, start)
    put(m, STATES, count * STATE_WIDTH + S_END, end)
    put(m, STATE_SLOTS, slot, count)
    m[STATE_ITEM_COUNT] = end
    m[STATE_COUNT] = count + 1
    return count


@kernel
def _state_slot(m: Memory, start: int, end: int) -> int:
    size = capacity(m, STATE_SLOTS) // 4
    value, secret = np.uint64(0), np.uint64(m[NONCE])  # sums can be solved for
    for index in range(start, end):  # none waits for the one before
        node, frame = get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1)
        value += mixed(secret, np.uint64(node) | (np.uint64(frame) << np.uint64(32)))
    slot = integer(value & np.uint64(size - 1))
    while True:
        state = get(m, STATE_SLOTS, slot)
        if state == 0:
            return slot
        other = get(m, STATES, state * STATE_WIDTH + S_START)
        if get(m, STATES, state * STATE_WIDTH + S_END) - other == end - start:
            offset = 0
            while offset < 2 * (end - start):
                if get(m, ITEMS, 2 * start + offset) != get(m, ITEMS, 2 * other + offset):
                    break
                offset += 1
            if offset == 2 * (end - start):
                return slot
        slot = (slot + 1) & (size - 1)


@kernel
def residual_state(m: Memory, node: int) -> int:
    """The state of one node alone: complete where the node ends."""
    end = m[STATE_ITEM_COUNT]
    reserve(m, ITEMS, 8 * (end + 1))
    put(m, ITEMS, 2 * end, node)
    put(m, ITEMS, 2 * end + 1, ROOT)
    return intern_state(m, end + 1)
