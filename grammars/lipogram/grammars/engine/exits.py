"""The nearest way to the end: how few bytes complete a state, and which they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.engine.bytesets import (
    has_byte,
)
from lipogram.grammars.engine.expressions import (
    sort_list,
)
from lipogram.grammars.engine.layout import (
    CALL,
    CALLER_END,
    CALLER_START,
    CALLERS,
    CHOICE,
    CONS,
    EXIT_FRAME,
    EXIT_LENGTH,
    EXIT_NODE,
    EXIT_STAMP,
    F_COUNT,
    FRAME_WIDTH,
    FRAMES,
    I_REQUIRED,
    INFINITE,
    ITEMS,
    KEYS,
    LISTS,
    LITERALS,
    MEMBERS,
    OP,
    OUTPUT,
    RANK,
    REPEAT,
    ROOT,
    ROWS,
    S_END,
    S_START,
    SEQUENCE,
    SPELLING,
    STATE_WIDTH,
    STATES,
    VISITED,
    A,
    B,
    C,
)
from lipogram.grammars.engine.literals import (
    chain,
    text_length,
)
from lipogram.grammars.engine.memory import Memory, burn, get, get_word, integer, put, reserve
from lipogram.grammars.engine.nodes import (
    added,
    field,
    is_nullable,
)
from lipogram.grammars.engine.programs import (
    body_of,
    item_node,
    others_of,
    separator_of,
)
from lipogram.grammars.engine.runs import (
    AFTER,
    family_field,
    fill,
    has_come,
    item_field,
    missing_members,
)
from lipogram.grammars.engine.search import (
    exact_length,
    shortest_path,
)
from lipogram.grammars.engine.states import (
    row_of,
)
from lipogram.grammars.kernels import exported, kernel


@exported
def shortest_length(m: Memory, state: int) -> int:
    """The fewest bytes that complete the state."""
    at = _nearest_item(m, state)
    return _through(m, get(m, ITEMS, 2 * at), get(m, ITEMS, 2 * at + 1))


@kernel
def _nearest_item(m: Memory, state: int) -> int:
    best, least = 0, INFINITE + 1
    at = state * STATE_WIDTH
    for index in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
        frame = get(m, ITEMS, 2 * index + 1)
        if frame != ROOT and get(m, FRAMES, frame * FRAME_WIDTH + EXIT_STAMP) == 0:
            _measure_frames(m, frame)
        length = _through(m, get(m, ITEMS, 2 * index), frame)
        if length < least:
            best, least = index, length
    return best


@kernel
def _through(m: Memory, node: int, frame: int) -> int:
    """The fewest bytes of the node and of the way out of a measured frame."""
    if frame == ROOT:
        return exact_length(m, node)
    return added(exact_length(m, node), get(m, FRAMES, frame * FRAME_WIDTH + EXIT_LENGTH))


@kernel
def _measure_frames(m: Memory, frame: int) -> None:
    """Measure the ways out of a frame and of all that it may return through.

    Callers are of the frame's own configuration or of earlier ones, so frames are visited by
    number, again and again until no way gets shorter; once is enough but for left recursion.
    """
    count = _push_frame(m, frame, 0)
    position = 0
    while position < count:
        at = get(m, VISITED, position) * FRAME_WIDTH
        position += 1
        burn(m, 4)
        for index in range(get(m, FRAMES, at + CALLER_START), get(m, FRAMES, at + CALLER_END)):
            caller = get(m, CALLERS, 2 * index + 1)
            if caller != ROOT and get(m, FRAMES, caller * FRAME_WIDTH + EXIT_STAMP) == 0:
                count = _push_frame(m, caller, count)
    sort_list(m, VISITED, 0, count)
    falling = True
    while falling:
        falling = False
        for position in range(count):
            falling |= _lower_exit(m, get(m, VISITED, position))
            burn(m, 4)


@kernel
def _push_frame(m: Memory, frame: int, count: int) -> int:
    reserve(m, VISITED, 4 * (count + 1))
    put(m, VISITED, count, frame)
    put(m, FRAMES, frame * FRAME_WIDTH + EXIT_STAMP, 1)
    put(m, FRAMES, frame * FRAME_WIDTH + EXIT_LENGTH, INFINITE)
    return count + 1


@kernel
def _lower_exit(m: Memory, frame: int) -> bool:
    at = frame * FRAME_WIDTH
    is_lower = False
    for index in range(get(m, FRAMES, at + CALLER_START), get(m, FRAMES, at + CALLER_END)):
        node, caller = get(m, CALLERS, 2 * index), get(m, CALLERS, 2 * index + 1)
        length = _through(m, node, caller)
        if length < get(m, FRAMES, at + EXIT_LENGTH):
            put(m, FRAMES, at + EXIT_LENGTH, length)
            put(m, FRAMES, at + EXIT_NODE, node)
            put(m, FRAMES, at + EXIT_FRAME, caller)
            is_lower = True
    return is_lower


@exported
def spell_state(m: Memory, state: int) -> int:
    """Write the byte sets of a shortest completion to OUTPUT; their number."""
    at = _nearest_item(m, state)
    node, frame = get(m, ITEMS, 2 * at), get(m, ITEMS, 2 * at + 1)
    length = 0
    while True:
        length = _spell(m, node, length)
        if frame == ROOT:
            return length
        at = frame * FRAME_WIDTH
        node, frame = get(m, FRAMES, at + EXIT_NODE), get(m, FRAMES, at + EXIT_FRAME)


@exported
def spell_out(m: Memory, out: NDArray[np.uint8]) -> None:
    """The byte sets in OUTPUT as bytes that are easy to read."""
    for index in range(len(out)):
        mask = get(m, OUTPUT, index)
        byte = mask
        if mask >= 256:
            byte, tried = 0x30, 0
            while not has_byte(m, mask, byte):
                byte = (0x61 + tried) & 255
                tried += 1
        out[index] = byte


@kernel
def _push(m: Memory, node: int, top: int) -> int:
    reserve(m, SPELLING, 4 * (top + 1))
    put(m, SPELLING, top, node)
    return top + 1


@kernel
def _spell(m: Memory, root: int, length: int) -> int:
    """Write the byte sets of a shortest member of a live node to OUTPUT from `length`; the end."""
    top = _push(m, root, 0)
    while top:
        top -= 1
        node = get(m, SPELLING, top)
        burn(m, 2)
        if is_nullable(m, node):
            continue  # nothing to spell, however many parts it has
        op, a, b = field(m, node, OP), field(m, node, A), field(m, node, B)
        if op == CONS:
            reserve(m, OUTPUT, 4 * (length + 1))
            put(m, OUTPUT, length, a)
            length += 1
            top = _push(m, b, top)
        elif op == SEQUENCE:
            top = _push(m, a, _push(m, b, top))
        elif op == CHOICE:
            top = _push(m, _nearest_option(m, a, b), top)
        elif op == REPEAT:
            for _ in range(b):
                top = _push(m, a, top)
        elif op == LITERALS:
            top = _push(m, _nearest_literal(m, a, b, field(m, node, C)), top)
        elif op == CALL:
            top = _push(m, body_of(m, a), top)
        elif op == MEMBERS:
            top = _push_members(m, node, top)
        else:
            length = shortest_path(m, node, length)
    return length


@kernel
def _nearest_option(m: Memory, start: int, count: int) -> int:
    best = get(m, LISTS, start)
    for index in range(1, count):
        option = get(m, LISTS, start + index)
        own, least = exact_length(m, option), exact_length(m, best)
        if own < least or (own == least and field(m, option, RANK) < field(m, best, RANK)):
            best = option
    return best


@kernel
def _nearest_literal(m: Memory, low: int, high: int, depth: int) -> int:
    best = low
    for text in range(low + 1, high):
        if text_length(m, text) < text_length(m, best):
            best = text
    return chain(m, best, depth)


@kernel
def _push_members(m: Memory, node: int, top: int) -> int:
    """Push the members of a shortest rest of a run, last first, and the separators between them."""
    family, where = field(m, node, A), field(m, node, B)
    count, phase = field(m, node, C) >> 2, field(m, node, C) & 3
    missing = missing_members(m, family, where, count, phase)
    chosen, extra = 0, 0
    if missing:
        chosen, extra = fill(m, family, where, missing)
    first = top
    for _ in range(extra):
        top = _push(m, others_of(m, family), top)
    for index in range(family_field(m, family, F_COUNT) - 1, -1, -1):
        is_chosen = item_field(m, family, index, I_REQUIRED) != 0
        for at in range(chosen):
            is_chosen |= integer(get_word(m, KEYS, at)) == index
        if is_chosen and not has_come(m, family, where, index):
            top = _push(m, item_node(m, family, index), top)
    # Spread them out, from the last on, to make room for the separators.
    size = top - first
    separator = separator_of(m, family)
    total = 2 * size - (phase != AFTER)
    reserve(m, SPELLING, 4 * (first + total + 1))
    for index in range(size - 1, -1, -1):
        item = get(m, SPELLING, first + index)
        put(m, SPELLING, first + 2 * index, item)
        if 2 * index + 1 < total:
            put(m, SPELLING, first + 2 * index + 1, separator)
    return first + total


@exported
def forced_bytes(m: Memory, state: int, limit: int) -> int:
    """Write the bytes that every continuation begins with to OUTPUT; their number."""
    count = 0
    while count < limit:
        row = row_of(m, state)
        if row & 1:
            return count
        only = -1
        at = 256 * (row >> 1)
        for byte in range(256):
            if get(m, ROWS, at + byte):
                if only >= 0:
                    return count
                only = byte
        if only < 0:
            return count
        reserve(m, OUTPUT, 4 * (count + 1))
        put(m, OUTPUT, count, only)
        count += 1
        state = get(m, ROWS, at + only)
    return count
