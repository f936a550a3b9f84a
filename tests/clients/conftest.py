"""The server as a user starts it: the real command, in its own process, with the default model."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

START_SECONDS = 240  # on the first start ever, the engine's kernels are compiled


@dataclass
class ServerProcess:
    """A running `lipogram serve`."""

    process: subprocess.Popen[str]
    url: str = ""
    greeting: str = ""
    log: list[str] = field(default_factory=list)

    def connect(self, body: dict[str, object]) -> socket.socket:
        """Sends a completion request by hand; returns the open connection."""
        data = json.dumps({"model": "embedded-2k", "prompt": "x", **body}).encode()
        host, port = self.url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=20)
        lines = ["POST /v1/completions HTTP/1.1", "Host: x", "Content-Type: application/json"]
        head = "\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""])
        connection.sendall(head.encode() + data)
        return connection


@contextmanager
def started(*arguments: str) -> Iterator[ServerProcess]:
    """A server on a free port, once it is ready; told to stop at the end."""
    command = [str(Path(sys.executable).with_name("lipogram")), "serve", "--port", "0", *arguments]
    environment = {key: value for key, value in os.environ.items() if "LIPOGRAM" not in key}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield _ready(process)
        finally:
            process.terminate()
            process.wait(30)


def _ready(process: subprocess.Popen[str]) -> ServerProcess:
    server = ServerProcess(process)
    assert process.stderr is not None
    threading.Thread(target=server.log.extend, args=(process.stderr,), daemon=True).start()
    assert process.stdout is not None
    server.greeting = process.stdout.readline()
    found = re.search(r"http://\S+", server.greeting)
    assert found, "".join(server.log)
    server.url = found[0]
    for _ in range(4):
        server.greeting += process.stdout.readline()
    deadline = time.monotonic() + START_SECONDS
    while httpx.get(f"{server.url}/ready").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return server


@pytest.fixture(scope="session")
def server() -> Iterator[ServerProcess]:
    """A server that knows the default model as `tiny` too."""
    with started("--served-model-name", "tiny") as running:
        yield running
