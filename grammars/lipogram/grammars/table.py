"""The state table: flat arrays that compiled code reads and writes.

Residuals, frames and states are numbers; what is known of each is a row of an array. States are
interned: equal items, equal number.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]

DEAD: Final = -1
ROOT: Final = 0  # the frame of the whole text
EMPTY_RESIDUAL: Final = 1

# Indexes into `counts`.
STATES, ITEMS, FRAMES, CALLERS, ROWS, GENERATION, REQUEST, PENDING = range(8)

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
        rehash(states, table.states, table.items, slots)
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
def rehash(count: int, states: Ints, items: Ints, slots: Ints) -> None:
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
