"""A server in a process of its own, as its users start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

_START_S = 300  # on the first start ever, the engine's kernels are compiled
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A running `lipogram serve`."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """CPU time of its process so far; compile workers are processes of their own."""
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def serving(model: str) -> Iterator[Server]:
    """A server of one model on a free port, once it is ready."""
    command = [str(Path(sys.executable).with_name("lipogram")), "serve", "--port", "0"]
    with subprocess.Popen(
        [*command, "--model", model], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            greeting = process.stdout.readline()
            url = next(word for word in greeting.split() if word.startswith("http"))
            deadline = time.monotonic() + _START_S
            while httpx.get(f"{url}/ready").status_code != 200:
                if time.monotonic() > deadline:
                    raise SystemExit(f"{command} does not start")
                time.sleep(0.1)
            yield Server(url, process.pid)
        finally:
            process.terminate()
            process.wait(30)
