"""One line of JSON for each request, with numbers and names but never with a client's text."""

from __future__ import annotations

import json
import logging
import sys
import time
import uuid
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lipogram.decoding.events import Finish
from lipogram.grammars import Report

ACCESS = logging.getLogger("lipogram.access")
_KEY = "lipogram.log"
_MAX_PATH = 200


def configure() -> None:
    """Sends log lines to standard error, as they are."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("lipogram", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO if name == "lipogram" else logging.WARNING)


def note(scope: Scope, **facts: Any) -> None:
    """Adds facts to the line of the request that is being served."""
    scope.setdefault(_KEY, {}).update(facts)


def note_grammar(scope: Scope, syntax: str, report: Report) -> None:
    """Adds what a grammar was written in, and how much its report has to say."""
    note(scope, syntax=syntax, narrowed=len(report.narrowed), warnings=len(report.warnings))


def note_finishes(scope: Scope, finishes: list[Finish]) -> None:
    """Adds what the sequences of a request took."""
    usages = [finish.usage for finish in finishes]
    note(
        scope,
        finish=sorted({finish.reason for finish in finishes}),
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        completion_tokens=sum(usage.completion_tokens for usage in usages),
        forced_tokens=sum(usage.forced_tokens for usage in usages),
        model_calls=sum(usage.model_calls for usage in usages),
    )


class RequestLog:
    """Gives each request an id, and writes its line when the last byte has been sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        id = f"req_{uuid.uuid4().hex}"
        facts = scope.setdefault(_KEY, {})
        facts.update(id=id, method=scope["method"], path=scope["path"][:_MAX_PATH], status=500)

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            facts["ms"] = round(1000 * (time.perf_counter() - started), 1)
            ACCESS.info("%s", json.dumps(facts))
