"""All tokens that fit a slot: those alike are decided together, by where they lead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.compiled.layout import MARKS, WAY
from lipogram.decoding.canvas.compiled.outcomes import ENDS, outcomes
from lipogram.decoding.canvas.compiled.stretches import restore_row, take, write_row
from lipogram.decoding.canvas.compiled.ways import Spellings
from lipogram.grammars.engine.layout import STATE_COUNT
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.ahead import can_end, front


@exported
def keep_possible(
    m: Memory, k: Memory, a: Memory, position: int, after: NDArray[np.int32],
    left: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Keep the tokens that lead from what any text leads to to where a way may go on."""
    state = front(m, k, position)
    if state <= 0:
        return
    _mark(m, k, k, a, left, state, position, after)
    for token in range(len(left)):
        left[token] &= after[token] != 0 and get(k, MARKS, after[token]) != 0


@exported
def move_fitting(
    m: Memory, k: Memory, w: Memory, a: Memory, s: Spellings, state: int, position: int,
    pairs: NDArray[np.int64], after: NDArray[np.int32], left: NDArray[np.bool_],
    fitting: NDArray[np.bool_], end: int,
) -> None:  # fmt: skip
    """Move the tokens that lead from a state to where the witness can go on.

    It is to have the tokens given as cells and tokens in turn; `w` has its row in the end.
    """
    k[COUNTERS + WAY] = 0
    for index in range(0, len(pairs), 2):
        take(k, pairs[index], pairs[index + 1])
    write_row(k, w, s, end)
    _mark(m, k, w, a, left, state, position, after)
    restore_row(k, w, s, end)
    for token in range(len(left)):
        if left[token] and after[token] and get(k, MARKS, after[token]):
            left[token] = False
            fitting[token] = True


@kernel
def _mark(
    m: Memory, k: Memory, row: Memory, a: Memory, left: NDArray[np.bool_], state: int,
    position: int, after: NDArray[np.int32],
) -> None:  # fmt: skip
    """Write the states after what is left, and mark those from which what is in a row can come."""
    count = outcomes(m, a, state, left, after)
    reserve(k, MARKS, 4 * m[STATE_COUNT])
    for index in range(count):
        there = get(m, ENDS, 2 * index)
        put(k, MARKS, there, 1 if can_end(m, row, there, position + 1) else 0)
