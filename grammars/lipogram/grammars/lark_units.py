"""Which rules, templates with arguments and groups a Lark grammar's start needs.

Each is one unit: a body in which parameters stand for their arguments.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lipogram.grammars import lark_tree as tree
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.source import MAX_RULES

_ARGUMENT_NODES = 200


@dataclass(slots=True, eq=False)
class Unit:
    """A rule, a template with arguments, or an outlined group of one of them."""

    name: str
    body: tree.Node
    bindings: Mapping[str, tree.Node]
    at: int
    is_nullable: bool = False  # by no lexeme at all; an empty lexeme is a lexeme
    users: dict[Unit, None] = field(default_factory=dict)  # in order, each once


class Units:
    """The units that the rule `start` needs, itself first.

    Raises BudgetExceeded for more than 20,000 of them, or arguments that grow without end.
    """

    def __init__(
        self, source: LarkSource, definitions: Mapping[str, tree.Definition], start: str
    ) -> None:
        self._source = source
        self._definitions = definitions
        self._by_key: dict[tree.Name | tuple[int, str], Unit] = {}
        self.all: list[Unit] = []
        first, name = definitions[start], tree.Name(start, (), 0)
        if first.attributes:  # then it is a lexeme itself
            self._add(Unit(start, name, {}, first.at))
        else:
            self.rule(name)
        for unit in self.all:  # grows while it is read
            for used in self._uses(unit):
                used.users[unit] = None
        self._find_nullable()

    def rule(self, name: tree.Name) -> Unit:
        """The unit of a rule, or of a template with its arguments."""
        unit = self._by_key.get(name)
        if unit is None:
            definition = self._definitions[name.name]
            bindings = dict(zip(definition.parameters, name.arguments, strict=True))
            label = f"{name.name}{{{len(self.all)}}}" if name.arguments else name.name
            unit = Unit(label, definition.body, bindings, definition.at)
            self._by_key[name] = self._add(unit)
        return unit

    def group(self, node: tree.Outlined, unit: Unit) -> Unit:
        """The unit of an outlined group within another unit."""
        key = (id(node.body), unit.name)
        found = self._by_key.get(key)
        if found is None:
            label = f"{unit.name.partition('%')[0]}%{len(self.all)}"
            found = Unit(label, node.body, unit.bindings, unit.at)
            self._by_key[key] = self._add(found)
        return found

    def _add(self, unit: Unit) -> Unit:
        if len(self.all) >= MAX_RULES:
            message = f"expected at most {MAX_RULES} rules, found more"
            raise self._source.error(message, unit.at, BudgetExceeded)
        self.all.append(unit)
        return unit

    def closed(self, node: tree.Node, unit: Unit) -> tree.Node:
        """The node with the unit's parameters replaced by their arguments."""
        if not isinstance(node, tree.Name):
            return node
        if node.name in unit.bindings:
            return unit.bindings[node.name]
        if not node.arguments:
            return node
        arguments = tuple(self.closed(argument, unit) for argument in node.arguments)
        closed = tree.Name(node.name, arguments, node.at)
        if sum(1 for _ in tree.walk(closed)) > _ARGUMENT_NODES:
            message = "expected smaller template arguments (do they grow without end?)"
            raise self._source.error(message, node.at, BudgetExceeded)
        return closed

    def called(self, node: tree.Node, unit: Unit) -> Unit | None:
        """The unit that a closed node stands for; None for what is no rule and no group."""
        if isinstance(node, tree.Outlined):
            return self.group(node, unit)
        if isinstance(node, tree.Name):
            definition = self._definitions[node.name]
            if not definition.is_terminal and not definition.attributes:
                return self.rule(node)
        return None

    def is_lexeme(self, node: tree.Node) -> bool:
        """Whether a closed node stands for one lexeme."""
        if isinstance(node, tree.Text):
            return bool(node.text)
        if isinstance(node, tree.Name):
            definition = self._definitions[node.name]
            return definition.is_terminal or bool(definition.attributes)
        return isinstance(node, tree.Span | tree.Pattern | tree.Embedded | tree.Special)

    def lexemes(self, unit: Unit) -> Iterator[tree.Node]:
        """The lexemes that stand in the unit itself, in the order of the text."""
        return (node for node in self._leaves(unit) if self.is_lexeme(node))

    def is_nullable(self, node: tree.Node, unit: Unit) -> bool:
        """Whether the node may stand for no lexeme at all."""
        node = self.closed(node, unit)
        if isinstance(node, tree.Series):
            return all(self.is_nullable(item, unit) for item in node.items)
        if isinstance(node, tree.Alternatives):
            return any(self.is_nullable(option, unit) for option in node.options)
        if isinstance(node, tree.Repeated):
            return node.minimum == 0 or self.is_nullable(node.item, unit)
        called = self.called(node, unit)
        if called is not None:
            return called.is_nullable
        return isinstance(node, tree.Text) and not node.text

    def _leaves(self, unit: Unit) -> Iterator[tree.Node]:
        stack = [unit.body]
        while stack:
            node = self.closed(stack.pop(), unit)
            if isinstance(node, tree.Series | tree.Alternatives | tree.Repeated):
                stack.extend(reversed(tree.children(node)))
            else:
                yield node

    def _uses(self, unit: Unit) -> Iterator[Unit]:
        called = (self.called(node, unit) for node in self._leaves(unit))
        return (used for used in called if used is not None)

    def _find_nullable(self) -> None:
        todo = deque(reversed(self.all))
        queued = set(todo)
        while todo:
            unit = todo.popleft()
            queued.remove(unit)
            if not unit.is_nullable and self.is_nullable(unit.body, unit):
                unit.is_nullable = True
                todo += (user for user in unit.users if user not in queued)
                queued.update(unit.users)
