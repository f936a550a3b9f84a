"""Runs a mix against a server and says what came of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .client import Answer, Client
from .mix import Load

_BAD = frozenset({"abandoned", "malformed", "bomb"})
_SAMPLED_S = 0.5


@dataclass
class Outcome:
    """What came of a run. `lost` got no answer, `wrong` another than they should have."""

    loads: Sequence[Load]
    answers: list[Answer | None]
    wall_s: float = 0.0
    resident_mib: list[float] = field(default_factory=list)

    @property
    def lost(self) -> list[str]:
        """Kinds of the requests without an answer."""
        return [
            load.kind
            for load, answer in zip(self.loads, self.answers, strict=True)
            if answer is None
        ]

    @property
    def wrong(self) -> list[tuple[str, int, bytes]]:
        """Kind, status and the beginning of the body of each wrong answer."""
        return [
            (load.kind, answer.status, answer.body[:200])
            for load, answer in zip(self.loads, self.answers, strict=True)
            if answer is not None and not _judged(load, answer)
        ]

    def latency_ms(self, share: float) -> float:
        """That of the good requests: `share` of them took no longer."""
        times = sorted(
            answer.total_s
            for load, answer in zip(self.loads, self.answers, strict=True)
            if answer is not None and load.kind not in _BAD
        )
        return 1000 * times[int(share * (len(times) - 1))]

    @property
    def growth(self) -> float:
        """Memory at the end over that in the middle of the run (the mean of a fifth), less 1."""
        middle = self.resident_mib[
            len(self.resident_mib) * 2 // 5 : len(self.resident_mib) * 3 // 5
        ]
        return self.resident_mib[-1] / (sum(middle) / len(middle)) - 1

    def report(self) -> str:
        """The numbers, for a person."""
        kinds = Counter(load.kind for load in self.loads)
        lines = [
            f"{len(self.loads)} requests in {self.wall_s:.0f} s: "
            + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
            f"lost {len(self.lost)}, wrong {len(self.wrong)}",
            f"good ones: p50 {self.latency_ms(0.5):.0f} ms, p99 {self.latency_ms(0.99):.0f} ms",
        ]
        if self.resident_mib:
            lines.append(f"RSS at the end {self.resident_mib[-1]:.0f} MiB, {self.growth:+.1%}")
        return "\n".join([*lines, *map(str, self.wrong[:10])])


def _judged(load: Load, answer: Answer) -> bool:
    try:
        return load.is_right(answer)
    except (ValueError, KeyError, TypeError):
        return False


async def run(
    address: str, loads: Sequence[Load], concurrent: int, pid: int | None = None
) -> Outcome:
    """Sends all, so many at a time; `pid` is the server's, if its memory is to be watched."""
    outcome = Outcome(loads, [None] * len(loads))
    waiting = iter(range(len(loads)))
    started_s = time.perf_counter()
    watching = asyncio.create_task(_watch(pid, outcome.resident_mib)) if pid else None
    await asyncio.gather(*(_work(address, waiting, outcome) for _ in range(concurrent)))
    outcome.wall_s = time.perf_counter() - started_s
    if watching is not None:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return outcome


async def _work(address: str, waiting: Iterator[int], outcome: Outcome) -> None:
    client = Client(address)
    for index in waiting:
        load = outcome.loads[index]
        try:
            async with asyncio.timeout(120):
                outcome.answers[index] = await client.ask(
                    load.path, load.body, killed_after=load.killed_after
                )
        except (OSError, EOFError, TimeoutError):
            client.close()
    client.close()


async def _watch(pid: int, resident_mib: list[float]) -> None:
    while True:
        resident_mib.append(_resident_mib(pid))
        await asyncio.sleep(_SAMPLED_S)


def _resident_mib(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as statm:
        pages = int(statm.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
