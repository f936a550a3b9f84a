"""Where tokens lead from a state, kept for a canvas."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.canvas.compiled.layout import ENDS_POOL, KINDS, KNOWN_ENDS
from lipogram.decoding.canvas.compiled.outcomes import ENDS, ends
from lipogram.decoding.canvas.compiled.ways import Spellings
from lipogram.decoding.reaches.layout import NODES as NODE_COUNT
from lipogram.grammars.engine.bytesets import mixed
from lipogram.grammars.engine.layout import ITEMS, S_END, S_START, STATE_WIDTH, STATES
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, integer, put, reserve
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.tables import EXTRA, TICK, VALUE, row_at


@kernel
def ends_of(m: Memory, k: Memory, v: Memory, s: Spellings, state: int, is_whole: int) -> int:
    """The row that says where in ENDS_POOL the tokens of a trie and the states after them are."""
    row = row_at(k, KNOWN_ENDS, state, v[NODE_COUNT], is_whole)
    if get(k, KNOWN_ENDS, row + TICK) == 0:
        found = ends(m, v, state, s.usable, is_whole)
        start = k[COUNTERS + ENDS_POOL]
        reserve(k, ENDS_POOL, 8 * (start + found))
        for index in range(2 * found):
            put(k, ENDS_POOL, 2 * start + index, get(m, ENDS, index))
        k[COUNTERS + ENDS_POOL] = start + found
        put(k, KNOWN_ENDS, row + VALUE, start)
        put(k, KNOWN_ENDS, row + EXTRA, start + found)
        put(k, KNOWN_ENDS, row + TICK, 1)
    return row


@kernel
def is_of_new_kind(m: Memory, k: Memory, state: int, search: int, most: int) -> bool:
    """Whether fewer states with the same residuals have been asked for in a search."""
    value = np.uint64(0)
    at = state * STATE_WIDTH
    last = -1
    for index in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
        node = get(m, ITEMS, 2 * index)
        if node != last:
            value = mixed(value, np.uint64(node))
        last = node
    low = integer(value & np.uint64(0x7FFFFFFF))
    high = integer((value >> np.uint64(32)) & np.uint64(0x7FFFFFFF))
    row = row_at(k, KINDS, low, high, search)
    seen = get(k, KINDS, row + VALUE)
    put(k, KINDS, row + VALUE, seen + 1)
    return seen < most
