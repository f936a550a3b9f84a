"""What HTTP costs: tokens per second through the server beside those of the decoder alone.

The model costs nothing: its scores are there at the beat of a GPU, all that wait for them at once,
or immediately. So what is missing from the decoder's own rate is the server's. docs/scaling.md says
what came of it. `python -m benchmarks.overhead --beat-ms 8 --streams 16`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tests.load.client import Client

from lipogram.decoding.autoregressive import Autoregressive
from lipogram.decoding.events import Finish
from lipogram.decoding.job import Job, Sampling
from lipogram.decoding.masking import Masker
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import compile, json_schema
from lipogram.server.app import build_app
from lipogram.server.commands.serve import Server, listen
from lipogram.server.connections import configuration
from lipogram.server.settings import Settings

_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
        "required": ["id", "name"],
        "additionalProperties": False,
    },
}


class NullModel:
    """Scores nothing: one row for all, at the next beat, or at once where the beat is 0."""

    name = "null"
    context_tokens = 1 << 20

    def __init__(self, size: int, beat_s: float) -> None:
        tokens = [bytes([byte]) for byte in range(256)]
        tokens += [f" w{index:x}".encode() for index in range(size - 257)] + [b""]
        self.vocabulary = Vocabulary.from_tokens(
            tokens, eos_ids=[size - 1], specials={"<end>": size - 1}
        )
        self._beat_s = beat_s
        row = np.random.default_rng(0).normal(0, 1, (1, size)).astype(np.float32)
        row[:, -1] = -30
        row.setflags(write=False)
        self._row = row

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        """The row, once for each query."""
        loop = asyncio.get_running_loop()
        if self._beat_s:
            beats = int(loop.time() / self._beat_s) + 1
            await asyncio.sleep(beats * self._beat_s - loop.time())
        else:
            await asyncio.sleep(0)
        return [self._row for _ in queries]


@dataclass(frozen=True)
class Rate:
    """Tokens in all, seconds by the wall, and CPU seconds of the process that made them."""

    tokens: int
    wall_s: float
    cpu_s: float

    def row(self) -> str:
        """The numbers for a table."""
        per_token_us = 1e6 * self.cpu_s / self.tokens
        return f"{self.tokens / self.wall_s:9.0f} tok/s {per_token_us:7.0f} us CPU a token"


async def decode_alone(
    model: NullModel, streams: int, tokens: int, masker: Masker | None = None
) -> Rate:
    """The decoder without a server."""

    async def one(seed: int) -> int:
        job = Job((65,), masker, Sampling(seed=seed), tokens, ignore_eos=True)
        async for event in Autoregressive(model).generate(job):
            if isinstance(event, Finish):
                return event.usage.completion_tokens
        raise AssertionError("no finish")

    wall_s, cpu_s = time.perf_counter(), time.process_time()
    made = sum(await asyncio.gather(*(one(seed) for seed in range(streams))))
    return Rate(made, time.perf_counter() - wall_s, time.process_time() - cpu_s)


async def over_http(
    address: str, pid: int, streams: int, tokens: int, is_constrained: bool
) -> tuple[Rate, list[float]]:
    """The same through the server; and the seconds to the first byte of each stream."""

    async def one(seed: int) -> tuple[int, float]:
        client = Client(address)
        body: dict[str, object] = {
            **{"model": "null", "prompt": "A", "seed": seed, "max_tokens": tokens},
            **{"ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}},
        }
        if is_constrained:
            body["structured_outputs"] = {"json": _SCHEMA}
        answer = await client.ask("/v1/completions", json.dumps(body).encode())
        client.close()
        assert answer.status == 200, answer.body
        usage = json.loads(answer.events()[-2])["usage"]
        return usage["completion_tokens"], answer.first_s

    await one(0)
    wall_s, cpu_s = time.perf_counter(), _cpu_s(pid)
    made = await asyncio.gather(*(one(seed) for seed in range(streams)))
    rate = Rate(sum(count for count, _ in made), time.perf_counter() - wall_s, _cpu_s(pid) - cpu_s)
    return rate, [first_s for _, first_s in made]


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def serve(size: int, beat_s: float) -> None:
    """The server, in a process of its own; prints its address."""
    settings = Settings(port=0, compile_workers=1)
    listener = listen(settings)
    config = configuration(build_app(settings, [NullModel(size, beat_s)]), settings)
    greeting = f"http://127.0.0.1:{listener.getsockname()[1]}"
    Server(config, greeting).run(sockets=[listener])


async def requests_per_second(address: str, concurrent: int, seconds: float) -> float:
    """One-token completions, one after the other on each connection."""
    end_s = time.perf_counter() + seconds
    body = json.dumps({"model": "null", "prompt": "A", "max_tokens": 1}).encode()

    async def one() -> int:
        client, count = Client(address), 0
        while time.perf_counter() < end_s:
            assert (await client.ask("/v1/completions", body)).status == 200
            count += 1
        client.close()
        return count

    return sum(await asyncio.gather(*(one() for _ in range(concurrent)))) / seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beat-ms", type=float, default=8.0, help="0: scores are there at once")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    size, beat_s = given.vocabulary, given.beat_ms / 1000
    if given.serve:
        serve(size, beat_s)
        return
    command = [sys.executable, "-m", "benchmarks.overhead", "--serve"]
    command += ["--beat-ms", str(given.beat_ms), "--vocabulary", str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            for _ in range(given.repeats):
                _compare(address, process.pid, given, NullModel(size, beat_s))
            rate = asyncio.run(requests_per_second(address, given.streams, 3))
            print(f"one-token requests: {rate:.0f} a second, {given.streams} at a time")
        finally:
            process.terminate()


def _compare(address: str, pid: int, given: argparse.Namespace, model: NullModel) -> None:
    masker = Masker(compile(json_schema.parse(json.dumps(_SCHEMA))), model.vocabulary)
    for is_constrained in (False, True):
        alone = asyncio.run(
            decode_alone(model, given.streams, given.tokens, masker if is_constrained else None)
        )
        print(f"decoder alone            {alone.row()}")
        rate, firsts = asyncio.run(
            over_http(address, pid, given.streams, given.tokens, is_constrained)
        )
        share = (rate.tokens / rate.wall_s) / (alone.tokens / alone.wall_s)
        name = "HTTP, JSON Schema" if is_constrained else "HTTP"
        print(f"{name:24} {rate.row()} = {share:.1%}; first byte {1000 * max(firsts):.0f} ms")


if __name__ == "__main__":
    main()
