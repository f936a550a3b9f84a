"""Hash tables for compiled code: rows of three keys and what is known of them, found in no time.

A row is never moved, so its number can be kept.
"""

from __future__ import annotations

from typing import Final

from lipogram.grammars.engine.memory import COUNTERS, Memory, capacity, clear, get, put, reserve
from lipogram.grammars.kernels import kernel

# A table is an array of rows; the next array has its slots, and a counter its size.
WIDTH: Final = 6
VALUE, EXTRA, TICK = 3, 4, 5  # columns behind the keys; zero in a new row


@kernel
def _slot(k: Memory, table: int, a: int, b: int, c: int) -> int:
    size = capacity(k, table + 1) // 4
    slot = (a * 0x9E3779B1 + b * 0x85EBCA77 + c * 0xC2B2AE35) & 0xFFFFFFFFFFFF
    slot = (slot ^ (slot >> 17)) & (size - 1)
    while True:
        row = get(k, table + 1, slot) - 1
        if row < 0:
            return slot
        at = WIDTH * row
        if get(k, table, at) == a and get(k, table, at + 1) == b and get(k, table, at + 2) == c:
            return slot
        slot = (slot + 1) & (size - 1)


@kernel
def row_at(k: Memory, table: int, a: int, b: int, c: int) -> int:
    """Where in the table the row of these keys begins; it is added if need be."""
    count = k[COUNTERS + table]
    if capacity(k, table + 1) < 8 * (count + 1):
        reserve(k, table + 1, 16 * count + 4096)
        clear(k, table + 1)
        for row in range(count):
            at = WIDTH * row
            slot = _slot(k, table, get(k, table, at), get(k, table, at + 1), get(k, table, at + 2))
            put(k, table + 1, slot, row + 1)
    slot = _slot(k, table, a, b, c)
    found = get(k, table + 1, slot) - 1
    if found >= 0:
        return WIDTH * found
    reserve(k, table, 4 * WIDTH * (count + 1))
    at = WIDTH * count
    put(k, table, at, a)
    put(k, table, at + 1, b)
    put(k, table, at + 2, c)
    for column in range(VALUE, WIDTH):
        put(k, table, at + column, 0)
    put(k, table + 1, slot, count + 1)
    k[COUNTERS + table] = count + 1
    return at


@kernel
def shorten(k: Memory, table: int, most: int) -> None:
    """Empty a table that has more than so many rows."""
    if k[COUNTERS + table] > most:
        k[COUNTERS + table] = 0
        clear(k, table + 1)
