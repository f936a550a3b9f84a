"""With keys, every route but the probes wants one; and nothing secret is logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import httpx
import pytest
from starlette.routing import Route

from lipogram.server.app import build_app
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


def paths() -> list[str]:
    document = build_app(Settings(), [restless()]).openapi()
    return [*document["paths"], "/docs", "/openapi.json", "/nowhere", "//v1/models"]


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_every_route_wants_a_key(locked: str, method: str, path: str) -> None:
    response = httpx.request(method, locked + path)
    if path in {"/health", "/ready"}:
        assert response.status_code in {200, 405, 503}
        return
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"
    assert response.headers["www-authenticate"] == "Bearer"


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
    assert {route.path for route in application.routes if isinstance(route, Route)} <= known


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
