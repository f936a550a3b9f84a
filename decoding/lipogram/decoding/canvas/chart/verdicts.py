"""Whether a token fits a slot: the cheapest argument that decides."""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.chart.deciding import (
    decide_by_spelling,
    decide_far,
    decide_in_run,
    decide_near,
)
from lipogram.decoding.canvas.compiled.deciding import (
    decide_around,
    decide_by_witness,
    decide_from_start,
)
from lipogram.decoding.canvas.compiled.layout import HAS_ROW
from lipogram.decoding.canvas.compiled.search import find, is_wide_at
from lipogram.decoding.canvas.compiled.stretches import UNDECIDED
from lipogram.decoding.canvas.compiled.ways import Spellings
from lipogram.grammars.engine.memory import FUEL, Memory
from lipogram.grammars.kernels import exported

SHARE: Final = 8  # a part of the work that may be done, for all fillings at once in a long run
_MUCH: Final = 10_000_000  # units of work that make charts worth while
_MOST: Final = 50_000_000  # that make searches by states so where there is much choice


@exported
def decide(
    m: Memory, k: Memory, r: Memory, w: Memory, c: Memory, s: Spellings, t: Spellings,
    position: int, token: int, end: int, work: int,
) -> int:  # fmt: skip
    """Whether a token, or EMPTY, fits the free slot at a position; what has it goes to WAY.

    Not much more than so much work is done. `r` and `w` have rows of the witness, `c` is a chart's;
    `s` has a trie of all tokens, `t` of some.
    """
    verdict = decide_by_witness(m, k, r, s, position, token)
    is_wide = k[HAS_ROW] != 0 and is_wide_at(k, position)
    is_much = work >= _MUCH
    if k[HAS_ROW]:
        if verdict == UNDECIDED and (is_wide or is_much):
            verdict = decide_in_run(m, c, k, r, s, position, token, end)
        if verdict == UNDECIDED and is_much:
            verdict = decide_near(m, c, k, r, s, position, token, end)
        if verdict == UNDECIDED and (is_much or not is_wide):
            verdict = decide_around(m, k, r, w, t.trie, s.trie, s, position, token, end)
        if verdict == UNDECIDED and is_much:
            verdict = decide_far(m, c, k, r, s, position, token, end)
    if verdict == UNDECIDED and (work >= _MOST or not is_wide):
        verdict = find(m, k, r, t.trie, s, position, token, end)
    if k[HAS_ROW]:
        if verdict == UNDECIDED and is_much:
            verdict = decide_by_spelling(m, c, k, r, t, position, token, end)
        if verdict == UNDECIDED and (work >= _MOST or not is_wide):
            work = min(work, m[FUEL])
            work = work // SHARE if is_wide else work * 3 // 4
            verdict = decide_from_start(
                m, k, r, w, t.trie, s.trie, s, s.usable, position, token, end, work
            )
    return verdict
