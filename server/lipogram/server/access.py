"""API keys: when there are any, every route but the two probes needs one."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lipogram.server import errors

_OPEN_PATHS = frozenset({"/health", "/ready"})
_OTHER_HEADERS = ("x-api-key", "api-key")


class KeyRing:
    """The keys that open the server, as hashes; no keys means that it is open."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = [_digest(key.encode()) for key in keys]

    def check(self, headers: Headers) -> None:
        """Raises Unauthorized unless the headers carry one of the keys.

        All keys are compared, each in constant time.
        """
        if not self._digests:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            given = next((headers[name] for name in _OTHER_HEADERS if headers.get(name)), "")
        if not given.strip():
            raise errors.Unauthorized(
                "You didn't provide an API key. Send it as the header 'Authorization: Bearer KEY'."
            )
        digest = _digest(given.strip().encode("latin-1"))
        if not sum([hmac.compare_digest(digest, known) for known in self._digests]):
            raise errors.Unauthorized("Incorrect API key provided.")


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


class Access:
    """Answers 401 before anything else looks at a request without a key."""

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            try:
                self._keys.check(Headers(scope=scope))
            except errors.Unauthorized as error:
                await refusal(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def refusal(error: BaseException) -> Response:
    """The response for an error, as the table has it."""
    row = errors.answer(error)
    return Response(
        json.dumps(errors.body(error)),
        row.status,
        headers=dict(row.headers),
        media_type="application/json",
    )
