"""Big sets of literals: nodes that are ranges of one sorted list, at a depth."""

from __future__ import annotations

import numpy as np

from lipogram.grammars.engine.bytesets import (
    mixed,
)
from lipogram.grammars.engine.expressions import (
    choice,
    cons,
    push_option,
)
from lipogram.grammars.engine.layout import (
    EMPTY,
    INFINITE,
    LITERALS,
    NONCE,
    NOTHING,
    NULLABLE,
    TEXT_STARTS,
    TEXTS,
)
from lipogram.grammars.engine.memory import Memory, burn, get
from lipogram.grammars.engine.nodes import (
    add,
    known,
)
from lipogram.grammars.kernels import kernel

_FEW_LITERALS = 64  # as many are alternatives like others


@kernel
def text_length(m: Memory, text: int) -> int:
    return get(m, TEXT_STARTS, text + 1) - get(m, TEXT_STARTS, text)


@kernel
def text_byte(m: Memory, text: int, offset: int) -> int:
    return get(m, TEXTS, get(m, TEXT_STARTS, text) + offset)


@kernel
def chain(m: Memory, text: int, offset: int) -> int:
    """The bytes of a text from the offset on."""
    node = EMPTY
    for index in range(text_length(m, text) - 1, offset - 1, -1):
        node = cons(m, text_byte(m, text, index), node)
    return node


@kernel
def literals(m: Memory, low: int, high: int, depth: int) -> int:
    """Any of the sorted texts low..high, which agree in their first `depth` bytes, from there."""
    if low == high:
        return NOTHING
    if high - low == 1:
        return chain(m, low, depth)
    if depth == 0 and high - low <= _FEW_LITERALS:
        count = 0
        for text in range(low, high):
            node = chain(m, text, 0)
            count = push_option(m, count, node)
        return choice(m, count)
    node = known(m, LITERALS, low, high, depth, 0)
    if node:
        return node
    length, longest = INFINITE, 0
    for text in range(low, high):
        own = text_length(m, text) - depth
        length = min(length, own)
        longest = max(longest, own)
    burn(m, high - low)
    value = mixed(np.uint64(low), np.uint64(high))
    h0 = mixed(mixed(np.uint64(m[NONCE]) + np.uint64(4), value), np.uint64(depth))
    h1 = mixed(mixed(np.uint64(m[NONCE]) + np.uint64(5), value), np.uint64(depth))
    return add(
        m, LITERALS, low, high, depth, 0, NULLABLE if length == 0 else 0, length, 0, longest, h0, h1
    )
