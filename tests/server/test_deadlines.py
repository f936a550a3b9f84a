"""A request has its time, and so has the body of one."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from lipogram.server.settings import Settings
from server_under_test import SlowModel, serving

BODY = {"model": "slow", "prompt": "x", "max_tokens": 5000, "ignore_eos": True}


@pytest.fixture(scope="module")
def slow() -> Iterator[tuple[SlowModel, str]]:
    model = SlowModel(0.02)
    settings = Settings(request_seconds=2, body_seconds=0.3, compile_workers=1)
    with serving([model], settings, until="/health") as address:
        yield model, address


def check_end(model: SlowModel) -> None:
    """Nothing runs any more."""
    time.sleep(0.1)
    assert model.running == 0


@pytest.mark.parametrize(("header", "seconds"), [({}, 2), ({"X-Request-Timeout": "0.3"}, 0.3)])
def test_the_end_of_a_request(
    slow: tuple[SlowModel, str], header: dict[str, str], seconds: float
) -> None:
    model, address = slow
    started = time.monotonic()
    response = httpx.post(f"{address}/v1/completions", json=BODY, headers=header)
    assert seconds <= time.monotonic() - started < seconds + 0.7
    assert response.status_code == 504
    assert response.json()["error"]["code"] == "deadline_exceeded"
    assert response.headers["x-should-retry"] == "false"
    check_end(model)


def test_the_end_of_a_stream(slow: tuple[SlowModel, str]) -> None:
    model, address = slow
    response = httpx.post(
        f"{address}/v1/completions",
        json={**BODY, "stream": True},
        headers={"X-Request-Timeout": "0.3"},
    )
    assert response.status_code == 200
    events = response.text.split("\n\n")
    assert len(events) > 5
    last = json.loads(events[-2].removeprefix("data: "))
    assert last["error"]["code"] == "deadline_exceeded"
    check_end(model)
    page = httpx.get(f"{address}/metrics").text
    assert 'lipogram_request_failures_total{code="deadline_exceeded"}' in page
    assert "lipogram_cancelled_requests_total 0" in page


@pytest.mark.parametrize("value", ["x", "0", "-1", "nan"])
def test_no_such_time(slow: tuple[SlowModel, str], value: str) -> None:
    response = httpx.post(
        f"{slow[1]}/v1/completions", json=BODY, headers={"X-Request-Timeout": value}
    )
    assert response.status_code == 400
    assert "X-Request-Timeout" in response.json()["error"]["message"]


def test_a_body_that_does_not_arrive(slow: tuple[SlowModel, str]) -> None:
    parts = urlsplit(slow[1])
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        answer = connection.recv(65536)
        while piece := connection.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"request_timeout" in answer


@pytest.mark.parametrize(
    "beginning", ["", "GET / HTTP/1.1\r\nHo", "GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
def test_headers_that_do_not_arrive(slow: tuple[SlowModel, str], beginning: str) -> None:
    parts = urlsplit(slow[1])
    started = time.monotonic()
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(beginning.encode())
        while connection.recv(65536):
            pass
    assert time.monotonic() - started < 2.5


def test_a_long_answer_is_no_wait_for_headers(slow: tuple[SlowModel, str]) -> None:
    body = {**BODY, "max_tokens": 40}
    with httpx.Client() as client:
        for _ in range(2):
            assert client.post(f"{slow[1]}/v1/completions", json=body).status_code == 200
