"""Memories that are freed with their owners.

Numba leaves the arguments of compiled code counted when it raises, so a memory that has been
stopped for its budget would never be collected by itself.
"""

from __future__ import annotations

import weakref

from lipogram.grammars.engine import memory as engine
from lipogram.grammars.engine.memory import Memory


class Lifetime:
    """While this lives, the memories may be used; it is held by all that use them."""

    def __init__(self, *memories: Memory) -> None:
        for memory in memories:
            weakref.finalize(self, _free, memory.base).atexit = False  # type: ignore[attr-defined]


def _free(words: Memory) -> None:
    """Free the arrays of a memory, once: it may be collected before or afterwards."""
    if words[engine._LEFT] == 0:
        words[engine._LEFT_COUNT] = 0
    engine._let_go(words, None)
    words[engine._LEFT_COUNT] = 0
