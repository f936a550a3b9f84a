"""Whether a token fits a slot: the cheapest argument that decides."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.compiled.layout import (
    EMPTY,
    FEW_SLOTS,
    IS_MUNCHED,
    PROOF,
    S_CHOICE,
    S_HOLE,
    S_MAY_STOP,
    S_STATE,
    S_STOP,
    WAY,
    slot_field,
)
from lipogram.decoding.canvas.compiled.search import (
    goes_by_witness,
    is_wide_at,
    run_begin,
    runs_back,
)
from lipogram.decoding.canvas.compiled.stretches import (
    ACCEPTED,
    FROM_ANY_TEXT,
    FROM_FURTHER,
    FROM_START,
    FROM_WITNESS,
    ONE_OF,
    REJECTED,
    UNDECIDED,
    follow_on,
    take,
)
from lipogram.decoding.canvas.compiled.ways import Spellings, read_spelling, read_token, run_end
from lipogram.grammars.engine.memory import COUNTERS, FUEL, Memory
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.ahead import NOWHERE, can_end, front

_RUNS: Final = 4  # of free slots on both sides that may be filled in another way
_NEAR: Final = 1_000_000  # units of work
_FAR: Final = 3_000_000
_ALL: Final = 20_000_000
_SHARE: Final = 16  # a part of the work that may be done, for all fillings at once


@kernel
def decide_by_witness(
    m: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int
) -> int:
    """Whether the witness, or texts and gaps, tell if a token, or EMPTY, fits a free slot.

    What has it goes to WAY. `r` has the row of the witness.
    """
    k[COUNTERS + WAY] = k[PROOF] = 0
    if token == EMPTY and not slot_field(k, position, S_MAY_STOP):
        return REJECTED
    for place in range(slot_field(k, position, S_HOLE), position):
        if slot_field(k, place, S_CHOICE) == EMPTY:
            return REJECTED  # the rest of the hole is empty, as in the witness
    behind = slot_field(k, position, S_STOP) if token == EMPTY else position + 1
    state = slot_field(k, position, S_STATE)
    if state and token != EMPTY:
        state = read_token(m, s, state, token)
    if state and goes_by_witness(m, k, r, state, behind):
        take(k, position, token)
        return ACCEPTED
    if _is_beyond(m, k, s, position, behind, token):
        k[PROOF] = max(front(m, k, position), 0)
        return REJECTED
    return UNDECIDED


@kernel
def decide_around(
    m: Memory, k: Memory, r: Memory, w: Memory, v: Memory, a: Memory, s: Spellings, position: int,
    token: int, end: int,
) -> int:  # fmt: skip
    """Whether a token, or EMPTY, fits a free slot in a short run, by all fillings of that.

    What has it goes to WAY. `r` and `w` have rows of the witness; `v` is a trie of some tokens, `a`
    of all.
    """
    return _around(m, k, r, w, v, a, s, s.usable, position, token, end)


@kernel
def decide_from_start(
    m: Memory, k: Memory, r: Memory, w: Memory, v: Memory, a: Memory, s: Spellings,
    wanted: NDArray[np.int32], position: int, token: int, end: int, work: int,
) -> int:  # fmt: skip
    """Whether a token fits a free slot by all fillings from the start on, with so much work."""
    state = slot_field(k, 0, S_STATE)
    return follow_on(
        m, k, r, w, v, a, s, wanted, FROM_START, 0, state, position, token, end, end, work
    )


@exported
def decide_one_of(
    m: Memory, k: Memory, r: Memory, w: Memory, v: Memory, a: Memory, s: Spellings,
    wanted: NDArray[np.int32], position: int, end: int,
) -> int:  # fmt: skip
    """Whether one of a bit set of tokens fits the free slot; which is among what goes to WAY.

    UNDECIDED where there is much choice, see `is_wide_at`.
    """
    k[COUNTERS + WAY] = 0
    if is_wide_at(k, position):
        return UNDECIDED
    verdict = _around(m, k, r, w, v, a, s, wanted, position, ONE_OF, end)
    if verdict == UNDECIDED:
        work = m[FUEL] // _SHARE
        verdict = decide_from_start(m, k, r, w, v, a, s, wanted, position, ONE_OF, end, work)
    return verdict


@kernel
def _around(
    m: Memory, k: Memory, r: Memory, w: Memory, v: Memory, a: Memory, s: Spellings,
    wanted: NDArray[np.int32], position: int, token: int, end: int,
) -> int:  # fmt: skip
    """Whether a token fits by all fillings of its own run of free slots, and some further on.

    Only where the run is short.
    """
    begin = run_begin(k, position)
    state = front(m, k, begin)
    if run_end(k, begin) > begin + FEW_SLOTS:
        return UNDECIDED
    first = runs_back(k, position, 0)
    verdict = follow_on(
        m, k, r, w, v, a, s, wanted, FROM_WITNESS, first, slot_field(k, first, S_STATE), position,
        token, end, 1, _NEAR,
    )  # fmt: skip
    if verdict == ACCEPTED:
        return ACCEPTED
    is_known = token == ONE_OF and run_end(k, begin) == begin + 1  # to be possible, one by one
    if state > 0 and not is_known:
        verdict = follow_on(
            m, k, r, w, v, a, s, wanted, FROM_ANY_TEXT, begin, state, position, token, end, 0, _ALL
        )  # fmt: skip
        if verdict == REJECTED:
            return REJECTED
    first = runs_back(k, position, _RUNS)
    verdict = follow_on(
        m, k, r, w, v, a, s, wanted, FROM_FURTHER, first, slot_field(k, first, S_STATE), position,
        token, end, _RUNS, _FAR,
    )  # fmt: skip
    return ACCEPTED if verdict == ACCEPTED else UNDECIDED


@kernel
def _is_beyond(m: Memory, k: Memory, s: Spellings, position: int, behind: int, token: int) -> bool:
    """Whether not even any texts in all other slots make room for the token."""
    if k[IS_MUNCHED]:
        return False
    state = front(m, k, position)
    if state < 0:
        return state == NOWHERE
    if token == EMPTY:
        return not can_end(m, k, state, behind)
    for spelling in range(s.of[token], s.of[token + 1]):
        after = read_spelling(m, s, state, spelling)
        if after and can_end(m, k, after, behind):
            return False
    return True
