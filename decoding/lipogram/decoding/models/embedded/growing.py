"""Caches of layers that look back only so far: kept whole, read at their end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SPARE_TOKENS = 64


class _Buffer:
    """Room for [heads, tokens, width], of which the first `used` tokens are written."""

    __slots__ = ("data", "used")

    def __init__(self, data: NDArray[Any], used: int) -> None:
        self.data = data
        self.used = used


class Growing:
    """An array [heads, tokens, width] that grows along its tokens without being copied.

    It is the beginning of a buffer, as others may be. Whoever ends where the buffer does writes
    behind it; another takes a copy along. Not to be grown by two threads at a time.
    """

    __slots__ = ("_buffer", "_length")

    def __init__(self, buffer: _Buffer, length: int) -> None:
        self._buffer = buffer
        self._length = length

    @classmethod
    def of(cls, array: NDArray[Any]) -> Growing:
        """The array, which is the caller's no more."""
        return cls(_Buffer(array, array.shape[1]), array.shape[1])

    @property
    def nbytes(self) -> int:
        """Memory of these tokens."""
        return int(self._buffer.data[:, : self._length].nbytes)

    def __getitem__(self, index: tuple[slice, slice]) -> Growing:
        """`[:, :length]`: the first tokens."""
        length = range(self._length)[index[1]].stop
        return Growing(self._buffer, length)

    def last(self, most: int) -> NDArray[Any]:
        """The last tokens, at most so many; not to be written to."""
        return self._buffer.data[:, max(0, self._length - most) : self._length]

    def grown(self, new: NDArray[Any]) -> Growing:
        """These tokens and new ones."""
        buffer, length = self._buffer, self._length + new.shape[1]
        if buffer.used != self._length or length > buffer.data.shape[1]:
            heads, _, width = new.shape
            room = np.empty((heads, length + length // 4 + _SPARE_TOKENS, width), new.dtype)
            room[:, : self._length] = buffer.data[:, : self._length]
            buffer = _Buffer(room, self._length)
        buffer.data[:, self._length : length] = new
        buffer.used = length
        return Growing(buffer, length)
