"""Makes states, in compiled code, without calling back.

It stops, with a status, only for what Python must supply: a residual's heads, a rule's body, or
more room.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lipogram.grammars.table import (
    BODY,
    CALL_END,
    CALL_START,
    CALLER_END,
    CALLER_START,
    CALLERS,
    COMPLETE,
    DEAD,
    EDGE_END,
    EDGE_START,
    EMPTY_RESIDUAL,
    FRAME,
    FRAME_STATE,
    FRAMES,
    GENERATION,
    INDEX,
    IS_EMPTY_RULE,
    IS_NAMELESS,
    IS_NAMELESS_RULE,
    ITEM_START,
    ITEMS,
    MASK,
    NODE,
    NULLABLE,
    PENDING,
    REQUEST,
    REST,
    RETURN,
    ROOT,
    ROW,
    ROWS,
    RULE,
    STAMP,
    STATES,
    Ints,
    Longs,
    Table,
    intern_tail,
    new_table,
    rehash,
    with_room,
)

# What `expand` returns. Then counts[REQUEST] says what for: the heads of all that is in `todo` from
# there to counts[PENDING], the bodies of the rules that the residual calls, room for so many.
DONE: Final = 0
NEEDS_HEADS: Final = 1
NEEDS_BODY: Final = 2
NEEDS_ROOM: Final = 3


@cache
def warm_up() -> None:
    """Compile the compiled code, or load it from its cache on disk, once a process.

    The first time on a machine takes half a minute; no deadline should run meanwhile.
    """
    table = with_room(new_table(1), 1)
    table.heads[EMPTY_RESIDUAL] = 0, 0, 0, 0, 1
    table.items[0] = EMPTY_RESIDUAL, ROOT
    state = intern_tail(table.states, table.items, table.slots, table.counts, 1)
    rehash(1, table.states, table.items, table.slots.copy())
    expand(table, state)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _add(todo: Ints, seen: Longs, node: int, frame: int, count: int, generation: int) -> int:
    """Append an item to the todo list unless it is there; the new length, -1 if out of room."""
    slots = len(seen) - 1
    slot = (node * 0x9E3779B1 + frame * 0x85EBCA77) & slots
    while seen[slot, STAMP] == generation:
        index = seen[slot, INDEX]
        if todo[index, NODE] == node and todo[index, FRAME] == frame:
            return count
        slot = (slot + 1) & slots
    if count == len(todo) or count * 2 > slots:
        return -1
    seen[slot, STAMP] = generation
    seen[slot, INDEX] = count
    todo[count, NODE] = node
    todo[count, FRAME] = frame
    return count + 1


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def expand(table: Table, state: int) -> int:
    """Make the successors of a state: close its items under calls and returns, group by byte.

    Nothing is changed unless DONE is returned.
    """
    heads, edges, calls, rules = table.heads, table.edges, table.calls, table.rules
    frames, callers, items, states = table.frames, table.callers, table.items, table.states
    counts, todo, seen, found, called = (
        table.counts,
        table.todo,
        table.seen,
        table.found,
        table.called,
    )
    if states[state, ROW] >= 0:
        return DONE
    counts[GENERATION] += 1
    generation = counts[GENERATION]
    counts[REQUEST] = len(todo)
    first_own = counts[FRAMES]
    found_count = called_count = own_count = position = count = 0
    is_complete = False
    for index in range(states[state, ITEM_START], states[state + 1, ITEM_START]):
        count = _add(todo, seen, items[index, NODE], items[index, FRAME], count, generation)
        if count < 0:
            return NEEDS_ROOM
    while position < count:
        node, frame = todo[position, NODE], todo[position, FRAME]
        position += 1
        if heads[node, EDGE_START] < 0:
            counts[REQUEST], counts[PENDING] = position - 1, count
            return NEEDS_HEADS
        edge_count = heads[node, EDGE_END] - heads[node, EDGE_START]
        call_count = heads[node, CALL_END] - heads[node, CALL_START]
        if found_count + edge_count > len(found) or called_count + call_count > len(called):
            counts[REQUEST] = max(found_count + edge_count, called_count + call_count)
            return NEEDS_ROOM
        if heads[node, NULLABLE]:
            if frame == ROOT:
                is_complete = True
            elif frame < first_own:  # what returns to an own frame may be empty: handled below
                for index in range(frames[frame, CALLER_START], frames[frame, CALLER_END]):
                    count = _add(
                        todo, seen, callers[index, NODE], callers[index, FRAME], count, generation
                    )
                    if count < 0:
                        return NEEDS_ROOM
        for index in range(heads[node, EDGE_START], heads[node, EDGE_END]):
            found[found_count, 0] = edges[index, MASK]
            found[found_count, 1] = edges[index, REST]
            found[found_count, 2] = frame
            found_count += 1
        for index in range(heads[node, CALL_START], heads[node, CALL_END]):
            rule, rest = calls[index, RULE], calls[index, RETURN]
            body = rules[rule, BODY]
            if body < 0:
                counts[REQUEST] = node
                return NEEDS_BODY
            is_own = table.own[rule, STAMP] == generation
            if rest == EMPTY_RESIDUAL and not is_own:  # in tail position
                count = _add(todo, seen, body, frame, count, generation)
                if count < 0:
                    return NEEDS_ROOM
                continue
            if not is_own:
                table.own[rule, STAMP] = generation
                table.own[rule, INDEX] = own_count
                own_count += 1
            own = table.own[rule, INDEX]
            called[called_count, 0] = own
            called[called_count, 1] = rest
            called[called_count, 2] = frame
            called[called_count, 3] = rules[rule, IS_NAMELESS_RULE]
            called_count += 1
            count = _add(todo, seen, body, first_own + own, count, generation)
            if count >= 0 and rules[rule, IS_EMPTY_RULE]:
                count = _add(todo, seen, rest, frame, count, generation)
            if count < 0:
                return NEEDS_ROOM
    found_count = _return_early(table, found_count, called_count, first_own)
    if found_count < 0:
        return NEEDS_ROOM
    return int(_commit(table, state, found_count, called_count, own_count, is_complete))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _return_early(table: Table, found_count: int, called_count: int, first_own: int) -> int:
    """Replace edges that end a nameless rule by edges to what goes on there, so that states are the
    same whichever has just ended: characters of a repeat, above all. Named rules may await many
    things, so they return when they must. The new number of edges; -1 if out of room.
    """
    found, called, callers = table.found, table.called, table.callers
    end = found_count
    kept = 0
    for index in range(found_count):
        mask, rest, frame = found[index, 0], found[index, 1], found[index, 2]
        is_nameless = False
        if rest == EMPTY_RESIDUAL and frame >= first_own:
            for caller in range(called_count):
                if called[caller, 0] == frame - first_own:
                    is_nameless = called[caller, 3] > 0
                    break
        elif rest == EMPTY_RESIDUAL and frame != ROOT:
            is_nameless = table.frames[frame, IS_NAMELESS] > 0
        if not is_nameless:
            found[kept, 0], found[kept, 1], found[kept, 2] = mask, rest, frame
            kept += 1
            continue
        if frame < first_own:
            start, stop = table.frames[frame, CALLER_START], table.frames[frame, CALLER_END]
        else:
            start, stop = 0, called_count
        if end + stop - start > len(found):
            table.counts[REQUEST] = end + stop - start
            return -1
        for caller in range(start, stop):
            if frame < first_own:
                found[end, 1], found[end, 2] = callers[caller, NODE], callers[caller, FRAME]
            elif called[caller, 0] == frame - first_own:
                found[end, 1], found[end, 2] = called[caller, 1], called[caller, 2]
            else:
                continue
            found[end, 0] = mask
            end += 1
    for index in range(found_count, end):
        found[kept, 0], found[kept, 1], found[kept, 2] = (
            found[index, 0],
            found[index, 1],
            found[index, 2],
        )
        kept += 1
    return kept


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _commit(
    table: Table, state: int, found_count: int, called_count: int, own_count: int, is_complete: bool
) -> int:
    """Write the frames, the successor states and the row of a closed state."""
    counts = table.counts
    class_of = np.zeros(256, np.int32)
    classes = _classify(
        table.found, found_count, table.masks, table.mask_stamp, counts[GENERATION], class_of
    )
    item_count = classes * found_count  # an upper bound, for most states small enough
    if counts[ITEMS] + item_count > len(table.items):
        item_count = _count_items(table.found, found_count, table.masks, class_of, classes)
    if (
        counts[FRAMES] + own_count > len(table.frames)
        or counts[CALLERS] + called_count > len(table.callers)
        or counts[STATES] + 258 > len(table.states)
        or 2 * (counts[STATES] + 258) > len(table.slots)
        or counts[ITEMS] + item_count > len(table.items)
        or counts[ROWS] == len(table.rows)
    ):
        counts[REQUEST] = max(called_count, own_count, item_count // 16 + 1)
        return NEEDS_ROOM
    _write_frames(table.frames, table.callers, counts, table.called, called_count, own_count, state)
    row = table.rows[counts[ROWS]]
    successors = np.full(classes + 1, DEAD, np.int32)
    for byte in range(256):
        kind = class_of[byte]
        if kind and successors[kind] == DEAD:
            end = _write_items(
                table.found, found_count, table.masks, byte, table.keys, table.items, counts[ITEMS]
            )
            successors[kind] = intern_tail(table.states, table.items, table.slots, counts, end)
        row[byte] = successors[kind]
    table.states[state, COMPLETE] = is_complete
    table.states[state, ROW] = counts[ROWS]  # last: readers take no lock
    counts[ROWS] += 1
    return DONE


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _write_frames(
    frames: Ints,
    callers: Ints,
    counts: Longs,
    called: Ints,
    called_count: int,
    own_count: int,
    state: int,
) -> None:
    frame, position = counts[FRAMES], counts[CALLERS]
    sizes = np.zeros(own_count + 1, np.int64)
    for index in range(called_count):
        sizes[called[index, 0] + 1] += 1
    for own in range(own_count):
        sizes[own + 1] += sizes[own]
        frames[frame + own, CALLER_START] = position + sizes[own]
        frames[frame + own, CALLER_END] = position + sizes[own]
        frames[frame + own, FRAME_STATE] = state
    for index in range(called_count):
        end = frames[frame + called[index, 0], CALLER_END]
        frames[frame + called[index, 0], IS_NAMELESS] = called[index, 3]
        callers[end, NODE] = called[index, 1]
        callers[end, FRAME] = called[index, 2]
        frames[frame + called[index, 0], CALLER_END] = end + 1
    counts[FRAMES], counts[CALLERS] = frame + own_count, position + called_count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _classify(
    found: Ints,
    found_count: int,
    masks: NDArray[np.uint64],
    mask_stamp: Longs,
    generation: int,
    class_of: Ints,
) -> int:
    """Number the bytes so that equal numbers have equal edges, 0 having none; returns how many."""
    classes = 0
    sizes = np.zeros(257, np.int32)
    sizes[0] = 256
    inside = np.zeros(257, np.int32)
    renamed = np.zeros(257, np.int32)
    for index in range(found_count):
        mask = found[index, 0]
        if mask_stamp[mask] == generation:
            continue
        mask_stamp[mask] = generation
        if mask < 256:  # a single byte
            kind = class_of[mask]
            if kind == 0 or sizes[kind] > 1:
                classes += 1
                sizes[kind] -= 1
                sizes[classes] = 1
                class_of[mask] = classes
            continue
        inside[: classes + 1] = 0
        for byte in range(256):
            if masks[mask, byte >> 6] >> np.uint64(byte & 63) & np.uint64(1):
                inside[class_of[byte]] += 1
        for kind in range(classes + 1):
            renamed[kind] = kind
            if inside[kind] and (kind == 0 or inside[kind] < sizes[kind]):
                classes += 1
                renamed[kind] = classes
                sizes[kind] -= inside[kind]
                sizes[classes] = inside[kind]
        for byte in range(256):
            if masks[mask, byte >> 6] >> np.uint64(byte & 63) & np.uint64(1):
                class_of[byte] = renamed[class_of[byte]]
    return classes


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count_items(
    found: Ints, found_count: int, masks: NDArray[np.uint64], class_of: Ints, classes: int
) -> int:
    """How many items the edges make, one for each class of bytes that an edge takes."""
    first = np.full(classes + 1, -1, np.int32)
    for byte in range(255, -1, -1):
        first[class_of[byte]] = byte
    count = 0
    for index in range(found_count):
        for kind in range(1, classes + 1):
            byte = first[kind]
            if masks[found[index, 0], byte >> 6] >> np.uint64(byte & 63) & np.uint64(1):
                count += 1
    return count


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _write_items(
    found: Ints,
    found_count: int,
    masks: NDArray[np.uint64],
    byte: int,
    keys: Longs,
    items: Ints,
    end: int,
) -> int:
    """Write the items of all edges that take `byte`, sorted, from `end` on; returns the new end."""
    count = 0
    for index in range(found_count):
        if masks[found[index, 0], byte >> 6] >> np.uint64(byte & 63) & np.uint64(1):
            keys[count] = (np.int64(found[index, 1]) << 32) | np.int64(found[index, 2])
            count += 1
    if count > 1:
        keys[:count].sort()
    previous = np.int64(-1)
    for index in range(count):
        key = keys[index]
        if key != previous:
            items[end, NODE] = key >> 32
            items[end, FRAME] = key & 0xFFFFFFFF
            end += 1
        previous = key
    return end
