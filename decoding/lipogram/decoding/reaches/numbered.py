"""What has numbers while one mask is made: regions, places to return to, residuals, parts."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.reaches.layout import (
    DONE,
    FRESH,
    NUMBERED,
    P_IS_QUEUED,
    P_PLACE,
    P_RESIDUAL,
    PART,
    PART_WIDTH,
    PARTS,
    PLACE,
    PLACE_WIDTH,
    PLACES,
    REGION,
    RELEVANT,
    RESIDUAL,
    RESIDUAL_WIDTH,
    RESIDUALS,
    RETURNED,
    S_CALLS,
    S_CHECKED,
    S_NODE,
    STANDING,
    UNREAD,
    W_CALLERS,
    W_FRAME,
    W_REGION,
    WIDTH,
)
from lipogram.decoding.reaches.numbering import (
    number,
)
from lipogram.decoding.reaches.residuals import (
    unlimited,
)
from lipogram.grammars.engine.layout import (
    ROOT,
)
from lipogram.grammars.engine.memory import Memory, burn, put, put_word, reserve
from lipogram.grammars.kernels import kernel


@kernel
def number_of_region(v: Memory, region: int) -> int:
    """The number of a region; -1 if bit sets have no room for it."""
    found = number(v, REGION, region, 0)
    if found >= 64 * v[WIDTH]:
        return -1
    reserve(v, STANDING, 4 * (found + 1))
    put(v, STANDING, found, region)
    return found


@kernel
def number_of_place(v: Memory, frame: int, region: int) -> int:
    """The number of a frame; or of that of a rule, -1 - rule, that is called at a region."""
    count = v[NUMBERED + PLACE]
    found = number(v, PLACE, frame, region)
    if found == count:
        reserve(v, PLACES, 4 * PLACE_WIDTH * (found + 1))
        at = PLACE_WIDTH * found
        put(v, PLACES, at + W_FRAME, frame)
        put(v, PLACES, at + W_REGION, region)
        put(v, PLACES, at + W_CALLERS, UNREAD if frame > ROOT else 0)
        clear_words(v, RETURNED, found)
    return found


@kernel
def number_of_residual(m: Memory, v: Memory, node: int) -> int:
    """The number of a residual."""
    count = v[NUMBERED + RESIDUAL]
    found = number(v, RESIDUAL, node, 0)
    if found == count:
        reserve(v, RESIDUALS, 4 * RESIDUAL_WIDTH * (found + 1))
        at = RESIDUAL_WIDTH * found
        put(v, RESIDUALS, at + S_NODE, unlimited(m, v, node))
        put(v, RESIDUALS, at + S_CALLS, UNREAD)
        put(v, RESIDUALS, at + S_CHECKED, 0)
        clear_words(v, RELEVANT, found)
    return found


@kernel
def number_of_part(m: Memory, v: Memory, node: int, place: int) -> int:
    """The number of a part."""
    count = v[NUMBERED + PART]
    residual = number_of_residual(m, v, node)
    found = number(v, PART, residual, place)
    if found == count:
        reserve(v, PARTS, 4 * PART_WIDTH * (found + 1))
        at = PART_WIDTH * found
        put(v, PARTS, at + P_RESIDUAL, residual)
        put(v, PARTS, at + P_PLACE, place)
        put(v, PARTS, at + P_IS_QUEUED, 0)
        clear_words(v, DONE, found)
        clear_words(v, FRESH, found)
        burn(m, 2 + v[WIDTH])
    return found


@kernel
def used_words(v: Memory) -> int:
    """How many words of bit sets there are regions for."""
    return min((v[NUMBERED + REGION] + 63) >> 6, v[WIDTH])


@kernel
def clear_words(v: Memory, array: int, row: int) -> None:
    width = v[WIDTH]
    reserve(v, array, 8 * width * (row + 1))
    for word in range(width * row, width * (row + 1)):
        put_word(v, array, word, np.uint64(0))
