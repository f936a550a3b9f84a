"""Tokens of several bytes that stand in one fixed text of a grammar, such as a word or a name."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.chart.layout import JUMPS, ROOTS
from lipogram.decoding.reaches.layout import BYTE, DEPTH, NODES, SKIP, TOKEN, TOKEN_START
from lipogram.grammars.engine.derive import derive
from lipogram.grammars.engine.layout import CALL_END, CALL_START, EDGE_END, EDGE_START, EDGES
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve, spend
from lipogram.grammars.engine.nodes import field, is_nullable
from lipogram.grammars.kernels import kernel

_MAX_VISITED: Final = 128  # residuals
_SINGLE: Final = 256  # byte sets below are of one byte


@kernel
def find_jumps(m: Memory, c: Memory, a: Memory, usable: NDArray[np.int32], node: int) -> int:
    """Write the residuals behind such tokens, and these, to the front of JUMPS; how many.

    `a` is the trie of all tokens. Behind them the array has what is still to be looked at.
    """
    if c[COUNTERS + ROOTS] == 0:
        index_roots(c, ROOTS, a)
    reserve(c, JUMPS, 32 * (_MAX_VISITED + 1))
    found, visited = 0, 0
    waiting, end = 2 * _MAX_VISITED, _push(m, c, a, node, 0, 2 * _MAX_VISITED)
    while waiting < end and visited < _MAX_VISITED:
        rest, at = get(c, JUMPS, 2 * waiting), get(c, JUMPS, 2 * waiting + 1)
        waiting += 1
        visited += 1
        if get(a, DEPTH, at) > 1:
            for index in range(get(a, TOKEN_START, at), get(a, TOKEN_START, at + 1)):
                token = get(a, TOKEN, index)
                if usable[token >> 5] >> (token & 31) & 1 and found < _MAX_VISITED:
                    put(c, JUMPS, 2 * found, rest)
                    put(c, JUMPS, 2 * found + 1, token)
                    found += 1
        if end < 4 * _MAX_VISITED:
            derive(m, rest)
            is_inside = not is_nullable(m, rest)
            is_inside &= field(m, rest, CALL_START) == field(m, rest, CALL_END)
            if is_inside and get(a, SKIP, at) > at + 1:
                end = _push(m, c, a, rest, at + 1, end)
    spend(m, visited)
    return found


@kernel
def _push(m: Memory, c: Memory, a: Memory, node: int, child: int, end: int) -> int:
    """Append what single bytes lead to from a residual, and from the parent of a trie's node.

    From the root if that is 0. The new end.
    """
    for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
        byte = get(m, EDGES, 2 * index)
        if byte >= _SINGLE or end >= 4 * _MAX_VISITED:
            continue
        at = get(c, ROOTS, byte) - 1 if child == 0 else _sibling(a, child, byte)
        if at >= 0:
            put(c, JUMPS, 2 * end, get(m, EDGES, 2 * index + 1))
            put(c, JUMPS, 2 * end + 1, at)
            end += 1
    return end


@kernel
def _sibling(a: Memory, child: int, byte: int) -> int:
    """The node of a byte among a child and those behind it that have the same parent; or -1."""
    depth = get(a, DEPTH, child)
    while child < a[NODES] and get(a, DEPTH, child) == depth:
        if get(a, BYTE, child) == byte:
            return child
        child = get(a, SKIP, child)
    return -1


@kernel
def index_roots(c: Memory, array: int, a: Memory) -> None:
    """Note where a trie has first bytes."""
    reserve(c, array, 4 * 256)
    node = 0
    while node < a[NODES]:
        put(c, array, get(a, BYTE, node), node + 1)
        node = get(a, SKIP, node)
    c[COUNTERS + array] = 1
