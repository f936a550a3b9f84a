"""Parses the grammars of a constraint and makes one of them. Runs in a compile worker."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lipogram.grammars import choice, gbnf, ir, json_schema, lark, regex
from lipogram.grammars.embedding import embed
from lipogram.grammars.errors import BudgetExceeded, GrammarError
from lipogram.server.constraints import MARK, Constraint, Source

_ANY_TEXT = ir.Repeat(ir.ANY_CHAR)
_ANY_BYTES = ir.Repeat(ir.Bytes((1 << 256) - 1))
_NOT_A_CALL = ir.Intersection(
    (_ANY_TEXT, ir.Complement(ir.Sequence((ir.Literal(MARK), _ANY_BYTES))))
)


class SourceError(Exception):
    """The source at `index` of the constraint cannot be used; `error` says why."""

    def __init__(self, index: int, error: GrammarError) -> None:
        super().__init__(index, error)
        self.index = index
        self.error = error


@dataclass(frozen=True, slots=True)
class Parsed:
    """One grammar for a whole constraint, and the syntax its first source turned out to be."""

    grammar: ir.Grammar
    syntax: str


def parse(constraint: Constraint, key_order: json_schema.KeyOrder = "schema") -> Parsed:
    """The language of a constraint, with the keys in this order where a schema's is not given.

    Raises SourceError from the GrammarError of the front-end that refused.
    """
    parsed: list[Parsed] = []
    for index, source in enumerate(constraint.sources):
        try:
            parsed.append(_parse(source, key_order))
        except GrammarError as error:
            raise SourceError(index, error) from error
    if len(parsed) == 1:
        return parsed[0]
    return Parsed(_join(constraint, [entry.grammar for entry in parsed]), parsed[0].syntax)


def _parse(source: Source, key_order: json_schema.KeyOrder) -> Parsed:
    if source.syntax == "grammar" and not source.options.given:
        return _lark_or_gbnf(source.definition)
    if source.syntax == "grammar":
        source = replace(source, syntax="lark")
    if source.syntax == "json_schema" and source.options.key_order is None:
        source = replace(source, options=replace(source.options, key_order=key_order))
    return Parsed(_PARSERS[source.syntax](source), source.syntax)


def _lark_or_gbnf(text: str) -> Parsed:
    """Decides by two real parsers; what is neither is refused with both of their reasons."""
    try:
        return Parsed(lark.parse(text), "lark")
    except BudgetExceeded:
        raise
    except GrammarError as lark_error:
        try:
            return Parsed(gbnf.parse(text), "gbnf")
        except BudgetExceeded:
            raise
        except GrammarError as gbnf_error:
            raise GrammarError(
                f"expected a Lark or a GBNF grammar; as Lark: {lark_error}; as GBNF: {gbnf_error}",
                line=lark_error.line,
                column=lark_error.column,
            ) from gbnf_error


def _given(source: Source) -> dict[str, Any]:
    return source.options.given  # by the names that the front-ends have for them


_PARSERS: dict[str, Callable[[Source], ir.Grammar]] = {
    "json_schema": lambda source: json_schema.parse(source.definition, **_given(source)),
    "regex": lambda source: regex.parse(source.definition, dialect=source.dialect),
    "choice": lambda source: choice.parse(json.loads(source.definition)),
    "lark": lambda source: lark.parse(source.definition, **_given(source)),
    "gbnf": lambda source: gbnf.parse(source.definition),
    "text": lambda source: ir.Grammar({"start": _ANY_TEXT}, "start"),
}


def _join(constraint: Constraint, grammars: list[ir.Grammar]) -> ir.Grammar:
    """The union of answer and calls, each call in its envelope; rules are renamed apart."""
    rules: dict[str, ir.Expression] = {}
    lexemes: set[str] = set()
    options: list[ir.Expression] = []
    report = ir.Report(
        tuple(line for grammar in grammars for line in grammar.report.narrowed),
        tuple(line for grammar in grammars for line in grammar.report.warnings),
    )

    def included(prefix: str, grammar: ir.Grammar) -> ir.Expression:
        lexemes.update(prefix + name for name in grammar.lexemes)
        return embed(grammar, prefix, rules)

    if constraint.answer is not None and constraint.answer.syntax == "text":
        options.append(_NOT_A_CALL)
        grammars = grammars[1:]
    elif constraint.answer is not None:
        options.append(included("answer.", grammars[0]))
        grammars = grammars[1:]
    for index, (call, grammar) in enumerate(zip(constraint.calls, grammars, strict=True)):
        payload = included(f"call{index}.", grammar)
        options.append(ir.sequence(ir.Literal(call.head), payload, ir.Literal(call.tail)))
    rules["start"] = ir.choice(*options)
    return ir.Grammar(rules, "start", report, frozenset(lexemes))
