"""Where the tokens of a vocabulary lead from a state: one walk of the trie in compiled code."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.reaches.layout import (
    BYTE,
    DEPTH,
    NODES,
    SKIP,
    TOKEN,
    TOKEN_START,
)
from lipogram.grammars.engine.layout import (
    GENERATION,
    ROWS,
    STATE_COUNT,
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
    row_of,
)

# Scratch arrays of the engine's memory that it does not use itself.
ENDS: Final = 60  # [., 2] state, token
_MARKS: Final = 61  # by state: generation
_PATH: Final = 62  # by depth: row


@kernel
def outcomes(
    m: Memory, v: Memory, state: int, usable: NDArray[np.int32], after: NDArray[np.int32]
) -> int:
    """Write the state after each token, 0 where it is not allowed.

    The distinct ones go to ENDS, each with the first token that leads there; returns their number.
    """
    m[GENERATION] += 1
    generation = m[GENERATION] & 0x7FFFFFFF
    after[:] = 0
    reserve(m, _PATH, 4)
    put(m, _PATH, 0, row_of(m, state) >> 1)
    node = ends = visited = 0
    while node < v[NODES]:
        visited += 1
        depth = get(v, DEPTH, node)
        there = get(m, ROWS, 256 * get(m, _PATH, depth - 1) + get(v, BYTE, node))
        if there == 0:
            node = get(v, SKIP, node)
            continue
        for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
            token = get(v, TOKEN, index)
            if usable[token >> 5] >> (token & 31) & 1:
                after[token] = there
                ends = _note(m, there, token, ends, generation)
        if get(v, SKIP, node) > node + 1:
            reserve(m, _PATH, 4 * (depth + 1))
            put(m, _PATH, depth, row_of(m, there) >> 1)
        node += 1
    burn(m, visited)
    return ends


@kernel
def _note(m: Memory, state: int, token: int, ends: int, generation: int) -> int:
    reserve(m, _MARKS, 4 * m[STATE_COUNT])
    if get(m, _MARKS, state) == generation:
        return ends
    put(m, _MARKS, state, generation)
    reserve(m, ENDS, 8 * (ends + 1))
    put(m, ENDS, 2 * ends, state)
    put(m, ENDS, 2 * ends + 1, token)
    return ends + 1
