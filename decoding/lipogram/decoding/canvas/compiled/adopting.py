"""Lets the witness have other tokens and texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.compiled.layout import (
    ANY_TEXT,
    EMPTY,
    S_KIND,
    S_STATE,
    S_STOP,
    S_TEXT,
    S_TOKEN,
    TEXT,
    set_slot_field,
    slot_field,
)
from lipogram.decoding.canvas.compiled.ways import Spellings, read_elements, read_token, text_of
from lipogram.grammars.engine.memory import Memory
from lipogram.grammars.kernels import exported, kernel
from lipogram.grammars.lattice.row import C_START, cell_field, follow, put_text, set_cell_field


@exported
def adopt(
    m: Memory, k: Memory, r: Memory, w: Memory, s: Spellings, pairs: NDArray[np.int64],
    position: int, end: int,
) -> None:  # fmt: skip
    """Let the witness have tokens, given as cells and tokens in turn, and find out where it leads.

    Not in front of the first of them and of `position`; it is as before where it leads to the same
    behind the last of them.
    """
    until = 0
    for index in range(0, len(pairs), 2):
        cell, token = pairs[index], pairs[index + 1]
        set_slot_field(k, cell, S_TOKEN, token)
        _put(r, w, s, cell, token)
        position = min(position, cell)
        until = max(until, slot_field(k, cell, S_STOP) if token == EMPTY else cell + 1)
    follow(r, max(until - 1, 0), end)
    follow(w, max(until - 1, 0), end)
    while slot_field(k, position, S_STATE) == 0:
        position -= 1
    state = slot_field(k, position, S_STATE)
    while position < end:
        kind = slot_field(k, position, S_KIND)
        token = slot_field(k, position, S_TOKEN)
        after = position + 1
        if kind == TEXT:
            state = read_elements(m, k, state, cell_field(k, position, C_START))
        elif kind == ANY_TEXT:
            state = read_elements(m, k, state, slot_field(k, position, S_TEXT))
        elif token == EMPTY:
            after = slot_field(k, position, S_STOP)
            for place in range(position + 1, after):
                set_slot_field(k, place, S_TOKEN, EMPTY)
                set_slot_field(k, place, S_STATE, 0)
                _put(r, w, s, place, EMPTY)
        else:
            state = read_token(m, s, state, token)
        position = after
        if position >= until and state == slot_field(k, position, S_STATE):
            return
        set_slot_field(k, position, S_STATE, state)


@kernel
def _put(r: Memory, w: Memory, s: Spellings, cell: int, token: int) -> None:
    """Let both rows of the witness have a token."""
    put_text(r, cell, text_of(s, token))
    put_text(w, cell, text_of(s, token))


@exported
def put_gap(
    k: Memory, r: Memory, w: Memory, position: int, text: NDArray[np.int64], end: int
) -> None:
    """Let the witness have a text in a gap."""
    for witness in (r, w):
        put_text(witness, position, text)
        follow(witness, position, end)
    start = cell_field(k, position, C_START)
    put_text(k, position, text)
    set_slot_field(k, position, S_TEXT, cell_field(k, position, C_START))
    set_cell_field(k, position, C_START, start)
