"""Tokens by how long they are, as bit sets."""

from __future__ import annotations

from lipogram.decoding.reaches.layout import (
    BITS,
    BITS_COUNT,
    CHARS,
    DEPTH,
    FEW_CHARS,
    LEAST_SPAN,
    LONG,
    LONG_COUNT,
    NODES,
    SHORT,
    SHORT_BYTES,
    TOKEN,
    TOKEN_START,
    TOKENS,
    WORDS,
)
from lipogram.grammars.engine.memory import Memory, get, put, reserve
from lipogram.grammars.kernels import kernel


@kernel
def set_bit(v: Memory, array: int, start: int, index: int) -> None:
    at = start + (index >> 5)
    put(v, array, at, get(v, array, at) | (1 << (index & 31)))


@kernel
def tokens_of_few_bytes(v: Memory, most: int) -> int:
    """Where in BITS the tokens of at most so many bytes are."""
    reserve(v, SHORT_BYTES, 4 * (most + 1))
    place = get(v, SHORT_BYTES, most)
    if place == 0:
        least = LEAST_SPAN if most > LEAST_SPAN else 0
        few = tokens_of_few_bytes(v, least) if least else 0
        start = v[BITS_COUNT]
        reserve(v, BITS, 4 * (start + v[WORDS]))
        for index in range(v[WORDS]):
            put(v, BITS, start + index, get(v, BITS, few + index) if least else 0)
        for node in range(v[NODES]):
            if least < get(v, DEPTH, node) <= most:
                for index in range(get(v, TOKEN_START, node), get(v, TOKEN_START, node + 1)):
                    set_bit(v, BITS, start, get(v, TOKEN, index))
        v[BITS_COUNT] = start + v[WORDS]
        place = start + 1
        put(v, SHORT_BYTES, most, place)
    return place - 1


@kernel
def short_tokens(v: Memory, chars: int) -> int:
    """Where in BITS the tokens of at most so many characters are."""
    reserve(v, SHORT, 4 * (chars + 1))
    place = get(v, SHORT, chars)
    if place == 0:
        few = short_tokens(v, FEW_CHARS) if chars > FEW_CHARS else 0
        start = v[BITS_COUNT]
        reserve(v, BITS, 4 * (start + v[WORDS]))
        for index in range(v[WORDS]):
            put(v, BITS, start + index, get(v, BITS, few + index) if chars > FEW_CHARS else 0)
        for index in range(v[LONG_COUNT] if chars > FEW_CHARS else v[TOKENS]):
            token = get(v, LONG, index) if chars > FEW_CHARS else index
            if get(v, CHARS, token) <= chars:
                set_bit(v, BITS, start, token)
        v[BITS_COUNT] = start + v[WORDS]
        place = start + 1
        put(v, SHORT, chars, place)
    return place - 1


@kernel
def list_long(v: Memory) -> None:
    for token in range(v[TOKENS]):
        if get(v, CHARS, token) > FEW_CHARS:
            reserve(v, LONG, 4 * (v[LONG_COUNT] + 1))
            put(v, LONG, v[LONG_COUNT], token)
            v[LONG_COUNT] += 1
