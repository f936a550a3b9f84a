"""Front-end for grammars in the Lark language.

The dialect is Lark's with llguidance's additions; docs/grammars/lark.md lists what is taken and
what is refused. Lark's own parser reads only our grammar of the dialect: the meaning of a user's
grammar is decided here, exactly and without a lexer. A terminal is its regular language, and
adjacent terminals may divide the text in any way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from lipogram.grammars import ir, lark_check, lark_source, lark_syntax
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.alternation import union
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.lark_rules import Rules
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.lark_terminals import Terminals
from lipogram.grammars.source import MAX_RULES

_TEXT_RULE = "%text"


def parse(
    text: str,
    *,
    start: str = "start",
    allow_initial_skip: bool = False,
    allow_trailing_skip: bool = False,
    max_skip: int | None = None,
) -> ir.Grammar:
    """The language of the rule `start`. Cost: linear in the length of the text.

    Text that `%ignore` names may stand between lexemes, not before the first nor after the last
    unless allowed; `max_skip` limits it to that many characters a place (a narrowing, reported).
    Raises GrammarError with line and column; Unsupported, BudgetExceeded (256 KiB of text, 500
    nested brackets, 20,000 rules).
    """
    source = lark_source.read(text)
    grammar = _collect(source)
    names = (source, grammar.definitions, grammar.ignored, start)
    lark_check.check(*names)
    rules: dict[str, ir.Expression] = {}
    terminals = Terminals(source, grammar.definitions, rules)
    skip = _skip(grammar, terminals, max_skip)
    initial = allow_initial_skip or bool(grammar.options.get("allow_initial_skip"))
    lowered = Rules(source, grammar.definitions, terminals, rules, skip)
    body = lowered.add(start, skip_first=initial)
    rules[_TEXT_RULE] = ir.sequence(body, skip) if allow_trailing_skip else body
    if max_skip is not None and grammar.ignored:
        lowered.narrowed.append(f"1:1: at most {max_skip} ignored characters between two lexemes")
    warnings = (*lark_check.warnings(*names), *lowered.warnings)
    return ir.Grammar(rules, _TEXT_RULE, ir.Report(tuple(lowered.narrowed), warnings))


@dataclass(slots=True)
class _Collected:
    """The statements of a grammar, sorted by kind."""

    definitions: dict[str, tree.Definition] = field(default_factory=dict)
    ignored: list[tree.Node] = field(default_factory=list)
    options: dict[str, object] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)


def _collect(source: LarkSource) -> _Collected:
    collected = _Collected()
    definitions = collected.definitions
    changes: list[tree.Change] = []
    for statement in lark_syntax.statements(source):
        if isinstance(statement, tree.Ignore):
            collected.ignored.append(statement.body)
        elif isinstance(statement, tree.Options):
            collected.options |= _options(source, statement)
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
        raise BudgetExceeded(f"expected at most {MAX_RULES} rules, found {len(definitions)}")
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


def _options(source: LarkSource, statement: tree.Options) -> dict[str, object]:
    """`%llguidance {...}`: of its options, those that say which texts are members."""
    options: dict[str, object] = json.loads(source.blocks[statement.at])
    for key, value in options.items():
        if not isinstance(value, bool) or key not in ("allow_initial_skip", "no_forcing"):
            message = f"the option {key!r} of %llguidance is not supported"
            raise source.error(message, statement.at, Unsupported)
    return options


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


def _skip(grammar: _Collected, terminals: Terminals, max_skip: int | None) -> ir.Expression:
    """What may stand between two lexemes."""
    if not grammar.ignored:
        return ir.EMPTY
    if max_skip is None:
        return ir.Repeat(union(map(terminals.lexeme, grammar.ignored)))
    skip = ir.Repeat(union(map(terminals.regular, grammar.ignored)))
    return ir.Intersection((skip, ir.Repeat(ir.ANY_CHAR, 0, max_skip)))
