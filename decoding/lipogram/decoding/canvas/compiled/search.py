"""Looks for one filling that a token fits: near by, then further and further around."""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.compiled.fillings import few, sort_options
from lipogram.decoding.canvas.compiled.layout import (
    DEPTHS,
    EMPTY,
    FEW_SLOTS,
    FINDS,
    HAS_ROW,
    N_BEFORE,
    N_POSITION,
    N_STATE,
    N_TOKEN,
    NODES,
    NOT_A_SLOT,
    OPTIONS,
    S_KIND,
    S_MAY_STOP,
    S_STATE,
    S_STOP,
    SEEN,
    SLOT,
    WAY,
    is_possible,
    slot_field,
)
from lipogram.decoding.canvas.compiled.stretches import ACCEPTED, UNDECIDED
from lipogram.decoding.canvas.compiled.ways import (
    Spellings,
    add_node,
    along_witness,
    is_free,
    is_gap,
    is_to_fill,
    over_fixed,
    read_token,
    run_end,
)
from lipogram.grammars.engine.exits import shortest_length
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.ahead import can_end
from lipogram.grammars.lattice.tables import VALUE, row_at, shorten

_OPTIONS: Final = 64  # fillings of one run of free slots
_TRIES: Final = 60  # runs filled on the way to the witness
_ROWS: Final = 1 << 16
_WITNESS_FIRST, _NOT_YET = -1, -2  # instead of the next option at a depth
NO_SLOT: Final = -1


@kernel
def goes_by_witness(m: Memory, k: Memory, r: Memory, state: int, position: int) -> bool:
    """Whether a state can be completed by all that the witness has from a position on."""
    return k[HAS_ROW] != 0 and can_end(m, r, state, position)


@kernel
def run_begin(k: Memory, position: int) -> int:
    """Where the run of free slots begins that a position is in."""
    while position > 0 and is_free(k, position - 1):
        position -= 1
    return position


@exported
def is_wide_at(k: Memory, position: int) -> bool:
    """Whether the free slots around a position are many, or touch a gap: there is much choice."""
    begin, stop = run_begin(k, position), position
    while is_free(k, stop):
        stop += 1
    return stop > begin + FEW_SLOTS or is_gap(k, stop) or (begin > 0 and is_gap(k, begin - 1))


@kernel
def stretch_begin(k: Memory, position: int) -> int:
    """Where the free slots and gaps begin, without a text in between, that lead to a position."""
    while position > 0 and is_to_fill(k, position - 1):
        position -= 1
    while slot_field(k, position, S_STATE) == 0:
        position -= 1
    return position


@kernel
def runs_back(k: Memory, position: int, runs: int) -> int:
    """Where the run of free slots begins that is so many before a position's, in the witness."""
    position = run_begin(k, position)
    while runs and position > 0:
        runs -= 1
        while position > 0 and not is_free(k, position - 1):
            position -= 1
        position = run_begin(k, position)
    while slot_field(k, position, S_STATE) == 0:
        position -= 1
    return position


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
def find(
    m: Memory, k: Memory, r: Memory, v: Memory, s: Spellings, position: int, token: int, end: int
) -> int:
    """ACCEPTED where a filling is found that has a token, or EMPTY, in a slot; it is in WAY.

    `r` has the row of the witness.
    """
    k[COUNTERS + NODES] = k[COUNTERS + OPTIONS] = 0
    behind = slot_field(k, position, S_STOP) if token == EMPTY else position + 1
    state = slot_field(k, position, S_STATE)
    begin = add_node(k, position, state, -1, NOT_A_SLOT)
    if state and token != EMPTY:
        state = read_token(m, s, state, token)
    if state:
        begin = add_node(k, behind, state, begin, token)
        found = _to_witness(m, k, r, v, s, begin)
        if found < 0:
            found = _found(m, k, r, v, s, begin, NO_SLOT, token, behind, end)
        if found >= 0:
            return _write_way(k, found)
    for back in (0, 1, 4):
        first = runs_back(k, position, back)
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
        if goes_by_witness(m, k, r, get(k, NODES, 4 * node + N_STATE), position + 1):
            return node
        found = _to_witness(m, k, r, v, s, node)
        if found >= 0:
            return found
    return -1


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
        if state and position >= met_from and goes_by_witness(m, k, r, state, position):
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
