"""A least-recently-used cache that is bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ByteCache(Generic[Key, Value]):
    """Keeps values up to `limit` bytes together, as `weigh` tells; the oldest unused go first.

    Values may grow while they are here: they are weighed again whenever one is added or found.
    """

    def __init__(self, limit: int, weigh: Callable[[Value], int]) -> None:
        self._limit = limit
        self._weigh = weigh
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._weights: dict[Key, int] = {}
        self._total = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._values)

    @property
    def bytes(self) -> int:
        """What all values weigh, as last weighed."""
        return self._total

    def get(self, key: Key) -> Value | None:
        """The value, which now counts as just used; None if it is not here."""
        value = self._values.get(key)
        if value is not None:
            self.put(key, value)
        return value

    def drop(self, key: Key) -> None:
        """Removes a value, if it is here."""
        if self._values.pop(key, None) is not None:
            self._total -= self._weights.pop(key)

    def put(self, key: Key, value: Value) -> None:
        """Adds a value; one that alone is over the limit is not kept."""
        weight = self._weigh(value)
        self._total += weight - self._weights.get(key, 0)
        self._values[key] = value
        self._weights[key] = weight
        self._values.move_to_end(key)
        while self._total > self._limit:
            oldest, _ = self._values.popitem(last=False)
            self.evictions += 1
            self._total -= self._weights.pop(oldest)
