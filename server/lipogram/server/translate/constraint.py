"""What the output must obey, from the members in which clients say it."""

from __future__ import annotations

import json
from dataclasses import fields

from lipogram.server.body import parse
from lipogram.server.constraints import Constraint, Options, Source, Syntax
from lipogram.server.errors import InvalidRequest
from lipogram.server.wire import chat
from lipogram.server.wire.common import (
    JsonOptions,
    LarkOptions,
    LarkOrGbnf,
    StructuredOutputs,
)

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
    return Constraint(_structured_source(_compacted(outputs), given[0]))


def _compacted(outputs: StructuredOutputs) -> StructuredOutputs:
    """With `disable_any_whitespace`, vLLM's name for compact whitespace, under our name."""
    if not outputs.disable_any_whitespace:
        return outputs
    if outputs.whitespace not in (None, "compact"):
        raise InvalidRequest(
            "'disable_any_whitespace' is 'whitespace' \"compact\"; expected one of them",
            param="structured_outputs.whitespace",
        )
    is_json = outputs.json_ is not None or outputs.json_object is not None
    return outputs.model_copy(update={"whitespace": "compact"}) if is_json else outputs


def _structured_source(outputs: StructuredOutputs, kind: str) -> Source:
    syntax: Syntax
    match kind:
        case "json":
            syntax, text = "json_schema", schema_text(outputs.json_, "structured_outputs.json")
        case "json_object":
            syntax, text = "json_schema", _ANY_OBJECT
        case "regex":
            syntax, text = "regex", outputs.regex or ""
        case "choice":
            syntax, text = "choice", json.dumps(outputs.choice)
        case _:
            syntax, text = outputs.syntax or "grammar", outputs.grammar or ""
    chosen = options(outputs, syntax, "structured_outputs")
    return Source(syntax, text, chosen, param=f"structured_outputs.{kind}")


def options(given: JsonOptions | LarkOptions, syntax: Syntax, param: str) -> Options:
    """The options among the members of a request's object at `param`.

    Raises InvalidRequest for one that the syntax does not have.
    """
    chosen = Options(
        **{option.name: getattr(given, option.name, None) for option in fields(Options)}
    )
    foreign = chosen.foreign(syntax)
    if foreign is not None:
        wanted = "a Lark grammar" if foreign == "lexing" else "a JSON schema"
        raise InvalidRequest(f"{foreign!r} goes with {wanted} alone", param=f"{param}.{foreign}")
    return chosen


def refuse_two(wanted: chat.ResponseFormat | None, outputs: StructuredOutputs | None) -> None:
    """Refuse a request that states its rule twice."""
    if outputs is None or wanted is None or isinstance(wanted, chat.TextFormat):
        return
    raise InvalidRequest(
        "expected 'response_format' or 'structured_outputs', found both",
        param="structured_outputs",
    )


def response_format(wanted: chat.ResponseFormat | None) -> Source | None:
    """OpenAI's `response_format`; None for any text."""
    match wanted:
        case chat.JsonObjectFormat():
            return Source("json_schema", _ANY_OBJECT, param="response_format")
        case chat.JsonSchemaFormat(json_schema=named):
            param = "response_format.json_schema.schema"
            schema = named.schema_ if named.schema_ is not None else {"type": "object"}
            chosen = options(named, "json_schema", "response_format.json_schema")
            return Source("json_schema", json.dumps(schema), chosen, param=param)
        case chat.GrammarFormat(grammar=str() as text):
            return Source("grammar", text, param="response_format.grammar")
        case chat.GrammarFormat(grammar=LarkOrGbnf(syntax=syntax, definition=text) as written):
            chosen = options(written, syntax, "response_format.grammar")
            return Source(syntax, text, chosen, param="response_format.grammar.definition")
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
