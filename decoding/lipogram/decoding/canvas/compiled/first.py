"""A first filling: all that some tokens lead to, from left to right, then choices, right to left.

With all slots behind it filled, what a token leads to need not be followed: residual by residual it
is known whether the texts behind can be read.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.compiled.ends import ends_of, is_of_new_kind
from lipogram.decoding.canvas.compiled.layout import (
    CALLS,
    EMPTY,
    ENDS_POOL,
    KINDS,
    KNOWN_ENDS,
    LEFT,
    S_CHOICE,
    S_KIND,
    S_MAY_STOP,
    S_STOP,
    S_TOKEN,
    SLOT,
    is_possible,
    set_slot_field,
    slot_field,
)
from lipogram.decoding.canvas.compiled.stretches import ACCEPTED, REJECTED, UNDECIDED
from lipogram.decoding.canvas.compiled.ways import (
    Spellings,
    is_free,
    over_fixed,
    read_token,
    run_end,
    text_of,
)
from lipogram.grammars.engine.memory import Memory, clear, get, put, reserve
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.ahead import pruned
from lipogram.grammars.lattice.row import follow, put_text
from lipogram.grammars.lattice.tables import EXTRA, VALUE, shorten
from lipogram.grammars.lattice.unions import union

_TOKENS: Final = 12  # in a run, before others are put in
_STATES: Final = 128  # that are united
_ROWS: Final = 1 << 16


@exported
def fill(
    m: Memory, k: Memory, v: Memory, w: Memory, s: Spellings, state: int, end: int, most: int,
    loose: int,
) -> int:  # fmt: skip
    """Look for tokens for all slots, which become the witness's: ACCEPTED if they are found.

    Where those of the trie `v` do not lead on, those of `w` are tried. Of states with the same
    residuals at most so many are gone on from after one token. `loose` is the size from which on a
    run is filled by the fewest tokens that will do, and others that make no difference.
    """
    verdict = _reach(m, k, v, w, s, state, end, most, loose)
    return _choose(m, k, v, w, s, end) if verdict == ACCEPTED else verdict


@kernel
def _reach(
    m: Memory, k: Memory, v: Memory, w: Memory, s: Spellings, state: int, end: int, most: int,
    loose: int,
) -> int:  # fmt: skip
    """Find what some tokens in the free slots lead to: ACCEPTED where that is complete."""
    reserve(k, LEFT, 4 * (end + 1))
    clear(k, LEFT)
    if not is_possible(m, k, state, 0):
        return REJECTED
    position = 0
    while position < end:
        put(k, LEFT, position, state)
        if is_free(k, position):
            begin = position
            position, after = _over_run(m, k, v, s, begin, state, most, loose)
            if after == 0:
                position, after = _over_run(m, k, w, s, begin, state, most, loose)
            state = after
        elif slot_field(k, position, S_KIND) == SLOT and slot_field(k, position, S_CHOICE) == EMPTY:
            position = slot_field(k, position, S_STOP)
        else:
            before = position
            position, state = over_fixed(m, k, s, position, state, end, position + 1)
            if position == before:
                state = 0  # a gap
        if state:
            state = pruned(m, k, state, position)
        if state == 0:
            return UNDECIDED
    put(k, LEFT, end, state)
    return ACCEPTED if row_of(m, state) & 1 else UNDECIDED


@kernel
def _behind(k: Memory, position: int) -> int:
    """Where it goes on behind a run of free slots: at the hole's end if they may stay empty."""
    if slot_field(k, position, S_MAY_STOP):
        return slot_field(k, position, S_STOP)
    return run_end(k, position)


@kernel
def _over_run(
    m: Memory, k: Memory, v: Memory, s: Spellings, position: int, state: int, most: int,
    loose: int,
) -> tuple[int, int]:  # fmt: skip
    """What few tokens in a run of free slots lead to behind it."""
    behind = _behind(k, position)
    size = run_end(k, position) - position
    found = np.empty(_TOKENS + 1, np.int64)
    united = 0
    if slot_field(k, position, S_MAY_STOP) and is_possible(m, k, state, behind):
        found[0] = state
        united = 1
    is_loose = size >= loose or slot_field(k, position, S_MAY_STOP) != 0
    some, more = np.empty(_STATES, np.int64), np.empty(_STATES, np.int64)
    for count in range(1, min(size, _TOKENS) + 1):
        k[CALLS] += 2
        shorten(k, KINDS, _ROWS)
        row = ends_of(m, k, v, s, state, 0)
        fitting = going = 0
        is_enough = count == size or is_loose
        for index in range(get(k, KNOWN_ENDS, row + VALUE), get(k, KNOWN_ENDS, row + EXTRA)):
            after = get(k, ENDS_POOL, 2 * index)
            if is_enough and fitting < _STATES and is_possible(m, k, after, behind):
                some[fitting] = after
                fitting += is_of_new_kind(m, k, after, k[CALLS], most)
            if count < size and going < _STATES:
                more[going] = after
                going += is_of_new_kind(m, k, after, k[CALLS] - 1, most)
        if fitting:
            found[united] = union(m, some, fitting)
            united += 1
        if going == 0 or (is_loose and united > 1):
            break
        state = union(m, more, going)
        put(k, LEFT, position + count, state)
    return behind, union(m, found, united) if united else 0


@kernel
def _choose(m: Memory, k: Memory, v: Memory, w: Memory, s: Spellings, end: int) -> int:
    """Choose tokens by what `_reach` has found, last first; the slots become texts of the row."""
    position = end
    while position > 0:
        position -= 1
        if not is_free(k, position):
            continue
        stop = position + 1
        while position > 0 and is_free(k, position - 1) and not _begins(k, position):
            position -= 1
        if get(k, LEFT, position) == 0:
            continue
        if _choose_run(m, k, v, s, position, stop, end):
            continue
        if not _choose_run(m, k, w, s, position, stop, end):
            return UNDECIDED
    return ACCEPTED


@kernel
def _begins(k: Memory, position: int) -> bool:
    """Whether a hole begins in front of a slot."""
    return slot_field(k, position - 1, S_STOP) == position


@kernel
def _choose_run(
    m: Memory, k: Memory, v: Memory, s: Spellings, position: int, stop: int, end: int
) -> bool:
    """Choose tokens for a run of free slots, as few as will do."""
    behind = _behind(k, position)
    size = stop - position
    tokens = np.empty(size, np.int64)
    may_stop = slot_field(k, position, S_MAY_STOP) != 0
    for count in range(0 if may_stop else 1, min(size, _TOKENS) + 1):
        if get(k, LEFT, position + max(count - 1, 0)) == 0:
            break
        is_whole = count > 0 or is_possible(m, k, get(k, LEFT, position), behind)
        for place in range(count - 1, -1, -1):
            is_whole = _choose_token(
                m, k, v, s, get(k, LEFT, position + place), tokens, place, count, behind
            )
            if not is_whole:
                break
        if not is_whole:
            continue
        filled = count
        if not may_stop and count < size:
            if not _pad(m, k, v, s, position, tokens, count, behind):
                continue
            filled = size
        for place in range(size):
            _put(k, s, position + place, tokens[place] if place < filled else EMPTY, end)
        return True
    return False


@kernel
def _choose_token(
    m: Memory, k: Memory, v: Memory, s: Spellings, state: int, tokens: NDArray[np.int64],
    place: int, count: int, behind: int,
) -> bool:  # fmt: skip
    """Choose a token in front of those that are chosen."""
    row = ends_of(m, k, v, s, state, 0)
    for index in range(get(k, KNOWN_ENDS, row + VALUE), get(k, KNOWN_ENDS, row + EXTRA)):
        if _fits(m, k, s, get(k, ENDS_POOL, 2 * index), tokens, place + 1, count, behind):
            tokens[place] = get(k, ENDS_POOL, 2 * index + 1)
            return True
    return False


@kernel
def _fits(
    m: Memory, k: Memory, s: Spellings, state: int, tokens: NDArray[np.int64], place: int,
    count: int, behind: int,
) -> bool:  # fmt: skip
    """Whether tokens from a place on, and then what is behind, can come."""
    while state and place < count:
        state = read_token(m, s, state, tokens[place])
        place += 1
    return state != 0 and is_possible(m, k, state, behind)


@kernel
def _pad(
    m: Memory, k: Memory, v: Memory, s: Spellings, position: int, tokens: NDArray[np.int64],
    count: int, behind: int,
) -> bool:  # fmt: skip
    """Put one token in again and again, so that all slots of a run are filled."""
    missing = len(tokens) - count
    state = get(k, LEFT, position)
    for place in range(count + 1):
        row = ends_of(m, k, v, s, state, 0)
        for index in range(get(k, KNOWN_ENDS, row + VALUE), get(k, KNOWN_ENDS, row + EXTRA)):
            after, token = get(k, ENDS_POOL, 2 * index), get(k, ENDS_POOL, 2 * index + 1)
            again = read_token(m, s, after, token)
            if again and again == read_token(m, s, again, token):
                after = again if missing > 1 else after
                if _fits(m, k, s, after, tokens, place, count, behind):
                    for other in range(count - 1, place - 1, -1):
                        tokens[other + missing] = tokens[other]
                    tokens[place : place + missing] = token
                    return True
        if place < count:
            state = read_token(m, s, state, tokens[place])
    return False


@kernel
def _put(k: Memory, s: Spellings, cell: int, token: int, end: int) -> None:
    set_slot_field(k, cell, S_TOKEN, token)
    put_text(k, cell, text_of(s, token))
    follow(k, cell, end)
