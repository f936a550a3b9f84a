"""With which bytes rules can begin, so that those that cannot come next are not called."""

from __future__ import annotations

from typing import Final

import numpy as np

from lipogram.decoding.canvas.chart.layout import FIRST_BYTES, IS_FIRST_KNOWN, WAITING
from lipogram.grammars.engine.bytesets import mask_word
from lipogram.grammars.engine.derive import derive
from lipogram.grammars.engine.layout import (
    CALL_END,
    CALL_START,
    CALLS,
    EDGE_END,
    EDGE_START,
    EDGES,
    R_FLAGS,
    RULE_WIDTH,
    RULES,
    SKIPPABLE,
)
from lipogram.grammars.engine.memory import Memory, get, get_word, put, put_word, reserve, spend
from lipogram.grammars.engine.nodes import field
from lipogram.grammars.engine.programs import body_of
from lipogram.grammars.kernels import kernel

_MANY: Final = 500  # residuals


@kernel
def begins_with(m: Memory, c: Memory, rule: int, byte: int) -> bool:
    """Whether a rule can begin with a byte."""
    word = first_word(m, c, rule, byte >> 6)
    return bool((word >> np.uint64(byte & 63)) & np.uint64(1) != np.uint64(0))


@kernel
def first_word(m: Memory, c: Memory, rule: int, index: int) -> np.uint64:
    """A word of the bit set of the bytes with which a rule can begin."""
    reserve(c, IS_FIRST_KNOWN, 4 * (rule + 1))
    if get(c, IS_FIRST_KNOWN, rule) == 0:
        _find(m, c, rule)
    return get_word(c, FIRST_BYTES, 4 * rule + index)


@kernel
def _is_waiting(c: Memory, count: int, node: int) -> bool:
    index = 0
    while index < count and get(c, WAITING, index) != node:
        index += 1
    return index < count


@kernel
def _find(m: Memory, c: Memory, rule: int) -> None:
    """Write the bytes with which any residual begins that comes first in the rule.

    Where those are many, all bytes.
    """
    w0 = w1 = w2 = w3 = np.uint64(0)
    reserve(c, WAITING, 4)
    put(c, WAITING, 0, body_of(m, rule))
    count, waiting = 1, 0
    while waiting < count:
        if count > _MANY:
            w0 = w1 = w2 = w3 = ~np.uint64(0)
            break
        node = get(c, WAITING, waiting)
        waiting += 1
        spend(m, 4)
        derive(m, node)
        for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
            mask = get(m, EDGES, 2 * index)
            w0 |= mask_word(m, mask, 0)
            w1 |= mask_word(m, mask, 1)
            w2 |= mask_word(m, mask, 2)
            w3 |= mask_word(m, mask, 3)
        for index in range(field(m, node, CALL_START), field(m, node, CALL_END)):
            called, rest = get(m, CALLS, 2 * index), get(m, CALLS, 2 * index + 1)
            found = body_of(m, called)
            for _ in range(2):
                if not _is_waiting(c, count, found):
                    reserve(c, WAITING, 4 * (count + 1))
                    put(c, WAITING, count, found)
                    count += 1
                if not get(m, RULES, called * RULE_WIDTH + R_FLAGS) & SKIPPABLE:
                    break
                found = rest
    reserve(c, FIRST_BYTES, 32 * (rule + 1))
    put_word(c, FIRST_BYTES, 4 * rule, w0)
    put_word(c, FIRST_BYTES, 4 * rule + 1, w1)
    put_word(c, FIRST_BYTES, 4 * rule + 2, w2)
    put_word(c, FIRST_BYTES, 4 * rule + 3, w3)
    put(c, IS_FIRST_KNOWN, rule, 1)
