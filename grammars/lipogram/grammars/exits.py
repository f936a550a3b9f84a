"""The nearest way out of every frame: how few bytes end the text once its rule has returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush

from lipogram.grammars.table import ROOT

Item = tuple[int, int]  # (residual, the frame it returns to)


class Exits:
    """Shortest ways through the stack; each frame is measured once.

    `length` is that of a residual, `callers` are the items that go on when a frame returns, and
    `state_of` is the state that a frame belongs to: callers are of that state or of earlier ones.
    """

    def __init__(
        self,
        length: Callable[[int], int],
        callers: Callable[[int], Sequence[Item]],
        state_of: Callable[[int], int],
    ) -> None:
        self._length = length
        self._callers = callers
        self._state_of = state_of
        self._exits: dict[int, tuple[int, Item | None]] = {ROOT: (0, None)}

    def length(self, items: Iterable[Item]) -> int:
        """The fewest bytes from the items to the end of the text."""
        return min(map(self._item_length, items))

    def nearest(self, items: Iterable[Item]) -> Iterator[int]:
        """The residuals whose shortest members, in turn, are a shortest way to the end."""
        step: Item | None = min(items, key=self._item_length)
        while step is not None:
            node, frame = step
            yield node
            step = self._exits[frame][1]

    def _item_length(self, item: Item) -> int:
        node, frame = item
        return self._length(node) + self._exit_length(frame)

    def _exit_length(self, frame: int) -> int:
        """The fewest bytes from the return of `frame` to the end of the text."""
        if frame not in self._exits:
            for group in self._unmeasured_groups(frame):
                self._measure_group(group)
        return self._exits[frame][0]

    def _unmeasured_groups(self, frame: int) -> Iterator[list[int]]:
        """Frames that `frame` may return through, by configuration, earliest first."""
        groups: dict[int, list[int]] = {}
        seen = {frame}
        todo = [frame]
        while todo:
            current = todo.pop()
            groups.setdefault(self._state_of(current), []).append(current)
            for _, caller in self._callers(current):
                if caller not in seen and caller not in self._exits:
                    seen.add(caller)
                    todo.append(caller)
        for state in sorted(groups):
            yield groups[state]

    def _measure_group(self, group: list[int]) -> None:
        """Frames of one configuration may return through each other: nearest first (Dijkstra)."""
        exits: dict[int, tuple[int, Item | None]] = {}
        returning: dict[int, list[tuple[int, int, Item]]] = {frame: [] for frame in group}
        heap: list[tuple[int, int, Item]] = []
        for frame in group:
            for item in self._callers(frame):
                node, caller = item
                length = self._length(node)
                if caller in returning:
                    returning[caller].append((length, frame, item))
                else:
                    heap.append((length + self._exits[caller][0], frame, item))
        heapify(heap)
        while heap:
            length, frame, item = heappop(heap)
            if frame not in exits:
                exits[frame] = (length, item)
                for more, user, through in returning[frame]:
                    heappush(heap, (length + more, user, through))
        self._exits |= exits
