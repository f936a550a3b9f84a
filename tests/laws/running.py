"""Runs jobs to the end, and tells chance from error."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from lipogram.decoding import Chunk, Event, Finish, Job


class Decoder(Protocol):
    def generate(self, job: Job) -> AsyncIterator[Event]: ...


@dataclass(frozen=True)
class Result:
    chunks: list[Chunk]
    finish: Finish

    @property
    def text(self) -> bytes:
        return b"".join(chunk.text for chunk in self.chunks)


async def collect(decoder: Decoder, job: Job) -> Result:
    """All events, checked for shape: chunks with text, then exactly one Finish."""
    events: list[Event] = [event async for event in decoder.generate(job)]
    *chunks, finish = events
    assert isinstance(finish, Finish)
    assert all(isinstance(chunk, Chunk) and chunk.text for chunk in chunks)
    return Result([chunk for chunk in chunks if isinstance(chunk, Chunk)], finish)


def run(decoder: Decoder, job: Job) -> Result:
    return asyncio.run(collect(decoder, job))


def run_all(decoder: Decoder, jobs: Iterable[Job]) -> list[Result]:
    """All jobs side by side."""

    async def together() -> list[Result]:
        return await asyncio.gather(*(collect(decoder, job) for job in jobs))

    return asyncio.run(together())


def seeded(job_of: Callable[[int], Job], decoder: Decoder, count: int) -> Counter[bytes]:
    """How often each text comes, over seeds 0 to count - 1."""

    async def texts() -> Counter[bytes]:
        return Counter([(await collect(decoder, job_of(seed))).text for seed in range(count)])

    return asyncio.run(texts())


def assert_law(counts: Counter[bytes], law: Mapping[bytes, float]) -> None:
    """Pearson's chi-square at one in ten thousand; outcomes expected less than 5 times pooled."""
    total = counts.total()
    assert math.isclose(sum(law.values()), 1, abs_tol=1e-9)
    assert set(counts) <= {text for text, chance in law.items() if chance > 0}
    bins = [(counts[text], total * chance) for text, chance in law.items()]
    common = [(seen, expected) for seen, expected in bins if expected >= 5]
    rare = [(seen, expected) for seen, expected in bins if expected < 5]
    seen, expected = sum(s for s, _ in rare), sum(e for _, e in rare)
    if expected >= 5:
        common.append((seen, expected))
    assert len(common) > 1, "a law of one outcome is tested by equality"
    statistic = sum((seen - expected) ** 2 / expected for seen, expected in common)
    freedom = len(common) - 1
    # Wilson and Hilferty: the cube root of chi-square over its freedom is nearly normal.
    limit = freedom * (1 - 2 / (9 * freedom) + 3.72 * math.sqrt(2 / (9 * freedom))) ** 3
    assert statistic < limit, f"chi-square {statistic:.1f} with {freedom} degrees of freedom"
