"""A configuration is a set of items, so a union of configurations is one: it goes on by whatever
any of them goes on by. Not under maximal munch, which looks at all items at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.interning import intern_state
from lipogram.grammars.engine.layout import (
    ITEMS,
    ROWS,
    S_END,
    S_START,
    STATE_ITEM_COUNT,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.memory import Memory, burn, get, put, reserve
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import exported, kernel


@exported
def union(m: Memory, states: NDArray[np.int64], count: int) -> int:
    """The state of the items of the first `count` states."""
    if count == 1:
        return states[0]  # type: ignore[no-any-return]
    total = 0
    for index in range(count):
        at = states[index] * STATE_WIDTH
        total += get(m, STATES, at + S_END) - get(m, STATES, at + S_START)
    keys = np.empty(total, np.int64)
    size = 0
    for index in range(count):
        at = states[index] * STATE_WIDTH
        for item in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
            keys[size] = get(m, ITEMS, 2 * item) << 32 | get(m, ITEMS, 2 * item + 1)
            size += 1
    return state_of_keys(m, keys)


@kernel
def state_of_keys(m: Memory, keys: NDArray[np.int64]) -> int:
    """The state of items given as (node << 32 | frame), in any order, repeats allowed."""
    burn(m, 8 * len(keys))
    keys.sort()
    start = m[STATE_ITEM_COUNT]
    reserve(m, ITEMS, 8 * (start + len(keys)))
    end = start
    previous = -1
    for key in keys:
        if key != previous:
            put(m, ITEMS, 2 * end, key >> 32)
            put(m, ITEMS, 2 * end + 1, key & 0xFFFFFFFF)
            end += 1
        previous = key
    return intern_state(m, end)


@exported
def read(m: Memory, state: int, text: NDArray[np.uint8]) -> int:
    """The state after all bytes of a text; 0 if none."""
    burn(m, len(text))
    for byte in text:
        state = get(m, ROWS, 256 * (row_of(m, state) >> 1) + byte)
        if state == 0:
            break
    return state


@exported
def is_complete(m: Memory, state: int) -> bool:
    """Whether some text that led to the state is a member."""
    return row_of(m, state) & 1 == 1
