"""The state table in flat arrays, and the compiled code that grows it.

Residuals, frames and states are numbers; what is known of each is a row of an array, so that
compiled code can make states without calling back. It stops, with a status, only for what Python
must supply: a residual's heads, a rule's body, or more room.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

DEAD: Final = -1
ROOT: Final = 0  # the frame of the whole text
EMPTY_RESIDUAL: Final = 1

# What `expand` returns. Then counts[REQUEST] says what for: the heads of all that is in `todo` from
# there to counts[TODO], the bodies of the rules that the residual calls, room for so many.
DONE: Final = 0
NEEDS_HEADS: Final = 1
NEEDS_BODY: Final = 2
NEEDS_ROOM: Final = 3

# Indexes into `counts`.
STATES, ITEMS, FRAMES, CALLERS, ROWS, GENERATION, REQUEST, TODO = range(8)

# Columns.
EDGE_START, EDGE_END, CALL_START, CALL_END, NULLABLE = range(5)  # of heads
MASK, REST = range(2)  # of edges
RULE, RETURN = range(2)  # of calls
BODY, IS_EMPTY_RULE, IS_NAMELESS_RULE = range(3)  # of rules
CALLER_START, CALLER_END, FRAME_STATE, IS_NAMELESS = range(4)  # of frames
NODE, FRAME = range(2)  # of items, callers, todo
ITEM_START, ROW, COMPLETE = range(3)  # of states
STAMP, INDEX = range(2)  # of seen, own


class Table(NamedTuple):
    """Everything that compiled code reads and writes; an array is replaced by a longer one to grow.

    Rows of `heads` whose EDGE_START is -1, of `rules` whose BODY is -1 and of `states` whose ROW is
    -1 are not known yet. A state's items are sorted and end where the next state's start.
    """

    heads: Ints  # [residuals, 5]: ranges of edges and calls; whether it may be empty
    edges: Ints  # [E, 2]: byte set, rest
    calls: Ints  # [C, 2]: rule, rest
    masks: NDArray[np.uint64]  # [M, 4]: byte sets; the first 256 are the single bytes
    rules: Ints  # [rules, 3]: body, whether it may be empty, whether it is nameless
    frames: Ints  # [F, 4]: range of the callers that go on when it returns; the state it is of
    callers: Ints  # [., 2]: items
    states: Ints  # [S + 1, 3]
    items: Ints  # [., 2]: residual, frame it returns to
    slots: Ints  # open addressing: items -> state
    rows: Ints  # [R, 256]: successors
    counts: Longs
    # Scratch of one expansion.
    todo: Ints  # items to close
    seen: Longs  # open addressing: item -> its index in todo
    own: Longs  # by rule: the frame made for it
    mask_stamp: Longs
    found: Ints  # [., 3]: byte set, rest, frame
    called: Ints  # [., 3]: own frame, rest, frame
    keys: Longs


def new_table(rules: int) -> Table:
    """An empty table: room for a small grammar."""
    masks = np.zeros((512, 4), np.uint64)
    for byte in range(256):
        masks[byte, byte >> 6] = np.uint64(1) << np.uint64(byte & 63)

    def ints(*shape: int, fill: int = 0) -> Ints:
        return np.full(shape, fill, np.int32)

    return Table(
        heads=ints(256, 5, fill=-1),
        edges=ints(512, 2),
        calls=ints(128, 2),
        masks=masks,
        rules=ints(rules, 3, fill=-1),
        frames=ints(64, 4),
        callers=ints(128, 2),
        states=np.tile(np.array([0, -1, 0], np.int32), (512, 1)),
        items=ints(1024, 2),
        slots=ints(2048, fill=-1),
        rows=ints(32, 256, fill=DEAD),
        counts=np.array([0, 0, 1, 0, 0, 0, 0, 0], np.int64),
        todo=ints(256, 2),
        seen=np.zeros((1024, 2), np.int64),
        own=np.zeros((rules, 2), np.int64),
        mask_stamp=np.zeros(512, np.int64),
        found=ints(256, 3),
        called=ints(256, 4),
        keys=np.zeros(256, np.int64),
    )


@cache
def warm_up() -> None:
    """Compile the compiled code, or load it from its cache on disk, once a process.

    The first time on a machine takes half a minute; no deadline should run meanwhile.
    """
    table = with_room(new_table(1), 1)
    table.heads[EMPTY_RESIDUAL] = 0, 0, 0, 0, 1
    table.items[0] = EMPTY_RESIDUAL, ROOT
    state = intern_tail(table.states, table.items, table.slots, table.counts, 1)
    _rehash(1, table.states, table.items, table.slots.copy())
    expand(table, state)


def grown(table: Table, **lengths: int) -> Table:
    """The table with room for at least that many entries in each of the named arrays.

    Lengths are powers of two, so growing one by one costs linear time in all.
    """
    longer: dict[str, Any] = {}
    for name, length in lengths.items():
        array: NDArray[Any] = getattr(table, name)
        if len(array) < length:
            fill = [0, -1, 0] if name == "states" else -1
            size = 1 << (length - 1).bit_length()  # hash tables are indexed by masking
            bigger = np.empty((size, *array.shape[1:]), array.dtype)
            bigger[: len(array)] = array
            bigger[len(array) :] = fill if name in ("heads", "rules", "states", "rows") else 0
            longer[name] = bigger
    return table._replace(**longer)


def with_room(table: Table, size: int) -> Table:
    """Room to expand a state with about `size` edges, calls or frames, and 16 times the items."""
    states, items, frames, callers, rows = (int(count) for count in table.counts[:5])
    table = grown(
        table,
        todo=4 * size,
        seen=16 * size,
        found=2 * size,
        keys=2 * size,
        called=2 * size,
        frames=frames + size,
        callers=callers + size,
        items=items + 16 * size + 1,
        states=states + 259,
        rows=rows + 1,
    )
    if len(table.slots) < 2 * (states + 258):
        slots = np.full(2 * len(table.slots), -1, np.int32)
        _rehash(states, table.states, table.items, slots)
        table = table._replace(slots=slots)
    return table


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _hash_items(items: Ints, start: int, end: int) -> int:
    value = np.uint64(end - start)
    for index in range(start, end):
        value = (value ^ np.uint64(items[index, NODE])) * np.uint64(0x9E3779B97F4A7C15)
        value ^= (value >> np.uint64(29)) ^ np.uint64(items[index, FRAME])
        value *= np.uint64(0xBF58476D1CE4E5B9)
    return int((value ^ (value >> np.uint64(32))) & np.uint64(0x7FFFFFFF))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _rehash(count: int, states: Ints, items: Ints, slots: Ints) -> None:
    for state in range(count):
        start, end = states[state, ITEM_START], states[state + 1, ITEM_START]
        slot = _hash_items(items, start, end) & (len(slots) - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (len(slots) - 1)
        slots[slot] = state


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def intern_tail(states: Ints, items: Ints, slots: Ints, counts: Longs, end: int) -> int:
    """The state of the items just written behind the last state's, up to `end`.

    A new state keeps them; otherwise they are left to be overwritten.
    """
    count = counts[STATES]
    start = states[count, ITEM_START]
    size = end - start
    slot = _hash_items(items, start, end) & (len(slots) - 1)
    while slots[slot] >= 0:
        state = slots[slot]
        other = states[state, ITEM_START]
        if states[state + 1, ITEM_START] - other == size:
            is_equal = True
            for offset in range(size):
                if (
                    items[start + offset, NODE] != items[other + offset, NODE]
                    or items[start + offset, FRAME] != items[other + offset, FRAME]
                ):
                    is_equal = False
                    break
            if is_equal:
                return int(state)
        slot = (slot + 1) & (len(slots) - 1)
    slots[slot] = count
    states[count + 1, ITEM_START] = end
    counts[STATES] = count + 1
    counts[ITEMS] = end
    return int(count)


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
            counts[REQUEST], counts[TODO] = position - 1, count
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
