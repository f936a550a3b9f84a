"""Whether a token fits a slot: the cheapest argument that decides."""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.chart.bridging import FEW, decide_in_run, decide_in_runs
from lipogram.decoding.canvas.chart.layout import kernel
from lipogram.decoding.canvas.compiled.deciding import (
    decide_around,
    decide_by_search,
    decide_by_witness,
)
from lipogram.decoding.canvas.compiled.layout import HAS_ROW
from lipogram.decoding.canvas.compiled.search import run_begin
from lipogram.decoding.canvas.compiled.stretches import UNDECIDED
from lipogram.decoding.canvas.compiled.ways import Spellings, run_end
from lipogram.grammars.engine.memory import Memory

_MUCH: Final = 10_000_000  # units of work that make charts worth while


@kernel
def decide(
    m: Memory, k: Memory, r: Memory, w: Memory, c: Memory, v: Memory, s: Spellings, position: int,
    token: int, end: int, work: int,
) -> int:  # fmt: skip
    """Whether a token, or EMPTY, fits the free slot at a position; what has it goes to WAY.

    Not much more than so much work is done. `r` and `w` have rows of the witness, `c` is a chart's;
    `v` is a trie of some tokens.
    """
    verdict = decide_by_witness(m, k, r, s, position, token)
    own = run_begin(k, position)
    is_long = k[HAS_ROW] != 0 and run_end(k, own) > own + FEW
    if k[HAS_ROW]:
        if verdict == UNDECIDED and (is_long or work >= _MUCH):
            verdict = decide_in_run(m, c, k, r, s, position, token, end)
        if verdict == UNDECIDED:
            verdict = decide_around(m, k, r, w, v, s.trie, s, position, token, end)
        if verdict == UNDECIDED and work >= _MUCH:
            verdict = decide_in_runs(m, c, k, r, s, position, token, end)
    if verdict == UNDECIDED and (work >= _MUCH or not is_long):
        verdict = decide_by_search(m, k, r, w, v, s.trie, s, position, token, end, work)
    return verdict
