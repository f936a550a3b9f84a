"""Rows of caches that grow in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Memory that is not written to is not taken; growing again costs a copy.
_SPARE_TOKENS = 1024


class _Buffer:
    """Room for rows, of which the first `used` are written."""

    __slots__ = ("data", "used")

    def __init__(self, data: NDArray[Any], used: int) -> None:
        self.data = data
        self.used = used


class Growing:
    """Rows [tokens + ahead, ...] that grow at their end without being copied.

    The last `ahead` rows are begun only: those of the next tokens take their places. All are the
    beginning of a buffer, as others may be. Whoever ends where the buffer does writes behind it;
    another takes a copy along. Not to be grown by two threads at a time.
    """

    __slots__ = ("_ahead", "_buffer", "_tokens")

    def __init__(self, buffer: _Buffer, tokens: int, ahead: int) -> None:
        self._buffer = buffer
        self._tokens = tokens
        self._ahead = ahead

    @classmethod
    def of(cls, array: NDArray[Any], ahead: int = 0) -> Growing:
        """The array, which is the caller's no more."""
        return cls(_Buffer(array, len(array)), len(array) - ahead, ahead)

    @property
    def nbytes(self) -> int:
        """Memory of these tokens."""
        return int(self._buffer.data[: self._tokens + self._ahead].nbytes)

    def __getitem__(self, index: tuple[slice, slice]) -> Growing:
        """`[:, :tokens]`: the first tokens."""
        return Growing(self._buffer, range(self._tokens)[index[1]].stop, self._ahead)

    def last(self, most: int) -> NDArray[Any]:
        """The last tokens, at most so many: contiguous, and not to be written to."""
        return self._buffer.data[max(0, self._tokens - most) : self._tokens]

    def begun(self) -> NDArray[Any]:
        """The rows that are ahead; not to be written to."""
        return self._buffer.data[self._tokens : self._tokens + self._ahead]

    def grown(self, new: NDArray[Any]) -> Growing:
        """These tokens and new ones, with those that are then ahead."""
        buffer, first, stop = self._buffer, self._tokens, self._tokens + len(new)
        if buffer.used != first + self._ahead or stop > len(buffer.data):
            room = np.empty((stop + stop // 2 + _SPARE_TOKENS, *new.shape[1:]), new.dtype)
            room[:first] = buffer.data[:first]
            buffer = _Buffer(room, first)
        buffer.data[first:stop] = new
        buffer.used = stop
        return Growing(buffer, stop - self._ahead, self._ahead)
