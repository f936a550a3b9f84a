"""Front-end for grammars in the Lark language.

The dialect is Lark's with llguidance's additions; docs/grammars/lark.md lists what is taken and
what is refused. Lark's own parser reads only our grammar of the dialect: the meaning of a user's
grammar is decided here, exactly. A terminal is its regular language, and adjacent terminals may
divide the text in any way, unless a filter is asked for that makes lexemes as long as possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Literal

from lipogram.grammars import ir, lark_check, lark_lint, lark_options, lark_source, lark_syntax
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.lark_lexemes import Lexemes
from lipogram.grammars.lark_options import Options
from lipogram.grammars.lark_rules import Rules
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.lark_terminals import Terminals
from lipogram.grammars.lark_units import Units
from lipogram.grammars.source import MAX_RULES

_TEXT_RULE = "%text"


def parse(
    text: str,
    *,
    start: str = "start",
    lexing: Literal["exact", "greedy"] = "exact",
    munch: frozenset[str] = frozenset(),
    reserved: str | None = None,
    allow_initial_skip: bool = False,
    allow_trailing_skip: bool = False,
    max_skip: int | None = None,
) -> ir.Grammar:
    """The language of the rule `start`. Cost: linear in the length of the text.

    With `lexing="greedy"` every lexeme is made as long as possible, as llguidance does; else only
    those of the terminals in `munch` are. `reserved` names a terminal whose texts are not the
    grammar's own words. Text that `%ignore` names may stand between lexemes, not before the first
    nor after the last unless allowed; `max_skip` limits it to that many characters a place (a
    narrowing, reported). The text itself may choose the same by `%lipogram {...}`.

    Raises GrammarError with line and column; Unsupported, BudgetExceeded (256 KiB of text, 500
    nested brackets, 20,000 rules).
    """
    source = lark_source.read(text)
    grammar = _collect(source)
    definitions = grammar.definitions
    lark_check.check(source, definitions, grammar.ignored, start)
    asked = Options(
        lexing, frozenset(munch), reserved, allow_initial_skip, allow_trailing_skip, max_skip
    )
    asked.check(source, definitions, 0)
    options = lark_options.read(source, grammar.options, definitions).joined(asked)
    return _lower(source, grammar, options, Units(source, definitions, start))


def _lower(source: LarkSource, grammar: _Collected, options: Options, units: Units) -> ir.Grammar:
    rules: dict[str, ir.Expression] = {}
    terminals = Terminals(source, grammar.definitions, rules)
    lexemes = Lexemes(source, grammar.definitions, terminals, rules, options)
    lexemes.reserve(units)
    skip = lexemes.skip(grammar.ignored)
    body = Rules(units, lexemes, rules, skip).add(skip_first=options.allow_initial_skip)
    rules[_TEXT_RULE] = ir.sequence(body, skip) if options.allow_trailing_skip else body
    language = ir.Grammar(rules, _TEXT_RULE, lexemes=frozenset(lexemes.munched))
    linter = lark_lint.Linter(source, grammar.definitions, grammar.ignored, units, terminals)
    warnings = (*linter.warnings(language), *lexemes.warnings)
    return replace(language, report=ir.Report(tuple(lexemes.narrowed), warnings))


@dataclass(slots=True)
class _Collected:
    """The statements of a grammar, sorted by kind."""

    definitions: dict[str, tree.Definition] = field(default_factory=dict)
    ignored: list[tree.Node] = field(default_factory=list)
    options: list[tree.Options] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)


def _collect(source: LarkSource) -> _Collected:
    collected = _Collected()
    definitions = collected.definitions
    changes: list[tree.Change] = []
    for statement in lark_syntax.statements(source):
        if isinstance(statement, tree.Ignore):
            collected.ignored.append(statement.body)
        elif isinstance(statement, tree.Options):
            collected.options.append(statement)
        elif isinstance(statement, tree.Change):
            changes.append(statement)
        elif isinstance(statement, tree.Import):
            if collected.imports.get(statement.alias) != statement.name:  # else said twice
                _define(source, definitions, _imported(source, statement, definitions))
            collected.imports[statement.alias] = statement.name
        else:
            _define(source, definitions, statement)
    for change in changes:
        _change(source, definitions, change)
    if len(definitions) > MAX_RULES:
        message = f"expected at most {MAX_RULES} rules, found {len(definitions)}"
        raise source.error(message, list(definitions.values())[MAX_RULES].at, BudgetExceeded)
    return collected


def _define(
    source: LarkSource, definitions: dict[str, tree.Definition], definition: tree.Definition
) -> None:
    earlier = definitions.setdefault(definition.name, definition)
    if earlier is not definition:
        message = (
            f"expected one definition of {definition.name}, "
            f"found another at {source.where(earlier.at)}"
        )
        raise source.error(message, definition.at)


def _change(
    source: LarkSource, definitions: dict[str, tree.Definition], change: tree.Change
) -> None:
    new = change.definition
    old = definitions.get(new.name)
    if old is None or old.parameters != new.parameters:
        message = f"expected an earlier definition of {new.name} with the same parameters"
        raise source.error(message, new.at)
    if change.extend:
        new = replace(old, body=tree.alternatives((old.body, new.body)))
    definitions[new.name] = new


@cache
def _common() -> Mapping[str, tree.Definition]:
    """The terminals of `%import common`, under names that no user can write."""
    text = files("lipogram.grammars").joinpath("lark_common.lark").read_text(encoding="utf-8")
    statements = lark_syntax.statements(lark_source.read(text))
    definitions = [s for s in statements if isinstance(s, tree.Definition)]
    return {d.name: replace(d, name=f"COMMON.{d.name}", body=_rename(d.body)) for d in definitions}


def _rename(node: tree.Node) -> tree.Node:
    if isinstance(node, tree.Name):
        return replace(node, name=f"COMMON.{node.name}")
    if isinstance(node, tree.Series):
        return replace(node, items=tuple(map(_rename, node.items)))
    return node


def _imported(
    source: LarkSource, wanted: tree.Import, definitions: dict[str, tree.Definition]
) -> tree.Definition:
    """The definition that an import makes; what it needs is added to `definitions`."""
    if wanted.relative or wanted.module != "common":
        message = "only %import common is supported"
        raise source.error(message, wanted.at, Unsupported)
    common = _common()
    found = common.get(wanted.name)
    if found is None:
        message = f"expected a terminal of common ({', '.join(common)}), found {wanted.name}"
        raise source.error(message, wanted.at)
    if not tree.is_terminal_name(wanted.alias):
        raise source.error(f"expected a terminal's name, found {wanted.alias}", wanted.at)
    for node in tree.walk(found.body):
        if isinstance(node, tree.Name):
            needed = node.name.removeprefix("COMMON.")
            definitions.setdefault(node.name, replace(common[needed], at=wanted.at))
    return replace(found, name=wanted.alias, at=wanted.at)
