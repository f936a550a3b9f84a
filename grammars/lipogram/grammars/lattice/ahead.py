"""What a row of texts and gaps rules out, looked at no further than to the gaps nearest to a place.

Whether a state can be completed is asked residual by residual: where one can end does not depend on
what it returns to, so states of different texts share it. Behind a gap for any text hardly anything
is ruled out by what is in front of it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lipogram.grammars.engine.interning import residual_state
from lipogram.grammars.engine.layout import (
    CALLER_END,
    CALLER_START,
    CALLERS,
    FRAME_WIDTH,
    FRAMES,
    ITEMS,
    ROOT,
    ROWS,
    S_END,
    S_START,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve, spend
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.gaps import (
    skip,
)
from lipogram.grammars.lattice.row import (
    C_FRONT,
    C_SINCE,
    C_START,
    CELL_OF,
    CLOCK,
    ELEMENTS,
    END,
    GAP,
    NEXT,
    cell_field,
    set_cell_field,
    settled,
)
from lipogram.grammars.lattice.tables import (
    EXTRA,
    TICK,
    VALUE,
    row_at,
)
from lipogram.grammars.lattice.unions import (
    state_of_keys,
)

_ENDS: Final = 12  # table (residual, place): where in PLACES the places are at which it can end
_ALIVE: Final = 14  # table (residual, frame, place)
_VERDICTS: Final = 16  # table (state, place)
PLACES: Final = 18
_TODO: Final = 19  # [., 2] row of ALIVE, the entry that led there
_WAITING: Final = 20  # entries of TODO
_SEARCHES: Final = COUNTERS + 2
BEYOND: Final = -1  # a place too far off to be told
_LIVE, _DEAD = 1, 2
NOWHERE: Final = -1  # a front that no text leads to
ANYWHERE: Final = -2  # one that has too many readings to tell


@kernel
def _is_fresh(k: Memory, table: int, row: int) -> bool:
    """Whether what was noted in a row is not to be forgotten: its last key is a place."""
    cell = get(k, CELL_OF, get(k, table, row + (1 if table != _ALIVE else 2)))
    return get(k, table, row + TICK) >= cell_field(k, cell, C_SINCE)


@kernel
def _push_place(k: Memory, place: int) -> None:
    count = k[COUNTERS + PLACES]
    reserve(k, PLACES, 4 * (count + 1))
    put(k, PLACES, count, place)
    k[COUNTERS + PLACES] = count + 1


@kernel
def _ends_of(m: Memory, k: Memory, node: int, place: int) -> int:
    """The row that says where a residual that begins at a settled place can end."""
    known = row_at(k, _ENDS, node, place, 0)
    if get(k, _ENDS, known + TICK) and _is_fresh(k, _ENDS, known):
        return known
    start = k[COUNTERS + PLACES]
    state = residual_state(m, node)
    while state:
        place = settled(k, place)
        element = get(k, ELEMENTS, place)
        if element == GAP:
            _push_place(k, BEYOND)
            break
        row = row_of(m, state)
        if row & 1:
            _push_place(k, place)
        spend(m, 1)
        if element == END:
            break
        state = get(m, ROWS, 256 * (row >> 1) + element)
        place += 1
    put(k, _ENDS, known + VALUE, start)
    put(k, _ENDS, known + EXTRA, k[COUNTERS + PLACES])
    put(k, _ENDS, known + TICK, k[CLOCK])
    return known


@kernel
def ends_of_residual(m: Memory, k: Memory, node: int, place: int) -> tuple[int, int]:
    """Where in PLACES the places begin and end at which a residual can end."""
    known = _ends_of(m, k, node, place)
    return get(k, _ENDS, known + VALUE), get(k, _ENDS, known + EXTRA)


@kernel
def _verdict(k: Memory, row: int) -> int:
    """What is known of a residual, a frame and a place; 0: nothing."""
    return get(k, _ALIVE, row + VALUE) if _is_fresh(k, _ALIVE, row) else 0


@kernel
def _note(k: Memory, row: int, verdict: int) -> None:
    put(k, _ALIVE, row + VALUE, verdict)
    put(k, _ALIVE, row + TICK, k[CLOCK])


@kernel
def _push(k: Memory, row: int, parent: int, count: int, waiting: int) -> None:
    put(k, _ALIVE, row + EXTRA, k[_SEARCHES])
    reserve(k, _TODO, 8 * (count + 1))
    put(k, _TODO, 2 * count, row)
    put(k, _TODO, 2 * count + 1, parent)
    reserve(k, _WAITING, 4 * (waiting + 1))
    put(k, _WAITING, waiting, count)


@kernel
def _note_way(k: Memory, entry: int) -> bool:
    while entry >= 0:
        _note(k, get(k, _TODO, 2 * entry), _LIVE)
        entry = get(k, _TODO, 2 * entry + 1)
    return True


@kernel
def is_open(m: Memory, k: Memory, node: int, frame: int, place: int) -> bool:
    """Whether a residual, then what waits in a frame, can end with the row."""
    row = row_at(k, _ALIVE, node, frame, place)
    known = _verdict(k, row)
    if known:
        return known == _LIVE
    k[_SEARCHES] += 1
    _push(k, row, -1, 0, 0)
    count = waiting = 1
    while waiting:
        waiting -= 1
        entry = get(k, _WAITING, waiting)
        row = get(k, _TODO, 2 * entry)
        frame = get(k, _ALIVE, row + 1)
        ends = _ends_of(m, k, get(k, _ALIVE, row), get(k, _ALIVE, row + 2))
        spend(m, 4)
        for index in range(get(k, _ENDS, ends + VALUE), get(k, _ENDS, ends + EXTRA)):
            end = get(k, PLACES, index)
            if end == BEYOND:
                return _note_way(k, entry)
            if frame == ROOT:
                if get(k, ELEMENTS, end) == END:
                    return _note_way(k, entry)
                continue
            at = frame * FRAME_WIDTH
            for caller in range(get(m, FRAMES, at + CALLER_START), get(m, FRAMES, at + CALLER_END)):
                rest, outer = get(m, CALLERS, 2 * caller), get(m, CALLERS, 2 * caller + 1)
                following = row_at(k, _ALIVE, rest, outer, end)
                known = _verdict(k, following)
                if known == _LIVE:
                    return _note_way(k, entry)
                if known == 0 and get(k, _ALIVE, following + EXTRA) != k[_SEARCHES]:
                    _push(k, following, entry, count, waiting)
                    count += 1
                    waiting += 1
    for entry in range(count):
        _note(k, get(k, _TODO, 2 * entry), _DEAD)
    return False


@kernel
def can_end(m: Memory, k: Memory, state: int, cell: int) -> bool:
    """Whether a state in front of a cell can be completed from there on."""
    place = settled(k, cell_field(k, cell, C_START))
    if get(k, ELEMENTS, place) == GAP:
        return True
    row = row_at(k, _VERDICTS, state, place, 0)
    if _is_fresh(k, _VERDICTS, row) and get(k, _VERDICTS, row + VALUE):
        return get(k, _VERDICTS, row + VALUE) == _LIVE
    verdict = _DEAD
    at = state * STATE_WIDTH
    for index in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
        if is_open(m, k, get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1), place):
            verdict = _LIVE
            break
    put(k, _VERDICTS, row + VALUE, verdict)
    put(k, _VERDICTS, row + TICK, k[CLOCK])
    return verdict == _LIVE


@exported
def front(m: Memory, k: Memory, cell: int) -> int:
    """What all texts in front of a cell lead to, as far as what is behind allows; or NOWHERE."""
    at = cell
    while cell_field(k, at, C_FRONT) == 0:
        at -= 1
    state = cell_field(k, at, C_FRONT)
    while at < cell:
        if state > 0:
            state = _over(m, k, state, at)
        at += 1
        set_cell_field(k, at, C_FRONT, state)
    return state


@kernel
def _over(m: Memory, k: Memory, state: int, cell: int) -> int:
    """What a state in front of a cell leads to behind it."""
    place = cell_field(k, cell, C_START)
    if get(k, ELEMENTS, place) == GAP:
        after = skip(m, cell_field(k, 0, C_FRONT))
        return ANYWHERE if after < 0 else after
    while get(k, ELEMENTS, place) != NEXT:
        spend(m, 1)
        state = get(m, ROWS, 256 * (row_of(m, state) >> 1) + get(k, ELEMENTS, place))
        if state == 0:
            return NOWHERE
        place += 1
    return state


@kernel
def pruned(m: Memory, k: Memory, state: int, cell: int) -> int:
    """A state in front of a cell without the items that cannot be completed; 0 if none can."""
    place = settled(k, cell_field(k, cell, C_START))
    at = state * STATE_WIDTH
    first, end = get(m, STATES, at + S_START), get(m, STATES, at + S_END)
    keys = np.empty(end - first, np.int64)
    size = 0
    for index in range(first, end):
        node, frame = get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1)
        if get(k, ELEMENTS, place) == GAP or is_open(m, k, node, frame, place):
            keys[size] = node << 32 | frame
            size += 1
    if size == 0:
        return 0
    return state if size == end - first else state_of_keys(m, keys[:size])
