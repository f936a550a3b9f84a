"""What any text at all leads to: one configuration for a gap of any length.

Positions inside the gap are not told apart, so a rule called there awaits its end in one frame,
whose callers may be in it themselves.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lipogram.grammars.engine.derive import (
    derive,
)
from lipogram.grammars.engine.expressions import (
    repeat,
    sequence,
)
from lipogram.grammars.engine.layout import (
    ANYTHING,
    BOTH,
    CALL_END,
    CALL_START,
    CALLER_COUNT,
    CALLER_END,
    CALLER_START,
    CALLERS,
    CALLS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EMPTY,
    FRAME_COUNT,
    FRAME_FLAGS,
    FRAME_WIDTH,
    FRAMES,
    GENERATION,
    ITEMS,
    LITERALS,
    NOT,
    OP,
    OWN,
    PENDING,
    R_FLAGS,
    REPEAT,
    ROOT,
    RULE_COUNT,
    RULE_WIDTH,
    RULES,
    S_END,
    S_START,
    SEEN,
    SEQUENCE,
    STATE_COUNT,
    STATE_WIDTH,
    STATES,
    UNBOUNDED,
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import Memory, burn, get, put, reserve
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
from lipogram.grammars.lattice.unions import (
    state_of_keys,
)

# Scratch arrays of the engine's memory that it does not use itself.
_ANY_TEXT: Final = 54  # by state: what any text leads to; 0: not known
_AWAITING: Final = 56  # [., 3] own frame, rest, frame: who called a rule within the gap
_AWAITING_SEEN: Final = 57
_NEXT: Final = 58  # the next of the same own frame, one more; 0 at the end
_OWN_FRAMES: Final = 59  # [., 3] first of AWAITING, one more; whether the rule has ended; flags
_FEW_ITEMS: Final = 10_000
_MAX_ITEMS: Final = 50_000
_MANY: Final = 32  # literals, which are taken for any text
_FIRST, _ENDED, _FLAGS = range(3)


@kernel
def _widened(m: Memory, node: int, is_wide: int) -> int:
    """A residual that matches all that this one does, and has fewer others behind it.

    What is counted is repeated without a count; where `is_wide`, an intersection, a complement or
    one of many literals is any text.
    """
    is_sequence = field(m, node, OP) == SEQUENCE
    head = field(m, node, A) if is_sequence else node
    op = field(m, head, OP)
    if op == REPEAT and (field(m, head, B) > 0 or field(m, head, C) != UNBOUNDED):
        found = repeat(m, field(m, head, A), 0, UNBOUNDED)
    elif is_wide and (op in (BOTH, NOT) or _has_many(m, head)):
        found = m[ANYTHING]
    else:
        return node
    return sequence(m, found, field(m, node, B)) if is_sequence else found


@kernel
def _has_many(m: Memory, node: int) -> bool:
    is_set = field(m, node, OP) == LITERALS
    return is_set and field(m, node, B) > field(m, node, A) + _MANY


@kernel
def _add(
    m: Memory, node: int, frame: int, is_kept: int, count: int, generation: int, is_wide: int
) -> int:
    """Append an item to PENDING unless it is there; the new count."""
    node = _widened(m, node, is_wide)
    return add_once(m, PENDING, SEEN, node, frame, is_kept, count, generation)


@kernel
def _anything(m: Memory, state: int, is_wide: int) -> int:
    """The state of all texts that begin with what led to `state`; of some more, see `_widened`.

    -1 where it would have too many items.
    """
    m[GENERATION] += 1
    generation = m[GENERATION] & 0x7FFFFFFF
    first_own = m[FRAME_COUNT]
    count = own = awaiting = position = 0
    at = state * STATE_WIDTH
    for index in range(get(m, STATES, at + S_START), get(m, STATES, at + S_END)):
        node, frame = get(m, ITEMS, 2 * index), get(m, ITEMS, 2 * index + 1)
        count = _add(m, node, frame, 1, count, generation, is_wide)
    while position < count:
        node, frame = get(m, PENDING, 3 * position), get(m, PENDING, 3 * position + 1)
        position += 1
        burn(m, 8)
        if count > (_MAX_ITEMS if is_wide else _FEW_ITEMS):
            return -1
        derive(m, node)
        if is_nullable(m, node) and frame >= first_own:
            mine = 3 * (frame - first_own)
            put(m, _OWN_FRAMES, mine + _ENDED, 1)
            caller = get(m, _OWN_FRAMES, mine + _FIRST)
            while caller:
                rest = get(m, _AWAITING, 3 * caller - 2)
                outer = get(m, _AWAITING, 3 * caller - 1)
                count = _add(m, rest, outer, 0, count, generation, is_wide)
                caller = get(m, _NEXT, caller - 1)
        elif is_nullable(m, node) and frame != ROOT:
            at = frame * FRAME_WIDTH
            for index in range(get(m, FRAMES, at), get(m, FRAMES, at + CALLER_END)):
                rest, outer = get(m, CALLERS, 2 * index), get(m, CALLERS, 2 * index + 1)
                count = _add(m, rest, outer, 0, count, generation, is_wide)
        for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
            rest = get(m, EDGES, 2 * index + 1)
            if is_alive(m, rest):
                count = _add(m, rest, frame, 1, count, generation, is_wide)
        for index in range(field(m, node, CALL_START), field(m, node, CALL_END)):
            rule, rest = get(m, CALLS, 2 * index), get(m, CALLS, 2 * index + 1)
            if rest == EMPTY:
                count = _add(m, body_of(m, rule), frame, 0, count, generation, is_wide)
                continue
            own = _own_frame(m, rule, own, generation)
            mine = get(m, OWN, 2 * rule + 1)
            body = body_of(m, rule)
            count = _add(m, body, first_own + mine, 0, count, generation, is_wide)
            known = awaiting
            awaiting = add_once(
                m, _AWAITING, _AWAITING_SEEN, mine, rest, frame, awaiting, generation
            )
            if awaiting > known:
                reserve(m, _NEXT, 4 * awaiting)
                put(m, _NEXT, known, get(m, _OWN_FRAMES, 3 * mine + _FIRST))
                put(m, _OWN_FRAMES, 3 * mine + _FIRST, awaiting)
                if get(m, _OWN_FRAMES, 3 * mine + _ENDED):
                    count = _add(m, rest, frame, 0, count, generation, is_wide)
    _write_frames(m, own, awaiting)
    return _kept(m, count)


@kernel
def _own_frame(m: Memory, rule: int, own: int, generation: int) -> int:
    """See to it that a rule has a frame in the gap; the number of those."""
    reserve(m, OWN, 8 * m[RULE_COUNT])
    if get(m, OWN, 2 * rule) == generation:
        return own
    put(m, OWN, 2 * rule, generation)
    put(m, OWN, 2 * rule + 1, own)
    reserve(m, _OWN_FRAMES, 12 * (own + 1))
    put(m, _OWN_FRAMES, 3 * own + _FIRST, 0)
    put(m, _OWN_FRAMES, 3 * own + _ENDED, 0)
    put(m, _OWN_FRAMES, 3 * own + _FLAGS, get(m, RULES, rule * RULE_WIDTH + R_FLAGS))
    return own + 1


@kernel
def _write_frames(m: Memory, own: int, awaiting: int) -> None:
    frame, position = m[FRAME_COUNT], m[CALLER_COUNT]
    reserve(m, FRAMES, 4 * FRAME_WIDTH * (frame + own))
    reserve(m, CALLERS, 8 * (position + awaiting))
    for index in range(own):
        at = (frame + index) * FRAME_WIDTH
        put(m, FRAMES, at + CALLER_START, position)
        caller = get(m, _OWN_FRAMES, 3 * index + _FIRST)
        while caller:
            put(m, CALLERS, 2 * position, get(m, _AWAITING, 3 * caller - 2))
            put(m, CALLERS, 2 * position + 1, get(m, _AWAITING, 3 * caller - 1))
            position += 1
            caller = get(m, _NEXT, caller - 1)
        put(m, FRAMES, at + CALLER_END, position)
        put(m, FRAMES, at + FRAME_FLAGS, get(m, _OWN_FRAMES, 3 * index + _FLAGS))
    m[FRAME_COUNT] = frame + own
    m[CALLER_COUNT] = position


@kernel
def _kept(m: Memory, count: int) -> int:
    """The state of the items in PENDING that stand behind a byte; the others follow from them."""
    keys = np.empty(count, np.int64)
    size = 0
    for index in range(count):
        if get(m, PENDING, 3 * index + 2):
            node, frame = get(m, PENDING, 3 * index), get(m, PENDING, 3 * index + 1)
            keys[size] = node << 32 | frame
            size += 1
    return state_of_keys(m, keys[:size])


@exported
def skip(m: Memory, state: int) -> int:
    """The state of all texts that begin with what led to `state`, kept; -1: too many readings."""
    reserve(m, _ANY_TEXT, 4 * m[STATE_COUNT])
    found = get(m, _ANY_TEXT, state)
    if found == 0:
        found = _anything(m, state, 0)
        if found < 0:
            found = _anything(m, state, 1)
        reserve(m, _ANY_TEXT, 4 * m[STATE_COUNT])
        put(m, _ANY_TEXT, state, found)
        if found > 0:
            put(m, _ANY_TEXT, found, found)
    return found
