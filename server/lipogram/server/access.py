"""API keys: when there are any, every route but the two probes needs one, and its limits hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lipogram.server import errors
from lipogram.server.keys import ApiKey
from lipogram.server.limits import Allowance
from lipogram.server.metrics import Metrics
from lipogram.server.visits import CURRENT

OPEN_PATHS = frozenset({"/health", "/ready"})
_REFUSED = 1008  # the WebSocket code for a breach of policy
_OTHER_HEADERS = ("x-api-key", "api-key")


class KeyRing:
    """The keys that open the server; no keys means that it is open."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._allowances = [Allowance(key) for key in keys]

    def find(self, headers: Headers) -> Allowance | None:
        """What the headers' key allows, None where none is needed; raises Unauthorized.

        All keys are compared, each in constant time.
        """
        if not self._allowances:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            given = next((headers[name] for name in _OTHER_HEADERS if headers.get(name)), "")
        if not given.strip():
            raise errors.Unauthorized(
                "You didn't provide an API key. Send it as the header 'Authorization: Bearer KEY'."
            )
        data = given.strip().encode("latin-1")
        found = [allowance for allowance in self._allowances if allowance.key.opens(data)]
        if not found:
            raise errors.Unauthorized("Incorrect API key provided.")
        return found[0]


class Access:
    """Answers 401 or 429 before anything else looks at a request that may not come in."""

    def __init__(self, app: ASGIApp, keys: KeyRing, metrics: Metrics) -> None:
        self._app = app
        self._keys = keys
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] == "http" and scope["path"] in OPEN_PATHS
        if is_open or scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._admit(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": _REFUSED})

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with ExitStack() as held:
                allowance = self._keys.find(Headers(scope=scope))
                if allowance is not None:
                    visit = CURRENT.get()
                    visit.allowance = allowance
                    visit.facts["key"] = allowance.key.name
                    held.enter_context(allowance.admitted())
                await self._app(scope, receive, send)
        except errors.RequestError as error:  # ours: the application answers its own
            if isinstance(error, errors.RateLimited):
                self._metrics.rejections.add(1, error.reason)
            await refusal(error)(scope, receive, send)


def refusal(error: BaseException) -> Response:
    """The response for an error, as the table has it."""
    return Response(
        json.dumps(errors.body(error)),
        errors.answer(error).status,
        headers=errors.headers(error),
        media_type="application/json",
    )
