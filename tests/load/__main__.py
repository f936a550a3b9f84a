"""The whole load run, against `lipogram serve` in a process of its own: `make load`."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time

import httpx

from .mix import mix
from .run import Outcome, run

MODEL = "embedded-2k"


def main() -> int:
    """Runs the good ones alone, then all; 0 where nothing was lost, wrong, or much slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--concurrent", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    code = "from lipogram.server.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            while httpx.get(f"{address}/ready").status_code != 200:
                time.sleep(0.1)
            return _measure(address, process.pid, given)
        finally:
            process.terminate()


def _measure(address: str, pid: int, given: argparse.Namespace) -> int:
    def done(bad: bool) -> Outcome:
        loads = mix(given.requests, MODEL, given.seed, bad)
        return asyncio.run(run(address, loads, given.concurrent, pid))

    print("good ones alone:", (alone := done(False)).report(), sep="\n", flush=True)
    print("with bad ones:", (mixed := done(True)).report(), sep="\n", flush=True)
    slower = mixed.latency_ms(0.99) / alone.latency_ms(0.99)
    print(f"p99 of the good ones: {slower:.2f} times that without bad ones")
    failed = [*alone.lost, *mixed.lost, *alone.wrong, *mixed.wrong]
    return int(bool(failed) or slower > 3 or abs(mixed.growth) > 0.1)


if __name__ == "__main__":
    sys.exit(main())
