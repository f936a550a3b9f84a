"""`POST /v1/grammars`: check a grammar and see what it means."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request

from lipogram.grammars import special_tokens
from lipogram.server import logs
from lipogram.server.body import JsonRoute
from lipogram.server.constraints import Constraint, Source
from lipogram.server.errors import InvalidRequest
from lipogram.server.serving import service_of, while_connected
from lipogram.server.translate.constraint import options, schema_text
from lipogram.server.wire.grammars import GrammarReply, GrammarRequest

router = APIRouter(route_class=JsonRoute, tags=["grammars"])


@router.post("/v1/grammars")
async def check_grammar(body: GrammarRequest, request: Request) -> GrammarReply:
    """Compile a grammar without generating: its report, and a few members."""
    service = service_of(request)
    with service.house.admitted():
        constraint = Constraint(_source(body))
        work = service.compiler.check(constraint, body.samples, body.seed)
        compiled = await while_connected(request, work)
    report = compiled.grammar.report
    logs.note_grammar(request.scope, compiled.syntax, report)
    return GrammarReply(
        syntax=compiled.syntax,
        exact=report.exact,
        narrowed=list(report.narrowed),
        warnings=list(report.warnings),
        rules=len(compiled.grammar.rules),
        shortest=_text(compiled.shortest),
        samples=[_text(sample) for sample in compiled.samples],
        compile_ms=round(1000 * compiled.seconds, 1),
    )


def _text(member: bytes) -> str:
    return special_tokens.shown(member).decode(errors="replace")


def _source(body: GrammarRequest) -> Source:
    definition, syntax = body.definition, body.syntax
    if syntax == "json_schema" and not isinstance(definition, list):
        text = schema_text(definition, "definition")
    elif syntax == "choice" and isinstance(definition, list):
        text = json.dumps(definition)
    elif syntax not in ("json_schema", "choice") and isinstance(definition, str):
        text = definition
    else:
        wanted = {"json_schema": "a schema", "choice": "an array of texts"}.get(syntax, "a text")
        raise InvalidRequest(f"expected {wanted} for syntax {syntax!r}", param="definition")
    return Source(syntax, text, options(body.options, syntax, "options"), param="definition")
