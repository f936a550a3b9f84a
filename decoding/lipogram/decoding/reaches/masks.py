"""Masks: unions of reaches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.reaches.layout import (
    ALLOWED,
    CROSSED_COUNT,
    H_COUNT,
    H_IS_BITS,
    H_START,
    NOWHERE,
    PATH,
    REACH_ROWS,
    REACH_WIDTH,
    REACHED,
    TOKEN_COUNT_OUT,
    WHOLE,
)
from lipogram.decoding.reaches.parts import (
    find_parts,
)
from lipogram.decoding.reaches.regions import (
    forget,
    is_full,
)
from lipogram.decoding.reaches.table import (
    keep_reach,
)
from lipogram.decoding.reaches.walks import (
    explore_plainly,
)
from lipogram.grammars.engine.layout import (
    NOTHING,
)
from lipogram.grammars.engine.memory import Memory, get, load, put, reserve
from lipogram.grammars.engine.states import (
    row_of,
)
from lipogram.grammars.kernels import exported, kernel


@kernel
def _walk_state(m: Memory, v: Memory, state: int) -> int:
    """The reach of a whole state, as the only one in REACHED; returns 1.

    Where lexemes are munched, what may follow one depends on all that are in progress.
    """
    row = row_of(m, state)
    v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
    put(v, PATH, 0, row)
    explore_plainly(m, v, WHOLE, row)
    v[CROSSED_COUNT] = 0
    reserve(v, REACHED, 4)
    put(v, REACHED, 0, keep_reach(m, v, NOTHING, NOWHERE, 0, -1, -1))
    return 1


@kernel
def _unite(v: Memory, parts: int, out: NDArray[np.int32]) -> None:
    """Write the union of the first reaches in REACHED."""
    out[:] = 0
    allowed = v[ALLOWED]
    for part in range(parts):
        at = get(v, REACHED, part) * REACH_WIDTH
        start, size = get(v, REACH_ROWS, at + H_START), get(v, REACH_ROWS, at + H_COUNT)
        if get(v, REACH_ROWS, at + H_IS_BITS):
            for index in range(size):
                out[index] |= np.int32(load(allowed, start + index))
        else:
            for index in range(start, start + size):
                token = load(allowed, index)
                out[token >> 5] |= np.int32(np.uint32(1) << np.uint32(token & 31))


@exported
def write_mask(m: Memory, v: Memory, state: int, has_lexemes: bool, out: NDArray[np.int32]) -> bool:
    """Write the tokens that a state allows; whether its text is complete."""
    if is_full(v):
        forget(v)
    parts = _walk_state(m, v, state) if has_lexemes else find_parts(m, v, state)
    _unite(v, parts, out)
    return row_of(m, state) & 1 == 1
