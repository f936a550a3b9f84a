"""Whether an entry of a chart can be completed by what the witness has from a cell on."""

from __future__ import annotations

from typing import Final

from lipogram.decoding.canvas.chart.debts import (
    debt_behind,
    debt_of_return,
    entry_field,
)
from lipogram.decoding.canvas.chart.layout import (
    DEAD_ENDS,
    E_FRAME,
    E_NODE,
    O_CALLER,
    OPEN_STEPS,
    OWN,
    OWN_CALLERS,
    OWN_FRAMES,
    OWN_WIDTH,
    ROUND,
)
from lipogram.grammars.engine.memory import Memory, get, put, reserve, spend
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.ahead import BEYOND, PLACES, ends_of_residual, is_open
from lipogram.grammars.lattice.row import C_START, cell_field, settled
from lipogram.grammars.lattice.tables import EXTRA, VALUE, row_at

STEP_WIDTH: Final = 6
# A residual with what it returns to, where it begins; the step before and the call returned to;
# what is owed then.
T_NODE, T_FRAME, T_PLACE, T_BEFORE, T_CALLER, T_DEBT = range(STEP_WIDTH)


@kernel
def opened(m: Memory, c: Memory, r: Memory, entry: int, cell: int) -> int:
    """The last of the steps by which the witness's row completes an entry; -1 if it does not."""
    place = settled(r, cell_field(r, cell, C_START))
    node, frame = entry_field(c, entry, E_NODE), entry_field(c, entry, E_FRAME)
    if frame < OWN:
        if not is_open(m, r, node, frame, place):
            return -1
        return _push(c, 0, node, frame, place, -1, -1, 0) - 1
    count = _push(c, 0, node, frame, place, -1, -1, debt_behind(c, entry))
    waiting = 0
    while waiting < count:
        at = STEP_WIDTH * waiting
        after = _push_callers(m, c, r, waiting, count)
        if after < 0 or _is_step_open(m, r, c, at):
            _forget(c, count)
            return waiting
        count = after
        waiting += 1
    return -1


@kernel
def _forget(c: Memory, count: int) -> None:
    """Take back that steps lead nowhere."""
    for step in range(count):
        at = STEP_WIDTH * step
        frame = get(c, OPEN_STEPS, at + T_FRAME)
        if frame >= OWN:
            node, place = get(c, OPEN_STEPS, at + T_NODE), get(c, OPEN_STEPS, at + T_PLACE)
            put(c, DEAD_ENDS, row_at(c, DEAD_ENDS, node, frame, place) + VALUE, 0)


@kernel
def _is_step_open(m: Memory, r: Memory, c: Memory, at: int) -> bool:
    frame = get(c, OPEN_STEPS, at + T_FRAME)
    if frame >= OWN:
        return False
    return is_open(m, r, get(c, OPEN_STEPS, at + T_NODE), frame, get(c, OPEN_STEPS, at + T_PLACE))


@kernel
def _push_callers(m: Memory, c: Memory, r: Memory, step: int, count: int) -> int:
    """Append the steps behind one whose frame is the chart's; their number, -1: it is open."""
    at = STEP_WIDTH * step
    frame = get(c, OPEN_STEPS, at + T_FRAME)
    if frame < OWN:
        return count
    spend(m, 4)
    debt = get(c, OPEN_STEPS, at + T_DEBT)
    ends = ends_of_residual(m, r, get(c, OPEN_STEPS, at + T_NODE), get(c, OPEN_STEPS, at + T_PLACE))
    if ends[0] < ends[1] and get(r, PLACES, ends[1] - 1) == BEYOND:
        return -1  # before any step is noted that would never be followed
    for index in range(ends[0], ends[1]):
        end = get(r, PLACES, index)
        caller = get(c, OWN_FRAMES, OWN_WIDTH * (frame - OWN) + O_CALLER)
        while caller:
            calling = get(c, OWN_CALLERS, 3 * caller - 3)
            rest, outer = get(c, OWN_CALLERS, 3 * caller - 2), entry_field(c, calling, E_FRAME)
            owed = debt_of_return(c, calling, debt)
            if owed >= 0:
                count = _push(c, count, rest, outer, end, step, caller - 1, owed)
            caller = get(c, OWN_CALLERS, 3 * caller - 1)
    return count


@kernel
def _push(
    c: Memory, count: int, node: int, frame: int, place: int, before: int, caller: int, debt: int
) -> int:
    """Append a step, unless one that owes no more leads nowhere or is there; how many there are."""
    if frame >= OWN:
        row = row_at(c, DEAD_ENDS, node, frame, place)
        if get(c, DEAD_ENDS, row + VALUE) > c[ROUND] and get(c, DEAD_ENDS, row + EXTRA) <= debt:
            return count
        put(c, DEAD_ENDS, row + VALUE, c[ROUND] + 1)
        put(c, DEAD_ENDS, row + EXTRA, debt)
    at = STEP_WIDTH * count
    reserve(c, OPEN_STEPS, 4 * (at + STEP_WIDTH))
    put(c, OPEN_STEPS, at + T_NODE, node)
    put(c, OPEN_STEPS, at + T_FRAME, frame)
    put(c, OPEN_STEPS, at + T_PLACE, place)
    put(c, OPEN_STEPS, at + T_BEFORE, before)
    put(c, OPEN_STEPS, at + T_CALLER, caller)
    put(c, OPEN_STEPS, at + T_DEBT, debt)
    return count + 1
