"""With keys, every route but the probes wants one; and nothing secret is logged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import Route
from starlette.types import Message

from lipogram.server.access import OPEN_PATHS
from lipogram.server.app import build_app
from lipogram.server.errors import TABLE
from lipogram.server.keys import ApiKey
from lipogram.server.settings import Settings
from server_under_test import restless, serving

KEYS = ("the-first-of-the-two-keys", "der-zweite-längere-schlüssel")


@pytest.fixture(scope="module")
def locked() -> Iterator[str]:
    with serving(
        [restless()],
        Settings(api_keys=tuple(map(ApiKey.parse, KEYS)), compile_workers=1),
        until="/health",
    ) as address:
        yield address


def table(routes: Iterable[Any]) -> Iterator[str]:
    """The paths of a route table, routers and mounts within it included."""
    for route in routes:
        inner = getattr(route, "original_router", route)
        if hasattr(inner, "routes"):
            yield from table(inner.routes)
        else:
            assert isinstance(route, Route), (
                f"a kind of route that this test does not know: {route}"
            )
            yield route.path


def paths() -> list[str]:
    found = [*table(build_app(Settings(), [restless()]).routes)]
    assert {"/v1/completions", "/metrics", "/docs", "/openapi.json"} <= set(found)
    return [*found, "/nowhere", "//v1/models", "/health/", "/ready/../v1/models", "/%68ealth/x"]


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE"])
def test_every_route_wants_a_key(locked: str, method: str, path: str) -> None:
    path = path.replace("{name:path}", "restless")
    response = httpx.request(method, locked + path)
    if path in {"/health", "/ready"}:
        assert response.status_code in {200, 405, 503}
        return
    assert response.status_code == 401
    assert method == "HEAD" or response.json()["error"]["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_websocket_is_refused() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    application = build_app(Settings(), [restless()])
    scope = {"type": "websocket", "path": "/health", "headers": []}
    asyncio.run(application(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer wrong", f"Basic {KEYS[0]}", KEYS[0]])
def test_wrong_keys(locked: str, value: str) -> None:
    response = httpx.get(f"{locked}/v1/models", headers={"Authorization": value})
    assert response.status_code == 401


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key"])
@pytest.mark.parametrize("key", KEYS)
def test_right_keys(locked: str, header: str, key: str) -> None:
    value = f"bearer {key}" if header == "authorization" else key
    response = httpx.get(f"{locked}/v1/models", headers={header: value.encode()})
    assert response.status_code == 200


def test_the_host_header_opens_nothing(locked: str) -> None:
    response = httpx.get(f"{locked}/v1/models", headers={"Host": "x/health?"})
    assert response.status_code in {400, 401}


def test_no_route_is_hidden_from_the_document() -> None:
    application = build_app(Settings(), [restless()])
    plain = {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"}
    known = {*application.openapi()["paths"], *plain}
    assert {path.replace(":path}", "}") for path in table(application.routes)} <= known


def test_the_document_lists_every_status_and_who_wants_a_key() -> None:
    document = build_app(Settings(), [restless()]).openapi()
    completions = document["paths"]["/v1/completions"]["post"]
    for row in TABLE.values():
        assert row.status == 405 or str(row.status) in completions["responses"]
    assert "422" not in completions["responses"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert ("security" in operation) == (path not in OPEN_PATHS)


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("abc-1.2:3_4", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)],
)
def test_a_decent_request_id_comes_back(locked: str, given: str, is_kept: bool) -> None:
    response = httpx.get(f"{locked}/v1/models", headers={"X-Request-Id": given})
    assert response.status_code == 401
    assert (response.headers["x-request-id"] == given) is is_kept


def test_headers_are_bounded(locked: str) -> None:
    many = {f"x-{index}": "v" * 100 for index in range(2000)}
    try:
        response = httpx.get(f"{locked}/health", headers=many)
    except httpx.TransportError:  # closed while we were still sending
        pass
    else:
        assert response.status_code in {400, 431}
    assert httpx.get(f"{locked}/health").status_code == 200


def test_a_line_a_request_without_its_text(locked: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lipogram.access"):
        headers = {"Authorization": f"Bearer {KEYS[0]}"}
        body = {"model": "restless", "prompt": "the secret", "user": "somebody", "max_tokens": 3}
        response = httpx.post(f"{locked}/v1/completions?q=hidden", json=body, headers=headers)
        id = response.headers["x-request-id"]
        for _ in range(100):  # the line is written after the answer
            lines = [message for message in caplog.messages if id in message]
            if lines:
                break
            time.sleep(0.02)
    (line,) = lines
    assert '"completion_tokens"' in line
    for text in ("secret", "somebody", "hidden", KEYS[0]):
        assert text not in line
