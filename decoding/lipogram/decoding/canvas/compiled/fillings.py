"""Fillings of one run of free slots, by the fewest tokens that will do."""

from __future__ import annotations

from typing import Final

import numpy as np

from lipogram.decoding.canvas.compiled.ends import ends_of, is_of_new_kind
from lipogram.decoding.canvas.compiled.layout import (
    CALLS,
    EMPTY,
    ENDS_POOL,
    KINDS,
    KNOWN_ENDS,
    LAYERS,
    MET,
    N_BEFORE,
    N_POSITION,
    N_STATE,
    N_TOKEN,
    NODES,
    OPTIONS,
    PATH,
    is_possible,
)
from lipogram.decoding.canvas.compiled.ways import Spellings, add_node, read_token
from lipogram.grammars.engine.exits import shortest_length
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.tables import EXTRA, VALUE, row_at, shorten

_MAX_LAYERS: Final = 20  # tokens in a run, before others are put in
_MAX_STATES: Final = 96  # that one more token leads to
_OF_A_KIND: Final = 2
_ENDS_OF_A_KIND: Final = 8  # with a token that must follow
_FEW_SLOTS: Final = 3  # in which the same state counts again after another token
_ROWS: Final = 1 << 16


@kernel
def _goes_on(m: Memory, r: Memory, s: Spellings, state: int, behind: int, ahead: int) -> bool:
    """Whether the next token, if any, and the texts behind can come."""
    if ahead >= 0:
        state = read_token(m, s, state, ahead)
        behind += 1
    return state != 0 and is_possible(m, r, state, behind)


@kernel
def _is_new(k: Memory, state: int, what: int) -> bool:
    row = row_at(k, MET, state, k[CALLS], what)
    if get(k, MET, row + VALUE):
        return False
    put(k, MET, row + VALUE, 1)
    return True


@kernel
def _push_layer(k: Memory, at: int, node: int) -> int:
    reserve(k, LAYERS, 4 * (at + 1))
    put(k, LAYERS, at, node)
    return 1


@kernel
def few(
    m: Memory, k: Memory, r: Memory, v: Memory, s: Spellings, begin: int, end: int, stop: int,
    ahead: int, most: int,
) -> int:  # fmt: skip
    """Append ways over the free slots from a node up to a position to OPTIONS; the first's place.

    `ahead` is a token that must follow, -1 for none. With `stop` the slots may be left empty from
    anywhere on; that is the hole's end, -1 for none. What is behind is that of the row in `r`.
    """
    k[CALLS] += 1
    for table in (MET, KINDS):
        shorten(k, table, _ROWS)
    first_option = k[COUNTERS + OPTIONS]
    start = get(k, NODES, 4 * begin + N_POSITION)
    state = get(k, NODES, 4 * begin + N_STATE)
    size = end - start
    least = size if stop < 0 else 0
    behind = end if stop < 0 else stop
    if least == 0 and _goes_on(m, r, s, state, behind, ahead):
        _add_option(m, k, v, s, begin, begin, 0, stop, ahead)
    low, high = 0, _push_layer(k, 0, begin)
    for count in range(1, min(size, _MAX_LAYERS) + 1):
        kept = 0
        what = count if size <= _FEW_SLOTS else 0
        for at in range(low, high):
            node = get(k, LAYERS, at)
            row = ends_of(m, k, v, s, get(k, NODES, 4 * node + N_STATE), 0)
            for index in range(get(k, KNOWN_ENDS, row + VALUE), get(k, KNOWN_ENDS, row + EXTRA)):
                after, token = get(k, ENDS_POOL, 2 * index), get(k, ENDS_POOL, 2 * index + 1)
                if not _is_new(k, after, what):
                    continue
                is_option = _goes_on(m, r, s, after, behind, ahead)
                if is_option and ahead >= 0:
                    there = read_token(m, s, after, ahead)
                    is_option = is_of_new_kind(m, k, there, -k[CALLS], _ENDS_OF_A_KIND)
                goes_further = False
                if count < size and kept < _MAX_STATES:
                    goes_further = is_possible(m, k, after, start + count)
                    goes_further = goes_further and is_of_new_kind(
                        m, k, after, k[CALLS], _OF_A_KIND
                    )
                if not is_option and not goes_further:
                    continue
                added = add_node(k, start + count, after, node, token)
                if goes_further:
                    kept += _push_layer(k, high + kept, added)
                if is_option:
                    _add_option(m, k, v, s, begin, added, least - count, stop, ahead)
                if k[COUNTERS + OPTIONS] - first_option >= most:
                    return first_option
        low, high = high, high + kept
    return first_option


@kernel
def sort_options(m: Memory, k: Memory, first: int, target: int) -> None:
    """Bring ways first after which about so many bytes are needed to complete the text."""
    count = k[COUNTERS + OPTIONS] - first
    nodes = np.empty(count, np.int64)
    far = np.empty(count, np.int64)
    for index in range(count):
        nodes[index] = get(k, OPTIONS, first + index)
        state = get(k, NODES, 4 * nodes[index] + N_STATE)
        far[index] = abs(shortest_length(m, state) - target)
    for place, index in enumerate(np.argsort(far, kind="mergesort")):
        put(k, OPTIONS, first + place, nodes[index])


@kernel
def _add_option(
    m: Memory, k: Memory, v: Memory, s: Spellings, begin: int, node: int, missing: int, stop: int,
    ahead: int,
) -> None:  # fmt: skip
    """Append a way to OPTIONS, with missing tokens put in; not where none can be."""
    if missing > 0:
        node = _padded(m, k, v, s, begin, node, missing)
        if node < 0:
            return
    position = get(k, NODES, 4 * node + N_POSITION)
    state = get(k, NODES, 4 * node + N_STATE)
    if stop >= 0 and position < stop:
        node = add_node(k, stop, state, node, EMPTY)
    if ahead >= 0:
        node = add_node(k, position + 1, read_token(m, s, state, ahead), node, ahead)
    count = k[COUNTERS + OPTIONS]
    reserve(k, OPTIONS, 4 * (count + 1))
    put(k, OPTIONS, count, node)
    k[COUNTERS + OPTIONS] = count + 1


@kernel
def _padded(
    m: Memory, k: Memory, v: Memory, s: Spellings, begin: int, node: int, missing: int
) -> int:
    """The way with so many more tokens, which make no difference where they are put in; or -1."""
    size = 0
    while node != begin:
        reserve(k, PATH, 4 * (size + 1))
        put(k, PATH, size, get(k, NODES, 4 * node + N_TOKEN))
        size += 1
        node = get(k, NODES, 4 * node + N_BEFORE)
    while True:
        state = get(k, NODES, 4 * node + N_STATE)
        row = ends_of(m, k, v, s, state, 0)
        for index in range(get(k, KNOWN_ENDS, row + VALUE), get(k, KNOWN_ENDS, row + EXTRA)):
            if missing and get(k, ENDS_POOL, 2 * index) == state:
                for _ in range(missing):
                    position = get(k, NODES, 4 * node + N_POSITION)
                    token = get(k, ENDS_POOL, 2 * index + 1)
                    node = add_node(k, position + 1, state, node, token)
                missing = 0
        if size == 0:
            return -1 if missing else node
        size -= 1
        token = get(k, PATH, size)
        position = get(k, NODES, 4 * node + N_POSITION)
        node = add_node(k, position + 1, read_token(m, s, state, token), node, token)
