"""Whether a token fits a slot: the cheapest argument that decides."""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.compiled.layout import (
    EMPTY,
    HAS_ROW,
    IS_MUNCHED,
    PROOF,
    S_CHOICE,
    S_HOLE,
    S_MAY_STOP,
    S_STATE,
    S_STOP,
    WAY,
    kernel,
    slot_field,
)
from lipogram.decoding.canvas.compiled.search import find, goes_by_witness, run_begin, runs_back
from lipogram.decoding.canvas.compiled.stretches import (
    ACCEPTED,
    FROM_ANY_TEXT,
    FROM_FURTHER,
    FROM_START,
    FROM_WITNESS,
    REJECTED,
    UNDECIDED,
    follow_on,
    take,
)
from lipogram.decoding.canvas.compiled.ways import Spellings, read_spelling, read_token, run_end
from lipogram.grammars.engine.memory import COUNTERS, FUEL, Memory
from lipogram.grammars.lattice.ahead import NOWHERE, can_end, front

_FEW_SLOTS: Final = 3  # in a run, in which all tokens are tried
_RUNS: Final = 4  # of free slots on both sides that may be filled in another way
_NEAR: Final = 1_000_000  # units of work
_FAR: Final = 3_000_000
_ALL: Final = 20_000_000


@kernel
def decide(
    m: Memory, k: Memory, r: Memory, w: Memory, v: Memory, a: Memory, s: Spellings, position: int,
    token: int, end: int,
) -> int:  # fmt: skip
    """Whether a token, or EMPTY, fits the free slot at a position; what has it goes to WAY.

    `r` and `w` have rows of the witness; `v` is a trie of some tokens, `a` of all.
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
    begin = run_begin(k, position)
    if k[HAS_ROW] and run_end(k, begin) <= begin + _FEW_SLOTS:
        verdict = _around(m, k, r, w, v, a, s, position, token, end)
        if verdict != UNDECIDED:
            return verdict
    verdict = find(m, k, r, v, s, position, token, end)
    if verdict != UNDECIDED or not k[HAS_ROW]:
        return verdict
    state = slot_field(k, 0, S_STATE)
    return follow_on(m, k, r, w, a, s, FROM_START, 0, state, position, token, end, end, m[FUEL])


@kernel
def _around(
    m: Memory, k: Memory, r: Memory, w: Memory, v: Memory, a: Memory, s: Spellings, position: int,
    token: int, end: int,
) -> int:  # fmt: skip
    """Whether a token fits by all fillings of its own run of free slots, and some further on."""
    begin = runs_back(k, position, 0)
    state = slot_field(k, begin, S_STATE)
    verdict = follow_on(
        m, k, r, w, v, s, FROM_WITNESS, begin, state, position, token, end, 1, _NEAR
    )  # fmt: skip
    if verdict == ACCEPTED:
        return ACCEPTED
    begin = run_begin(k, position)
    state = front(m, k, begin)
    if state > 0:
        verdict = follow_on(
            m, k, r, w, a, s, FROM_ANY_TEXT, begin, state, position, token, end, 0, _ALL
        )  # fmt: skip
        if verdict == REJECTED:
            return REJECTED
    begin = runs_back(k, position, _RUNS)
    state = slot_field(k, begin, S_STATE)
    verdict = follow_on(
        m, k, r, w, v, s, FROM_FURTHER, begin, state, position, token, end, _RUNS, _FAR
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
