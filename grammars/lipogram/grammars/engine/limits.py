"""Residuals without the upper limits of what they repeat, which few texts feel.

A text of so many bytes takes no more turns of anything than that. So what a residual does with a
text, and whether it can be completed, is what it does without its limits, as long as the text and
its completion are no longer than the least of them; and there are far fewer states to tell apart.
"""

from __future__ import annotations

from typing import Final

from lipogram.grammars.engine.booleans import (
    both,
)
from lipogram.grammars.engine.expressions import (
    choice,
    cons,
    push_option,
    repeat,
    sequence,
)
from lipogram.grammars.engine.layout import (
    BOTH,
    CALLING,
    CHOICE,
    CONS,
    FLAGS,
    INFINITE,
    LISTS,
    LOOSE,
    LOOSENING,
    NODE_COUNT,
    OP,
    REPEAT,
    SEQUENCE,
    UNBOUNDED,
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import Memory, get, put, reserve
from lipogram.grammars.engine.nodes import (
    field,
)
from lipogram.grammars.kernels import kernel

# Degrees: without limits of many turns, as many as long tokens have bytes; and without those that
# leave room for some turns more than there must be.
ABOVE_MANY: Final = 0
ABOVE_SOME: Final = 1
_MANY_TURNS: Final = 128
_SOME_TURNS: Final = 24


@kernel
def loosened(m: Memory, node: int, degree: int) -> int:
    """A node that calls no rules without its limits above some count; others as they are."""
    if field(m, node, FLAGS) & CALLING:
        return node
    if _is_known(m, node, degree):
        return get(m, LOOSE, 4 * node + degree) - 1
    reserve(m, LOOSENING, 4)
    put(m, LOOSENING, 0, node)
    top = 1
    while top:
        current = get(m, LOOSENING, top - 1)
        waiting = _push_parts(m, current, degree, top)
        if waiting > top:
            top = waiting
        else:
            top -= 1
            if not _is_known(m, current, degree):
                _loosen(m, current, degree)
    return get(m, LOOSE, 4 * node + degree) - 1


@kernel
def least_limit(m: Memory, node: int, degree: int) -> int:
    """The least limit that a loosened node was freed from; INFINITE if there was none."""
    if field(m, node, FLAGS) & CALLING:
        return INFINITE
    return get(m, LOOSE, 4 * node + 2 + degree)


@kernel
def _is_known(m: Memory, node: int, degree: int) -> bool:
    reserve(m, LOOSE, 16 * m[NODE_COUNT])
    return get(m, LOOSE, 4 * node + degree) != 0


@kernel
def _push_part(m: Memory, node: int, degree: int, top: int) -> int:
    if _is_known(m, node, degree):
        return top
    reserve(m, LOOSENING, 4 * (top + 1))
    put(m, LOOSENING, top, node)
    return top + 1


@kernel
def _push_parts(m: Memory, node: int, degree: int, top: int) -> int:
    """Put the parts that are to be loosened first on the stack; the new height."""
    op, a, b = field(m, node, OP), field(m, node, A), field(m, node, B)
    if op == CONS:
        top = _push_part(m, b, degree, top)
    elif op == SEQUENCE:
        top = _push_part(m, b, degree, _push_part(m, a, degree, top))
    elif op == REPEAT:
        top = _push_part(m, a, degree, top)
    elif op in (CHOICE, BOTH):
        for index in range(b):
            top = _push_part(m, get(m, LISTS, a + index), degree, top)
    return top


@kernel
def _loosen(m: Memory, node: int, degree: int) -> None:
    """Note what a node is without limits, from its parts."""
    op, a, b, c = field(m, node, OP), field(m, node, A), field(m, node, B), field(m, node, C)
    limit, found = INFINITE, node
    if op == CONS:
        limit = least_limit(m, b, degree)
        found = cons(m, a, _loose(m, b, degree))
    elif op == SEQUENCE:
        limit = min(least_limit(m, a, degree), least_limit(m, b, degree))
        found = sequence(m, _loose(m, a, degree), _loose(m, b, degree))
    elif op == REPEAT:
        limit = least_limit(m, a, degree)
        if c > _MANY_TURNS or (degree == ABOVE_SOME and c - b > _SOME_TURNS):
            limit = min(limit, c)
            c = UNBOUNDED
        found = repeat(m, _loose(m, a, degree), b, c)
    elif op in (CHOICE, BOTH):
        for index in range(b):
            part = get(m, LISTS, a + index)
            limit = min(limit, least_limit(m, part, degree))
            push_option(m, index, _loose(m, part, degree))
        found = choice(m, b) if op == CHOICE else both(m, b)
    if limit == INFINITE:
        found = node
    reserve(m, LOOSE, 16 * m[NODE_COUNT])
    put(m, LOOSE, 4 * node + degree, found + 1)
    put(m, LOOSE, 4 * node + 2 + degree, limit)


@kernel
def _loose(m: Memory, node: int, degree: int) -> int:
    return get(m, LOOSE, 4 * node + degree) - 1
