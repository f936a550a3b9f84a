"""The engine's arrays as Python reads them."""

from __future__ import annotations

import ctypes
from functools import lru_cache

from lipogram.grammars.engine.memory import Memory, capacity


def view(memory: Memory, array: int) -> memoryview:
    """An array of 32-bit integers as it is now.

    Of an array that is read without a lock it is valid as long as the memory, of others as long as
    the automaton's lock is held.
    """
    integers = _integers(capacity(memory, array) // 4).from_address(int(memory[array]))
    return memoryview(integers).cast("B").cast("i")


@lru_cache(maxsize=128)
def _integers(count: int) -> type[ctypes.Array[ctypes.c_int32]]:
    return ctypes.c_int32 * count  # a new class takes 0.1 ms
