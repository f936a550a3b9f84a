"""Steps of one text over the cells of a canvas, in compiled code."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.compiled.layout import (
    ANY_TEXT,
    EMPTY,
    FREE,
    N_BEFORE,
    N_POSITION,
    N_STATE,
    N_TOKEN,
    NODES,
    NOT_A_SLOT,
    S_CHOICE,
    S_KIND,
    S_MAY_STOP,
    S_STATE,
    S_STOP,
    S_TEXT,
    S_TOKEN,
    SLOT,
    TEXT,
    slot_field,
)
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import special_tokens
from lipogram.grammars.engine.layout import ROWS
from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put, reserve, spend
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.row import C_START, ELEMENTS, NEXT, cell_field


class Spellings(NamedTuple):
    """The texts of all tokens, none of those that are not allowed."""

    text: NDArray[np.uint8]
    starts: NDArray[np.int64]  # of each spelling
    of: NDArray[np.int32]  # by token: its first spelling
    usable: NDArray[np.int32]  # bit set of the tokens that have any
    of_bytes: NDArray[np.int32]  # by byte: the token of it alone, -1 if there is none
    trie: Memory  # of all tokens


@kernel
def read_token(m: Memory, s: Spellings, state: int, token: int) -> int:
    """The state after a token, by the first of its spellings that fits; 0 if none."""
    for spelling in range(s.of[token], s.of[token + 1]):
        after = read_spelling(m, s, state, spelling)
        if after:
            return after
    return 0


@kernel
def read_spelling(m: Memory, s: Spellings, state: int, spelling: int) -> int:
    """The state after one spelling of a token; 0 if it does not fit."""
    for index in range(s.starts[spelling], s.starts[spelling + 1]):
        state = get(m, ROWS, 256 * (row_of(m, state) >> 1) + s.text[index])
        spend(m, 1)
        if state == 0:
            break
    return state


@kernel
def text_of(s: Spellings, token: int) -> NDArray[np.int64]:
    """The bytes of a token, none of EMPTY; of a special one, one of its spellings."""
    first = s.of[token] if token != EMPTY else 0
    if token == EMPTY or first == s.of[token + 1]:
        return s.text[:0].astype(np.int64)
    return s.text[s.starts[first] : s.starts[first + 1]].astype(np.int64)


@kernel
def read_elements(m: Memory, k: Memory, state: int, place: int) -> int:
    """The state after a cell's text, which begins at a place; 0 if it does not fit."""
    while state and get(k, ELEMENTS, place) != NEXT:
        state = get(m, ROWS, 256 * (row_of(m, state) >> 1) + get(k, ELEMENTS, place))
        spend(m, 1)
        place += 1
    return state


@kernel
def over_fixed(
    m: Memory, k: Memory, s: Spellings, position: int, state: int, met_from: int, end: int
) -> tuple[int, int]:
    """Over texts and committed tokens: to a free slot, a gap, the end, or the witness.

    The witness is met from `met_from` on. The state is 0 where they do not fit.
    """
    while position < end:
        if position >= met_from and state == slot_field(k, position, S_STATE):
            break
        kind = slot_field(k, position, S_KIND)
        if kind == TEXT:
            state = read_elements(m, k, state, cell_field(k, position, C_START))
        elif kind == SLOT and slot_field(k, position, S_CHOICE) != FREE:
            token = slot_field(k, position, S_CHOICE)
            if token == EMPTY:
                position = slot_field(k, position, S_STOP)
                continue
            state = read_token(m, s, state, token)
        else:
            break
        if state == 0:
            break
        position += 1
    return position, state


@kernel
def is_free(k: Memory, position: int) -> bool:
    is_slot = slot_field(k, position, S_KIND) == SLOT
    return is_slot and slot_field(k, position, S_CHOICE) == FREE


@kernel
def is_gap(k: Memory, position: int) -> bool:
    """Whether a cell may have any text."""
    return slot_field(k, position, S_KIND) == ANY_TEXT


@kernel
def is_to_fill(k: Memory, position: int) -> bool:
    """Whether a cell is a free slot, or may have any text."""
    return is_free(k, position) or is_gap(k, position)


@kernel
def run_end(k: Memory, position: int) -> int:
    """Where the run of free slots ends that begins at a position."""
    stop = position + 1
    while stop < slot_field(k, position, S_STOP) and is_free(k, stop):
        stop += 1
    return stop


@kernel
def add_node(k: Memory, position: int, state: int, before: int, token: int) -> int:
    """Add a node of a way; its number."""
    count = k[COUNTERS + NODES]
    reserve(k, NODES, 16 * (count + 1))
    put(k, NODES, 4 * count + N_POSITION, position)
    put(k, NODES, 4 * count + N_STATE, state)
    put(k, NODES, 4 * count + N_BEFORE, before)
    put(k, NODES, 4 * count + N_TOKEN, token)
    k[COUNTERS + NODES] = count + 1
    return count


@kernel
def along_witness(m: Memory, k: Memory, s: Spellings, node: int, end: int) -> int:
    """The node behind free slots up to a position, filled as in the witness; -1 if they do not fit.

    Where the witness leaves slots empty it is behind the hole.
    """
    while get(k, NODES, 4 * node + N_POSITION) < end:
        position = get(k, NODES, 4 * node + N_POSITION)
        state = get(k, NODES, 4 * node + N_STATE)
        token = slot_field(k, position, S_TOKEN)
        if slot_field(k, position, S_KIND) == ANY_TEXT:
            place = slot_field(k, position, S_TEXT)
            state = read_elements(m, k, state, place) if place >= 0 else 0
            return add_node(k, position + 1, state, node, NOT_A_SLOT) if state else -1
        if token == EMPTY:
            if not slot_field(k, position, S_MAY_STOP) or not slot_field(k, position, S_STATE):
                return -1
            return add_node(k, slot_field(k, position, S_STOP), state, node, EMPTY)
        state = read_token(m, s, state, token)
        if state == 0:
            return -1
        node = add_node(k, position + 1, state, node, token)
    return node


@lru_cache(maxsize=8)
def spellings(vocabulary: Vocabulary, has_specials: bool) -> Spellings:
    """The texts of the tokens that a grammar may have. Cost: a look at each token."""
    texts: list[bytes] = []
    of = [0]
    usable = np.zeros(-(-len(vocabulary) // 32) * 32, np.bool_)
    of_bytes = np.full(256, -1, np.int32)
    for token, text in enumerate(vocabulary.tokens):
        own = vocabulary.spellings_of(token) if text or has_specials else ()
        if not (has_specials and special_tokens.MARK in text):
            texts += own
            usable[token] = bool(own)
            if len(text) == 1 and own:
                of_bytes[text[0]] = token
        of.append(len(texts))
    return Spellings(
        np.frombuffer(b"".join(texts), np.uint8),
        np.cumsum([0, *map(len, texts)], dtype=np.int64),
        np.array(of, np.int32),
        np.packbits(usable, bitorder="little").view("<i4").astype(np.int32),
        of_bytes,
        vocabulary.reaches.memory,
    )
