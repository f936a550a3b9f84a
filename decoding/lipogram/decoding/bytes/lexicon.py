"""The tokens of a vocabulary in the order of their bytes: what begins alike stands together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

NO_BYTE: Final = 256  # after a token's last byte


class Lexicon:
    """Tokens by rank, T of them; several may share their bytes.

    `ids` int64[T] are the token ids by rank, `texts` their bytes, ascending.
    """

    def __init__(self, ids: NDArray[np.int32], tokens: Sequence[bytes]) -> None:
        """`ids` are in the order of their bytes already."""
        self.ids = ids.astype(np.int64)
        self.texts = [tokens[id] for id in ids]
        ends = np.cumsum([0, *map(len, self.texts)], dtype=np.int64)
        self._begins, self._ends = ends[:-1], ends[1:]
        self._data = np.frombuffer(b"".join(self.texts), np.uint8)

    def __len__(self) -> int:
        return len(self.texts)

    def narrow(self, low: int, high: int, beginning: bytes) -> tuple[int, int, int]:
        """Of ranks low to high, those that begin so: (low, first longer one, high).

        The tokens between the first two are exactly `beginning`.
        """
        low = bisect_left(self.texts, beginning, low, high)
        longer = low
        while longer < high and self.texts[longer] == beginning:
            longer += 1
        stem = beginning.rstrip(b"\xff")
        if stem:
            following = stem[:-1] + bytes([stem[-1] + 1])
            high = bisect_left(self.texts, following, longer, high)
        return low, longer, high

    def bytes_at(
        self, ranks: NDArray[np.int64], depths: NDArray[np.int64] | int
    ) -> NDArray[np.int64]:
        """The bytes at these indices of these tokens; NO_BYTE where one is no longer than that."""
        at = self._begins[ranks] + depths
        found: NDArray[np.int64] = self._data[np.minimum(at, len(self._data) - 1)].astype(np.int64)
        found[at >= self._ends[ranks]] = NO_BYTE
        return found
