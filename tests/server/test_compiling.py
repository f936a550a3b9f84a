"""Grammars compile in processes that can be killed; what they give is kept within a budget."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from lipogram.grammars.errors import BudgetExceeded, GrammarError
from lipogram.server.cache import ByteCache
from lipogram.server.compile_messages import HEADER_BYTES, Compiled, Failed, Reply, Task, decode
from lipogram.server.compile_worker import _answer, address_bytes
from lipogram.server.compiling import Compiler
from lipogram.server.constraints import Call, Constraint, Place, Source
from lipogram.server.errors import GrammarRejected
from lipogram.server.metrics import Metrics
from lipogram.server.settings import Settings
from lipogram.server.workers import WorkerPool
from server_under_test import vocabulary

SLOW = Constraint(Source("regex", "(?=.*a.{12}$)(?=.*b.{13}$)(?=.*c.{14}$)[abc]*", param="p"))
QUICK = Constraint(Source("regex", "[a-z]{3}", param="p"))


@asynccontextmanager
async def pool(workers: int, seconds: float) -> AsyncIterator[WorkerPool]:
    made = WorkerPool(workers, seconds, 1024)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(100):
            await test()

    asyncio.run(bounded())


def test_a_worker_that_dies_or_takes_too_long_is_replaced() -> None:
    async def test() -> None:
        async with pool(1, 1.0) as workers:
            assert isinstance(await workers.perform(Task(QUICK)), Compiled)
            (process,) = workers._running
            process.kill()
            await process.wait()
            assert isinstance(await workers.perform(Task(QUICK)), Compiled)
            started = time.perf_counter()
            outcome = await workers.perform(Task(SLOW))
            assert time.perf_counter() - started < 2
            assert isinstance(outcome, Failed)
            assert isinstance(outcome.error, BudgetExceeded)
            assert isinstance(await workers.perform(Task(QUICK)), Compiled)

    run(test)


def test_what_a_task_leaves_behind_is_not_missing_to_the_next() -> None:
    """What a hostile grammar took is freed, or its worker replaced; no other is."""
    parts = [{"pattern": f"^.*x.{{{size}}}$"} for size in range(8, 24)]
    hostile = Constraint(Source("json_schema", json.dumps({"allOf": parts})))

    async def test() -> None:
        made = WorkerPool(1, 20.0, 256)
        await made.start()
        try:
            used = []
            for constraint in (QUICK, hostile, QUICK):
                outcome = await made.perform(Task(constraint))
                assert isinstance(outcome, Compiled if constraint is QUICK else Failed)
                used.append(set(made._running))
            assert len(used[0]) == 1
            assert made.lost == 0
        finally:
            await made.close()

    run(test)


def test_a_refused_place_does_not_wear_its_worker_out() -> None:
    """The automata, tens of megabytes each, go when the error is answered."""
    misfit = Task(QUICK, place=Place(b"A", b"z", "prompt", "suffix"))
    reply = decode(_answer(misfit, address_bytes() + (32 << 20))[HEADER_BYTES:])
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome, Failed)
    assert not reply.is_worn


def test_a_task_is_not_blamed_for_a_worker_that_dies_meanwhile() -> None:
    async def test() -> None:
        async with pool(1, 20.0) as workers:
            assert isinstance(await workers.perform(Task(QUICK)), Compiled)
            (process,) = workers._running
            process.send_signal(signal.SIGSTOP)
            task = asyncio.create_task(workers.perform(Task(QUICK)))
            await asyncio.sleep(0.2)
            process.kill()
            assert isinstance(await task, Compiled)
            assert workers.lost == 1

    run(test)


def test_closing_ends_a_worker_at_work() -> None:
    async def test() -> None:
        async with pool(1, 60.0) as workers:
            await workers.perform(Task(QUICK))
            task = asyncio.create_task(workers.perform(Task(SLOW)))
            await asyncio.sleep(0.2)
            (process,) = workers._running
        assert process.returncode is not None
        await asyncio.gather(task, return_exceptions=True)

    run(test)


def test_a_rule_is_compiled_once_and_a_refusal_names_its_source() -> None:
    calls = tuple(
        Call(f"f{index}", "custom", Source("regex", text, param=f"tools[{index}]"))
        for index, text in enumerate(["a", "b", "(", "c"])
    )

    async def check_refusal(compiler: Compiler, constraint: Constraint, param: str) -> None:
        for _ in range(2):
            with pytest.raises(GrammarRejected) as caught:
                await compiler.rule(constraint, vocabulary())
            assert caught.value.param == param
            assert isinstance(caught.value.error, GrammarError)

    async def test() -> None:
        compiler = Compiler(Settings(compile_workers=1), Metrics())
        await compiler.start()
        try:
            tokens = vocabulary()
            first, second = await asyncio.gather(
                compiler.rule(QUICK, tokens), compiler.rule(QUICK, tokens)
            )
            assert first is second is await compiler.rule(QUICK, tokens)
            assert await compiler.rule(QUICK, vocabulary()) is not first
            await check_refusal(compiler, Constraint(Source("regex", "(", param="here")), "here")
            await check_refusal(compiler, Constraint(None, calls), "tools[2]")
            answer = Source("json_schema", "{}")
            await check_refusal(compiler, Constraint(answer, calls), "tools[2]")
        finally:
            await compiler.close()

    run(test)


def test_a_cache_is_bounded_in_bytes() -> None:
    weights = {"a": 4, "b": 4, "c": 4}
    cache: ByteCache[str, str] = ByteCache(10, weights.__getitem__)
    cache.put("a", "a")
    cache.put("b", "b")
    assert cache.get("a") == "a"
    cache.put("c", "c")
    assert [cache.get(key) for key in "abc"] == ["a", None, "c"]
    assert cache.bytes == 8
    weights["a"] = 20
    assert cache.get("a") == "a"  # grown too large: it is gone now, and all older ones with it
    assert len(cache) == 0
    assert cache.bytes == 0
