"""Which lexemes of a Lark grammar may stand next to each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from lipogram.grammars import lark_tree as tree
from lipogram.grammars.lark_units import Unit, Units

_MAX_LEXEMES = 200
_MAX_ROUNDS = 8


class Neighbours:
    """Lexemes are numbered in the order of the text; sets of them are the bits of integers.

    `is_empty` says of a lexeme whether its text may be: then its neighbours are each other's.
    """

    def __init__(self, units: Units, is_empty: Callable[[tree.Node], bool]) -> None:
        self._units = units
        self._is_empty = is_empty
        self._numbers: dict[tuple[tree.Node, int], int] = {}
        self.lexemes: list[tree.Node] = []
        self._edges: tuple[dict[Unit, int], dict[Unit, int]] = ({}, {})
        self._through: dict[Unit, bool] = {}
        self.followers: dict[int, int] = {}

    def find(self) -> None:
        """Fill `lexemes` and `followers`: the set of those that may stand right after each.

        Nothing is found in a grammar of so many lexemes, or so entangled, that it would take long.
        """
        if len({n for unit in self._units.all for n in self._units.lexemes(unit)}) > _MAX_LEXEMES:
            return
        if self._settle():
            for unit in self._units.all:
                self._join(unit.body, unit)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """The numbers of two lexemes of which the second may stand right after the first."""
        for first, after in self.followers.items():
            while after:
                lowest = after & -after
                yield first, lowest.bit_length() - 1
                after ^= lowest

    def _settle(self) -> bool:
        """Find what each unit begins and ends with; false if it took too long."""
        firsts, lasts = self._edges
        todo = deque(reversed(self._units.all))
        queued = set(todo)
        for _ in range(_MAX_ROUNDS * len(todo)):
            if not todo:
                return True
            unit = todo.popleft()
            queued.remove(unit)
            found = (
                self._edge(unit.body, unit, 0),
                self._edge(unit.body, unit, 1),
                self._is_through(unit.body, unit),
            )
            if found != (firsts.get(unit, 0), lasts.get(unit, 0), self._through.get(unit, False)):
                firsts[unit], lasts[unit], self._through[unit] = found
                todo += (user for user in unit.users if user not in queued)
                queued.update(unit.users)
        return not todo

    def _edge(self, node: tree.Node, unit: Unit, end: int) -> int:
        """The lexemes that the node may begin with (end 0) or end with (end 1)."""
        node = self._units.closed(node, unit)
        if isinstance(node, tree.Series):
            found = 0
            for item in reversed(node.items) if end else node.items:
                found |= self._edge(item, unit, end)
                if not self._is_through(item, unit):
                    break
            return found
        if isinstance(node, tree.Alternatives):
            found = 0
            for option in node.options:
                found |= self._edge(option, unit, end)
            return found
        if isinstance(node, tree.Repeated):
            return self._edge(node.item, unit, end) if node.maximum != 0 else 0
        called = self._units.called(node, unit)
        if called is not None:
            return self._edges[end].get(called, 0)
        return 1 << self._number(node) if self._units.is_lexeme(node) else 0

    def _is_through(self, node: tree.Node, unit: Unit) -> bool:
        """Whether the node may stand for no text at all."""
        node = self._units.closed(node, unit)
        if isinstance(node, tree.Series):
            return all(self._is_through(item, unit) for item in node.items)
        if isinstance(node, tree.Alternatives):
            return any(self._is_through(option, unit) for option in node.options)
        if isinstance(node, tree.Repeated):
            return node.minimum == 0 or self._is_through(node.item, unit)
        called = self._units.called(node, unit)
        if called is not None:
            return self._through.get(called, False)
        return not self._units.is_lexeme(node) or self._is_empty(node)

    def _join(self, node: tree.Node, unit: Unit) -> None:
        node = self._units.closed(node, unit)
        if isinstance(node, tree.Series):
            before = 0
            for item in node.items:
                self._add(before, self._edge(item, unit, 0))
                last = self._edge(item, unit, 1)
                before = last | before if self._is_through(item, unit) else last
        elif isinstance(node, tree.Repeated) and node.maximum != 1:
            self._add(self._edge(node.item, unit, 1), self._edge(node.item, unit, 0))
        if isinstance(node, tree.Series | tree.Alternatives | tree.Repeated):
            for child in tree.children(node):
                self._join(child, unit)

    def _add(self, before: int, after: int) -> None:
        while before and after:
            lowest = before & -before
            number = lowest.bit_length() - 1
            self.followers[number] = self.followers.get(number, 0) | after
            before ^= lowest

    def _number(self, node: tree.Node) -> int:
        key = node, node.at if isinstance(node, tree.Embedded) else 0
        number = self._numbers.setdefault(key, len(self.lexemes))
        if number == len(self.lexemes):
            self.lexemes.append(node)
        return number
