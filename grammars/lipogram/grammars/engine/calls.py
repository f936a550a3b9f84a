"""Calls of rules, and rules without a name that what stands in many places is made to be."""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.expressions import (
    repeat,
)
from lipogram.grammars.engine.layout import (
    CALL,
    CALLING,
    CHOICE,
    EMPTY,
    FLAGS,
    INFINITE,
    LENGTH,
    LITERALS,
    LONGEST,
    NAME,
    NAMELESS,
    NONCE,
    NOTHING,
    NULLABLE,
    OP,
    R_BODY,
    R_FLAGS,
    R_LENGTH,
    R_RANK,
    RANK,
    REPEAT,
    RULE_COUNT,
    RULE_WIDTH,
    RULES,
    SKIPPABLE,
    UNBOUNDED,
    C,
)
from lipogram.grammars.engine.memory import Memory, get, put, reserve
from lipogram.grammars.engine.nodes import (
    add,
    field,
    first_hash,
    is_nullable,
    known,
    second_hash,
)
from lipogram.grammars.kernels import kernel

_SHORT_BYTES = 16  # what is repeated and no longer than this is derived where it stands


@kernel
def call(m: Memory, rule: int) -> int:
    """Whatever the rule denotes."""
    at = rule * RULE_WIDTH
    length = get(m, RULES, at + R_LENGTH)
    if length >= INFINITE:
        return NOTHING
    node = known(m, CALL, rule, 0, 0, 0)
    if node:
        return node
    if get(m, RULES, at + R_FLAGS) & NAMELESS:
        body = get(m, RULES, at + R_BODY) - 1
        flags = np.uint64(get(m, RULES, at + R_FLAGS))
        h0 = mixed(mixed(np.uint64(CALL), first_hash(m, body)), flags)
        h1 = mixed(mixed(np.uint64(CALL), second_hash(m, body)), flags)
    else:
        h0 = mixed(np.uint64(m[NONCE]), np.uint64(rule))
        h1 = mixed(np.uint64(m[NONCE]) + np.uint64(1), np.uint64(rule))
    return add(
        m, CALL, rule, 0, 0, 0, CALLING | (NULLABLE if length == 0 else 0), length,
        get(m, RULES, at + R_RANK), INFINITE, h0, h1,
    )  # fmt: skip


@kernel
def named(m: Memory, node: int) -> int:
    """A call of a nameless rule of this body, where that saves making states again.

    Alternatives are worth it; not what may end after any byte, like most repeats: a token would
    return from it at every turn.
    """
    op = field(m, node, OP)
    if op in (CHOICE, LITERALS) or (op == REPEAT and field(m, node, C) == 1):
        return nameless(m, node, is_nullable(m, node))
    return node


@kernel
def repeated(m: Memory, item: int, minimum: int, maximum: int) -> int:
    """`repeat` with a call of a nameless rule in place of an item that may be long."""
    if item > EMPTY and field(m, item, OP) != REPEAT and not (minimum == maximum == 1):
        if is_nullable(m, item) and maximum != UNBOUNDED and maximum != 1:
            item = nameless(m, item, False)  # else an empty turn leads to each count
        elif (field(m, item, FLAGS) & CALLING) or field(m, item, LONGEST) > _SHORT_BYTES:
            item = named(m, item)
    return repeat(m, item, minimum, maximum)


@kernel
def nameless(m: Memory, body: int, may_be_empty: bool) -> int:
    """A call of a rule of this body: of its members but the empty one, unless so said."""
    name = known(m, NAME, body, may_be_empty, 0, 0)
    if name:
        return field(m, name, LENGTH)
    rule = m[RULE_COUNT]
    reserve(m, RULES, 4 * RULE_WIDTH * (rule + 1))
    m[RULE_COUNT] = rule + 1
    at = rule * RULE_WIDTH
    length = field(m, body, LENGTH)
    put(m, RULES, at + R_BODY, body + 1)
    put(m, RULES, at + R_FLAGS, NAMELESS | (SKIPPABLE if may_be_empty else 0))
    put(m, RULES, at + R_LENGTH, length)
    put(m, RULES, at + R_RANK, field(m, body, RANK))
    node = call(m, rule)
    zero = np.uint64(0)
    add(m, NAME, body, may_be_empty, 0, 0, 0, node, 0, 0, zero, zero)
    return node
