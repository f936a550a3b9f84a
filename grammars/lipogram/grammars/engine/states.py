"""Makes configurations: sets of items (node, frame it returns to), hash-consed, so that a whole
stack is one small integer (a graph-structured stack: Tomita 1985; Earley 1970).

A frame is the places in a configuration which await a rule; see `frames`. A rule called in tail
position returns to its caller's frame (Leo 1991), so right recursion is a loop; unless the rule has
a frame of its own already, or is a lexeme.
"""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.bytesets import (
    mask_of,
    mask_word,
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
    LEXEME,
    NAMELESS,
    OWN,
    PENDING,
    R_FLAGS,
    ROOT,
    ROW_OF,
    RULE_COUNT,
    RULE_WIDTH,
    RULES,
    S_END,
    S_START,
    SEEN,
    SKIPPABLE,
    STATE_WIDTH,
    STATES,
)
from lipogram.grammars.engine.memory import (
    Memory,
    burn,
    get,
    put,
    reserve,
)
from lipogram.grammars.engine.nodes import (
    field,
    is_nullable,
)
from lipogram.grammars.engine.programs import (
    body_of,
)
from lipogram.grammars.engine.rows import write_row
from lipogram.grammars.engine.search import (
    is_alive,
)
from lipogram.grammars.engine.worklist import (
    add_once,
)
from lipogram.grammars.kernels import exported, kernel


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
    write_row(m, state, found, is_complete)


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
