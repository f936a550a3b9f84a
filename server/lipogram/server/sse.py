"""Server-sent events, and bytes that become text one whole character at a time."""

from __future__ import annotations

import asyncio
import codecs
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lipogram.server import errors

_LOG = logging.getLogger("lipogram.server")


def event(data: str) -> bytes:
    """One event that carries `data`, a single line."""
    return f"data: {data}\n\n".encode()


DONE = b"data: [DONE]\n\n"
_EVENT = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"itemSchema": _EVENT}}}
}
"""What a route that may send such a stream says of it."""


@dataclass(frozen=True, slots=True)
class Framing:
    """How a dialect puts one JSON value after another; `end` comes after the last."""

    media_type: str
    frame: Callable[[str], bytes]
    end: bytes = b""
    error: Callable[[BaseException], object] = errors.body


class Characters:
    """Decodes UTF-8 piecewise: an unfinished character is held back until its last byte is here.

    Bytes that are no UTF-8 become U+FFFD.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """The characters that are complete now."""
        return self._decoder.decode(data)

    def end(self) -> str:
        """What is left: U+FFFD for an unfinished character, else nothing."""
        return self._decoder.decode(b"", final=True)


async def disconnected(receive: Receive) -> None:
    """Returns when the client has gone; the request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _named_event(data: str) -> bytes:
    """An event under the name that its data, an object that begins with its `type`, gives it."""
    name = json.loads(data)["type"]
    return f"event: {name}\n".encode() + event(data)


def _named_error(error: BaseException) -> object:
    told = errors.body(error)["error"]
    return {"type": "error", **{name: told[name] for name in ("code", "message", "param")}}


OPENAI = Framing("text/event-stream", event, DONE)
NAMED = Framing("text/event-stream", _named_event, error=_named_error)
"""The stream of OpenAI's newer dialect, whose events have names."""


class EventStream(Response):
    """Sends events as they come; closes their source as soon as the client has gone.

    A failure under way is sent as a last event `{"error": …}`.
    """

    def __init__(self, events: AsyncGenerator[bytes, None], framing: Framing = OPENAI) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(headers=headers, media_type=framing.media_type)
        del self.headers["content-length"]
        self._events = events
        self._framing = framing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if sending.done() and not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        async with aclosing(self._events) as events:
            await send(start)
            try:
                async for data in events:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
            except Exception as error:
                if errors.answer(error).status >= 500:
                    _LOG.error("a stream failed", exc_info=error)
                data = self._framing.frame(json.dumps(self._framing.error(error)))
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
