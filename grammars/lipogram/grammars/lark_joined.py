"""Terminals written in pieces of which some look at their neighbours.

`/[a-z]+/ /(?<!x)/ "!"` is one regex in three pieces: the lookbehind sees what stands before its
own piece. So the pieces are joined before they are lowered, as the lark package joins them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain

from lipogram.grammars import ir, regex_classes, regex_lowering, regex_parser
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.automaton import Budget, compile
from lipogram.grammars.errors import BudgetExceeded, EmptyLanguage, GrammarError, Unsupported
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.regex_lowering import ANY_TEXT
from lipogram.grammars.regex_measures import assertions
from lipogram.grammars.regex_syntax import (
    Alternation,
    Characters,
    Concatenation,
    Node,
    Quantified,
)

_MAX_PIECES = 2_000
_MAX_NESTING = 100
_BUDGET = Budget(max_nodes=20_000, max_states=2_000, max_compile_s=0.1, max_step_s=0.1)
_ANYTHING = Quantified(Characters(regex_classes.EVERY), 0, None)
_MAY_LOOK = re.compile(r"[$^]|\\[bBAZ]|\(\?<?[=!]")


class Joiner:
    """Knows which terminals look at their neighbours; terminals are told in order of their use."""

    def __init__(self, source: LarkSource, definitions: Mapping[str, tree.Definition]) -> None:
        self._source = source
        self._definitions = definitions
        self._looking: set[str] = set()
        self._asserting: dict[tree.Pattern, bool] = {}
        self._pieces = 0

    def define(self, name: str) -> None:
        """Note a terminal, all that it uses being noted."""
        if self.looks(self._definitions[name].body):
            self._looking.add(name)

    def looks(self, node: tree.Node) -> bool:
        """Whether some regex in the node asserts what stands beside it."""
        return any(
            below.name in self._looking
            if isinstance(below, tree.Name)
            else isinstance(below, tree.Pattern) and self._asserts(below)
            for below in tree.walk(node)
        )

    def lower(self, node: tree.Node) -> ir.Expression:
        """The language of the node, whose pieces see each other."""
        at = next(n.at for n in tree.walk(node) if isinstance(n, tree.Name | tree.Pattern))
        joined = self._joined(node, at, 0)
        try:
            return regex_lowering.lower(joined, search=False)
        except GrammarError as error:
            message = f"in the terminal with this piece: {error.message}"
            raise self._source.error(message, at, type(error)) from error

    def overlooked(self, node: tree.Node, following: frozenset[int], is_first: bool) -> str | None:
        """A text within which the lexeme would not match, if its regexes saw beyond its ends.

        `following` are the bytes that may come next; `is_first`: nothing comes before.
        """
        joined = self._joined(node, 0, 0)
        own = regex_lowering.lower(joined, search=False)
        after = ir.Bytes(sum(1 << byte for byte in following))
        sides = [(ir.sequence(own, after, ANY_TEXT), Concatenation((joined, _ANYTHING)))]
        if not is_first:
            sides.append((ir.sequence(ANY_TEXT, own), Concatenation((_ANYTHING, joined))))
        for beside, seen in sides:
            with suppress(EmptyLanguage, Unsupported):
                matched = regex_lowering.lower(seen, search=False)
                texts = (ANY_TEXT, beside, ir.Complement(matched))
                automaton = compile(
                    ir.Grammar({"gap": ir.Intersection(texts)}, "gap"), budget=_BUDGET
                )
                return automaton.shortest(automaton.start()).decode()
        return None

    def pattern(self, node: tree.Pattern) -> Node:
        """The syntax tree of a regex. Raises GrammarError with its place in the grammar."""
        try:
            flags = frozenset(node.flags)
            if "l" in flags:
                raise Unsupported("the flag 'l' is not compiled")
            return regex_parser.read(node.pattern, "python", flags)
        except GrammarError as error:
            raise self.located(error, node) from error

    def located(self, error: GrammarError, node: tree.Pattern) -> GrammarError:
        """An error of a regex, with its place in the grammar."""
        inside = error.column - 1 if error.line == 1 and error.column else 0
        message = f"in this regex: {error.message}"
        return self._source.error(message, node.at + 1 + inside, type(error))

    def _asserts(self, node: tree.Pattern) -> bool:
        if not _MAY_LOOK.search(node.pattern):
            return False
        known = self._asserting.get(node)
        if known is None:
            known = self._asserting[node] = assertions(self.pattern(node)) > 0
        return known

    def _joined(self, node: tree.Node, at: int, nesting: int) -> Node:
        self._pieces += 1
        if self._pieces > _MAX_PIECES or nesting > _MAX_NESTING:
            message = "expected fewer pieces beside a regex that looks at them"
            raise self._source.error(message, at, BudgetExceeded)
        below = nesting + 1
        match node:
            case tree.Text(text, ignore_case):
                flags = frozenset("i") if ignore_case else frozenset[str]()
                return regex_parser.read(re.escape(text), "python", flags)
            case tree.Span(low, high):
                return Characters(((ord(low), ord(high)),))
            case tree.Pattern():
                return self.pattern(node)
            case tree.Name(name):
                return self._joined(self._definitions[name].body, at, below)
            case tree.Series(items):
                joined = [self._joined(item, at, below) for item in items]
                flat = (n.items if isinstance(n, Concatenation) else (n,) for n in joined)
                return Concatenation(tuple(chain.from_iterable(flat)))
            case tree.Alternatives(options):
                return Alternation(tuple(self._joined(option, at, below) for option in options))
            case tree.Repeated(item, minimum, maximum):
                return Quantified(self._joined(item, at, below), minimum, maximum)
            case tree.Outlined(body):
                return self._joined(body, at, below)
            case _:
                message = "&, ~ and %regex are not supported beside a regex that looks at them"
                raise self._source.error(message, at, Unsupported)
