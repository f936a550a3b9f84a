"""What follows from the entries of a chart in their own column: calls, returns, bytes in a room."""

from __future__ import annotations

from lipogram.decoding.canvas.chart.columns import (
    add_entry,
    empty_queue,
    is_over,
    next_entry,
    put_end,
)
from lipogram.decoding.canvas.chart.debts import (
    column_field,
    debt_of_return,
    entry_field,
    is_called_in,
    total,
)
from lipogram.decoding.canvas.chart.firsts import begins_with
from lipogram.decoding.canvas.chart.jumps import find_jumps
from lipogram.decoding.canvas.chart.layout import (
    BYTE,
    BYTES,
    CALLED,
    CONSUMED,
    E_COLUMN,
    E_COST,
    E_DEBT,
    E_FLAGS,
    E_FRAME,
    E_FROM,
    E_HOW,
    E_NODE,
    E_WITH,
    ENDED,
    JUMP,
    JUMPS,
    K_AT,
    K_BYTE,
    K_IS_GAP,
    K_SIZE,
    MASK_BYTES,
    MODE,
    O_BASE,
    O_CALLER,
    O_COLUMN,
    O_END,
    OWN,
    OWN_CALLERS,
    OWN_FRAME_AT,
    OWN_FRAMES,
    OWN_WIDTH,
    PUMP,
    PUMPED,
    RETURNED,
    SAME,
)
from lipogram.decoding.canvas.chart.tokens import add_tokens, can_go_on
from lipogram.decoding.canvas.compiled.ways import Spellings
from lipogram.grammars.engine.bytesets import has_byte
from lipogram.grammars.engine.derive import derive
from lipogram.grammars.engine.layout import (
    CALL_END,
    CALL_START,
    CALLER_END,
    CALLER_START,
    CALLERS,
    CALLS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EMPTY,
    FRAME_WIDTH,
    FRAMES,
    R_FLAGS,
    ROOT,
    RULE_WIDTH,
    RULES,
    SKIPPABLE,
)
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve, spend
from lipogram.grammars.engine.nodes import field, is_nullable
from lipogram.grammars.engine.programs import body_of
from lipogram.grammars.engine.search import is_alive
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.tables import VALUE, row_at


@kernel
def close(m: Memory, c: Memory, s: Spellings, column: int) -> bool:
    """Add all that follows in a column; whether there was room for it."""
    while not is_over(m, c):
        entry = next_entry(c, column)
        if entry < 0:
            put_end(c, column)
            return True
        close_entry(m, c, s, entry)
    empty_queue(c, column)
    return False


@kernel
def close_entry(m: Memory, c: Memory, s: Spellings, entry: int) -> None:
    """Add what follows from an entry in its own column."""
    spend(m, 40)
    node, column = entry_field(c, entry, E_NODE), entry_field(c, entry, E_COLUMN)
    derive(m, node)
    if is_nullable(m, node):
        _return(m, c, entry)
    for index in range(field(m, node, CALL_START), field(m, node, CALL_END)):
        _call(m, c, entry, get(m, CALLS, 2 * index), get(m, CALLS, 2 * index + 1))
    if column_field(c, column, K_SIZE) < 0:
        return
    is_bytewise = column_field(c, column, K_BYTE) == 0 or c[MODE] == BYTES
    if not is_bytewise:
        add_tokens(m, c, s, entry)
    if column_field(c, column, K_AT):
        return
    frame, cost = entry_field(c, entry, E_FRAME), entry_field(c, entry, E_COST)
    flags, debt = entry_field(c, entry, E_FLAGS) & PUMPED, entry_field(c, entry, E_DEBT)
    more = cost + column_field(c, column, K_BYTE)
    for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
        rest = get(m, EDGES, 2 * index + 1)
        # What costs nothing stands for tokens of any bytes, whether or not one is of this alone.
        byte = _some_byte(m, c, s, get(m, EDGES, 2 * index)) if more > cost else 0
        if byte < 0 and column_field(c, column, K_IS_GAP):
            byte = _first_byte(m, get(m, EDGES, 2 * index))
        if byte < 0 or not is_alive(m, rest):
            continue
        if rest == node:
            add_entry(c, node, frame, column, CONSUMED | PUMPED, more, debt, PUMP, entry, byte)
        add_entry(c, rest, frame, column, CONSUMED | flags, more, debt, BYTE, entry, byte)
    if more > cost and is_bytewise:
        for index in range(find_jumps(m, c, s.trie, s.usable, node)):
            rest, token = get(c, JUMPS, 2 * index), get(c, JUMPS, 2 * index + 1)
            add_entry(c, rest, frame, column, CONSUMED | flags, more, debt, JUMP, entry, token)


@kernel
def _some_byte(m: Memory, c: Memory, s: Spellings, mask: int) -> int:
    """A byte of a set that is a token, and easy to read if possible; -1 if none is."""
    reserve(c, MASK_BYTES, 4 * (mask + 1))
    known = get(c, MASK_BYTES, mask)
    if known:
        return known - 2
    found = -1
    for index in range(256):
        byte = (0x61 + index) & 255
        if s.of_bytes[byte] >= 0 and has_byte(m, mask, byte):
            found = byte
            break
    put(c, MASK_BYTES, mask, found + 2)
    return found


@kernel
def _first_byte(m: Memory, mask: int) -> int:
    byte = 0
    while not has_byte(m, mask, byte):
        byte += 1
    return byte


@kernel
def _call(m: Memory, c: Memory, entry: int, rule: int, rest: int) -> None:
    """Call a rule; in tail position it returns to where the entry does."""
    column, frame = entry_field(c, entry, E_COLUMN), entry_field(c, entry, E_FRAME)
    flags, cost = entry_field(c, entry, E_FLAGS), entry_field(c, entry, E_COST)
    debt, body = entry_field(c, entry, E_DEBT), body_of(m, rule)
    byte = column_field(c, column, K_BYTE) if column_field(c, column, K_SIZE) < 0 else -1
    is_other = byte >= 0 and not begins_with(m, c, rule, byte)
    is_other |= column_field(c, column, K_AT) != 0 and not can_go_on(m, c, rule, column)
    if is_other:
        if get(m, RULES, rule * RULE_WIDTH + R_FLAGS) & SKIPPABLE:
            add_entry(c, rest, frame, column, flags, cost, debt, SAME, entry, 0)
        return
    if rest == EMPTY:
        add_entry(c, body, frame, column, flags, cost, debt, SAME, entry, 0)
        return
    row = row_at(c, OWN_FRAME_AT, rule, column, flags & PUMPED)
    own = get(c, OWN_FRAME_AT, row + VALUE) - 1
    at = OWN_WIDTH * own
    if own < 0:
        own = c[COUNTERS + OWN_FRAMES]
        at = OWN_WIDTH * own
        reserve(c, OWN_FRAMES, 4 * (at + OWN_WIDTH))
        put(c, OWN_FRAMES, at + O_COLUMN, column)
        put(c, OWN_FRAMES, at + O_CALLER, 0)
        put(c, OWN_FRAMES, at + O_END, 0)
        put(c, OWN_FRAMES, at + O_BASE, total(c, entry))
        c[COUNTERS + OWN_FRAMES] = own + 1
        put(c, OWN_FRAME_AT, row + VALUE, own + 1)
    caller = c[COUNTERS + OWN_CALLERS]
    reserve(c, OWN_CALLERS, 12 * (caller + 1))
    put(c, OWN_CALLERS, 3 * caller, entry)
    put(c, OWN_CALLERS, 3 * caller + 1, rest)
    put(c, OWN_CALLERS, 3 * caller + 2, get(c, OWN_FRAMES, at + O_CALLER))
    put(c, OWN_FRAMES, at + O_CALLER, caller + 1)
    c[COUNTERS + OWN_CALLERS] = caller + 1
    add_entry(c, body, OWN + own, column, flags & PUMPED, 0, 0, CALLED, entry, 0)
    ended = get(c, OWN_FRAMES, at + O_END)
    while ended:
        _return_to(c, get(c, ENDED, 2 * ended - 2), caller, True)
        ended = get(c, ENDED, 2 * ended - 1)
    if get(m, RULES, rule * RULE_WIDTH + R_FLAGS) & SKIPPABLE:
        add_entry(c, rest, frame, column, flags, cost, debt, SAME, entry, 0)


@kernel
def _return(m: Memory, c: Memory, entry: int) -> None:
    """Go on where the rule was called that an entry ends."""
    frame, column = entry_field(c, entry, E_FRAME), entry_field(c, entry, E_COLUMN)
    flags, cost = entry_field(c, entry, E_FLAGS), entry_field(c, entry, E_COST)
    if frame == ROOT:
        return
    if frame < OWN:
        at = frame * FRAME_WIDTH
        for index in range(get(m, FRAMES, at + CALLER_START), get(m, FRAMES, at + CALLER_END)):
            rest, outer = get(m, CALLERS, 2 * index), get(m, CALLERS, 2 * index + 1)
            add_entry(c, rest, outer, column, flags, cost, 0, SAME, entry, 0)
        return
    at = OWN_WIDTH * (frame - OWN)
    is_here = is_called_in(c, frame, column)
    if is_here:
        if not flags & CONSUMED:
            return  # what may be empty is skipped where it is called
        ended = c[COUNTERS + ENDED]
        reserve(c, ENDED, 8 * (ended + 1))
        put(c, ENDED, 2 * ended, entry)
        put(c, ENDED, 2 * ended + 1, get(c, OWN_FRAMES, at + O_END))
        put(c, OWN_FRAMES, at + O_END, ended + 1)
        c[COUNTERS + ENDED] = ended + 1
    caller = get(c, OWN_FRAMES, at + O_CALLER)
    while caller:
        _return_to(c, entry, caller - 1, is_here)
        caller = get(c, OWN_CALLERS, 3 * caller - 1)


@kernel
def _return_to(c: Memory, entry: int, caller: int, is_here: bool) -> None:
    """Go on behind one call of the rule that an entry ends."""
    calling, rest = get(c, OWN_CALLERS, 3 * caller), get(c, OWN_CALLERS, 3 * caller + 1)
    outer, column = entry_field(c, calling, E_FRAME), entry_field(c, entry, E_COLUMN)
    cost = entry_field(c, entry, E_COST)
    flags = CONSUMED | (entry_field(c, entry, E_FLAGS) & PUMPED)
    if not is_here:
        debt = debt_of_return(c, calling, entry_field(c, entry, E_DEBT))
        if debt >= 0:
            add_entry(c, rest, outer, column, flags, cost, debt, RETURNED, caller, entry)
        return
    own_cost, debt = entry_field(c, calling, E_COST), entry_field(c, calling, E_DEBT)
    is_alike = rest == entry_field(c, calling, E_NODE) and column == entry_field(
        c, calling, E_COLUMN
    )
    if cost == 1 and is_alike and not column_field(c, column, K_AT):
        byte, pumped = _only_byte(c, entry), CONSUMED | PUMPED
        if byte >= 0:
            add_entry(c, rest, outer, column, pumped, own_cost + 1, debt, PUMP, calling, byte)
    add_entry(c, rest, outer, column, flags, own_cost + cost, debt, RETURNED, caller, entry)


@kernel
def _only_byte(c: Memory, entry: int) -> int:
    """The byte that an entry of cost 1 has come by; -1 where that is hard to see."""
    for _ in range(4):
        how = entry_field(c, entry, E_HOW)
        if how == BYTE:
            return entry_field(c, entry, E_WITH)
        if how == RETURNED:
            entry = entry_field(c, entry, E_WITH)
        elif how == SAME:
            entry = entry_field(c, entry, E_FROM)
        else:
            break
    return -1
