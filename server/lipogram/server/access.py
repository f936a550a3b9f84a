"""API keys: when there are any, every route but the two probes needs one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lipogram.server import errors
from lipogram.server.keys import ApiKey

_OPEN_PATHS = frozenset({"/health", "/ready"})
_OTHER_HEADERS = ("x-api-key", "api-key")


class KeyRing:
    """The keys that open the server; no keys means that it is open."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys = keys

    def check(self, headers: Headers) -> ApiKey | None:
        """The key that the headers carry, None where none is needed; raises Unauthorized.

        All keys are compared, each in constant time.
        """
        if not self._keys:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            given = next((headers[name] for name in _OTHER_HEADERS if headers.get(name)), "")
        if not given.strip():
            raise errors.Unauthorized(
                "You didn't provide an API key. Send it as the header 'Authorization: Bearer KEY'."
            )
        data = given.strip().encode("latin-1")
        found = [key for key in self._keys if key.opens(data)]
        if not found:
            raise errors.Unauthorized("Incorrect API key provided.")
        return found[0]


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
