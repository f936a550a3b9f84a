"""Lists of triples to be worked through, each once."""

from __future__ import annotations

from lipogram.grammars.engine.memory import Memory, capacity, clear, get, put, reserve
from lipogram.grammars.kernels import kernel


@kernel
def add_once(
    m: Memory, triples: int, seen: int, a: int, b: int, c: int, count: int, generation: int
) -> int:
    """Append a triple to an array of `count` unless it is there; the new count.

    `seen` is an array for finding triples again: [., 2] generation, index. What earlier
    generations left in it does not count.
    """
    if capacity(m, seen) < 16 * (count + 1):
        reserve(m, seen, 32 * (count + 1) + 1024)
        clear(m, seen)
        for index in range(count):
            at = 3 * index
            first, second = get(m, triples, at), get(m, triples, at + 1)
            slot = _slot(m, triples, seen, first, second, get(m, triples, at + 2), generation)
            put(m, seen, 2 * slot, generation)
            put(m, seen, 2 * slot + 1, index)
    slot = _slot(m, triples, seen, a, b, c, generation)
    if get(m, seen, 2 * slot) == generation:
        return count
    put(m, seen, 2 * slot, generation)
    put(m, seen, 2 * slot + 1, count)
    reserve(m, triples, 12 * (count + 1))
    put(m, triples, 3 * count, a)
    put(m, triples, 3 * count + 1, b)
    put(m, triples, 3 * count + 2, c)
    return count + 1


@kernel
def _slot(m: Memory, triples: int, seen: int, a: int, b: int, c: int, generation: int) -> int:
    """Where the triple is noted, or is to be."""
    size = capacity(m, seen) // 8
    slot = (a * 0x9E3779B1 + b * 0x85EBCA77 + c * 0xC2B2AE35) & (size - 1)
    while get(m, seen, 2 * slot) == generation:
        at = 3 * get(m, seen, 2 * slot + 1)
        if (
            get(m, triples, at) == a
            and get(m, triples, at + 1) == b
            and get(m, triples, at + 2) == c
        ):
            break
        slot = (slot + 1) & (size - 1)
    return slot
