"""Rules as postfix code, and the nodes that they build.

An operation is a number and its arguments. Code is run over a stack: for lengths, until those of
all rules are settled (`settling`), and for nodes, when a rule is first called.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from lipogram.grammars.engine.booleans import (
    both,
    complement,
)
from lipogram.grammars.engine.bytesets import (
    mask_of,
)
from lipogram.grammars.engine.calls import (
    call,
    named,
    repeated,
)
from lipogram.grammars.engine.expressions import (
    choice,
    cons,
    push_option,
    repeat,
    sequence,
)
from lipogram.grammars.engine.layout import (
    EMPTY,
    F_FIRST,
    F_OTHERS,
    F_OTHERS_NODE,
    F_SEPARATOR,
    F_SEPARATOR_NODE,
    FAMILIES,
    FAMILY_ITEMS,
    FAMILY_WIDTH,
    G_NODE,
    I_NODE,
    I_PROGRAM,
    ITEM_WIDTH,
    PROGRAM,
    R_BODY,
    R_PROGRAM,
    REGISTERS,
    REGULAR_WIDTH,
    REGULARS,
    RULE_WIDTH,
    RULES,
    STACK,
)
from lipogram.grammars.engine.literals import (
    literals,
)
from lipogram.grammars.engine.memory import Memory, burn, get, put, reserve
from lipogram.grammars.engine.runs import (
    BEGUN,
    beginning,
    family_field,
    members,
)
from lipogram.grammars.kernels import kernel

# Operations and their arguments.
END: Final = 0  # of a rule
PART: Final = 1  # the end of a part that is built by itself
TEXT: Final = 2  # count, bytes
CLASS: Final = 3  # byte set: eight 32-bit words
JOIN: Final = 4  # count
JOIN_NAMED: Final = 5  # count: a sequence, some parts as nameless rules
ANY: Final = 6  # count
TIMES: Final = 7  # minimum, maximum
TIMES_NAMED: Final = 8  # minimum, maximum
ALL: Final = 9  # count
OTHER: Final = 10  # the complement
USE: Final = 11  # rule
WORDS: Final = 12  # first text, count
REGULAR: Final = 13  # number of a regular expression with code of its own
SKIP: Final = 14  # count: over code that is built later
RUN: Final = 15  # family: of the items, the others and the separator before it
KEEP: Final = 16  # register
AGAIN: Final = 17  # register


@kernel
def _word(m: Memory, at: int) -> np.uint64:
    low = np.uint64(get(m, PROGRAM, at)) & np.uint64(0xFFFFFFFF)
    return low | (np.uint64(get(m, PROGRAM, at + 1)) << np.uint64(32))


@kernel
def build(m: Memory, at: int) -> int:
    """The node of the code from `at` to its end."""
    top = 0
    while True:
        op = get(m, PROGRAM, at)
        burn(m, 1)
        reserve(m, STACK, 4 * (top + 2))
        if op in (END, PART):
            return get(m, STACK, top - 1)
        count = get(m, PROGRAM, at + 1)
        if op == TEXT:
            node = EMPTY
            for index in range(count - 1, -1, -1):
                node = cons(m, get(m, PROGRAM, at + 2 + index), node)
            put(m, STACK, top, node)
            top += 1
            at += 2 + count
        elif op == CLASS:
            mask = mask_of(
                m, _word(m, at + 1), _word(m, at + 3), _word(m, at + 5), _word(m, at + 7)
            )
            put(m, STACK, top, cons(m, mask, EMPTY))
            top += 1
            at += 9
        elif op in (JOIN, JOIN_NAMED):
            node = EMPTY
            for index in range(top - 1, top - count - 1, -1):
                item = get(m, STACK, index)
                node = sequence(m, named(m, item) if op == JOIN_NAMED else item, node)
            top -= count
            put(m, STACK, top, node)
            top += 1
            at += 2
        elif op in (ANY, ALL):
            for index in range(count):
                push_option(m, index, get(m, STACK, top - count + index))
            top -= count
            put(m, STACK, top, choice(m, count) if op == ANY else both(m, count))
            top += 1
            at += 2
        elif op in (TIMES, TIMES_NAMED):
            item = get(m, STACK, top - 1)
            maximum = get(m, PROGRAM, at + 2)
            if op == TIMES:
                put(m, STACK, top - 1, repeat(m, item, count, maximum))
            else:
                put(m, STACK, top - 1, repeated(m, item, count, maximum))
            at += 3
        elif op == OTHER:
            put(m, STACK, top - 1, complement(m, get(m, STACK, top - 1)))
            at += 1
        elif op == USE:
            put(m, STACK, top, call(m, count))
            top += 1
            at += 2
        elif op == WORDS:
            put(m, STACK, top, literals(m, count, count + get(m, PROGRAM, at + 2), 0))
            top += 1
            at += 3
        elif op == REGULAR:
            put(m, STACK, top, get(m, REGULARS, count * REGULAR_WIDTH + G_NODE) - 1)
            top += 1
            at += 2
        elif op == SKIP:
            at += 2 + count
        elif op == RUN:
            put(m, STACK, top, members(m, count, beginning(m, count), 0, BEGUN))
            top += 1
            at += 2
        elif op == KEEP:
            reserve(m, REGISTERS, 4 * (count + 1))
            put(m, REGISTERS, count, get(m, STACK, top - 1))
            at += 2
        else:  # AGAIN
            put(m, STACK, top, get(m, REGISTERS, count))
            top += 1
            at += 2


@kernel
def body_of(m: Memory, rule: int) -> int:
    """The node of a rule's body; built when first asked for."""
    at = rule * RULE_WIDTH
    body = get(m, RULES, at + R_BODY)
    if body == 0:
        body = 1 + build(m, get(m, RULES, at + R_PROGRAM))
        put(m, RULES, at + R_BODY, body)
    return body - 1


@kernel
def item_node(m: Memory, family: int, index: int) -> int:
    """The node of an item of a run."""
    at = (family_field(m, family, F_FIRST) + index) * ITEM_WIDTH
    node = get(m, FAMILY_ITEMS, at + I_NODE)
    if node == 0:
        node = 1 + build(m, get(m, FAMILY_ITEMS, at + I_PROGRAM))
        put(m, FAMILY_ITEMS, at + I_NODE, node)
    return node - 1


@kernel
def family_node(m: Memory, family: int, column: int, code: int) -> int:
    """The node of the others or the separator of a run; `column` holds it, `code` its program."""
    at = family * FAMILY_WIDTH
    node = get(m, FAMILIES, at + column)
    if node == 0:
        node = 1 + build(m, get(m, FAMILIES, at + code))
        put(m, FAMILIES, at + column, node)
    return node - 1


@kernel
def others_of(m: Memory, family: int) -> int:
    """The node of the others of a run."""
    return family_node(m, family, F_OTHERS_NODE, F_OTHERS)


@kernel
def separator_of(m: Memory, family: int) -> int:
    """The node of the separator of a run."""
    return family_node(m, family, F_SEPARATOR_NODE, F_SEPARATOR)
