"""Classes of characters by which a state goes on to itself, or to what it is but for a count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.reaches.layout import (
    ENDLESS,
)
from lipogram.grammars.engine.bytesets import (
    has_byte,
    mask_word,
)
from lipogram.grammars.engine.derive import (
    derive,
)
from lipogram.grammars.engine.interning import residual_state
from lipogram.grammars.engine.layout import (
    CALL_END,
    CALL_START,
    CONS,
    EDGE_END,
    EDGE_START,
    EDGES,
    EMPTY,
    ITEMS,
    OP,
    REPEAT,
    ROOT,
    ROWS,
    S_END,
    S_START,
    SEQUENCE,
    STATE_WIDTH,
    STATES,
    A,
    B,
    C,
)
from lipogram.grammars.engine.memory import Memory, get
from lipogram.grammars.engine.nodes import (
    field,
    is_nullable,
)
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import kernel


@kernel
def _lead_leads_to(m: Memory, node: int, byte: int) -> int:
    """What every character that begins with the byte leads to alike; -1 if there is no such."""
    target = -1
    for index in range(field(m, node, EDGE_START) - 1, field(m, node, EDGE_END)):
        if not has_byte(m, get(m, EDGES, 2 * index), byte):
            continue
        if target >= 0:
            return -1
        target = get(m, EDGES, 2 * index + 1)
    if target < 0 or byte < 0x80:
        return target
    left = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
    full, upper, lower = ~np.uint64(0), np.uint64(0xFFFFFFFF00000000), np.uint64(0xFFFFFFFF)
    zero = np.uint64(0)
    want = upper if byte == 0xE0 else lower if byte == 0xED else full  # A0-BF, 80-9F, 80-BF
    if byte == 0xF0:
        want = full << np.uint64(16)  # 90-BF
    elif byte == 0xF4:
        want = np.uint64(0xFFFF)  # 80-8F
    while left:
        if field(m, target, OP) != CONS:
            return -1
        mask = field(m, target, A)
        if (
            mask_word(m, mask, 2) != want
            or (mask_word(m, mask, 0) | mask_word(m, mask, 1) | mask_word(m, mask, 3)) != zero
        ):
            return -1
        target = field(m, target, B)
        want = full
        left -= 1
    return target


@kernel
def loop_class(m: Memory, state: int, words: NDArray[np.uint64]) -> int:
    """The class of characters by which a state goes on alike, and how often; 0 if it does not.

    For a state of one item that repeats characters, or that any of a class leads back to. `words`
    gets the class: its ASCII bytes and leads. If the state is complete, it stays so on the way.
    """
    at = state * STATE_WIDTH
    start = get(m, STATES, at + S_START)
    if get(m, STATES, at + S_END) != start + 1:
        return 0
    node, frame = get(m, ITEMS, 2 * start), get(m, ITEMS, 2 * start + 1)
    if is_nullable(m, node) and frame != ROOT:
        return 0
    first, rest = node, EMPTY
    if field(m, node, OP) == SEQUENCE:
        first, rest = field(m, node, A), field(m, node, B)
    derive(m, node)
    if field(m, first, OP) != REPEAT:
        return _own_loop(m, node, words)
    if field(m, first, B) > 0 and is_nullable(m, rest):
        return 0
    item = field(m, first, A)
    derive(m, item)
    if field(m, item, CALL_START) != field(m, item, CALL_END):
        return 0
    other = row_of(m, residual_state(m, rest)) >> 1
    for byte in range(0xF5):
        if 0x80 <= byte < 0xC2:
            continue
        if get(m, ROWS, 256 * other + byte) == 0 and _lead_leads_to(m, item, byte) == EMPTY:
            words[byte >> 6] |= np.uint64(1) << np.uint64(byte & 63)
    most = field(m, first, C)
    return ENDLESS if most < 0 else min(most, ENDLESS)


@kernel
def _own_loop(m: Memory, node: int, words: NDArray[np.uint64]) -> int:
    """The class of characters that lead from a node without calls back to it."""
    if field(m, node, CALL_START) != field(m, node, CALL_END):
        return 0
    for byte in range(0xF5):
        if not 0x80 <= byte < 0xC2 and _lead_leads_to(m, node, byte) == node:
            words[byte >> 6] |= np.uint64(1) << np.uint64(byte & 63)
    return ENDLESS


@kernel
def counts(m: Memory, state: int) -> bool:
    """Whether a state is of one item, which begins with a limited number of repeats."""
    at = state * STATE_WIDTH
    start = get(m, STATES, at + S_START)
    if get(m, STATES, at + S_END) != start + 1:
        return False
    node = get(m, ITEMS, 2 * start)
    if field(m, node, OP) == SEQUENCE:
        node = field(m, node, A)
    return field(m, node, OP) == REPEAT and field(m, node, C) >= 0


@kernel
def letters_back(m: Memory, state: int, row: int, words: NDArray[np.uint64]) -> int:
    """Add to `words` the ASCII bytes that lead from a state back to it; 0 if there are none."""
    found = 0
    for byte in range(0x80):
        if get(m, ROWS, 256 * row + byte) == state:
            words[byte >> 6] |= np.uint64(1) << np.uint64(byte & 63)
            found = ENDLESS
    return found
