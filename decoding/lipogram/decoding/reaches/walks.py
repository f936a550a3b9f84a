"""Walks of the token trie in step with the automaton of one residual alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.reaches.classes import all_in_class
from lipogram.decoding.reaches.layout import (
    BYTE,
    BYTES_BELOW,
    CHARS_BELOW,
    CHILDREN,
    CROSSED,
    CROSSED_COUNT,
    DEPTH,
    FEW_NODES,
    G_END,
    G_START,
    IS_OPEN,
    OPEN,
    PATH,
    REGION_NODES,
    REGION_ROWS,
    REGION_WIDTH,
    SKIP,
    TOKEN,
    TOKEN_COUNT_OUT,
    TOKEN_START,
    TOKENS_OUT,
)
from lipogram.decoding.reaches.loops import counts, letters_back, loop_class
from lipogram.decoding.reaches.regions import (
    index_region,
)
from lipogram.grammars.engine.derive import (
    derive,
    rest_after,
)
from lipogram.grammars.engine.layout import (
    INFINITE,
    NOTHING,
    ROW_OF,
    ROWS,
)
from lipogram.grammars.engine.limits import (
    ABOVE_MANY,
    ABOVE_SOME,
    least_limit,
    loosened,
)
from lipogram.grammars.engine.memory import Memory, burn, get, load, put, reserve, store
from lipogram.grammars.engine.nodes import (
    is_nullable,
)
from lipogram.grammars.engine.search import (
    exact_length,
    is_alive,
)
from lipogram.grammars.engine.states import (
    row_of,
)
from lipogram.grammars.kernels import kernel


@kernel
def allow(v: Memory, node: int) -> None:
    """Add the tokens that end at the node."""
    count = v[TOKEN_COUNT_OUT]
    for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
        reserve(v, TOKENS_OUT, 4 * (count + 1))
        put(v, TOKENS_OUT, count, get(v, TOKEN, index))
        count += 1
    v[TOKEN_COUNT_OUT] = count


@kernel
def cross(v: Memory, node: int) -> None:
    """Note a node at which others may have to go on."""
    count = v[CROSSED_COUNT]
    reserve(v, CROSSED, 4 * (count + 1))
    put(v, CROSSED, count, node)
    v[CROSSED_COUNT] = count + 1


@kernel
def walk(m: Memory, v: Memory, root: int, state: int, may_have_ended: bool) -> None:
    """Depth first from a node that leads to a state: the tokens that stay alive, the crossing.

    A node at which the residual may have ended before is crossed unless all its tokens are alive.
    """
    words = np.zeros(4, np.uint64)
    # Addresses: the trie's arrays do not move, and a state's row only when states are made.
    byte, skip, depth_of, starts = v[BYTE], v[SKIP], v[DEPTH], v[TOKEN_START]
    token, path, opened, rows = v[TOKEN], v[PATH], v[OPEN], m[ROWS]
    end = load(skip, root)
    count = v[TOKEN_COUNT_OUT]
    reserve(v, TOKENS_OUT, 4 * (count + load(starts, end) - load(starts, root)))
    allowed = v[TOKENS_OUT]
    node, looping = root, -1
    top = visited = times = 0
    while node < end:
        visited += 1
        top = _close(v, top, node, count)
        stop = load(skip, node)
        depth = load(depth_of, node)
        if node != root:
            before = load(path, depth - 1)
            may_have_ended = before & 1 == 1
            state = load(rows, 256 * (before >> 1) + load(byte, node))
            if state == 0:
                if may_have_ended:
                    cross(v, node)
                node = stop
                continue
        if may_have_ended and stop > node + 1:
            store(opened, 3 * top, stop)
            store(opened, 3 * top + 1, node)
            store(opened, 3 * top + 2, count)
            top += 1
        for index in range(load(starts, node), load(starts, node + 1)):
            store(allowed, count, load(token, index))
            count += 1
        if stop > node + 1:
            row = get(m, ROW_OF, state)
            if row == 0:
                row = row_of(m, state)
                rows = m[ROWS]
            store(path, depth, row)
            if stop - node > FEW_NODES and not get(v, IS_OPEN, node):
                if state != looping:
                    looping, times = state, _loop(m, state, row, words)
                    rows = m[ROWS]
                if times >= get(v, CHARS_BELOW, node) and all_in_class(v, words, node):
                    for index in range(load(starts, node + 1), load(starts, stop)):
                        store(allowed, count, load(token, index))
                        count += 1
                    node = stop
                    continue
        node += 1
    _close(v, top, end, count)
    v[TOKEN_COUNT_OUT] = count
    burn(m, visited)


@kernel
def _close(v: Memory, top: int, node: int, count: int) -> int:
    """Leave the open nodes that end before a node, `count` tokens being out; how many are left."""
    opened, starts = v[OPEN], v[TOKEN_START]
    while top and load(opened, 3 * top - 3) <= node:
        top -= 1
        stop, left = load(opened, 3 * top), load(opened, 3 * top + 1)
        if count - load(opened, 3 * top + 2) < load(starts, stop) - load(starts, left):
            cross(v, left)
    return top


@kernel
def _loop(m: Memory, state: int, row: int, words: NDArray[np.uint64]) -> int:
    """By which characters a state goes on alike, to `words`, and how often."""
    words[:] = np.uint64(0)
    times = letters_back(m, state, row >> 1, words)
    if times == 0 and counts(m, state):
        times = loop_class(m, state, words)
        return 0 if row & 1 else times
    if times and get(m, ROWS, 256 * (row >> 1) + 0xC3):  # other letters may lead back, too
        loop_class(m, state, words)
    return times


@kernel
def explore_plainly(m: Memory, v: Memory, region: int, row: int) -> None:
    """Walk from each of the region's nodes that the row has a successor for."""
    at = region * REGION_WIDTH
    start, end = get(v, REGION_ROWS, at + G_START), get(v, REGION_ROWS, at + G_END)
    if end - start <= FEW_NODES:
        for index in range(start, end):
            node = get(v, REGION_NODES, index)
            successor = get(m, ROWS, 256 * (row >> 1) + get(v, BYTE, node))
            if successor:
                walk(m, v, node, successor, False)
        return
    place = index_region(v, region)
    for byte in range(256):
        successor = get(m, ROWS, 256 * (row >> 1) + byte)
        if successor:
            first, last = get(v, CHILDREN, place + byte), get(v, CHILDREN, place + byte + 1)
            for index in range(first, last):
                walk(m, v, get(v, CHILDREN, index), successor, False)


@kernel
def explore_long(m: Memory, v: Memory, region: int, node: int, most: int) -> None:
    """Walk from the region's nodes to tokens of more than `most` bytes only, without rules.

    Few bytes are asked for of each residual on the way, so there are no rows made of them. Large
    limits are left out where there is room for each token and a shortest rest.
    """
    loose = loosened(m, node, ABOVE_MANY)
    if not _has_walked_long(m, v, region, loose, most, least_limit(m, node, ABOVE_MANY)):
        v[TOKEN_COUNT_OUT] = v[CROSSED_COUNT] = 0
        _has_walked_long(m, v, region, node, most, INFINITE)


@kernel
def _has_walked_long(m: Memory, v: Memory, region: int, node: int, most: int, room: int) -> bool:
    at = region * REGION_WIDTH
    for index in range(get(v, REGION_ROWS, at + G_START), get(v, REGION_ROWS, at + G_END)):
        root = get(v, REGION_NODES, index)
        put(v, PATH, get(v, DEPTH, root) - 1, node)
        if not _walk_long(m, v, root, most, room):
            return False
    return True


@kernel
def _walk_long(m: Memory, v: Memory, root: int, most: int, room: int) -> bool:
    """The same from one node, the residual before it in PATH; False where there is no room."""
    node, end, visited = root, get(v, SKIP, root), 0
    while node < end:
        visited += 1
        depth, stop = get(v, DEPTH, node), get(v, SKIP, node)
        if depth + get(v, BYTES_BELOW, node) <= most:
            node = stop
            continue
        before = get(v, PATH, depth - 1)
        if node != root and is_nullable(m, before):
            if depth > room:
                return False
            cross(v, node)
        derive(m, before)
        rest = rest_after(m, before, get(v, BYTE, node))
        if rest == NOTHING:
            node = stop
            continue
        is_long = depth > most and get(v, TOKEN_START, node) < get(v, TOKEN_START, node + 1)
        if is_long and is_alive(m, rest):
            if room < INFINITE and not _fits(m, rest, room - depth):
                return False
            allow(v, node)
        put(v, PATH, depth, rest)
        node += 1
    burn(m, 4 * visited)
    return True


@kernel
def _fits(m: Memory, node: int, room: int) -> bool:
    """Whether it is plain that a residual has a member of so many bytes at most."""
    length = exact_length(m, loosened(m, node, ABOVE_SOME))
    return length <= min(room, least_limit(m, node, ABOVE_SOME))
