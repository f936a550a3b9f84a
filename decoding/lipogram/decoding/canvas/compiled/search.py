"""Looks for one filling that a token fits: near by, then further and further around."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.compiled.fillings import few, sort_options
from lipogram.decoding.canvas.compiled.layout import (
    ANY_TEXT,
    DEPTHS,
    EMPTY,
    FINDS,
    HAS_ROW,
    IS_MUNCHED,
    N_BEFORE,
    N_POSITION,
    N_STATE,
    N_TOKEN,
    NODES,
    NOT_A_SLOT,
    OPTIONS,
    S_CHOICE,
    S_HOLE,
    S_KIND,
    S_MAY_STOP,
    S_STATE,
    S_STOP,
    S_TEXT,
    S_TOKEN,
    SEEN,
    SLOT,
    TEXT,
    WAY,
    is_possible,
    kernel,
    set_slot_field,
    slot_field,
)
from lipogram.decoding.canvas.compiled.ways import (
    Spellings,
    add_node,
    along_witness,
    is_free,
    over_fixed,
    read_elements,
    read_spelling,
    read_token,
    run_end,
    text_of,
)
from lipogram.grammars.engine.exits import shortest_length
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.lattice.ahead import NOWHERE, can_end, front
from lipogram.grammars.lattice.row import C_START, cell_field, follow, put_text, set_cell_field
from lipogram.grammars.lattice.tables import VALUE, row_at, shorten

_OPTIONS: Final = 64  # fillings of one run of free slots
_TRIES: Final = 60  # runs filled on the way to the witness
_ROWS: Final = 1 << 16
_WITNESS_FIRST, _NOT_YET = -1, -2  # instead of the next option at a depth
NO_SLOT: Final = -1
REJECTED, ACCEPTED, UNDECIDED = range(3)


@kernel
def decide(
    m: Memory, k: Memory, r: Memory, v: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """Whether a token, or EMPTY, fits the free slot at a position; what has it goes to WAY.

    `r` has the row of the witness.
    """
    k[COUNTERS + WAY] = k[COUNTERS + NODES] = k[COUNTERS + OPTIONS] = 0
    if token == EMPTY and not slot_field(k, position, S_MAY_STOP):
        return REJECTED
    for place in range(slot_field(k, position, S_HOLE), position):
        if slot_field(k, place, S_CHOICE) == EMPTY:
            return REJECTED  # the rest of the hole is empty, as in the witness
    behind = slot_field(k, position, S_STOP) if token == EMPTY else position + 1
    state = slot_field(k, position, S_STATE)
    begin = add_node(k, position, state, -1, NOT_A_SLOT)
    if state and token != EMPTY:
        state = read_token(m, s, state, token)
    if state:
        begin = add_node(k, behind, state, begin, token)
        if _goes_by_witness(m, k, r, state, behind):
            return _write_way(k, begin)
    if _is_beyond(m, k, s, position, behind, token):
        return REJECTED
    if state:
        found = _to_witness(m, k, r, v, s, begin)
        if found < 0:
            found = _found(m, k, r, v, s, begin, NO_SLOT, token, behind, end)
        if found >= 0:
            return _write_way(k, found)
    return _refilled(m, k, r, v, s, position, token, end)


@kernel
def _goes_by_witness(m: Memory, k: Memory, r: Memory, state: int, position: int) -> bool:
    """Whether a state can be completed by all that the witness has from a position on."""
    return k[HAS_ROW] != 0 and can_end(m, r, state, position)


@kernel
def _to_witness(m: Memory, k: Memory, r: Memory, v: Memory, s: Spellings, node: int) -> int:
    """The last node of a way over a run of free slots to where the witness goes on; or -1."""
    position = get(k, NODES, 4 * node + N_POSITION)
    if not k[HAS_ROW] or not is_free(k, position):
        return -1
    stop = slot_field(k, position, S_STOP) if slot_field(k, position, S_MAY_STOP) else -1
    first = few(m, k, r, v, s, node, run_end(k, position), stop, NO_SLOT, 1)
    return get(k, OPTIONS, first) if first < k[COUNTERS + OPTIONS] else -1


@kernel
def _refilled(
    m: Memory, k: Memory, r: Memory, v: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """ACCEPTED where another filling is found for slots before the token, too."""
    behind = slot_field(k, position, S_STOP) if token == EMPTY else position + 1
    for back in (0, 1, 4):
        first = _runs_back(k, position, back)
        begin = add_node(k, first, slot_field(k, first, S_STATE), -1, NOT_A_SLOT)
        found = -1
        if back == 0 and token != EMPTY and first < position and k[HAS_ROW]:
            found = _around(m, k, r, v, s, begin, position, token)
        if found < 0:
            found = _found(m, k, r, v, s, begin, position, token, behind, end)
        if found >= 0:
            return _write_way(k, found)
        if first == 0:
            break
    return UNDECIDED


@kernel
def _around(
    m: Memory, k: Memory, r: Memory, v: Memory, s: Spellings, node: int, position: int, token: int
) -> int:
    """The last node of a way over a run of free slots, with a token in one; or -1."""
    begin = get(k, NODES, 4 * node + N_POSITION)
    for place in range(begin, position):
        if not is_free(k, place) or slot_field(k, place, S_STOP) <= position:
            return -1
    first = few(m, k, k, v, s, node, position, -1, token, _OPTIONS)
    for option in range(first, k[COUNTERS + OPTIONS]):
        node = get(k, OPTIONS, option)
        if _goes_by_witness(m, k, r, get(k, NODES, 4 * node + N_STATE), position + 1):
            return node
        found = _to_witness(m, k, r, v, s, node)
        if found >= 0:
            return found
    return -1


@kernel
def adopt(
    m: Memory, k: Memory, r: Memory, s: Spellings, pairs: NDArray[np.int64], position: int, end: int
) -> None:
    """Let the witness have tokens, given as cells and tokens in turn, and find out where it leads.

    Not in front of the first of them and of `position`; it is as before where it leads to the same
    behind the last of them.
    """
    until = 0
    for index in range(0, len(pairs), 2):
        cell, token = pairs[index], pairs[index + 1]
        set_slot_field(k, cell, S_TOKEN, token)
        put_text(r, cell, text_of(s, token))
        position = min(position, cell)
        until = max(until, slot_field(k, cell, S_STOP) if token == EMPTY else cell + 1)
    follow(r, max(until - 1, 0), end)
    while slot_field(k, position, S_STATE) == 0:
        position -= 1
    state = slot_field(k, position, S_STATE)
    while position < end:
        kind = slot_field(k, position, S_KIND)
        token = slot_field(k, position, S_TOKEN)
        after = position + 1
        if kind == TEXT:
            state = read_elements(m, k, state, cell_field(k, position, C_START))
        elif kind == ANY_TEXT:
            state = read_elements(m, k, state, slot_field(k, position, S_TEXT))
        elif token == EMPTY:
            after = slot_field(k, position, S_STOP)
            for place in range(position + 1, after):
                set_slot_field(k, place, S_TOKEN, EMPTY)
                set_slot_field(k, place, S_STATE, 0)
                put_text(r, place, text_of(s, EMPTY))
        else:
            state = read_token(m, s, state, token)
        position = after
        if position >= until and state == slot_field(k, position, S_STATE):
            return
        set_slot_field(k, position, S_STATE, state)


@kernel
def _write_way(k: Memory, node: int) -> int:
    count = 0
    while node >= 0:
        token = get(k, NODES, 4 * node + N_TOKEN)
        before = get(k, NODES, 4 * node + N_BEFORE)
        if token != NOT_A_SLOT:
            reserve(k, WAY, 8 * (count + 1))
            put(k, WAY, 2 * count, get(k, NODES, 4 * before + N_POSITION))
            put(k, WAY, 2 * count + 1, token)
            count += 1
        node = before
    k[COUNTERS + WAY] = count
    return ACCEPTED


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


@kernel
def _runs_back(k: Memory, position: int, runs: int) -> int:
    """Where the run of free slots begins that is so many before that of a position."""
    while True:
        while position > 0 and is_free(k, position - 1):
            position -= 1
        if not runs or position == 0:
            break
        runs -= 1
        while position > 0 and not is_free(k, position - 1):
            position -= 1
    while slot_field(k, position, S_STATE) == 0:
        position -= 1
    return position


@kernel
def _found(
    m: Memory, k: Memory, r: Memory, v: Memory, s: Spellings, node: int, want: int, token: int,
    met_from: int, end: int,
) -> int:  # fmt: skip
    """The last node of a way on from a node to where the witness is met, or to the end; or -1.

    Depth first over runs of free slots. The way has the token in the slot `want`, unless that is
    NO_SLOT; the witness is met from `met_from` on.
    """
    k[FINDS] += 1
    shorten(k, SEEN, _ROWS)
    tries = _TRIES
    depth = 0
    while True:
        position, state = over_fixed(
            m, k, s, get(k, NODES, 4 * node + N_POSITION), get(k, NODES, 4 * node + N_STATE),
            met_from, end,
        )  # fmt: skip
        if state and position >= met_from and state == slot_field(k, position, S_STATE):
            return node
        if state and position >= met_from and _goes_by_witness(m, k, r, state, position):
            return node
        if state and position == end:
            if row_of(m, state) & 1:
                return node
        elif state and _is_new(k, position, state) and is_possible(m, k, state, position):
            reserve(k, DEPTHS, 16 * (depth + 1))
            put(k, DEPTHS, 4 * depth, add_node(k, position, state, node, NOT_A_SLOT))
            put(k, DEPTHS, 4 * depth + 1, _WITNESS_FIRST)
            depth += 1
        node = -1
        while node < 0:
            if depth == 0:
                return -1
            node = _next_option(m, k, v, s, 4 * depth - 4, want, token, end)
            if node < 0:
                depth -= 1
        tries -= 1
        if tries < 0:
            return -1


@kernel
def _is_new(k: Memory, position: int, state: int) -> bool:
    row = row_at(k, SEEN, position, state, k[FINDS])
    is_new = get(k, SEEN, row + VALUE) == 0
    put(k, SEEN, row + VALUE, 1)
    return is_new


@kernel
def _next_option(
    m: Memory, k: Memory, v: Memory, s: Spellings, at: int, want: int, token: int, end: int
) -> int:  # fmt: skip
    """The node behind the next filling of the run at a depth; -1: there are no more."""
    node = get(k, DEPTHS, at)
    position = get(k, NODES, 4 * node + N_POSITION)
    is_slot = slot_field(k, position, S_KIND) == SLOT
    stop = run_end(k, position) if is_slot else position + 1
    is_wanted = position <= want < stop
    if get(k, DEPTHS, at + 1) == _WITNESS_FIRST:
        put(k, DEPTHS, at + 1, _NOT_YET)
        if not is_wanted:
            kept = along_witness(m, k, s, node, stop)
            if kept >= 0:
                return kept
    if not is_slot:
        return -1
    if get(k, DEPTHS, at + 1) == _NOT_YET:
        hole_stop = slot_field(k, position, S_STOP) if slot_field(k, position, S_MAY_STOP) else -1
        ahead = -1
        if is_wanted:
            stop = want
            if token != EMPTY:
                hole_stop, ahead = -1, token
        first = few(m, k, k, v, s, node, stop, hole_stop, ahead, _OPTIONS)
        known = slot_field(k, stop + (ahead >= 0), S_STATE)
        sort_options(m, k, first, shortest_length(m, known) if known else 0)
        put(k, DEPTHS, at + 1, first)
        put(k, DEPTHS, at + 2, k[COUNTERS + OPTIONS])
    option = get(k, DEPTHS, at + 1)
    if option == get(k, DEPTHS, at + 2):
        return -1
    put(k, DEPTHS, at + 1, option + 1)
    return get(k, OPTIONS, option)


@kernel
def put_gap(k: Memory, r: Memory, position: int, text: NDArray[np.int64], end: int) -> None:
    """Let the witness have a text in a gap."""
    put_text(r, position, text)
    follow(r, position, end)
    start = cell_field(k, position, C_START)
    put_text(k, position, text)
    set_slot_field(k, position, S_TEXT, cell_field(k, position, C_START))
    set_cell_field(k, position, C_START, start)
