"""The rules of a Lark grammar: templates, and where ignored text may stand.

Ignored text stands before every lexeme but the first. So a rule has two forms: one whose every
lexeme may have ignored text before it, and one, "name/first", whose first lexeme may not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lipogram.grammars import ir, lark_embedded
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.alternation import union
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.lark_terminals import Terminals
from lipogram.grammars.source import MAX_RULES

_ARGUMENT_NODES = 200


@dataclass(slots=True, eq=False)
class _Unit:
    """A rule, a template with arguments, or an outlined group of one of them."""

    name: str
    body: tree.Node
    bindings: Mapping[str, tree.Node]
    is_nullable: bool = False  # by no lexeme at all; an empty lexeme is a lexeme
    users: dict[_Unit, None] = field(default_factory=dict)  # in order, each once


class Rules:
    """Adds the rules that are reached to `rules`, as expressions over bytes."""

    def __init__(
        self,
        source: LarkSource,
        definitions: Mapping[str, tree.Definition],
        terminals: Terminals,
        rules: dict[str, ir.Expression],
        skip: ir.Expression,
    ) -> None:
        self._source = source
        self._definitions = definitions
        self._terminals = terminals
        self._rules = rules
        self._skip = skip
        self._units: dict[tree.Name | tuple[int, str], _Unit] = {}
        self._found: list[_Unit] = []
        self._todo: list[tuple[_Unit, bool]] = []
        self._called: set[str] = set()
        self._lexemes: dict[int, tuple[tree.Node, ir.Expression]] = {}
        self.narrowed: list[str] = []
        self.warnings: list[str] = []

    def add(self, start: str, *, skip_first: bool) -> ir.Expression:
        """The language of the rule `start`, with ignored text before its first lexeme or not."""
        unit = self._rule(tree.Name(start, (), 0))
        for found in self._found:  # grows while it is read
            for other in self._uses(found):
                other.users[found] = None
        self._find_nullable()
        is_first = self._skip != ir.EMPTY and not skip_first
        expression = self._call(unit, is_first)
        while self._todo:
            called, first = self._todo.pop()
            self._rules[_form(called, first)] = self._lower(called.body, called, first)
        return ir.optional(expression) if is_first and unit.is_nullable else expression

    def _rule(self, name: tree.Name) -> _Unit:
        unit = self._units.get(name)
        if unit is None:
            definition = self._definitions[name.name]
            bindings = dict(zip(definition.parameters, name.arguments, strict=True))
            label = f"{name.name}{{{len(self._found)}}}" if name.arguments else name.name
            unit = self._units[name] = self._new(_Unit(label, definition.body, bindings))
        return unit

    def _outlined(self, body: tree.Node, key: int, unit: _Unit) -> _Unit:
        found = self._units.get((key, unit.name))
        if found is None:
            label = f"{unit.name.partition('%')[0]}%{len(self._found)}"
            found = self._units[key, unit.name] = self._new(_Unit(label, body, unit.bindings))
        return found

    def _new(self, unit: _Unit) -> _Unit:
        if len(self._found) >= MAX_RULES:
            raise BudgetExceeded(f"expected at most {MAX_RULES} rules, found more")
        self._found.append(unit)
        return unit

    def _closed(self, node: tree.Node, unit: _Unit) -> tree.Node:
        """The node with the unit's parameters replaced by their arguments."""
        if not isinstance(node, tree.Name):
            return node
        if node.name in unit.bindings:
            return unit.bindings[node.name]
        if not node.arguments:
            return node
        arguments = tuple(self._closed(argument, unit) for argument in node.arguments)
        closed = tree.Name(node.name, arguments, node.at)
        if sum(1 for _ in tree.walk(closed)) > _ARGUMENT_NODES:
            message = "expected smaller template arguments (do they grow without end?)"
            raise self._source.error(message, node.at, BudgetExceeded)
        return closed

    def _uses(self, unit: _Unit) -> Iterator[_Unit]:
        """The units that this one refers to."""
        stack = [unit.body]
        while stack:
            node = self._closed(stack.pop(), unit)
            if isinstance(node, tree.Outlined):
                yield self._outlined(node.body, id(node), unit)
            elif self._is_rule(node):
                assert isinstance(node, tree.Name)
                yield self._rule(node)
            elif not isinstance(node, tree.Name):
                stack.extend(tree.children(node))

    def _is_rule(self, node: tree.Node) -> bool:
        if not isinstance(node, tree.Name):
            return False
        definition = self._definitions[node.name]
        return not definition.is_terminal and not definition.attributes

    def _find_nullable(self) -> None:
        todo = deque(reversed(self._found))
        queued = set(todo)
        while todo:
            unit = todo.popleft()
            queued.remove(unit)
            if not unit.is_nullable and self._is_nullable(unit.body, unit):
                unit.is_nullable = True
                todo += (user for user in unit.users if user not in queued)
                queued.update(unit.users)

    def _is_nullable(self, node: tree.Node, unit: _Unit) -> bool:
        node = self._closed(node, unit)
        if isinstance(node, tree.Series):
            return all(self._is_nullable(item, unit) for item in node.items)
        if isinstance(node, tree.Alternatives):
            return any(self._is_nullable(option, unit) for option in node.options)
        if isinstance(node, tree.Repeated):
            return node.minimum == 0 or self._is_nullable(node.item, unit)
        if isinstance(node, tree.Outlined):
            return self._outlined(node.body, id(node), unit).is_nullable
        if isinstance(node, tree.Name) and self._is_rule(node):
            return self._rule(node).is_nullable
        return isinstance(node, tree.Text) and not node.text

    def _call(self, unit: _Unit, first: bool) -> ir.Expression:
        name = _form(unit, first)
        if name not in self._called:
            self._called.add(name)
            self._todo.append((unit, first))
        return ir.Reference(name)

    def _lower(self, node: tree.Node, unit: _Unit, first: bool) -> ir.Expression:
        """`first`: at least one lexeme, and no ignored text before the first one."""
        node = self._closed(node, unit)
        if isinstance(node, tree.Series):
            if first:
                return self._first_of_series(node, unit)
            return ir.sequence(*(self._lower(item, unit, False) for item in node.items))
        if isinstance(node, tree.Alternatives):
            return self._lower_alternatives(node, unit, first)
        if isinstance(node, tree.Repeated):
            return self._lower_repeated(node, unit, first)
        if isinstance(node, tree.Outlined):
            return self._call(self._outlined(node.body, id(node), unit), first)
        if isinstance(node, tree.Text) and not node.text:
            return ir.NOTHING if first else ir.EMPTY
        if isinstance(node, tree.Name) and self._is_rule(node):
            return self._call(self._rule(node), first)
        lexeme = self._lexeme(node)
        return lexeme if first else ir.sequence(self._skip, lexeme)

    def _first_of_series(self, series: tree.Series, unit: _Unit) -> ir.Expression:
        """The first lexeme may stand in any item that only nullable ones precede."""
        every = [self._lower(item, unit, False) for item in series.items]
        options: list[ir.Expression] = []
        for index, item in enumerate(series.items):
            options.append(ir.sequence(self._lower(item, unit, True), *every[index + 1 :]))
            if not self._is_nullable(item, unit):
                break
        return ir.choice(*options)

    def _lower_alternatives(
        self, node: tree.Alternatives, unit: _Unit, first: bool
    ) -> ir.Expression:
        """Alternatives that are single lexemes share the ignored text before them."""
        lexemes: list[ir.Expression] = []
        others: list[ir.Expression] = []
        for option in node.options:
            closed = self._closed(option, unit)
            if self._is_lexeme(closed):
                lexemes.append(self._lexeme(closed))
            else:
                others.append(self._lower(closed, unit, first))
        if not lexemes:
            return ir.choice(*others)
        lexeme = union(lexemes)
        return ir.choice(lexeme if first else ir.sequence(self._skip, lexeme), *others)

    def _lower_repeated(self, node: tree.Repeated, unit: _Unit, first: bool) -> ir.Expression:
        every = self._lower(node.item, unit, False)
        if not first:
            return ir.Repeat(every, node.minimum, node.maximum)
        if node.maximum == 0:
            return ir.NOTHING
        minimum = 0 if self._is_nullable(node.item, unit) else max(node.minimum - 1, 0)
        maximum = None if node.maximum is None else node.maximum - 1
        head = self._lower(node.item, unit, True)
        return ir.sequence(head, ir.Repeat(every, minimum, maximum))

    def _is_lexeme(self, node: tree.Node) -> bool:
        if isinstance(node, tree.Text):
            return bool(node.text)
        if isinstance(node, tree.Name):
            return not self._is_rule(node)
        return isinstance(node, tree.Span | tree.Pattern | tree.Embedded)

    def _lexeme(self, node: tree.Node) -> ir.Expression:
        known = self._lexemes.get(id(node))
        if known is None:
            known = self._lexemes[id(node)] = (node, self._lower_lexeme(node))
        return known[1]

    def _lower_lexeme(self, node: tree.Node) -> ir.Expression:
        if isinstance(node, tree.Conjunction | tree.Negation):
            message = "& and ~ are supported in terminals only; give this one a name"
            raise self._source.error(message, node.at, Unsupported)
        if isinstance(node, tree.Embedded) and node.kind == "json":
            expression, report = lark_embedded.schema(self._source, node, self._rules)
            self.narrowed += report.narrowed
            self.warnings += report.warnings
            return expression
        if isinstance(node, tree.Name) and not tree.is_terminal_name(node.name):
            definition = self._definitions[node.name]
            suffixes = (value for _, value in definition.attributes)
            parts = [definition.body, *(s for s in suffixes if isinstance(s, tree.Node))]
            return self._terminals.lazy(parts)
        return self._terminals.lexeme(node)


def _form(unit: _Unit, first: bool) -> str:
    return f"{unit.name}/first" if first else unit.name
