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
from lipogram.grammars.engine.memory import Memory, get, put, reserve, spend
from lipogram.grammars.engine.states import (
    row_of,
)
from lipogram.grammars.kernels import exported, kernel

# Scratch arrays of the engine's memory that it does not use itself.
ENDS: Final = 60  # [., 2] state, token
_MARKS: Final = 61  # [S, 2] generation; one more than the usual successor, 0: not known
_PATH: Final = 62  # by depth: row; and the usual successor there
_MANY_BYTES: Final = 24  # that lead to the usual successor


@exported
def outcomes(
    m: Memory, v: Memory, state: int, wanted: NDArray[np.bool_], after: NDArray[np.int32]
) -> int:
    """Write the state after each wanted token, 0 where it is not allowed, or not wanted.

    The distinct ones go to ENDS, each with the first token that leads there; returns their number.
    """
    counts = counts_before(m, v, wanted)
    m[GENERATION] += 1
    generation = m[GENERATION] & 0x7FFFFFFF
    after[:] = 0
    reserve(m, _PATH, 8)
    put(m, _PATH, 0, row_of(m, state) >> 1)
    node = ends = 0
    while node < v[NODES]:
        spend(m, 1)
        first, stop = get(v, TOKEN_START, node), get(v, SKIP, node)
        if counts[first] == counts[get(v, TOKEN_START, stop)]:
            node = stop
            continue
        depth = get(v, DEPTH, node)
        there = get(m, ROWS, 256 * get(m, _PATH, 2 * depth - 2) + get(v, BYTE, node))
        if there == 0:
            node = stop
            continue
        for index in range(first, get(v, TOKEN_START, node + 1)):
            token = get(v, TOKEN, index)
            if wanted[token]:
                after[token] = there
                ends = _note(m, there, token, ends, generation)
        if stop > node + 1:
            reserve(m, _PATH, 8 * (depth + 1))
            put(m, _PATH, 2 * depth, row_of(m, there) >> 1)
        node += 1
    return ends


@kernel
def ends_of_wanted(m: Memory, v: Memory, state: int, wanted: NDArray[np.int32]) -> int:
    """Write to ENDS as `outcomes` does, for a bit set of wanted tokens."""
    size = 32 * len(wanted)
    is_wanted = np.empty(size, np.bool_)
    for token in range(size):
        is_wanted[token] = wanted[token >> 5] >> (token & 31) & 1 != 0
    return outcomes(m, v, state, is_wanted, np.empty(size, np.int32))


@kernel
def counts_before(m: Memory, v: Memory, wanted: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How many wanted tokens come before each, in the order of the trie."""
    size = get(v, TOKEN_START, v[NODES])
    counts = np.empty(size + 1, np.int32)
    spend(m, size >> 3)
    count = 0
    for index in range(size):
        counts[index] = count
        count += wanted[get(v, TOKEN, index)]
    counts[size] = count
    return counts


@kernel
def ends(m: Memory, v: Memory, state: int, usable: NDArray[np.int32], is_whole: int) -> int:
    """Write to ENDS as `outcomes` does; unless it is to be whole, of fewer tokens, of many kinds.

    Where most characters lead to one state, as in texts and names, tokens that begin so and have
    more to them are left out then. All tokens of one byte are among those tried.
    """
    m[GENERATION] += 1
    generation = m[GENERATION] & 0x7FFFFFFF
    reserve(m, _PATH, 8)
    row = row_of(m, state) >> 1
    put(m, _PATH, 0, row)
    put(m, _PATH, 1, 0 if is_whole else _usual(m, state, row))
    node = found = 0
    while node < v[NODES]:
        spend(m, 1)
        depth = get(v, DEPTH, node)
        byte = get(v, BYTE, node)
        there = get(m, ROWS, 256 * get(m, _PATH, 2 * depth - 2) + byte)
        stop = get(v, SKIP, node)
        if there == 0:
            node = stop
            continue
        for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
            token = get(v, TOKEN, index)
            if usable[token >> 5] >> (token & 31) & 1:
                found = _note(m, there, token, found, generation)
        if stop > node + 1:
            usual = get(m, _PATH, 2 * depth - 1)
            if usual and (there == usual or byte >= 0x80):
                node = stop
                continue
            reserve(m, _PATH, 8 * (depth + 1))
            row = row_of(m, there) >> 1
            put(m, _PATH, 2 * depth, row)
            put(m, _PATH, 2 * depth + 1, 0 if is_whole else _usual(m, there, row))
        node += 1
    return found


@kernel
def _usual(m: Memory, state: int, row: int) -> int:
    """The state that most characters lead to and stay in; 0 if they do not."""
    reserve(m, _MARKS, 8 * m[STATE_COUNT])
    known = get(m, _MARKS, 2 * state + 1)
    if known == 0:
        usual = votes = count = 0
        for byte in range(0x20, 0x7F):  # Boyer and Moore's vote
            there = get(m, ROWS, 256 * row + byte)
            if votes == 0:
                usual = there
            votes += 1 if there == usual else -1
        stays = 256 * (row_of(m, usual) >> 1) if usual else 0
        for byte in range(0x20, 0x7F):
            there = get(m, ROWS, 256 * row + byte)
            count += there == usual and get(m, ROWS, stays + byte) == usual
        known = usual + 1 if usual and count >= _MANY_BYTES else 1
        reserve(m, _MARKS, 8 * m[STATE_COUNT])
        put(m, _MARKS, 2 * state + 1, known)
    return known - 1


@kernel
def _note(m: Memory, state: int, token: int, ends: int, generation: int) -> int:
    reserve(m, _MARKS, 8 * m[STATE_COUNT])
    if get(m, _MARKS, 2 * state) == generation:
        return ends
    put(m, _MARKS, 2 * state, generation)
    reserve(m, ENDS, 8 * (ends + 1))
    put(m, ENDS, 2 * ends, state)
    put(m, ENDS, 2 * ends + 1, token)
    return ends + 1
