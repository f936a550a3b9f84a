"""Whether a token, or EMPTY, fits a slot, by charts of what is nearer and further around."""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.chart.bridging import (
    FAR,
    FEW_ENTRIES,
    NEAR,
    OWN_RUN,
    SPELLED,
    SPELLED_FAR,
    is_impossible,
    is_possible,
)
from lipogram.decoding.canvas.compiled.layout import EMPTY
from lipogram.decoding.canvas.compiled.search import is_wide_at, runs_back, stretch_begin
from lipogram.decoding.canvas.compiled.stretches import ACCEPTED, REJECTED, UNDECIDED
from lipogram.decoding.canvas.compiled.ways import Spellings, is_to_fill
from lipogram.grammars.engine.memory import Memory
from lipogram.grammars.kernels import exported, kernel

_RUNS: Final = 4  # before a slot and behind it
_MANY_ENTRIES: Final = 30_000
_MOST_ENTRIES: Final = 40_000


@kernel
def decide_in_run(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """Whether a token, or EMPTY, fits a slot by what is in its own run and the gaps that touch it.

    What has it goes to WAY. UNDECIDED where that does not tell, and where there is little choice.
    """
    if not is_wide_at(k, position) or not _is_one_text(s, token):
        return UNDECIDED
    own = stretch_begin(k, position)
    if is_possible(m, c, k, r, s, OWN_RUN, own, position, token, 0, FEW_ENTRIES, end):
        return ACCEPTED
    if is_impossible(m, c, k, s, own, position, token, end):
        return REJECTED
    return UNDECIDED


@kernel
def decide_near(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """ACCEPTED where a token, or EMPTY, fits a slot by what is in its run and the one before."""
    first = _back(k, position, 1)
    if not _is_one_text(s, token) or not is_to_fill(k, first):
        return UNDECIDED
    is_found = is_possible(m, c, k, r, s, NEAR, first, position, token, 0, FEW_ENTRIES, end)
    return ACCEPTED if is_found else UNDECIDED


@exported
def decide_far(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """ACCEPTED where a token, or EMPTY, fits a slot by what is in some runs before and behind."""
    if not _is_one_text(s, token):
        return UNDECIDED
    first = _back(k, position, _RUNS)
    is_found = is_possible(m, c, k, r, s, FAR, first, position, token, _RUNS, _MANY_ENTRIES, end)
    return ACCEPTED if is_found else UNDECIDED


@exported
def decide_by_spelling(
    m: Memory, c: Memory, k: Memory, r: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """The same with tokens of several bytes: those of the trie in `s`."""
    if not _is_one_text(s, token):
        return UNDECIDED
    for kind, before, behind in ((SPELLED, 1, 0), (SPELLED_FAR, _RUNS, _RUNS)):
        first = _back(k, position, before)
        if is_possible(m, c, k, r, s, kind, first, position, token, behind, _MOST_ENTRIES, end):
            return ACCEPTED
    return UNDECIDED


@kernel
def _back(k: Memory, position: int, runs: int) -> int:
    """As `runs_back`; in front of gaps that touch the run."""
    return stretch_begin(k, runs_back(k, position, runs))


@kernel
def _is_one_text(s: Spellings, token: int) -> bool:
    return token == EMPTY or s.of[token] + 1 == s.of[token + 1]
