"""Runs of members, derived member by member: `ir.Members` as residuals.

What is left of a run is where it stands and how many members must and may still come. Items that
begin with literal bytes are searched in a sorted list, so that a byte costs what it leads to.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from heapq import nsmallest
from itertools import accumulate, islice
from typing import TYPE_CHECKING, NamedTuple

from lipogram.grammars.residuals import EMPTY, INFINITE, NOTHING

if TYPE_CHECKING:
    from lipogram.grammars.derivatives import Derivatives

Ways = tuple[list[tuple[int, int]], list[tuple[int, int]]]  # edges and calls, as in Heads


class Item(NamedTuple):
    """A member that may come once: its leading bytes, and the node of what follows them."""

    text: bytes
    rest: int
    is_required: bool


class Left(NamedTuple):
    """What is left of a run.

    `where` is the next item's index, or in any order the bits of the items that have come. `least`
    is 0 where the required items are enough of it; `most` is None where nothing can exceed it.
    """

    where: int
    is_started: bool
    least: int
    most: int | None


class Run:
    """The items and limits of one `ir.Members`; all of `items` can match something."""

    def __init__(
        self,
        derivatives: Derivatives,
        items: list[Item],
        others: int,
        separator: int,
        any_order: bool,
    ) -> None:
        self._derivatives = derivatives
        self._residuals = derivatives.residuals
        self._items = items
        self._others = others
        self._separator = separator
        self._any_order = any_order
        self._sorted = sorted(range(len(items)), key=lambda index: items[index].text)
        self._texts = [items[index].text for index in self._sorted]
        self._lengths = [len(item.text) + derivatives.length(item.rest) for item in items]
        self._empty = [
            index
            for index, item in enumerate(items)
            if not item.text and derivatives.residuals.nullable[item.rest]
        ]
        self._required = sum(1 << i for i, item in enumerate(items) if item.is_required)
        backwards = [item.is_required for item in reversed(items)]
        self._required_behind = [*accumulate(backwards, initial=0)][::-1]
        lengths = (n * r for n, r in zip(self._lengths[::-1], backwards, strict=True))
        self._length_behind = [*accumulate(lengths, initial=0)][::-1]
        self._cheapest = lru_cache(maxsize=1024)(self._cheapest_optional)

    def start(self, minimum: int, maximum: int | None) -> int:
        """The node of the whole run."""
        nullable = self._residuals.nullable
        if self._separator == NOTHING:
            maximum = 1 if maximum is None else min(maximum, 1)
        if maximum is not None and minimum > maximum:
            return NOTHING
        if nullable[self._others] and nullable[self._separator]:
            minimum = 0  # what is short of it is empty
        return self.rest(self._left(0, False, minimum, maximum))

    def _left(self, where: int, is_started: bool, least: int, most: int | None) -> Left | None:
        """The canonical form of what is left; None where it cannot be completed."""
        required, items = self._required_left(where), self._items_left(where)
        if most is not None and max(least, required) > most:
            return None
        if self._others == NOTHING:
            if least > items:
                return None
            if most is not None and most >= items:
                most = None
        return Left(where, is_started, least if least > required else 0, most)

    def _required_left(self, where: int) -> int:
        if self._any_order:
            return (self._required & ~where).bit_count()
        return self._required_behind[where]

    def _items_left(self, where: int) -> int:
        return len(self._items) - (where.bit_count() if self._any_order else where)

    def _after(self, left: Left, index: int) -> Left | None:
        """What is left when the item comes next; None where it cannot."""
        if self._any_order:
            if left.where >> index & 1:
                return None
            where = left.where | 1 << index
        elif index < left.where or self._required_behind[left.where] > self._required_behind[index]:
            return None  # it has been passed, or a required one would be
        else:
            where = index + 1
        return self._left(where, True, *_fewer(left))

    def _after_other(self, left: Left) -> Left | None:
        if self._others == NOTHING:
            return None
        if self._any_order:
            return self._left(left.where, True, *_fewer(left))
        if self._required_behind[left.where]:
            return None
        return self._left(len(self._items), True, *_fewer(left))

    def rest(self, left: Left | None) -> int:
        """The node of what is left."""
        if left is None:
            return NOTHING
        if left.most == 0 or (self._others == NOTHING and not self._items_left(left.where)):
            return EMPTY
        return self._residuals.members(self, left, nullable=self._may_be_empty(left))

    def _next(self, left: Left, low: int, high: int, depth: int) -> int:
        """The node of a next member among the sorted items from low to high, and what follows.

        The first `depth` bytes, which they have in common, are behind; other members come only
        where there are none behind.
        """
        found = list(islice(self._candidates(left, low, high), 2))
        if depth or self._after_other(left) is None:
            if not found:
                return NOTHING
            if len(found) == 1:
                item, after = found[0]
                return self._residuals.chain(item.text[depth:], self._followed(item.rest, after))
        return self._residuals.member(
            self, left, low, high, depth, nullable=self._may_begin_empty(left, low, high, depth)
        )

    def _candidates(self, left: Left, low: int, high: int) -> Iterator[tuple[Item, Left]]:
        for position in range(low, high):
            index = self._sorted[position]
            after = self._after(left, index)
            if after is not None:
                yield self._items[index], after

    def _followed(self, node: int, after: Left) -> int:
        return self._residuals.sequence(node, self.rest(after))

    def _may_be_empty(self, left: Left) -> bool:
        """Whether nothing has to come, or empty members are enough."""
        required = self._required_left(left.where)
        if not required and not left.least:
            return True
        nullable = self._residuals.nullable
        empty = [index for index in self._empty if self._may_come(left.where, index)]
        if sum(self._items[index].is_required for index in empty) < required:
            return False
        least = max(required, left.least)
        if not nullable[self._separator] and least > (not left.is_started):
            return False
        return nullable[self._others] or len(empty) >= least

    def _may_come(self, where: int, index: int) -> bool:
        return not where >> index & 1 if self._any_order else index >= where

    def _may_begin_empty(self, left: Left, low: int, high: int, depth: int) -> bool:
        nullable = self._residuals.nullable
        if depth == 0:
            after = self._after_other(left)
            if after is not None and nullable[self._others] and self._may_be_empty(after):
                return True
        while low < high and len(self._texts[low]) == depth:
            item, after = self._items[self._sorted[low]], self._after(left, self._sorted[low])
            if after is not None and nullable[item.rest] and self._may_be_empty(after):
                return True
            low += 1
        return False

    # How they go on. Members that are empty lead on to what follows them, and so forth.

    def run_heads(self, left: Left) -> Ways:
        """The heads of `rest(left)`."""
        return self._closed([left], ([], []))

    def next_heads(self, left: Left, low: int, high: int, depth: int) -> Ways:
        """The heads of `_next` with the same arguments."""
        ways: Ways = [], []
        return self._closed(self._begin(ways, left, low, high, depth), ways)

    def _closed(self, todo: list[Left], ways: Ways) -> Ways:
        seen = set(todo)
        while todo:
            left = todo.pop()
            if left.is_started:
                following = self._next(left, 0, len(self._items), 0)
                self._extend(ways, self._separator, following)
            if not left.is_started or self._residuals.nullable[self._separator]:
                for after in self._begin(ways, left, 0, len(self._items), 0):
                    if after not in seen:
                        seen.add(after)
                        todo.append(after)
        return ways

    def _begin(self, ways: Ways, left: Left, low: int, high: int, depth: int) -> list[Left]:
        """Adds the ways that a next member begins; returns what is left after empty ones."""
        ended: list[tuple[int, Left]] = []
        after_other = None if depth else self._after_other(left)
        if after_other is not None:
            ended.append((self._others, after_other))
        while low < high and len(self._texts[low]) == depth:
            after = self._after(left, self._sorted[low])
            if after is not None:
                ended.append((self._items[self._sorted[low]].rest, after))
            low += 1
        empty = []
        for node, after in ended:
            self._extend(ways, node, self.rest(after))
            if self._residuals.nullable[node]:
                empty.append(after)
        while low < high:
            byte = self._texts[low][depth]
            stop = high
            if byte < 255:
                stop = bisect_left(
                    self._texts, self._texts[low][:depth] + bytes([byte + 1]), low, high
                )
            following = self._next(left, low, stop, depth + 1)
            if following != NOTHING:
                ways[0].append((1 << byte, following))
            low = stop
        return empty

    def _extend(self, ways: Ways, node: int, rest: int) -> None:
        if rest == NOTHING:
            return
        heads = self._derivatives.heads(node)
        ways[0].extend((mask, self._residuals.sequence(r, rest)) for mask, r in heads.edges)
        ways[1].extend((rule, self._residuals.sequence(r, rest)) for rule, r in heads.calls)

    # How they come to an end.

    def length(self, left: Left) -> int:
        """The number of bytes of a shortest member of `rest(left)`."""
        extra = max(left.least - self._required_left(left.where), 0)
        count = self._required_left(left.where) + extra
        if self._any_order:
            length = sum(
                self._lengths[i]
                for i, item in enumerate(self._items)
                if item.is_required and not left.where >> i & 1
            )
        else:
            length = self._length_behind[left.where]
        separators = count - (count > 0 and not left.is_started)
        if separators:
            length += separators * self._derivatives.length(self._separator)
        return length + self._cheapest(left.where, extra)

    def _cheapest_optional(self, where: int, count: int) -> int:
        """The bytes of the shortest members, so many, beyond the required ones."""
        if not count:
            return 0
        lengths = nsmallest(
            count,
            (
                length
                for index, length in enumerate(self._lengths)
                if not self._items[index].is_required and self._may_come(where, index)
            ),
        )
        if self._others == NOTHING:
            return sum(lengths)
        other = self._derivatives.length(self._others)
        return sum(min(length, other) for length in lengths) + (count - len(lengths)) * other

    def next_length(self, left: Left, low: int, high: int, depth: int) -> int:
        """The number of bytes of a shortest member of `_next` with the same arguments."""
        lengths = [
            len(item.text) - depth + self._derivatives.length(item.rest) + self.length(after)
            for item, after in self._candidates(left, low, high)
        ]
        after_other = None if depth else self._after_other(left)
        if after_other is not None:
            lengths.append(self._derivatives.length(self._others) + self.length(after_other))
        return min(lengths, default=INFINITE)

    def run_way(self, left: Left) -> tuple[int, ...]:
        """The nodes, in order, of a shortest way to the end of `rest(left)`, which is not empty."""
        member = self._next(left, 0, len(self._items), 0)
        return (self._separator, member) if left.is_started else (member,)

    def next_way(self, left: Left, low: int, high: int, depth: int) -> tuple[bytes, int, int]:
        """Bytes, and two nodes behind them, of a shortest way to the end of `_next`."""
        ways = [
            (
                len(item.text) - depth + self._derivatives.length(item.rest) + self.length(after),
                (item.text[depth:], item.rest, after),
            )
            for item, after in self._candidates(left, low, high)
        ]
        after_other = None if depth else self._after_other(left)
        # An other member that is not called for leads nowhere.
        if after_other is not None and (left.least or not self._required_left(left.where)):
            length = self._derivatives.length(self._others) + self.length(after_other)
            ways.append((length, (b"", self._others, after_other)))
        _, (text, node, after) = min(ways, key=lambda way: way[0])
        return text, node, self.rest(after)


def _fewer(left: Left) -> tuple[int, int | None]:
    """The limits after one more member."""
    return max(left.least - 1, 0), None if left.most is None else left.most - 1
