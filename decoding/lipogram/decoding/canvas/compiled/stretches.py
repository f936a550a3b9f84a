"""All fillings of a stretch of cells at once: a union of states in front of each cell.

What has a token in a slot is followed from there on until the witness can go on, or nothing can.
The stretch begins where the witness leads, where any text leads, or where the text begins.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.compiled.ends import ends_of, is_of_new_kind
from lipogram.decoding.canvas.compiled.layout import (
    ANY_TEXT,
    ASKED,
    BEFORE,
    CALLS,
    EMPTY,
    ENDS_POOL,
    FREE,
    KINDS,
    KNOWN_ENDS,
    ON,
    PROOF,
    S_CHOICE,
    S_HOLE,
    S_KIND,
    S_MAY_STOP,
    S_STOP,
    S_TOKEN,
    SLOT,
    STRETCHES,
    TEXT,
    UNIONS,
    WAY,
    is_possible,
    slot_field,
)
from lipogram.decoding.canvas.compiled.outcomes import ENDS, ends_of_wanted
from lipogram.decoding.canvas.compiled.ways import (
    Spellings,
    is_free,
    is_gap,
    read_elements,
    read_token,
    text_of,
)
from lipogram.decoding.reaches.layout import NODES as NODE_COUNT
from lipogram.grammars.engine.memory import COUNTERS, FUEL, Memory, clear, get, put, reserve
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.ahead import can_end, pruned
from lipogram.grammars.lattice.gaps import skip
from lipogram.grammars.lattice.row import C_START, cell_field, follow, put_text
from lipogram.grammars.lattice.tables import EXTRA, TICK, VALUE, row_at, shorten
from lipogram.grammars.lattice.unions import union

REJECTED, ACCEPTED, UNDECIDED = range(3)
ONE_OF: Final = -4  # instead of a token: any of a set
FROM_WITNESS, FROM_FURTHER, FROM_ANY_TEXT, FROM_START = range(4)  # stretches
_STRETCHES: Final = 4
_WIDTH: Final = 3  # of STRETCHES: its begin; the state there; up to where BEFORE is known
_BEGIN, _STATE, _KNOWN = range(_WIDTH)
_OF_A_KIND: Final = 4  # states that some tokens lead to
_ROWS: Final = 1 << 16


@exported
def begin_stretches(k: Memory, end: int) -> None:
    """Make room for what they lead to."""
    reserve(k, STRETCHES, 4 * _WIDTH * _STRETCHES)
    reserve(k, BEFORE, 4 * _STRETCHES * (end + 1))
    reserve(k, ON, 4 * (end + 1))
    clear(k, BEFORE)
    for stretch in range(_STRETCHES):
        put(k, STRETCHES, _WIDTH * stretch + _KNOWN, -1)


@kernel
def _after_any(m: Memory, k: Memory, v: Memory, s: Spellings, state: int, is_whole: int) -> int:
    """What the tokens of a trie lead to, all of them if it is whole; 0 if none."""
    row = row_at(k, UNIONS, state, v[NODE_COUNT], is_whole)
    if get(k, UNIONS, row + TICK) == 0:
        k[CALLS] += 1
        shorten(k, KINDS, _ROWS)
        known = ends_of(m, k, v, s, state, is_whole)
        first, end = get(k, KNOWN_ENDS, known + VALUE), get(k, KNOWN_ENDS, known + EXTRA)
        states = np.empty(end - first, np.int64)
        count = 0
        for index in range(first, end):
            states[count] = get(k, ENDS_POOL, 2 * index)
            if is_whole or is_of_new_kind(m, k, states[count], k[CALLS], _OF_A_KIND):
                count += 1
        put(k, UNIONS, row + VALUE, union(m, states, count) if count else 0)
        put(k, UNIONS, row + TICK, 1)
    return get(k, UNIONS, row + VALUE)


@kernel
def _join(m: Memory, k: Memory, array: int, place: int, state: int) -> None:
    """Let a state be among those at a place."""
    known = get(k, array, place)
    if state == 0 or known == state:
        return
    states = np.empty(2, np.int64)
    states[0], states[1] = known, state
    put(k, array, place, union(m, states, 2) if known else state)


@kernel
def _go_on(
    m: Memory, k: Memory, v: Memory, s: Spellings, array: int, base: int, position: int,
    is_whole: int,
) -> None:  # fmt: skip
    """Go on over the cell at a position from what an array has there."""
    place = base + position
    state = get(k, array, place)
    if state:
        state = pruned(m, k, state, position)
        put(k, array, place, state)
    if state == 0:
        return
    kind, choice = slot_field(k, position, S_KIND), slot_field(k, position, S_CHOICE)
    after = 0
    if kind == TEXT:
        after = read_elements(m, k, state, cell_field(k, position, C_START))
    elif kind == ANY_TEXT:
        after = skip(m, state)
        if after < 0:
            raise MemoryError  # too many readings
    elif choice == EMPTY:
        _join(m, k, array, base + slot_field(k, position, S_STOP), state)
        return
    elif choice != FREE:
        after = read_token(m, s, state, choice)
    else:
        stop = slot_field(k, position, S_STOP)
        if slot_field(k, position, S_MAY_STOP) and is_possible(m, k, state, stop):
            _join(m, k, array, base + stop, state)
        after = _after_any(m, k, v, s, state, is_whole)
    _join(m, k, array, place + 1, after)


@exported
def forget_from(k: Memory, position: int, end: int) -> None:
    """Have what stretches lead to found out anew behind a position, everywhere if it is -1."""
    for stretch in range(_STRETCHES):
        at = _WIDTH * stretch
        if get(k, STRETCHES, at + _KNOWN) <= position:
            continue
        is_begun = get(k, STRETCHES, at + _BEGIN) <= position
        put(k, STRETCHES, at + _KNOWN, position if is_begun else -1)
        for place in range(position + 1, end + 1):
            put(k, BEFORE, stretch * (end + 1) + place, 0)


@kernel
def _lead_to(
    m: Memory, k: Memory, v: Memory, s: Spellings, stretch: int, begin: int, state: int,
    position: int, end: int, least_fuel: int,
) -> bool:  # fmt: skip
    """See to it that BEFORE has what leads to a position; whether it could be done in time."""
    base, at = stretch * (end + 1), _WIDTH * stretch
    is_same = get(k, STRETCHES, at + _BEGIN) == begin and get(k, STRETCHES, at + _STATE) == state
    if not is_same or get(k, STRETCHES, at + _KNOWN) < begin:
        put(k, STRETCHES, at + _BEGIN, begin)
        put(k, STRETCHES, at + _STATE, state)
        put(k, STRETCHES, at + _KNOWN, begin)
        for place in range(begin, end + 1):
            put(k, BEFORE, base + place, 0)
        put(k, BEFORE, base + begin, state)
    for place in range(get(k, STRETCHES, at + _KNOWN), position):
        if m[FUEL] < least_fuel:
            return False
        _go_on(m, k, v, s, BEFORE, base, place, is_whole(stretch))
        put(k, STRETCHES, at + _KNOWN, place + 1)
    return True


@kernel
def is_whole(stretch: int) -> int:
    """Whether all tokens are tried."""
    return stretch in (FROM_ANY_TEXT, FROM_START)


@kernel
def follow_on(
    m: Memory, k: Memory, r: Memory, w: Memory, v: Memory, a: Memory, s: Spellings,
    wanted: NDArray[np.int32], stretch: int, begin: int, state: int, position: int, token: int,
    end: int, runs: int, work: int,
) -> int:  # fmt: skip
    """Whether a token fits a slot, by what the stretch leads to; how goes to WAY.

    ONE_OF stands for any of those in the bit set `wanted`. REJECTED where nothing can follow. At
    most so many runs of free slots further on are filled, with so much work. `w` is of a row like
    that in `r`, and may be written to; `v` is a trie of some tokens, `a` of all.
    """
    least_fuel = m[FUEL] - work
    v = a if is_whole(stretch) else v
    if not _lead_to(m, k, v, s, stretch, begin, state, position, end, least_fuel):
        return UNDECIDED
    base = stretch * (end + 1)
    behind = slot_field(k, position, S_STOP) if token == EMPTY else position + 1
    for place in range(position, end + 1):
        put(k, ON, place, 0)
    if token == EMPTY:
        for place in range(max(begin, slot_field(k, position, S_HOLE)), position + 1):
            if slot_field(k, place, S_MAY_STOP):
                _join(m, k, ON, behind, get(k, BEFORE, base + place))
    elif get(k, BEFORE, base + position):
        _ask(m, k, a, s, wanted, get(k, BEFORE, base + position), token)
        put(k, ON, behind, _asked(m, k, behind))
    furthest = behind  # where something may be
    for place in range(behind, end + 1):
        front = get(k, ON, place)
        if front == 0:
            if place >= furthest:
                break
            continue
        if can_end(m, r, front, place):
            if stretch == FROM_ANY_TEXT:
                return UNDECIDED
            return _choose(m, k, w, v, s, stretch, begin, position, token, behind, place, end)
        if place == end:
            break
        runs -= place > behind and is_free(k, place) and not is_free(k, place - 1)
        if runs < 0 or m[FUEL] < least_fuel:
            return UNDECIDED
        _go_on(m, k, v, s, ON, 0, place, is_whole(stretch))
        is_slot = slot_field(k, place, S_KIND) == SLOT
        furthest = max(furthest, slot_field(k, place, S_STOP) if is_slot else place + 1)
    k[PROOF] = get(k, BEFORE, base + position)
    return REJECTED


@kernel
def _ask(
    m: Memory, k: Memory, a: Memory, s: Spellings, wanted: NDArray[np.int32], state: int, token: int
) -> None:
    """Write to ASKED what the token that is asked for leads to, or one of those wanted."""
    count = 1
    if token == ONE_OF:
        count = ends_of_wanted(m, a, state, wanted)
    reserve(k, ASKED, 8 * (count + 1))
    for index in range(count):
        is_one = token != ONE_OF
        after = read_token(m, s, state, token) if is_one else get(m, ENDS, 2 * index)
        put(k, ASKED, 2 * index, after)
        put(k, ASKED, 2 * index + 1, token if is_one else get(m, ENDS, 2 * index + 1))
    k[COUNTERS + ASKED] = count


@kernel
def _asked(m: Memory, k: Memory, behind: int) -> int:
    """The union of what is in ASKED, as far as texts and gaps allow; 0 if nothing."""
    states = np.empty(k[COUNTERS + ASKED], np.int64)
    count = 0
    for index in range(len(states)):
        states[count] = get(k, ASKED, 2 * index)
        if states[count] and is_possible(m, k, states[count], behind):
            count += 1
    return union(m, states, count) if count else 0


@kernel
def _chosen(m: Memory, k: Memory, w: Memory, behind: int) -> int:
    """A token in ASKED after which what is behind can come; -1 if none."""
    for index in range(k[COUNTERS + ASKED]):
        state = get(k, ASKED, 2 * index)
        if state and can_end(m, w, state, behind):
            return get(k, ASKED, 2 * index + 1)
    return -1


@kernel
def _choose(
    m: Memory, k: Memory, w: Memory, v: Memory, s: Spellings, stretch: int, begin: int,
    position: int, token: int, behind: int, place: int, end: int,
) -> int:  # fmt: skip
    """Choose tokens, last first, in front of where the witness goes on; ACCEPTED, as it must be."""
    k[COUNTERS + WAY] = 0
    base, is_well = stretch * (end + 1), True
    while place > begin and is_well:
        array, at, first = BEFORE, base, begin
        if place > behind:
            array, at, first = ON, 0, behind
        if place == behind and token != EMPTY:
            place = position
            chosen = _chosen(m, k, w, behind)
            is_well = chosen >= 0  # not where a gap in between had to have another text
            if is_well:
                _choose_token(k, w, s, place, chosen, end)
            continue
        least = position if place == behind else end
        stop = _stop(m, k, w, array, at, first, place, least)
        if stop >= 0:
            place = stop
            _choose_token(k, w, s, place, EMPTY, end)
            continue
        is_well = place != behind  # where EMPTY is asked for
        place -= 1
        if not is_free(k, place) or not is_well:
            continue
        chosen = _fitting(m, k, w, v, s, get(k, array, at + place), place, is_whole(stretch))
        is_well = chosen >= 0
        if is_well:
            _choose_token(k, w, s, place, chosen, end)
    is_well &= place == begin and can_end(m, w, get(k, BEFORE, base + begin), begin)
    restore_row(k, w, s, end)
    return ACCEPTED if is_well else UNDECIDED


@kernel
def write_row(k: Memory, w: Memory, s: Spellings, end: int) -> None:
    """Let a row of the witness have the tokens in WAY."""
    for index in range(k[COUNTERS + WAY]):
        _put(k, w, s, get(k, WAY, 2 * index), get(k, WAY, 2 * index + 1), end)


@exported
def restore_row(k: Memory, w: Memory, s: Spellings, end: int) -> None:
    """Let the row have what the witness has instead."""
    for index in range(k[COUNTERS + WAY]):
        cell = get(k, WAY, 2 * index)
        if is_gap(k, cell):
            continue  # no row has had a text of it but the witness's
        stop = slot_field(k, cell, S_STOP) if get(k, WAY, 2 * index + 1) == EMPTY else cell + 1
        for place in range(cell, stop):
            put_text(w, place, text_of(s, slot_field(k, place, S_TOKEN)))
        follow(w, stop - 1, end)


@kernel
def _put(k: Memory, w: Memory, s: Spellings, place: int, token: int, end: int) -> None:
    stop = slot_field(k, place, S_STOP) if token == EMPTY else place + 1
    for cell in range(place, stop):
        put_text(w, cell, text_of(s, token))
    follow(w, stop - 1, end)


@kernel
def take(k: Memory, position: int, token: int) -> None:
    """Append a token to WAY."""
    count = k[COUNTERS + WAY]
    reserve(k, WAY, 8 * (count + 1))
    put(k, WAY, 2 * count, position)
    put(k, WAY, 2 * count + 1, token)
    k[COUNTERS + WAY] = count + 1


@kernel
def _choose_token(k: Memory, w: Memory, s: Spellings, place: int, token: int, end: int) -> None:
    take(k, place, token)
    _put(k, w, s, place, token, end)


@kernel
def _stop(
    m: Memory, k: Memory, w: Memory, array: int, at: int, first: int, place: int, least: int
) -> int:
    """Where a hole can be left empty that ends at a place; not behind `least`; or -1."""
    if slot_field(k, place - 1, S_KIND) != SLOT or slot_field(k, place - 1, S_STOP) != place:
        return -1
    for stop in range(max(first, slot_field(k, place - 1, S_HOLE)), min(place, least + 1)):
        is_free_to = is_free(k, stop) and slot_field(k, stop, S_MAY_STOP)
        if is_free_to or slot_field(k, stop, S_CHOICE) == EMPTY:
            front = get(k, array, at + stop)
            if front and can_end(m, w, front, place):
                return stop
    return -1


@kernel
def _fitting(
    m: Memory, k: Memory, w: Memory, v: Memory, s: Spellings, state: int, place: int, is_whole: int
) -> int:
    """A token that leads from a state to what is behind, if possible the witness's; or -1."""
    if state == 0:
        return -1
    token = slot_field(k, place, S_TOKEN)
    if token != EMPTY:
        after = read_token(m, s, state, token)
        if after and can_end(m, w, after, place + 1):
            return token
    row = ends_of(m, k, v, s, state, is_whole)
    for index in range(get(k, KNOWN_ENDS, row + VALUE), get(k, KNOWN_ENDS, row + EXTRA)):
        if can_end(m, w, get(k, ENDS_POOL, 2 * index), place + 1):
            return get(k, ENDS_POOL, 2 * index + 1)
    return -1
