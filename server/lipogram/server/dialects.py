"""Routes whose errors have the shape of the server that their clients were written for."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError

from lipogram.decoding.errors import NoInfilling
from lipogram.grammars.errors import Error
from lipogram.server import errors, sse
from lipogram.server.access import refusal
from lipogram.server.body import JsonRoute
from lipogram.server.translate import responses
from lipogram.server.validation import invalid
from lipogram.server.wire.common import ErrorReply, Reply

NOT_IMPLEMENTED = 501


class DialectRoute(JsonRoute):
    """Like JsonRoute, but what is refused is said in the dialect's words."""

    @staticmethod
    def shape(error: BaseException) -> tuple[int, object]:
        """The status and the body for an error."""
        raise NotImplementedError

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                return self._refused(invalid(error.errors(), error.body))
            except Error as error:
                return self._refused(error)

        return handle

    def _refused(self, error: BaseException) -> Response:
        response = refusal(error)
        status, value = self.shape(error)
        headers = {
            name: text for name, text in response.headers.items() if not name.startswith("content-")
        }
        return Response(json.dumps(value), status, headers, media_type="application/json")


def llama_cpp_error(error: BaseException) -> tuple[int, object]:
    """llama.cpp's error: its code is the status, and a model that cannot infill has 501."""
    row, fault = errors.answer(error), errors.body(error)["error"]
    status, kind = row.status, row.type
    if isinstance(error, NoInfilling):
        status, kind = NOT_IMPLEMENTED, "not_supported_error"
    return status, {"error": {"code": status, "message": fault["message"], "type": kind}}


def mistral_error(error: BaseException) -> tuple[int, object]:
    """Mistral's error: the members of OpenAI's, beside `object`."""
    return errors.answer(error).status, {"object": "error", **errors.body(error)["error"]}


def ollama_error(error: BaseException) -> tuple[int, object]:
    """Ollama's error: a text."""
    return errors.answer(error).status, {"error": errors.body(error)["error"]["message"]}


def responses_error(error: BaseException) -> tuple[int, object]:
    """OpenAI's error; a member that the decoder found at fault has this dialect's name."""
    fault = errors.body(error)["error"]
    if getattr(error, "param", None) is None:
        fault["param"] = responses.renamed(fault["param"])
    return errors.answer(error).status, {"error": fault}


class ResponsesRoute(DialectRoute):
    """A route of OpenAI's newer dialect."""

    shape = staticmethod(responses_error)


class LlamaCppRoute(DialectRoute):
    """A route of llama.cpp's server."""

    shape = staticmethod(llama_cpp_error)


class MistralRoute(DialectRoute):
    """A route of Mistral's API."""

    shape = staticmethod(mistral_error)


class OllamaRoute(DialectRoute):
    """A route of Ollama's API."""

    shape = staticmethod(ollama_error)


def documented(shape: type[Reply], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a router says of its refusals; those before its routes have OpenAI's shape."""
    every = {row.status for row in errors.TABLE.values()} - {401, 405}
    return {status: {"model": shape | ErrorReply} for status in sorted({*every, *statuses})}


def _line(data: str) -> bytes:
    return data.encode() + b"\n"


LLAMA_CPP = sse.Framing(
    "text/event-stream", sse.event, error=lambda error: llama_cpp_error(error)[1]
)
_LINES = "application/x-ndjson"
LINES_DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {_LINES: {"itemSchema": {"type": "object"}}}}
}
"""What a route that may send lines of JSON says of it."""
OLLAMA = sse.Framing(_LINES, _line, error=lambda error: ollama_error(error)[1])
