"""A request ends within one step of its client leaving; and many are served at a time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from lipogram.server.settings import Settings
from server_under_test import SlowModel, send_body, serving

STEP_SECONDS = 0.02
MANY = 50_000
PARTS = {"model": "slow", "prompt": "x", "suffix": "y"}
EDITORS: list[tuple[str, dict[str, object]]] = [
    ("/infill", {"input_prefix": "x", "input_suffix": "y", "n_predict": MANY}),
    ("/completion", {"prompt": "x", "n_predict": MANY}),
    ("/v1/fim/completions", {**PARTS, "max_tokens": MANY}),
    ("/v1/beta/completions", {**PARTS, "max_tokens": MANY}),
    ("/api/generate", {**PARTS, "options": {"num_predict": MANY}}),
    ("/v1/completions", {"segments": {"prefix": "x", "suffix": "y"}}),
]


@pytest.fixture(scope="module")
def slow() -> Iterator[tuple[SlowModel, str]]:
    model = SlowModel(STEP_SECONDS)
    settings = Settings(max_sequences=4, max_requests=6, compile_workers=1)
    with serving([model], settings, until="/health") as address:
        yield model, address


def send(address: str, path: str, **body: object) -> socket.socket:
    """Sends a request that would go on for long."""
    body = {"model": "slow", "max_tokens": MANY, "ignore_eos": True, **body}
    return send_body(address, path, body)


def wait_until_asked(model: SlowModel, times: int) -> None:
    """Waits for questions since the last silence."""
    deadline = time.monotonic() + 10
    while model.asked < times:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def check_silence(model: SlowModel) -> None:
    """Nothing is asked of the model from half a second on."""
    time.sleep(0.5)
    asked = model.asked
    time.sleep(10 * model.seconds)
    assert (model.asked, model.running) == (asked, 0)
    model.asked = 0


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
def test_leaving_stops_the_work(slow: tuple[SlowModel, str], path: str, is_streamed: bool) -> None:
    model, address = slow
    content = (
        {"messages": [{"role": "user", "content": "x"}]} if "chat" in path else {"prompt": "x"}
    )
    connection = send(address, path, stream=is_streamed, n=3, **content)
    wait_until_asked(model, 9)
    if is_streamed:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    connection.close()
    check_silence(model)


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize(("path", "body"), EDITORS, ids=[path for path, _ in EDITORS])
def test_an_editor_that_leaves_stops_the_work(
    slow: tuple[SlowModel, str], path: str, body: dict[str, object], is_streamed: bool
) -> None:
    model, address = slow
    is_streamed = is_streamed and "segments" not in body
    if is_streamed:
        body = {**body, "stream": True}
    elif path == "/api/generate":
        body = {**body, "stream": False}
    connection = send_body(address, path, body)
    wait_until_asked(model, 5)
    if is_streamed:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    connection.close()
    check_silence(model)


def test_it_stops_within_a_step(slow: tuple[SlowModel, str]) -> None:
    model, address = slow
    model.asked, model.seconds = 0, 0.4
    try:
        connection = send_body(address, *EDITORS[0])
        wait_until_asked(model, 3)
        connection.close()
        time.sleep(1.2)
        assert model.asked <= 4
        assert model.running == 0
    finally:
        model.asked, model.seconds = 0, STEP_SECONDS


def test_leaving_during_the_first_step_stops_it(slow: tuple[SlowModel, str]) -> None:
    model, address = slow
    model.asked, model.seconds = 0, 30
    try:
        connection = send(address, "/v1/completions", prompt="x", stream=True)
        wait_until_asked(model, 1)
        connection.close()
        deadline = time.monotonic() + 2
        while model.running:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        model.asked, model.seconds = 0, STEP_SECONDS


def test_a_client_that_does_not_read_is_waited_for(slow: tuple[SlowModel, str]) -> None:
    model, address = slow
    connection = send(address, "/v1/completions", prompt="x", stream=True)
    wait_until_asked(model, 3)
    connection.close()
    check_silence(model)


def test_a_full_house_sends_away(slow: tuple[SlowModel, str]) -> None:
    model, address = slow
    connections = [send(address, "/v1/completions", prompt="x", stream=True) for _ in range(6)]
    wait_until_asked(model, 12)
    response = httpx.post(f"{address}/v1/completions", json={"model": "slow", "prompt": "x"})
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert response.json()["error"]["code"] == "queue_full"
    assert model.running <= 6
    assert httpx.get(f"{address}/health").status_code == 200
    for connection in connections:
        connection.close()
    check_silence(model)
    body = {"model": "slow", "prompt": "x", "max_tokens": 2}
    assert httpx.post(f"{address}/v1/completions", json=body).status_code == 200


def test_many_sequences_of_one_request_leave_room_for_others(slow: tuple[SlowModel, str]) -> None:
    model, address = slow
    greedy = send(address, "/v1/completions", prompt="x", n=100, stream=True)
    wait_until_asked(model, 12)
    assert model.running == 2  # its first, and a quarter of the four places
    body = {"model": "slow", "prompt": "x", "max_tokens": 5, "ignore_eos": True}
    assert httpx.post(f"{address}/v1/completions", json=body, timeout=5).status_code == 200
    greedy.close()
    check_silence(model)


def test_requests_run_side_by_side(slow: tuple[SlowModel, str]) -> None:
    model, address = slow
    most = 0

    def post() -> None:
        body = {"model": "slow", "prompt": "x", "max_tokens": 20, "ignore_eos": True}
        assert httpx.post(f"{address}/v1/completions", json=body).status_code == 200

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most = max(most, model.running)
        time.sleep(0.002)
    assert most == 4
