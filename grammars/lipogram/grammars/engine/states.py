"""Makes configurations: sets of items (node, frame it returns to), hash-consed, so that a whole
stack is one small integer (a graph-structured stack: Tomita 1985; Earley 1970).

A frame is the places in a configuration which await a rule; see `frames`. A rule called in tail
position returns to its caller's frame (Leo 1991), so right recursion is a loop; unless the rule has
a frame of its own already, or is a lexeme.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.bytesets import (
    CLASS_WORDS,
    begin_classes,
    first_byte,
    has_byte,
    isolate,
    lowest_bit,
    mask_of,
    mask_word,
    mixed,
    split,
)
from lipogram.grammars.engine.derive import (
    derive,
)
from lipogram.grammars.engine.frames import (
    keep_frames,
)
from lipogram.grammars.engine.layout import (
    CALL_END,
    CALL_START,
    CALLED,
    CALLER_END,
    CALLERS,
    CALLS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EMPTY,
    FOUND,
    FRAME_COUNT,
    FRAME_FLAGS,
    FRAME_WIDTH,
    FRAMES,
    GENERATION,
    ITEMS,
    KEYS,
    LEXEME,
    MAX_STATES,
    NAMELESS,
    NONCE,
    OWN,
    PENDING,
    R_FLAGS,
    ROOT,
    ROW_COUNT,
    ROW_OF,
    ROWS,
    RULE_COUNT,
    RULE_WIDTH,
    RULES,
    S_END,
    S_START,
    SEEN,
    SKIPPABLE,
    STATE_COUNT,
    STATE_ITEM_COUNT,
    STATE_SLOTS,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    capacity,
    clear,
    get,
    get_word,
    integer,
    put,
    put_word,
    reserve,
)
from lipogram.grammars.engine.nodes import (
    field,
    is_nullable,
)
from lipogram.grammars.engine.programs import (
    body_of,
)
from lipogram.grammars.engine.search import (
    is_alive,
)
from lipogram.grammars.engine.worklist import (
    add_once,
)
from lipogram.grammars.kernels import exported, kernel


@kernel
def intern_state(m: Memory, end: int) -> int:
    """The state of the sorted items written behind the last state's, up to `end`.

    A new state keeps them; otherwise they are left to be overwritten.
    """
    count = m[STATE_COUNT]
    if capacity(m, STATE_SLOTS) < 8 * count + 64:
        reserve(m, STATE_SLOTS, 16 * count + 4096)
        clear(m, STATE_SLOTS)
        for state in range(1, count):
            at = state * STATE_WIDTH
            slot = _state_slot(m, get(m, STATES, at + S_START), get(m, STATES, at + S_END))
            put(m, STATE_SLOTS, slot, state)
    start = m[STATE_ITEM_COUNT]
    slot = _state_slot(m, start, end)
    found = get(m, STATE_SLOTS, slot)
    if found:
        return found
    if count >= 8 * m[MAX_STATES]:
        raise MemoryError
    burn(m, 20)
    reserve(m, STATES, 4 * STATE_WIDTH * (count + 1))
    reserve(m, ROW_OF, 4 * (count + 1))
    put(m, STATES, count * STATE_WIDTH + S_START, start)
    put(m, STATES, count * STATE_WIDTH + S_END, end)
    put(m, STATE_SLOTS, slot, count)
    m[STATE_ITEM_COUNT] = end
    m[STATE_COUNT] = count + 1
    return count


@kernel
def _state_slot(m: Memory, start: int, end: int) -> int:
    size = capacity(m, STATE_SLOTS) // 4
    value, secret = np.uint64(0), np.uint64(m[NONCE])  # sums can be solved for
    for index in range(start, end):  # none waits for the one before
        node, frame = get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1)
        value += mixed(secret, np.uint64(node) | (np.uint64(frame) << np.uint64(32)))
    slot = integer(value & np.uint64(size - 1))
    while True:
        state = get(m, STATE_SLOTS, slot)
        if state == 0:
            return slot
        other = get(m, STATES, state * STATE_WIDTH + S_START)
        if get(m, STATES, state * STATE_WIDTH + S_END) - other == end - start:
            offset = 0
            while offset < 2 * (end - start):
                if get(m, ITEMS, 2 * start + offset) != get(m, ITEMS, 2 * other + offset):
                    break
                offset += 1
            if offset == 2 * (end - start):
                return slot
        slot = (slot + 1) & (size - 1)


@kernel
def residual_state(m: Memory, node: int) -> int:
    """The state of one node alone: complete where the node ends."""
    end = m[STATE_ITEM_COUNT]
    reserve(m, ITEMS, 8 * (end + 1))
    put(m, ITEMS, 2 * end, node)
    put(m, ITEMS, 2 * end + 1, ROOT)
    return intern_state(m, end + 1)


@exported
def row_of(m: Memory, state: int) -> int:
    """Twice the row of a state, plus one if it is complete; the state is expanded if need be."""
    row = get(m, ROW_OF, state)
    if row == 0:
        expand(m, state)
        row = get(m, ROW_OF, state)
    return row


@kernel
def _add_found(m: Memory, mask: int, rest: int, frame: int, count: int) -> int:
    reserve(m, FOUND, 16 * (count + 1))
    put(m, FOUND, 4 * count, mask)
    put(m, FOUND, 4 * count + 1, rest)
    put(m, FOUND, 4 * count + 2, frame)
    return count + 1


@kernel
def expand(m: Memory, state: int) -> None:
    """Make the successors of a state: close its items under calls and returns, group by byte."""
    if get(m, ROW_OF, state):
        return
    m[GENERATION] += 1
    generation = m[GENERATION] & 0x7FFFFFFF
    first_own = m[FRAME_COUNT]
    found = called = own = position = count = 0
    is_complete = False
    at = state * STATE_WIDTH
    for index in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
        node, frame = get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1)
        derive(m, node)
        count = add_once(m, PENDING, SEEN, node, frame, 0, count, generation)
    taken = _extending(m, count)
    while position < count:
        node, frame = get(m, PENDING, 3 * position), get(m, PENDING, 3 * position + 1)
        after = get(m, PENDING, 3 * position + 2)
        position += 1
        burn(m, 8)
        derive(m, node)
        if is_nullable(m, node):
            if frame == ROOT:
                is_complete = True
            elif frame < first_own:  # what returns to an own frame may be empty: handled below
                at = frame * FRAME_WIDTH
                if get(m, FRAMES, at + FRAME_FLAGS) & LEXEME:
                    after = 1
                for index in range(get(m, FRAMES, at), get(m, FRAMES, at + CALLER_END)):
                    rest, caller = get(m, CALLERS, 2 * index), get(m, CALLERS, 2 * index + 1)
                    count = add_once(m, PENDING, SEEN, rest, caller, after, count, generation)
                after = get(m, PENDING, 3 * position - 1)
        for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
            mask, rest = get(m, EDGES, 2 * index), get(m, EDGES, 2 * index + 1)
            if after:
                mask = without(m, mask, taken)
            if mask >= 0 and is_alive(m, rest):
                found = _add_found(m, mask, rest, frame, found)
        for index in range(field(m, node, CALL_START), field(m, node, CALL_END)):
            rule, rest = get(m, CALLS, 2 * index), get(m, CALLS, 2 * index + 1)
            body = body_of(m, rule)
            flags = get(m, RULES, rule * RULE_WIDTH + R_FLAGS)
            reserve(m, OWN, 8 * m[RULE_COUNT])
            is_own = get(m, OWN, 2 * rule) == generation
            if rest == EMPTY and not is_own and not flags & LEXEME:  # in tail position
                count = add_once(m, PENDING, SEEN, body, frame, after, count, generation)
                continue
            if not is_own:
                put(m, OWN, 2 * rule, generation)
                put(m, OWN, 2 * rule + 1, own)
                own += 1
            frame_index = get(m, OWN, 2 * rule + 1)
            reserve(m, CALLED, 16 * (called + 1))
            put(m, CALLED, 4 * called, frame_index)
            put(m, CALLED, 4 * called + 1, rest)
            put(m, CALLED, 4 * called + 2, frame)
            put(m, CALLED, 4 * called + 3, flags)
            called += 1
            count = add_once(
                m, PENDING, SEEN, body, first_own + frame_index, after, count, generation
            )
            if flags & SKIPPABLE:
                count = add_once(m, PENDING, SEEN, rest, frame, after, count, generation)
    found = _return_early(m, found, called, first_own)
    keep_frames(m, called, own, found)
    _write_row(m, state, found, is_complete)


# Maximal munch.


@kernel
def _extending(m: Memory, count: int) -> int:
    """The byte set by which lexemes in progress can go on, among the first items; -1: none."""
    w0 = w1 = w2 = w3 = np.uint64(0)
    for index in range(count):
        frame = get(m, PENDING, 3 * index + 1)
        if frame == ROOT or not get(m, FRAMES, frame * FRAME_WIDTH + FRAME_FLAGS) & LEXEME:
            continue
        node = get(m, PENDING, 3 * index)
        for edge in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
            if is_alive(m, get(m, EDGES, 2 * edge + 1)):
                mask = get(m, EDGES, 2 * edge)
                w0 |= mask_word(m, mask, 0)
                w1 |= mask_word(m, mask, 1)
                w2 |= mask_word(m, mask, 2)
                w3 |= mask_word(m, mask, 3)
    if (w0 | w1 | w2 | w3) == np.uint64(0):
        return -1
    return mask_of(m, w0, w1, w2, w3)


@kernel
def without(m: Memory, mask: int, taken: int) -> int:
    """The byte set without the bytes of another (-1: none); -1 if that leaves nothing."""
    if taken < 0:
        return mask
    w0 = mask_word(m, mask, 0) & ~mask_word(m, taken, 0)
    w1 = mask_word(m, mask, 1) & ~mask_word(m, taken, 1)
    w2 = mask_word(m, mask, 2) & ~mask_word(m, taken, 2)
    w3 = mask_word(m, mask, 3) & ~mask_word(m, taken, 3)
    if (w0 | w1 | w2 | w3) == np.uint64(0):
        return -1
    return mask_of(m, w0, w1, w2, w3)


@kernel
def _return_early(m: Memory, found: int, called: int, first_own: int) -> int:
    """Replace edges that end a nameless rule by edges to what goes on there, so that states are the
    same whichever has just ended: characters of a repeat, above all. Named rules may await many
    things, so they return when they must. The new number of edges.
    """
    end = found
    kept = 0
    for index in range(found):
        mask, rest = get(m, FOUND, 4 * index), get(m, FOUND, 4 * index + 1)
        frame = get(m, FOUND, 4 * index + 2)
        is_nameless = False
        if rest == EMPTY and frame >= first_own:
            for caller in range(called):
                if get(m, CALLED, 4 * caller) == frame - first_own:
                    is_nameless = (get(m, CALLED, 4 * caller + 3) & NAMELESS) != 0
                    break
        elif rest == EMPTY and frame != ROOT:
            is_nameless = (get(m, FRAMES, frame * FRAME_WIDTH + FRAME_FLAGS) & NAMELESS) != 0
        if not is_nameless:
            _add_found(m, mask, rest, frame, kept)
            kept += 1
        elif frame < first_own:
            at = frame * FRAME_WIDTH
            for caller in range(get(m, FRAMES, at), get(m, FRAMES, at + CALLER_END)):
                rest, outer = get(m, CALLERS, 2 * caller), get(m, CALLERS, 2 * caller + 1)
                end = _add_found(m, mask, rest, outer, end)
        else:
            for caller in range(called):
                if get(m, CALLED, 4 * caller) == frame - first_own:
                    rest, outer = get(m, CALLED, 4 * caller + 1), get(m, CALLED, 4 * caller + 2)
                    end = _add_found(m, mask, rest, outer, end)
    for index in range(found, end):
        for column in range(3):
            put(m, FOUND, 4 * kept + column, get(m, FOUND, 4 * index + column))
        kept += 1
    return kept


@kernel
def _write_row(m: Memory, state: int, found: int, is_complete: bool) -> None:
    """Write the successors of a closed state."""
    row = max(m[ROW_COUNT], 1)
    if row > m[MAX_STATES]:
        raise MemoryError
    reserve(m, ROWS, 1024 * (row + 1))
    burn(m, 30)
    if found == 1 and get(m, FOUND, 0) < 256:  # most states stand inside a literal
        put(m, FOUND, 3, 0)
        successor = _successor(m, found, np.zeros(1, np.int64), get(m, FOUND, 0))
        put(m, ROWS, 256 * row + get(m, FOUND, 0), successor)
    elif found:
        sets = _grouped(m, found)
        partition = np.empty(CLASS_WORDS, np.uint64)
        classes = begin_classes(partition, False)
        for first in sets:
            classes = split(m, partition, classes, get(m, FOUND, 4 * first))
        for number in range(isolate(partition, classes)):
            if first_byte(partition, number) >= 0:
                successor = _successor(m, found, sets, first_byte(partition, number))
                _write_class(m, row, partition, number, successor)
    m[ROW_COUNT] = row + 1
    put(m, ROW_OF, state, 2 * row + is_complete)  # last: readers take no lock


@kernel
def _grouped(m: Memory, found: int) -> NDArray[np.int64]:
    """Link the edges that have the same byte set; the first of each."""
    size = 4
    while size < 2 * found:
        size *= 2
    slots, firsts = np.zeros(size, np.int64), np.empty(found, np.int64)
    sets = 0
    for index in range(found):
        mask = get(m, FOUND, 4 * index)
        slot = (mask * 0x9E3779B1 >> 8) & (size - 1)
        while slots[slot] and get(m, FOUND, 4 * (slots[slot] - 1)) != mask:
            slot = (slot + 1) & (size - 1)
        if slots[slot] == 0:
            firsts[sets] = index
            sets += 1
            slots[slot] = index + 1
            put(m, FOUND, 4 * index + 3, 0)
        else:
            first = slots[slot] - 1
            put(m, FOUND, 4 * index + 3, get(m, FOUND, 4 * first + 3))
            put(m, FOUND, 4 * first + 3, index)
    return firsts[:sets]


@kernel
def _write_class(
    m: Memory, row: int, partition: NDArray[np.uint64], number: int, successor: int
) -> None:
    for index in range(4):
        word = partition[4 * number + index]
        while word != np.uint64(0):
            put(m, ROWS, 256 * row + 64 * index + lowest_bit(word), successor)
            word &= word - np.uint64(1)


@kernel
def _successor(m: Memory, found: int, sets: NDArray[np.int64], byte: int) -> int:
    """The state of the items of all edges that take the byte."""
    start = m[STATE_ITEM_COUNT]
    reserve(m, ITEMS, 8 * (start + found))
    reserve(m, KEYS, 8 * found)
    count = 0
    for index in sets:
        if has_byte(m, get(m, FOUND, 4 * index), byte):
            linked = index
            while True:
                node = np.uint64(get(m, FOUND, 4 * linked + 1))
                key = (node << np.uint64(32)) | np.uint64(get(m, FOUND, 4 * linked + 2))
                put_word(m, KEYS, count, key)
                count += 1
                linked = get(m, FOUND, 4 * linked + 3)
                if linked == 0:
                    break
    burn(m, found + 4 * count)
    _sort_keys(m, count)
    end = start
    previous = ~np.uint64(0)
    for index in range(count):
        key = get_word(m, KEYS, index)
        if key != previous:
            put(m, ITEMS, 2 * end, integer(key >> np.uint64(32)))
            put(m, ITEMS, 2 * end + 1, integer(key & np.uint64(0xFFFFFFFF)))
            end += 1
        previous = key
    return intern_state(m, end)


@kernel
def _sort_keys(m: Memory, count: int) -> None:
    """Sort the first words of KEYS. (Shell's sort.)"""
    gap = 1
    while gap < count:
        gap = 3 * gap + 1
    while gap > 1:
        gap //= 3
        for index in range(gap, count):
            value = get_word(m, KEYS, index)
            at = index
            while at >= gap and get_word(m, KEYS, at - gap) > value:
                put_word(m, KEYS, at, get_word(m, KEYS, at - gap))
                at -= gap
            put_word(m, KEYS, at, value)
