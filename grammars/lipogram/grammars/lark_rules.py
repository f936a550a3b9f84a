"""The rules of a Lark grammar as expressions, and where ignored text may stand.

Ignored text stands before every lexeme but the first. So a rule has two forms: one whose every
lexeme may have ignored text before it, and one, "name/first", whose first lexeme may not.
"""

from __future__ import annotations

from lipogram.grammars import ir
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.lark_lexemes import Lexemes
from lipogram.grammars.lark_units import Unit, Units


class Rules:
    """Adds the rules that are reached to `rules`."""

    def __init__(
        self, units: Units, lexemes: Lexemes, rules: dict[str, ir.Expression], skip: ir.Expression
    ) -> None:
        self._units = units
        self._lexemes = lexemes
        self._rules = rules
        self._skip = skip
        self._todo: list[tuple[Unit, bool]] = []
        self._called: set[str] = set()

    def add(self, *, skip_first: bool) -> ir.Expression:
        """The language of the start rule, with ignored text before its first lexeme or not."""
        unit = self._units.all[0]
        is_first = self._skip != ir.EMPTY and not skip_first
        expression = self._call(unit, is_first)
        while self._todo:
            called, first = self._todo.pop()
            self._rules[_form(called, first)] = self._lower(called.body, called, first)
        return ir.optional(expression) if is_first and unit.is_nullable else expression

    def _call(self, unit: Unit, first: bool) -> ir.Expression:
        name = _form(unit, first)
        if name not in self._called:
            self._called.add(name)
            self._todo.append((unit, first))
        return ir.Reference(name)

    def _lower(self, node: tree.Node, unit: Unit, first: bool) -> ir.Expression:
        """`first`: at least one lexeme, and no ignored text before the first one."""
        node = self._units.closed(node, unit)
        if isinstance(node, tree.Series):
            if first:
                return self._first_of_series(node, unit)
            return ir.sequence(*(self._lower(item, unit, False) for item in node.items))
        if isinstance(node, tree.Alternatives):
            return self._lower_alternatives(node, unit, first)
        if isinstance(node, tree.Repeated):
            return self._lower_repeated(node, unit, first)
        if isinstance(node, tree.Text) and not node.text:
            return ir.NOTHING if first else ir.EMPTY
        called = self._units.called(node, unit)
        if called is not None:
            return self._call(called, first)
        lexeme = self._lexemes.any_of([node])
        return lexeme if first else ir.sequence(self._skip, lexeme)

    def _first_of_series(self, series: tree.Series, unit: Unit) -> ir.Expression:
        """The first lexeme may stand in any item that only nullable ones precede."""
        every = [self._lower(item, unit, False) for item in series.items]
        options: list[ir.Expression] = []
        for index, item in enumerate(series.items):
            options.append(ir.sequence(self._lower(item, unit, True), *every[index + 1 :]))
            if not self._units.is_nullable(item, unit):
                break
        return ir.choice(*options)

    def _lower_alternatives(
        self, node: tree.Alternatives, unit: Unit, first: bool
    ) -> ir.Expression:
        """Alternatives that are single lexemes share the ignored text before them."""
        lexemes: list[tree.Node] = []
        others: list[ir.Expression] = []
        for option in node.options:
            closed = self._units.closed(option, unit)
            if self._units.is_lexeme(closed):
                lexemes.append(closed)
            else:
                others.append(self._lower(closed, unit, first))
        if not lexemes:
            return ir.choice(*others)
        lexeme = self._lexemes.any_of(lexemes)
        return ir.choice(lexeme if first else ir.sequence(self._skip, lexeme), *others)

    def _lower_repeated(self, node: tree.Repeated, unit: Unit, first: bool) -> ir.Expression:
        every = self._lower(node.item, unit, False)
        if not first:
            return ir.Repeat(every, node.minimum, node.maximum)
        if node.maximum == 0:
            return ir.NOTHING
        minimum = 0 if self._units.is_nullable(node.item, unit) else max(node.minimum - 1, 0)
        maximum = None if node.maximum is None else node.maximum - 1
        head = self._lower(node.item, unit, True)
        return ir.sequence(head, ir.Repeat(every, minimum, maximum))


def _form(unit: Unit, first: bool) -> str:
    return f"{unit.name}/first" if first else unit.name
