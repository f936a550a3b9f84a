"""The lexemes in the rules of a Lark grammar: what each may be, and which of them are munched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from lipogram.grammars import ir, lark_embedded, lark_lazy, special_tokens
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.alternation import union
from lipogram.grammars.automaton import Budget, compile
from lipogram.grammars.errors import BudgetExceeded, EmptyLanguage, Unsupported
from lipogram.grammars.lark_options import Options
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.lark_terminals import Terminals
from lipogram.grammars.lark_units import Units
from lipogram.grammars.regex_measures import matches_empty

_BUDGET = Budget(max_compile_s=0.3, max_step_s=0.1)


class Lexemes:
    """Expressions for lexemes. One that is munched is a rule of its own, named in `munched`."""

    def __init__(
        self,
        source: LarkSource,
        definitions: Mapping[str, tree.Definition],
        terminals: Terminals,
        rules: dict[str, ir.Expression],
        options: Options,
    ) -> None:
        self._source = source
        self._definitions = definitions
        self._terminals = terminals
        self._rules = rules
        self._options = options
        self._known: dict[int, tuple[tree.Node, ir.Expression]] = {}
        self._names: dict[ir.Expression, str] = {}
        self._numbers = count()
        self._words: ir.Expression = ir.NOTHING
        self.munched: set[str] = set()
        self.narrowed: list[str] = []
        self.warnings: list[str] = []

    def reserve(self, units: Units) -> None:
        """Take the grammar's own words out of the terminal that is reserved for others."""
        name = self._options.reserved
        if name is None:
            return
        definition = self._definitions[name]
        words = self._listed(units)
        language = ir.Grammar({name: self._terminals.regular(definition.body)}, name)
        try:
            identifiers = compile(language, budget=_BUDGET)
            found = [
                node
                for node, texts in words.items()
                if any(identifiers.accepts(text.encode()) for text in texts)
            ]
        except EmptyLanguage:
            found = []
        except BudgetExceeded as error:
            message = f"expected a simpler {name} to reserve words of: {error.message}"
            raise self._source.error(message, definition.at, BudgetExceeded) from error
        if not found:
            where = self._source.where(definition.at)
            self.warnings.append(f"{where}: no text of a rule is a {name}, so none is reserved")
        self._words = union(map(self._terminals.regular, found))

    def _listed(self, units: Units) -> dict[tree.Node, tuple[str, ...]]:
        """The lexemes that are listed texts, each with them."""
        nodes = {node: None for unit in units.all for node in units.lexemes(unit)}
        listed = ((node, tuple(self._texts(node))) for node in nodes)
        return {node: texts for node, texts in listed if texts}

    def any_of(self, nodes: Sequence[tree.Node]) -> ir.Expression:
        """The language of one lexeme that is any of these."""
        if self._options.lexing == "exact":
            return union(map(self._expression, nodes))
        texts = tuple(node for node in nodes if isinstance(node, tree.Text))
        others = [node for node in nodes if not isinstance(node, tree.Text)]
        expressions = list(map(self._expression, others))
        if texts:
            expressions.insert(0, self._munch(union(map(self._terminals.regular, texts))))
        return ir.choice(*expressions)

    def skip(self, ignored: Sequence[tree.Node]) -> ir.Expression:
        """What may stand between two lexemes."""
        if not ignored:
            return ir.EMPTY
        max_skip = self._options.max_skip
        is_greedy = self._options.lexing == "greedy"
        if max_skip is None and not is_greedy:
            return ir.Repeat(union(map(self._terminals.lexeme, ignored)))
        pieces = list(map(self._terminals.regular, ignored))
        if max_skip is None:
            return ir.Repeat(ir.choice(*map(self._munch, pieces)))
        self.narrowed.append(f"1:1: at most {max_skip} ignored characters between two lexemes")
        run = ir.Intersection((ir.Repeat(union(pieces)), ir.Repeat(ir.ANY_CHAR, 0, max_skip)))
        return self._munch(run) if is_greedy else run

    def _expression(self, node: tree.Node) -> ir.Expression:
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = (node, self._build(node))
        return known[1]

    def _build(self, node: tree.Node) -> ir.Expression:
        is_greedy = self._options.lexing == "greedy"
        match node:
            case tree.Conjunction() | tree.Negation():
                message = "& and ~ are supported in terminals only; give this one a name"
                raise self._source.error(message, node.at, Unsupported)
            case tree.Special(names):
                return special_tokens.expression(names)
            case tree.Embedded("json"):
                expression, report = lark_embedded.schema(self._source, node, self._rules)
                self.narrowed += report.narrowed
                self.warnings += report.warnings
                return expression
            case tree.Name(name) if not tree.is_terminal_name(name):
                return self._terminals.attributed(self._definitions[name])
            case tree.Name(name) if name == self._options.reserved:
                every = self._terminals.regular(node)
                rest = ir.Intersection((every, ir.Complement(self._words)))
                is_munched = is_greedy or name in self._options.munch
                return self._munch(rest, name) if is_munched else rest
            case tree.Name(name) if is_greedy or name in self._options.munch:
                return self._munch(self._terminals.regular(node), name)
            case _ if is_greedy:
                return self._munch(self._terminals.regular(node))
            case _:
                return self._terminals.lexeme(node)

    def _munch(self, language: ir.Expression, name: str = "") -> ir.Expression:
        """The language as a rule of lexemes; an empty lexeme ends nowhere, so it is none."""
        rule = self._names.get(language)
        if rule is None:
            rule = self._names[language] = f"{name}%lexeme{next(self._numbers)}"
            self.munched.add(rule)
            is_nullable = matches_empty(language)
            self._rules[rule] = lark_lazy.nonempty(language) if is_nullable else language
        reference = ir.Reference(rule)
        return ir.optional(reference) if matches_empty(language) else reference

    def _texts(self, node: tree.Node) -> Iterator[str]:
        if isinstance(node, tree.Text):
            yield node.text
            if node.ignore_case:
                yield from (node.text.lower(), node.text.upper())
        elif isinstance(node, tree.Name) and tree.is_terminal_name(node.name):
            body = self._definitions[node.name].body
            options = body.options if isinstance(body, tree.Alternatives) else (body,)
            if all(isinstance(option, tree.Text) for option in options):
                for option in options:
                    yield from self._texts(option)
