"""Where one residual alone can end among fixed texts and gaps, whatever it returns to."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.layout import (
    CALLER_END,
    CALLER_START,
    CALLERS,
    FRAME_WIDTH,
    FRAMES,
    ITEMS,
    ROWS,
    S_END,
    S_START,
    STATE_COUNT,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    get,
    kernel,
    put,
    reserve,
)
from lipogram.grammars.engine.states import (
    residual_state,
    row_of,
)
from lipogram.grammars.lattice.gaps import (
    anything,
)

_ANY_TEXT: Final = 54  # by state: what any text leads to; 0: not known
PLACES: Final = 55  # where a residual can end: one place each
BEYOND: Final = -1  # a place that is too far off to be told: more than so many gaps away
_FAR: Final = 6


@kernel
def skip(m: Memory, state: int) -> int:
    """The state of all texts that begin with what led to `state`; kept."""
    reserve(m, _ANY_TEXT, 4 * m[STATE_COUNT])
    found = get(m, _ANY_TEXT, state)
    if found == 0:
        found = anything(m, state)
        reserve(m, _ANY_TEXT, 4 * m[STATE_COUNT])
        put(m, _ANY_TEXT, state, found)
        put(m, _ANY_TEXT, found, found)
    return found


@kernel
def exits(m: Memory, node: int, place: int, text: NDArray[np.int16]) -> int:
    """Write the places to PLACES at which a residual that begins at `place` can end; their number.

    `text` is bytes, and -1 for a gap. Places are before its elements, and at its end; one before a
    gap is anywhere in it. BEYOND stands for all places that are far off.
    """
    state = residual_state(m, node)
    count = gaps = 0
    end = len(text)
    while True:
        byte = text[place] if place < end else -2
        if byte == -1:
            gaps += 1
            if gaps > _FAR:
                reserve(m, PLACES, 4 * (count + 1))
                put(m, PLACES, count, BEYOND)
                return count + 1
            state = skip(m, state)
        row = row_of(m, state)
        if row & 1:
            reserve(m, PLACES, 4 * (count + 1))
            put(m, PLACES, count, place)
            count += 1
        if byte >= 0:
            state = get(m, ROWS, 256 * (row >> 1) + byte)
        burn(m, 1)
        if byte == -2 or state == 0:
            return count
        place += 1


@kernel
def items_of(m: Memory, state: int) -> int:
    """Write the items of a state to PLACES; their number."""
    at = state * STATE_WIDTH
    return _copy(m, ITEMS, get(m, STATES, at + S_START), get(m, STATES, at + S_END))


@kernel
def callers_of(m: Memory, frame: int) -> int:
    """Write the items that await the end of a frame to PLACES; their number."""
    at = frame * FRAME_WIDTH
    return _copy(m, CALLERS, get(m, FRAMES, at + CALLER_START), get(m, FRAMES, at + CALLER_END))


@kernel
def _copy(m: Memory, array: int, start: int, end: int) -> int:
    reserve(m, PLACES, 8 * (end - start))
    for index in range(2 * (end - start)):
        put(m, PLACES, index, get(m, array, 2 * start + index))
    return end - start
