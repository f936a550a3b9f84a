"""The terminals of a Lark grammar, as regular expressions over text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count

from lipogram.grammars import ir, lark_embedded, lark_lazy, regex
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.alternation import union
from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported
from lipogram.grammars.lark_joined import Joiner
from lipogram.grammars.lark_source import LarkSource

_SMALL_NODES = 50
_INLINED_NODES = 200_000
_BOOLEAN_NESTING = 40
_TEXT = ir.Repeat(ir.ANY_CHAR)


class Terminals:
    """Expressions for lexemes; terminals too big to be copied become rules in `rules`."""

    def __init__(
        self,
        source: LarkSource,
        definitions: Mapping[str, tree.Definition],
        rules: dict[str, ir.Expression],
    ) -> None:
        self._source = source
        self._definitions = definitions
        self._rules = rules
        self._named: dict[str, ir.Expression] = {}
        self._regular: dict[str, ir.Expression] = {}
        self._outlined: list[tuple[str, tree.Node]] = []
        self._inlined_nodes = 0
        self._numbers = count()
        self.joiner = Joiner(source, definitions)
        for name in self._in_order():
            self._define(name)

    def lexeme(self, node: tree.Node) -> ir.Expression:
        """The language of one lexeme."""
        expression = self._build(node)
        self._build_outlined()
        return expression

    def regular(self, node: tree.Node) -> ir.Expression:
        """The language of one lexeme, without references to rules."""
        return self._build_regular(node, 0)

    def attributed(self, definition: tree.Definition) -> ir.Expression:
        """The language of a rule with `lazy`, `suffix` or `stop`."""
        body = self.regular(definition.body)
        attributes = dict(definition.attributes)
        for name in ("suffix", "stop"):
            if isinstance(end := attributes.get(name), tree.Node):
                ends = self.regular(end)
                if ends != ir.EMPTY:
                    return (
                        self._before(body, ends, definition)
                        if name == "stop"
                        else (lark_lazy.shortest(ir.sequence(body, ends)))
                    )
        return lark_lazy.shortest(body) if "lazy" in attributes else body

    def _before(
        self, body: ir.Expression, ends: ir.Expression, definition: tree.Definition
    ) -> ir.Expression:
        found = lark_lazy.before(body, ends)
        if found is None:
            message = f"expected listed texts or one character in the stop of {definition.name}"
            raise self._source.error(message, definition.at, Unsupported)
        return found

    def _in_order(self) -> list[str]:
        """Names of terminals, each after those it uses. Raises GrammarError for a cycle."""
        terminals = {d.name: d for d in self._definitions.values() if d.is_terminal}
        order: list[str] = []
        state: dict[str, bool] = {}  # False: entered, True: left
        stack = [(name, False) for name in reversed(terminals)]
        while stack:
            name, leave = stack.pop()
            if leave:
                state[name] = True
                order.append(name)
            elif name not in state:
                state[name] = False
                stack.append((name, True))
                for node in tree.walk(terminals[name].body):
                    if isinstance(node, tree.Name) and node.name in terminals:
                        if state.get(node.name) is False:
                            message = f"expected no recursion in terminals, found it in {name}"
                            raise self._source.error(message, node.at)
                        stack.append((node.name, False))
        return order

    def _define(self, name: str) -> None:
        self.joiner.define(name)
        expression = self._build(self._definitions[name].body)
        if not _is_small(expression):
            self._rules[name] = expression
            expression = ir.Reference(name)
        self._named[name] = expression
        self._build_outlined()

    def _build_outlined(self) -> None:
        while self._outlined:
            name, body = self._outlined.pop()
            self._rules[name] = self._build(body)

    def _is_joined(self, node: tree.Node) -> bool:
        return isinstance(node, tree.Series | tree.Repeated) and self.joiner.looks(node)

    def _build(self, node: tree.Node) -> ir.Expression:
        if self._is_joined(node):
            return self.joiner.lower(node)
        if isinstance(node, tree.Name):
            return self._copy(node.name)
        if isinstance(node, tree.Series):
            return ir.sequence(*map(self._build, node.items))
        if isinstance(node, tree.Alternatives):
            return union(map(self._build, node.options))
        if isinstance(node, tree.Repeated):
            return ir.Repeat(self._build(node.item), node.minimum, node.maximum)
        if isinstance(node, tree.Outlined):
            name = f"%group{next(self._numbers)}"
            self._outlined.append((name, node.body))
            return ir.Reference(name)
        if isinstance(node, tree.Embedded):
            return lark_embedded.substring(self._source, node, self._rules)
        return self._build_regular(node, 0)

    def _copy(self, name: str) -> ir.Expression:
        expression = self._named[name]
        if isinstance(expression, ir.Reference):
            return expression
        self._inlined_nodes += _SMALL_NODES
        if self._inlined_nodes > _INLINED_NODES:
            self._rules[name] = expression
            return ir.Reference(name)
        return expression

    def _build_regular(self, node: tree.Node, nesting: int) -> ir.Expression:
        """Without references to rules, as the operands of `&` and `~` must be."""
        if nesting > _BOOLEAN_NESTING * 3:
            message = "expected less deeply nested terminals below &, ~ or lazy"
            at = next((n.at for n in tree.walk(node) if hasattr(n, "at")), 0)
            raise self._source.error(message, at, BudgetExceeded)
        below = nesting + 1
        if self._is_joined(node):
            return self.joiner.lower(node)
        if isinstance(node, tree.Text | tree.Span | tree.Pattern):
            return self._literal(node)
        if isinstance(node, tree.Name):
            return self._regular_copy(node, below)
        if isinstance(node, tree.Series):
            return ir.sequence(*(self._build_regular(item, below) for item in node.items))
        if isinstance(node, tree.Alternatives):
            return union(self._build_regular(option, below) for option in node.options)
        if isinstance(node, tree.Repeated):
            item = self._build_regular(node.item, below)
            return ir.Repeat(item, node.minimum, node.maximum)
        if isinstance(node, tree.Conjunction):
            return ir.Intersection(tuple(self._build_regular(i, below) for i in node.items))
        if isinstance(node, tree.Negation):
            item = self._build_regular(node.item, below)
            return ir.Intersection((_TEXT, ir.Complement(item)))
        if isinstance(node, tree.Outlined):
            return self._build_regular(node.body, below)
        assert isinstance(node, tree.Embedded)
        message = f"%{node.kind} is not supported below &, ~ or lazy, nor in munched terminals"
        raise self._source.error(message, node.at, Unsupported)

    def _regular_copy(self, node: tree.Name, nesting: int) -> ir.Expression:
        expression = self._regular.get(node.name)
        if expression is None:
            body = self._definitions[node.name].body
            expression = self._regular[node.name] = self._build_regular(body, nesting)
        self._inlined_nodes += _size(expression, _INLINED_NODES)
        if self._inlined_nodes > _INLINED_NODES:
            message = "expected smaller terminals below &, ~ or lazy"
            raise self._source.error(message, node.at, BudgetExceeded)
        return expression

    def _literal(self, node: tree.Text | tree.Span | tree.Pattern) -> ir.Expression:
        if isinstance(node, tree.Span):
            return ir.chars([(ord(node.low), ord(node.high))])
        if isinstance(node, tree.Pattern):
            return self._pattern(node)
        if node.ignore_case:
            return regex.expression(re.escape(node.text), dialect="python", flags=frozenset("i"))
        return ir.Literal(node.text.encode())

    def _pattern(self, node: tree.Pattern) -> ir.Expression:
        try:
            return regex.expression(node.pattern, dialect="python", flags=frozenset(node.flags))
        except GrammarError as error:
            raise self.joiner.located(error, node) from error


def _is_small(expression: ir.Expression) -> bool:
    return _size(expression, _SMALL_NODES) <= _SMALL_NODES


def _size(expression: ir.Expression, limit: int) -> int:
    """How many nodes the expression has as a tree; counting stops above `limit`."""
    count, stack = 0, [expression]
    while stack and count <= limit:
        node = stack.pop()
        count += 1
        if isinstance(node, ir.Sequence | ir.Intersection):
            stack.extend(node.items)
        elif isinstance(node, ir.Choice):
            stack.extend(node.options)
        elif isinstance(node, ir.Repeat | ir.Complement):
            stack.append(node.item)
        elif isinstance(node, ir.Literal):
            count += len(node.text) // 16
        elif isinstance(node, ir.Literals):
            count += len(node.texts) // 16
    return count
