"""Which thread runs a pass: quick ones are not handed to another, whatever others wait for is."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.cached import CachedCausal, Facts
from lipogram.decoding.models.prefixes import Extension, Snapshot
from lipogram.decoding.vocabulary import Vocabulary

VOCABULARY = Vocabulary([bytes([byte]) for byte in range(97, 105)], eos_ids=())


class Noting:
    """A graph that takes so long for a run, and notes the thread it is in and how many rows."""

    empty = Snapshot(np.zeros(0, np.int64), ())
    chunk_tokens, max_rows, ragged = 32, 8, True
    cached_bytes_per_token, weight_bytes = 1, 1_000_000

    def __init__(self, run_s: float) -> None:
        self.run_s = run_s
        self.runs: list[tuple[bool, int]] = []

    def run(self, rows: Sequence[Extension]) -> list[tuple[Logits, Snapshot]]:
        time.sleep(self.run_s)
        self.runs.append((threading.current_thread() is threading.main_thread(), len(rows)))
        results = []
        for row in rows:
            wanted = max(0, len(row.tokens) - row.wanted)
            scores = np.zeros((wanted, len(VOCABULARY)), np.float32)
            results.append((scores, Snapshot(np.concatenate((row.past.tokens, row.tokens)), ())))
        return results


@pytest.fixture
def models() -> Iterator[list[CachedCausal]]:
    opened: list[CachedCausal] = []
    yield opened
    for model in opened:
        model.close()


def opened(models: list[CachedCausal], run_s: float) -> tuple[CachedCausal, Noting]:
    graph = Noting(run_s)
    facts = Facts("noting", 512, (0,), (0,))
    models.append(CachedCausal(graph, VOCABULARY, facts, cache_bytes=1 << 20))
    return models[-1], graph


def written(model: CachedCausal, count: int, first: int = 1) -> None:
    async def write() -> None:
        for length in range(1, count + 1):
            await model.logits([Query((first,) * length)])

    asyncio.run(write())


def test_a_quick_pass_is_run_where_it_is_asked_for(models: list[CachedCausal]) -> None:
    model, graph = opened(models, 0.0)
    written(model, 4)
    assert graph.runs == [(False, 1), (True, 1), (True, 1), (True, 1)]  # the first was not measured


def test_a_slow_pass_leaves_the_loop_to_others(models: list[CachedCausal]) -> None:
    model, graph = opened(models, 0.02)
    written(model, 3)
    assert graph.runs == [(False, 1)] * 3
    graph.run_s = 0.0
    written(model, 3, first=2)
    assert [here for here, _ in graph.runs[3:]] == [False, True, True]


def test_what_takes_long_or_comes_together_is_handed_on(models: list[CachedCausal]) -> None:
    model, graph = opened(models, 0.0)
    written(model, 2)
    graph.runs.clear()

    async def ask(*queries: Query) -> None:
        await model.logits(queries)

    asyncio.run(ask(Query((3,)), Query((4,))))
    asyncio.run(ask(Query((5,) * 100)))
    assert graph.runs == [(False, 2), *[(False, 1)] * 3, (True, 1)]  # what is left is short


def test_models_run_beside_each_other(models: list[CachedCausal]) -> None:
    (one, first), (other, second) = opened(models, 0.0), opened(models, 0.0)
    for model in (one, other):
        written(model, 2)
    first.runs.clear(), second.runs.clear()

    async def both() -> None:
        await asyncio.gather(*(model.logits([Query((3,))]) for model in (one, other)))

    asyncio.run(both())
    assert first.runs == [(False, 1)]
    assert second.runs[0][1] == 1


def test_a_failure_is_the_callers(models: list[CachedCausal]) -> None:
    model, graph = opened(models, 0.0)
    written(model, 2)

    def fail(rows: Sequence[Extension]) -> list[tuple[Logits, Snapshot]]:
        raise RuntimeError("no memory")

    graph.run = fail  # type: ignore[method-assign]
    with pytest.raises(Exception, match="noting: no memory"):
        written(model, 1, first=7)
