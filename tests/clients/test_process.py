"""The process: what it prints, how it takes being left, and how it ends."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest

from clients.conftest import ServerProcess, started

LONG = {"max_tokens": 1000, "ignore_eos": True, "stream": True}


def test_the_greeting_can_be_pasted(server: ServerProcess) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    command = server.greeting[server.greeting.index("curl ") :].replace("curl", "curl -s", 1)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    content = json.loads(done.stdout)["choices"][0]["message"]["content"]
    assert json.loads(content).keys() == {"name", "age"}


def test_leaving_ends_a_request(server: ServerProcess) -> None:
    """The request's own log line says how far it got."""
    lines = len(server.log)
    with server.connect(LONG) as connection:
        assert connection.recv(100)
    facts: list[dict[str, object]] = []
    for _ in range(100):
        facts = [json.loads(line) for line in server.log[lines:] if '"/v1/completions"' in line]
        if facts:
            break
        time.sleep(0.02)
    assert facts[0]["finish"] == []


def test_it_drains_when_told_to_stop() -> None:
    with started() as running:
        with running.connect({**LONG, "max_tokens": 60}) as connection:
            text = connection.recv(100)
            running.process.terminate()
            while piece := connection.recv(65536):
                text += piece
        assert b"data: [DONE]" in text
        assert running.process.wait(20) == 0


def read_all(connection: socket.socket) -> bytes:
    """All that still comes, until the other side closes."""
    text = b""
    while piece := connection.recv(65536):
        text += piece
    return text


def test_everybody_inside_is_served_before_it_stops() -> None:
    with started() as running, ExitStack() as held:
        body = {**LONG, "max_tokens": 100, "structured_outputs": {"regex": "[a-z ]{1,400}"}}
        streams = [held.enter_context(running.connect(body)) for _ in range(8)]
        for stream in streams:
            assert stream.recv(100)
        running.process.terminate()
        time.sleep(0.3)
        with pytest.raises(ConnectionError):
            running.connect({})
        for stream in streams:
            assert b"data: [DONE]" in read_all(stream)
        assert running.process.wait(20) == 0


def test_who_takes_longer_than_the_drain_is_cut_off() -> None:
    with started("--drain-seconds", "1") as running:
        with running.connect({**LONG, "max_tokens": 1900, "n": 8}) as stream:
            assert stream.recv(100)
            started_s = time.monotonic()
            running.process.terminate()
            text = read_all(stream)
        assert b"data: [DONE]" not in text
        assert running.process.wait(20) == 0
        assert time.monotonic() - started_s < 8
        lines = [json.loads(line) for line in running.log if '"path": "/v1/completions"' in line]
        assert len(lines) == 1
