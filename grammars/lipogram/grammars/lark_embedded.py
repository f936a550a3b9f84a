"""Blocks inside a Lark grammar: `%json {schema}` and `%regex {"substring_...": ...}`."""

from __future__ import annotations

import json
import re
from typing import Any

from lipogram.grammars import ir, json_schema
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.embedding import embed
from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported
from lipogram.grammars.lark_source import LarkSource

MAX_CHUNKS = 20_000
_FORMS = ("substring_chunks", "substring_words", "substring_chars")


def schema(
    source: LarkSource, node: tree.Embedded, rules: dict[str, ir.Expression]
) -> tuple[ir.Expression, ir.Report]:
    """The texts of the values that the schema allows; its rules are added under their own names.

    Raises what `json_schema.parse` raises, with the block's line and column.
    """
    where = source.where(node.at)
    try:
        grammar = json_schema.parse(source.blocks[node.at])
    except GrammarError as error:
        line, column = source.position(node.at)
        message = f"in the %json at {where}: {error.message}"
        raise type(error)(
            message, pointer=error.pointer, keyword=error.keyword, line=line, column=column
        ) from error
    start = embed(grammar, f"%json{node.at}/", rules)
    return start, ir.Report(
        _located(where, grammar.report.narrowed), _located(where, grammar.report.warnings)
    )


def _located(where: str, entries: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{where}: in %json, {entry.removeprefix(': ')}" for entry in entries)


def substring(
    source: LarkSource, node: tree.Embedded, rules: dict[str, ir.Expression]
) -> ir.Expression:
    """Any run of neighbouring chunks, the empty one included; one rule for each chunk is added."""
    if node.kind == "json":
        message = "%json is not supported in a terminal; use it in a rule"
        raise source.error(message, node.at, Unsupported)
    chunks = _chunks(source, node)
    if len(chunks) > MAX_CHUNKS:
        message = f"expected at most {MAX_CHUNKS} chunks, found {len(chunks)}"
        raise source.error(message, node.at, BudgetExceeded)
    names = [f"%regex{node.at}/{index}" for index in range(len(chunks))]
    after: ir.Expression = ir.EMPTY
    for name, chunk in zip(reversed(names), reversed(chunks), strict=True):
        rules[name] = ir.choice(ir.EMPTY, ir.sequence(ir.Literal(chunk.encode()), after))
        after = ir.Reference(name)
    return ir.choice(ir.EMPTY, *map(ir.Reference, names))


def _chunks(source: LarkSource, node: tree.Embedded) -> list[str]:
    block: dict[str, Any] = json.loads(source.blocks[node.at])
    if len(block) != 1 or next(iter(block)) not in _FORMS:
        message = f"expected one of {', '.join(_FORMS)} in %regex, found {', '.join(block) or '{}'}"
        raise source.error(message, node.at, Unsupported)
    form, value = next(iter(block.items()))
    items = value if form == "substring_chunks" and isinstance(value, list) else [value]
    if not all(isinstance(item, str) and not re.search("[\ud800-\udfff]", item) for item in items):
        expected = "a list of strings" if form == "substring_chunks" else "a string"
        raise source.error(f"expected {expected} for {form}", node.at)
    if form == "substring_chunks":
        return items
    return list(value) if form == "substring_chars" else re.findall(r"\w+|\s+|[^\w\s]+", value)
