"""What residuals do with a vocabulary, kept for all grammars that contain them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Key = tuple[bytes, bytes]  # digests of a residual and of the region of the trie that it starts at


@dataclass(frozen=True, slots=True)
class Reach:
    """The tokens that a residual allows, and the trie nodes at which it ends inside tokens.

    `tokens` are ids, or the words of a bitset where that is smaller. Arrays are read-only.
    """

    tokens: NDArray[np.int32]
    is_bitset: bool
    crossing: NDArray[np.int32]

    @property
    def size_bytes(self) -> int:
        """The memory that the arrays hold."""
        return self.tokens.nbytes + self.crossing.nbytes


class Reaches:
    """Reaches by residual and region: the least recently used go when `max_bytes` is exceeded."""

    def __init__(self, max_bytes: int = 64 << 20) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Key, Reach] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Reach | None:
        """The reach, if it is kept."""
        with self._lock:
            reach = self._entries.get(key)
            if reach is not None:
                self._entries.move_to_end(key)
            return reach

    def put(self, key: Key, reach: Reach) -> None:
        """Keep a reach."""
        with self._lock:
            if key in self._entries:
                return
            self._entries[key] = reach
            self._bytes += reach.size_bytes
            while self._bytes > self._max_bytes:
                _, oldest = self._entries.popitem(last=False)
                self._bytes -= oldest.size_bytes
