"""Front-end for JSON Schema, drafts 4 to 2020-12.

A schema is taken as the set of values that it accepts, brought into a normal form (shapes), and
written as rules of JSON text (writer). Whatever has no exact form is refused with a pointer, or
narrowed to a sound subset that the report names; nothing is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lipogram.grammars.errors import EmptyLanguage, GrammarError
from lipogram.grammars.ir import Grammar, Report
from lipogram.grammars.json_schema.digits import DigitLimits
from lipogram.grammars.json_schema.document import Document
from lipogram.grammars.json_schema.schemas import Formats, Schemas
from lipogram.grammars.json_schema.shapes import Node, node
from lipogram.grammars.json_schema.text import Escapes, Whitespace, layout, spelling
from lipogram.grammars.json_schema.writer import KeyOrder, Writer

__all__ = ["DigitLimits", "Escapes", "Formats", "KeyOrder", "Whitespace", "parse"]


def parse(
    schema: dict[str, Any] | bool | str,
    *,
    key_order: KeyOrder = "schema",
    whitespace: Whitespace = "bounded",
    escapes: Escapes = "canonical",
    digits: DigitLimits | None = None,
    formats: Formats = "asserted",
    supplied: Mapping[str, Any] | None = None,
) -> Grammar:
    """The JSON texts of the values that the schema accepts.

    Keys come in the schema's order, or in `any`; strings in one spelling, or with `any` escapes.
    Formats restrict strings, or are `annotations` as drafts from 2019-09 on have it by default.
    `supplied` are further documents by URI that references may lead to; nothing is fetched.
    Raises GrammarError for what is not a schema, Unsupported for what has no exact form,
    EmptyLanguage where no value satisfies it, BudgetExceeded for what is too large; each has
    a JSON Pointer. Cost: linear in the schema, but for the cases that anyOf, oneOf, not and
    dependencies multiply to.
    """
    document = Document(schema, supplied or {})
    if formats not in ("asserted", "annotations"):
        raise GrammarError(f"expected formats to be asserted or annotations, found {formats!r}")
    schemas = Schemas(document, formats)
    root = node(True, document.root)
    if schemas.is_empty(root):
        raise EmptyLanguage("no value satisfies the schema", pointer=_culprit(schemas, root))
    if key_order not in ("schema", "any"):
        raise GrammarError(f"expected key_order to be schema or any, found {key_order!r}")
    limits = digits or DigitLimits()
    writer = Writer(schemas, layout(whitespace), spelling(escapes), limits, key_order)
    writer.write(root)
    narrowed = list(schemas.narrowed)
    if writer.numbers.narrowed:
        narrowed.append("everywhere: numbers are written with a bounded count of digits")
    report = Report(tuple(narrowed), tuple(schemas.warnings))
    return Grammar(writer.rules, "start", report, is_text=True)


def _culprit(schemas: Schemas, of: Node) -> str:
    """The pointer to the innermost schema that shows that nothing satisfies the node."""
    pointer = of[-1][1].pointer if of else ""
    shape = schemas.shape(of)
    children = [cube.at(name) for cube in shape.objects for name in cube.required]
    children += [cube.at(0) for cube in shape.arrays if cube.least]
    for child in children:
        if child != of and schemas.is_empty(child):
            return _culprit(schemas, child)
    return pointer
