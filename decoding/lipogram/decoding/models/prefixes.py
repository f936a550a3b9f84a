"""Keys and values of recent token sequences, for whoever continues one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.models.growing import Growing

_MAX_SEQUENCES = 128


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Tokens and what they left: for each layer a key and a value array [heads, tokens, width].

    The arrays are the backend's: of NumPy, or tensors on its device. `states`
    float16[tokens, width] has the last hidden state after each token, where the backend shows it.
    The last `guesses` tokens nobody has written yet.
    """

    tokens: NDArray[np.int64]
    arrays: tuple[Any, ...]
    states: Growing | None = None
    guesses: int = 0

    @property
    def size_bytes(self) -> int:
        """Memory held."""
        own = self.tokens.nbytes + (0 if self.states is None else self.states.nbytes)
        return own + sum(int(array.nbytes) for array in self.arrays)

    def cut(self, length: int) -> Snapshot:
        """The first `length` tokens; shares memory."""
        if length == len(self.tokens):
            return self
        arrays = tuple(array[:, :length] for array in self.arrays)
        states = None if self.states is None else self.states[:, :length]
        return Snapshot(self.tokens[:length], arrays, states)


@dataclass(frozen=True, slots=True)
class Extension:
    """Run `tokens` after `past`; scores are wanted from index `wanted` of `tokens` on.

    Then `left` more tokens will follow.
    """

    past: Snapshot
    tokens: NDArray[np.int64]
    wanted: int = 0
    left: int = 0


class PrefixCache:
    """Snapshots by recency, bounded in bytes.

    One that a newer one extends is dropped, with its guesses, whatever became of them.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._snapshots: list[Snapshot] = []

    @property
    def size_bytes(self) -> int:
        """Memory held now."""
        return self._size_bytes

    def known(self, tokens: NDArray[np.int64]) -> int:
        """How many of the first tokens are known; callable while another thread adds."""
        snapshot = self.peek(tokens)
        return 0 if snapshot is None else len(snapshot.tokens)

    def peek(self, tokens: NDArray[np.int64]) -> Snapshot | None:
        """What `longest` gives, without a claim to be kept; callable while another thread adds."""
        found = self._longest(tokens)
        return None if found is None else found[0].cut(found[1])

    def _longest(self, tokens: NDArray[np.int64]) -> tuple[Snapshot, int] | None:
        """The snapshot that has most of the first tokens, and how many; the latest of equals."""
        best, length = None, 0
        for snapshot in reversed(tuple(self._snapshots)):
            common = _common(snapshot.tokens, tokens)
            if common > length:
                best, length = snapshot, common
            if length == len(tokens):
                break
        return None if best is None else (best, length)

    def longest(self, tokens: NDArray[np.int64]) -> Snapshot | None:
        """The longest known beginning of `tokens`, None where not even the first is known."""
        found = self._longest(tokens)
        if found is None:
            return None
        best, length = found
        self._snapshots = [each for each in self._snapshots if each is not best] + [best]
        return best.cut(length)

    def add(self, snapshot: Snapshot) -> None:
        """Remember a sequence; the least recent ones give way."""
        tokens = snapshot.tokens.tolist()
        for known in [each for each in self._snapshots if _begins(tokens, each)]:
            self._drop(known)
        self._snapshots.append(snapshot)
        self._size_bytes += snapshot.size_bytes
        while self._snapshots and (
            self._size_bytes > self._max_bytes or len(self._snapshots) > _MAX_SEQUENCES
        ):
            self._drop(self._snapshots[0])

    def _drop(self, snapshot: Snapshot) -> None:
        self._snapshots = [each for each in self._snapshots if each is not snapshot]
        self._size_bytes -= snapshot.size_bytes


def _common(left: NDArray[np.int64], right: NDArray[np.int64]) -> int:
    shared = min(len(left), len(right))
    different = left[:shared] != right[:shared]
    return int(different.argmax()) if different.any() else shared


def _begins(longer: list[int], shorter: Snapshot) -> bool:
    count = len(shorter.tokens) - shorter.guesses
    if count > len(longer) or longer[count - 1] != shorter.tokens[count - 1]:  # true of most
        return False
    return np.array_equal(longer[:count], shorter.tokens[:count])
