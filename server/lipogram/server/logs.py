"""One line of JSON for each request, with numbers and names but never with a client's text."""

from __future__ import annotations

import json
import logging
import re
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lipogram.decoding.events import Finish
from lipogram.grammars import Report
from lipogram.server.metrics import Metrics
from lipogram.server.visits import CURRENT, Visit

ACCESS = logging.getLogger("lipogram.access")
_KEY = "lipogram.log"
_MAX_PATH = 200
_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


class _Facts(dict[str, Any]):
    """What is known of a request, as the message of a record."""

    def __str__(self) -> str:
        return json.dumps(self)


class _Lines(logging.Formatter):
    """A record as one line of JSON, facts as members of their own."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if isinstance(record.msg, _Facts):
            line |= record.msg
        else:
            line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure() -> None:
    """Sends log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
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
        denoising_steps=sum(usage.denoising_steps for usage in usages),
        model_passes=sum(usage.model_passes for usage in usages),
        drafted_tokens=sum(usage.drafted_tokens for usage in usages),
        accepted_tokens=sum(usage.accepted_tokens for usage in usages),
    )


class RequestLog:
    """Gives each request an id, and counts and logs it when the last byte has been sent.

    The id is the client's, if it sends a decent one as `X-Request-Id`.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        id = given if _ID.fullmatch(given) else f"req_{uuid.uuid4().hex}"
        facts = scope[_KEY] = _Facts()
        facts.update(id=id, method=scope["method"], path=scope["path"][:_MAX_PATH], status=500)
        visit = Visit(id, facts)
        CURRENT.set(visit)

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            facts["ms"] = round(1000 * visit.age_s, 1)
            route = getattr(scope.get("route"), "path", "")
            method = scope["method"] if route else ""
            self._metrics.http_requests.add(1, route, method, str(facts["status"]))
            ACCESS.info(facts)
