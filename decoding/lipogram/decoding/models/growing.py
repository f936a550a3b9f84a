"""Rows of caches that grow in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FEWEST_SPARE_ROWS = 128


class _Block:
    """Room for rows of several arrays, of which the first `used` are written.

    In one piece they would be large enough to get large pages, for which a system that is short of
    them makes us wait: 12 ms instead of 3 for 6 MB. Memory that is not touched is not taken.
    """

    __slots__ = ("arrays", "used")

    def __init__(self, arrays: list[NDArray[Any]], used: int) -> None:
        self.arrays = arrays
        self.used = used


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Where rows are: the `first` ones in a block, and then `new` ones that are not there yet.

    After them at least `left` more will come.
    """

    block: _Block
    first: int
    new: tuple[NDArray[Any], ...] = ()
    left: int = 0

    def together(self, ahead: int) -> _Held:
        """The same in a block alone: in this one if only what is `ahead` follows the first."""
        if not self.new:
            return self
        block, first, stop = self.block, self.first, self.first + max(map(len, self.new))
        if block.used != first + ahead or stop > len(block.arrays[0]):
            rows = stop + self.left + max(_FEWEST_SPARE_ROWS, stop // 2)
            block = _Block([_moved(array[:first], rows) for array in block.arrays], first)
        for array, new in zip(block.arrays, self.new, strict=True):
            array[first : first + len(new)] = new
        block.used = stop
        return _Held(block, stop)


def _moved(array: NDArray[Any], rows: int) -> NDArray[Any]:
    room = np.empty((rows, *array.shape[1:]), array.dtype)
    room[: len(array)] = array
    return room


class Growing:
    """Arrays of rows [tokens + ahead, ...] that grow at their ends without being copied.

    The last `ahead` rows are begun only: those of the next tokens take their places; not all arrays
    need have them. All are the beginning of a block, as others may be. New rows are written there
    when they are asked for, by whoever ends where the block does; another takes a copy along. So
    what is cut off before, as wrong guesses are, leaves the block as it is. Not to be asked for
    rows by two threads at a time.
    """

    __slots__ = ("_ahead", "_held", "_tokens")

    def __init__(self, held: _Held, tokens: int, ahead: int) -> None:
        self._held = held
        self._tokens = tokens
        self._ahead = ahead

    @classmethod
    def of(cls, arrays: Sequence[NDArray[Any]], ahead: int = 0) -> Growing:
        """Arrays of equally many rows, which are the caller's no more."""
        count = len(arrays[0])
        return cls(_Held(_Block(list(arrays), count), count), count - ahead, ahead)

    @property
    def nbytes(self) -> int:
        """Memory of these tokens."""
        arrays = self._held.block.arrays
        return (self._tokens + self._ahead) * sum(array.strides[0] for array in arrays)

    def __getitem__(self, index: tuple[slice, slice]) -> Growing:
        """`[:, :tokens]`: the first tokens."""
        tokens, held = range(self._tokens)[index[1]].stop, self._held
        left = tokens + self._ahead - held.first
        new = tuple([each[:left] for each in held.new]) if left > 0 else ()
        return Growing(_Held(held.block, held.first, new), tokens, self._ahead)

    def copy(self) -> NDArray[Any]:
        """All tokens of the first array, whatever thread asks."""
        held = self._held
        parts = (held.block.arrays[0][: held.first], *held.new[:1])
        return np.concatenate(parts)[: self._tokens]

    def last(self, most: int) -> list[NDArray[Any]]:
        """Of each array the last tokens, at most so many; not to be written to."""
        rows = slice(max(0, self._tokens - most), self._tokens)
        return [array[rows] for array in self._rows()]

    def begun(self) -> list[NDArray[Any]]:
        """Of each array the rows that are ahead; not to be written to."""
        rows = slice(self._tokens, self._tokens + self._ahead)
        return [array[rows] for array in self._rows()]

    def grown(self, new: Sequence[NDArray[Any]], left: int = 0) -> Growing:
        """These tokens and new ones of each array, with those that are then ahead.

        There will be room for `left` more.
        """
        self._rows()
        tokens = self._tokens + max(map(len, new)) - self._ahead
        held = _Held(self._held.block, self._tokens, tuple(new), left)
        return Growing(held, tokens, self._ahead)

    def _rows(self) -> list[NDArray[Any]]:
        self._held = self._held.together(self._ahead)
        return self._held.block.arrays
