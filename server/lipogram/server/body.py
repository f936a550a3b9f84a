"""Reads a request's body: bounded in bytes and nesting, and nothing in it that JSON has not."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from fastapi import Request, Response
from fastapi.routing import APIRoute

from lipogram.server.errors import BodyTooLarge, BodyTooSlow, InvalidRequest, UnsupportedMedia

# A string, or what is left of one that never ends: always matches, so a scan is linear.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LARGE_BYTES = 64 << 10
_DRAINED_BYTES = 16 << 20


class JsonRoute(APIRoute):
    """A route whose JSON body is read by `read` before FastAPI looks at it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if self.body_field is None:
                return await handler(request)
            return await handler(_Parsed(request, await read(request)))

        return handle


class _Parsed(Request):
    """A request whose body has been parsed already."""

    def __init__(self, request: Request, value: object) -> None:
        super().__init__(request.scope, request.receive)
        self._body = b"{}"
        self._value = value

    async def json(self) -> Any:
        return self._value


async def read(request: Request) -> object:
    """The body as a JSON value.

    Raises UnsupportedMedia, BodyTooLarge (after discarding the rest, so that the client can read
    the answer), BodyTooSlow, and InvalidRequest for what is not JSON. Duplicate keys, numbers that
    are not finite and unpaired surrogates are refused.
    """
    settings = request.app.state.settings
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (
        media.startswith("application/") and media.endswith("+json")
    ):
        raise UnsupportedMedia(
            f"expected the header 'Content-Type: application/json', found {media or 'none'!r}"
        )
    try:
        async with asyncio.timeout(settings.body_seconds):
            data = await _bounded(request, settings.max_body_bytes)
    except TimeoutError:
        raise BodyTooSlow(f"the body did not arrive within {settings.body_seconds:g} s") from None
    if len(data) > _LARGE_BYTES:
        return await asyncio.to_thread(parse, data, settings.max_nesting)
    return parse(data, settings.max_nesting)


async def _bounded(request: Request, limit: int) -> bytes:
    data = bytearray()
    total = 0
    async for piece in request.stream():
        total += len(piece)
        if total <= limit:
            data += piece
        elif total > _DRAINED_BYTES:
            break
        else:
            data.clear()
    if total > limit:
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, found more")
    return bytes(data)


def parse(data: bytes, max_nesting: int) -> object:
    """The JSON value of these bytes; its cost is linear in their number."""
    depth = nesting(data)
    if depth > max_nesting:
        raise InvalidRequest(f"expected at most {max_nesting} levels of nesting, found {depth}")
    try:
        value = json.loads(
            data.decode(),
            parse_constant=_refused_constant,
            parse_float=_finite,
            parse_int=_bounded_integer,
            object_pairs_hook=_distinct,
        )
        if _SURROGATE.search(data):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except UnicodeDecodeError:
        raise InvalidRequest("the body is not UTF-8") from None
    except UnicodeEncodeError:
        raise InvalidRequest("a string has an unpaired surrogate (\\uD800 to \\uDFFF)") from None
    return value


def nesting(data: bytes) -> int:
    """How deep arrays and objects are nested, brackets in strings aside; never recurses."""
    text = np.frombuffer(_STRING.sub(b"", data), dtype=np.uint8)
    opening = (text == ord("[")) | (text == ord("{"))
    closing = (text == ord("]")) | (text == ord("}"))
    depth = np.cumsum(opening.astype(np.int32) - closing.astype(np.int32), dtype=np.int32)
    return int(depth.max(initial=0))


def _refused_constant(text: str) -> float:
    raise InvalidRequest(f"the body is not JSON: {text} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidRequest(f"expected finite numbers, found {text[:40]}")
    return value


def _bounded_integer(text: str) -> int:
    if len(text) > 400:
        raise InvalidRequest(f"expected numbers of at most 400 digits, found {len(text)}")
    return int(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        name = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidRequest(f"an object has the key {name[:80]!r} twice")
    return value
