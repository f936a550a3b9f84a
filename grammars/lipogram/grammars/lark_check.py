"""The names in a Lark grammar: each must be defined, once, and be used as what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import islice

from lipogram.grammars import lark_tree as tree
from lipogram.grammars.errors import GrammarError, Unsupported
from lipogram.grammars.source import Source

_SUGGESTED_FROM = 1000
_SAMPLING = ": it is about how to sample, not about which texts there are"
_REASONS = {"max_tokens": _SAMPLING, "temperature": _SAMPLING, "stop": " beside another end"}


def check(
    source: Source,
    definitions: Mapping[str, tree.Definition],
    ignored: Iterable[tree.Node],
    start: str,
) -> None:
    """Raise GrammarError for the first name that is wrong, Unsupported for an attribute."""
    if start not in definitions or tree.is_terminal_name(start) or definitions[start].parameters:
        raise GrammarError(f"expected a rule named {start!r}, found none", line=1, column=1)
    for definition in definitions.values():
        _check_attributes(source, definitions, definition)
        _check_body(source, definitions, definition)
    for body in ignored:
        _check_terminal(source, definitions, body, "%ignore")


def bodies(definition: tree.Definition) -> list[tree.Node]:
    """The definition's body and the nodes in its attributes."""
    values = (value for _, value in definition.attributes)
    return [definition.body, *(value for value in values if isinstance(value, tree.Node))]


def _check_body(
    source: Source, definitions: Mapping[str, tree.Definition], definition: tree.Definition
) -> None:
    if definition.is_terminal:
        if definition.parameters or definition.attributes:
            message = "templates and attributes are supported on rules only"
            raise source.error(message, definition.at, Unsupported)
        _check_terminal(source, definitions, definition.body, f"the terminal {definition.name}")
        return
    for node in tree.walk(definition.body):
        if isinstance(node, tree.Name):
            if node.name in definition.parameters:
                if node.arguments:
                    message = f"expected no arguments of the parameter {node.name}"
                    raise source.error(message, node.at)
            else:
                _check_name(source, definitions, node)


def _check_terminal(
    source: Source, definitions: Mapping[str, tree.Definition], body: tree.Node, where: str
) -> None:
    for node in tree.walk(body):
        if isinstance(node, tree.Name):
            _check_name(source, definitions, node)
            if not tree.is_terminal_name(node.name):
                message = f"expected terminals only in {where}, found the rule {node.name}"
                raise source.error(message, node.at)
        elif isinstance(node, tree.Embedded) and node.kind == "json":
            message = "%json is not supported in a terminal; use it in a rule"
            raise source.error(message, node.at, Unsupported)
        elif isinstance(node, tree.Special):
            message = f"special tokens are supported in rules only, found one in {where}"
            raise source.error(message, node.at, Unsupported)


def _check_name(
    source: Source, definitions: Mapping[str, tree.Definition], node: tree.Name
) -> None:
    definition = definitions.get(node.name)
    if definition is None:
        kind = "terminal" if tree.is_terminal_name(node.name) else "rule"
        close = get_close_matches(node.name, islice(definitions, _SUGGESTED_FROM), 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise source.error(f"expected a defined {kind}, found {node.name}{hint}", node.at)
    wanted, found = len(definition.parameters), len(node.arguments)
    if wanted != found:
        message = f"expected {wanted} arguments of {node.name}, found {found}"
        raise source.error(message, node.at)


def _check_attributes(
    source: Source, definitions: Mapping[str, tree.Definition], definition: tree.Definition
) -> None:
    names = [name for name, _ in definition.attributes]
    for name, value in definition.attributes:
        is_known = (name == "lazy" and value is None) or (
            name in ("suffix", "stop") and isinstance(value, tree.Node)
        )
        if not is_known or definition.parameters or {"stop", "suffix"} <= set(names):
            reason = _REASONS.get(name, "")
            message = f"the attribute {name} of {definition.name} is not supported{reason}"
            raise source.error(message, definition.at, Unsupported)
    if names:
        for body in bodies(definition):
            _check_terminal(source, definitions, body, f"{definition.name}[{names[0]}]")
