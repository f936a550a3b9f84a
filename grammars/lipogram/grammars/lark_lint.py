"""What is legal in a Lark grammar and probably not meant: the warnings of its report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lipogram.grammars import ir
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.automaton import Budget, compile
from lipogram.grammars.dead_ends import dead_end
from lipogram.grammars.errors import GrammarError
from lipogram.grammars.lark_check import bodies
from lipogram.grammars.lark_neighbours import Neighbours
from lipogram.grammars.lark_overlaps import Overlaps, regular
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.lark_terminals import Terminals
from lipogram.grammars.lark_units import Unit, Units
from lipogram.grammars.regex_measures import matches_empty

_MAX_UNITS = 1_000
_MAX_SINGLE = 8
_BUDGET = Budget(max_states=4_000, max_compile_s=0.3, max_step_s=0.1)


class Linter:
    """Reads a grammar whose names are all right. Each warning begins with line:column."""

    def __init__(
        self,
        source: LarkSource,
        definitions: Mapping[str, tree.Definition],
        ignored: Sequence[tree.Node],
        units: Units,
        terminals: Terminals,
    ) -> None:
        self._source = source
        self._definitions = definitions
        self._ignored = ignored
        self._units = units
        self._terminals = terminals
        self._empty: dict[tree.Node, bool] = {}

    def warnings(self, grammar: ir.Grammar) -> Iterator[str]:
        """All warnings but those of embedded schemas. Cost: linear, and bounded searches."""
        yield from self._definition_warnings()
        if len(self._units.all) > _MAX_UNITS:
            return
        yield from self._unproductive()
        yield from self._cycles()
        yield from self._repetitions()
        neighbours = Neighbours(self._units, self._is_empty)
        neighbours.find()
        yield from Overlaps(self._source, self._terminals, neighbours, self._ignored).warnings()
        if grammar.lexemes:
            yield from self._dead_ends(grammar)

    def _definition_warnings(self) -> Iterator[str]:
        used = self._used()
        for definition in self._definitions.values():
            where = self._source.where(definition.at)
            if "." in definition.name:
                continue  # of common
            if definition.name not in used:
                yield f"{where}: {definition.name} is never used"
                continue
            attributes = dict(definition.attributes)
            if tree.Text("", False, 0) in attributes.values():
                yield f"{where}: {definition.name} may end anywhere, as its end is empty"
            elif attributes:
                yield (
                    f"{where}: {definition.name} ends at its first match, but there is no lexer: "
                    "other terminals may run past that text"
                )
            elif _begins_with_nothing(definition.body):
                yield f'{where}: {definition.name} may be empty, because "|" comes first in it'
            if definition.is_captured:
                yield f"{where}: what {definition.name} captures is not reported"

    def _used(self) -> set[str]:
        start = self._units.all[0].name
        reached = {start}
        stack = [*bodies(self._definitions[start]), *self._ignored]
        while stack:
            for node in tree.walk(stack.pop()):
                if not isinstance(node, tree.Name) or node.name in reached:
                    continue
                reached.add(node.name)
                if node.name in self._definitions:  # else a parameter
                    stack += bodies(self._definitions[node.name])
        return reached

    def _unproductive(self) -> Iterator[str]:
        productive: set[Unit] = set()
        todo = list(self._units.all)
        while todo:
            unit = todo.pop()
            if unit not in productive and self._is_productive(unit.body, unit, productive):
                productive.add(unit)
                todo += unit.users
        for unit in self._rules():
            if unit not in productive:
                yield f"{self._source.where(unit.at)}: {unit.name} never comes to an end"

    def _is_productive(self, node: tree.Node, unit: Unit, productive: set[Unit]) -> bool:
        node = self._units.closed(node, unit)
        if isinstance(node, tree.Series):
            return all(self._is_productive(item, unit, productive) for item in node.items)
        if isinstance(node, tree.Alternatives):
            return any(self._is_productive(option, unit, productive) for option in node.options)
        if isinstance(node, tree.Repeated):
            return not node.minimum or self._is_productive(node.item, unit, productive)
        called = self._units.called(node, unit)
        return called is None or called in productive

    def _cycles(self) -> Iterator[str]:
        """Rules that may stand for themselves alone, the first of each cycle."""
        alone = {unit: list(self._alone(unit.body, unit)) for unit in self._units.all}
        seen: set[Unit] = set()
        for unit in self._rules():
            stack, reached = list(alone[unit]), set[Unit]()
            while stack and unit not in reached:
                called = stack.pop()
                if called not in reached and called not in seen:
                    reached.add(called)
                    stack += alone[called]
            if unit in reached:
                yield (
                    f"{self._source.where(unit.at)}: {unit.name} may stand for itself alone, "
                    "so its texts have endlessly many parses"
                )
                seen |= reached
            seen.add(unit)

    def _alone(self, node: tree.Node, unit: Unit) -> Iterator[Unit]:
        """The units that may stand for the whole node."""
        node = self._units.closed(node, unit)
        if isinstance(node, tree.Series):
            for index, item in enumerate(node.items):
                others = node.items[:index] + node.items[index + 1 :]
                if all(self._units.is_nullable(other, unit) for other in others):
                    yield from self._alone(item, unit)
        elif isinstance(node, tree.Alternatives | tree.Repeated):
            for child in tree.children(node):
                yield from self._alone(child, unit)
        else:
            called = self._units.called(node, unit)
            if called is not None:
                yield called

    def _repetitions(self) -> Iterator[str]:
        for unit in self._units.all:
            where = self._source.where(unit.at)
            name = unit.name.partition("%")[0]
            for repeated in _repeated(unit.body):
                if repeated.maximum is None and self._may_be_empty(repeated.item, unit):
                    yield f"{where}: {name} repeats without limit what may be empty"
                elif (
                    self._ignored
                    and (repeated.maximum is None or repeated.maximum > _MAX_SINGLE)
                    and self._is_single(repeated.item, unit)
                ):
                    yield (
                        f"{where}: {name} repeats single characters, so ignored text may stand "
                        "between them; write the repetition in a terminal"
                    )

    def _may_be_empty(self, node: tree.Node, unit: Unit) -> bool:
        if self._units.is_nullable(node, unit):
            return True
        closed = self._units.closed(node, unit)
        return self._units.is_lexeme(closed) and self._is_empty(closed)

    def _is_single(self, node: tree.Node, unit: Unit) -> bool:
        """Whether a lexeme is any of several characters, one at a time."""
        node = self._units.closed(node, unit)
        options = node.options if isinstance(node, tree.Alternatives) else (node,)
        closed = [self._units.closed(option, unit) for option in options]
        if not all(map(self._units.is_lexeme, closed)):
            return False
        return any(isinstance(regular(self._terminals, option), ir.Chars) for option in closed)

    def _is_empty(self, node: tree.Node) -> bool:
        known = self._empty.get(node)
        if known is None:
            language = regular(self._terminals, node)
            known = self._empty[node] = language is not None and matches_empty(language)
        return known

    def _dead_ends(self, grammar: ir.Grammar) -> Iterator[str]:
        try:
            text = dead_end(compile(grammar, budget=_BUDGET))
        except GrammarError:
            return  # `compile` says so to the caller too
        if text is not None:
            shown = repr(text.decode(errors="backslashreplace"))
            begun = f"a text that begins with {shown}" if text else "no text"
            yield f"1:1: {begun} can {'never ' if text else ''}be finished, as lexemes are munched"

    def _rules(self) -> Iterator[Unit]:
        return (unit for unit in self._units.all if "%" not in unit.name)


def _repeated(body: tree.Node) -> Iterable[tree.Repeated]:
    stack = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, tree.Repeated):
            yield node
        if isinstance(node, tree.Series | tree.Alternatives | tree.Repeated):
            stack.extend(reversed(tree.children(node)))


def _begins_with_nothing(body: tree.Node) -> bool:
    return isinstance(body, tree.Alternatives) and body.options[0] == tree.series(())
