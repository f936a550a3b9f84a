"""What the output must obey, from the members in which clients say it."""

from __future__ import annotations

import json

from lipogram.server.body import parse
from lipogram.server.constraints import Constraint, Source
from lipogram.server.errors import InvalidRequest
from lipogram.server.wire import chat
from lipogram.server.wire.common import LarkOrGbnf, StructuredOutputs

_KINDS = ("json", "regex", "choice", "grammar", "json_object")
_MAX_NESTING = 200
_ANY_OBJECT = '{"type": "object"}'


def structured(outputs: StructuredOutputs) -> Constraint:
    """vLLM's `structured_outputs`."""
    members = (
        outputs.json_,
        outputs.regex,
        outputs.choice,
        outputs.grammar,
        outputs.json_object,
    )
    given = [name for name, value in zip(_KINDS, members, strict=True) if value is not None]
    if len(given) != 1:
        raise InvalidRequest(
            f"expected exactly one of {', '.join(_KINDS)} in 'structured_outputs', "
            f"found {', '.join(given) or 'none'}",
            param="structured_outputs",
        )
    if outputs.syntax and given != ["grammar"]:
        raise InvalidRequest(
            "'syntax' goes with 'grammar' alone", param="structured_outputs.syntax"
        )
    param = f"structured_outputs.{given[0]}"
    compact = bool(outputs.disable_any_whitespace)
    return Constraint(_structured_source(outputs, given[0], compact, param))


def _structured_source(outputs: StructuredOutputs, kind: str, compact: bool, param: str) -> Source:
    match kind:
        case "json":
            text = schema_text(outputs.json_, param)
            return Source("json_schema", text, compact, param=param)
        case "json_object":
            return Source("json_schema", _ANY_OBJECT, compact, param=param)
        case "regex":
            return Source("regex", outputs.regex or "", param=param)
        case "choice":
            return Source("choice", json.dumps(outputs.choice), param=param)
        case _:
            return Source(outputs.syntax or "grammar", outputs.grammar or "", param=param)


def response_format(wanted: chat.ResponseFormat | None) -> Source | None:
    """OpenAI's `response_format`; None for any text."""
    match wanted:
        case chat.JsonObjectFormat():
            return Source("json_schema", _ANY_OBJECT, param="response_format")
        case chat.JsonSchemaFormat(json_schema=named):
            param = "response_format.json_schema.schema"
            schema = named.schema_ if named.schema_ is not None else {"type": "object"}
            return Source("json_schema", json.dumps(schema), param=param)
        case chat.GrammarFormat(grammar=str() as text):
            return Source("grammar", text, param="response_format.grammar")
        case chat.GrammarFormat(grammar=LarkOrGbnf(syntax=syntax, definition=text)):
            return Source(syntax, text, param="response_format.grammar.definition")
        case _:
            return None


def schema_text(schema: object, param: str) -> str:
    """A schema as JSON text; a string is taken to be that already."""
    if not isinstance(schema, str):
        return json.dumps(schema)
    try:
        parse(schema.encode(), _MAX_NESTING)
    except InvalidRequest as error:
        raise InvalidRequest(f"in the schema's text: {error}", param=param) from None
    return schema
