"""What the routes share: a plan in, its events out, and an end when the client has gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request
from starlette.types import Scope

from lipogram.decoding.events import Event
from lipogram.decoding.masking import Masker
from lipogram.grammars.errors import GrammarError
from lipogram.server import logs
from lipogram.server.compiling import Compiler
from lipogram.server.errors import GrammarRejected
from lipogram.server.generation import House
from lipogram.server.registry import Registry
from lipogram.server.settings import Settings
from lipogram.server.sse import disconnected
from lipogram.server.translate.plan import Plan

Value = TypeVar("Value")


class ClientGone(Exception):
    """Nobody is left to answer."""


class Service:
    """The models, the compiler and the limits of one server."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.registry = registry
        self.compiler = Compiler(settings)
        self.house = House(settings.max_requests, settings.max_sequences)

    async def masker(self, plan: Plan, scope: Scope) -> Masker | None:
        """The masker of a plan's constraint, if it has one; raises GrammarRejected."""
        logs.note(scope, model=plan.served.name, sequences=len(plan.prompts) * plan.n)
        if plan.constraint is None:
            return None
        started = time.perf_counter()
        rule = await self.compiler.rule(plan.constraint, plan.served.model.vocabulary)
        compile_ms = round(1000 * (time.perf_counter() - started), 1)
        logs.note_grammar(scope, rule.syntax, rule.masker.automaton.report)
        logs.note(scope, compile_ms=compile_ms)
        return rule.masker

    async def run(
        self, plan: Plan, masker: Masker | None
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """All events of a plan, each with its sequence's index; the first one is there already."""
        return await opened(self._run(plan, masker))

    async def _run(
        self, plan: Plan, masker: Masker | None
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """Where a grammar turns out too complex on the way, what is known of it is dropped."""
        async with aclosing(self.house.run(plan.served.decoder, plan.jobs(masker))) as events:
            try:
                async for entry in events:
                    yield entry
            except GrammarError as error:
                assert plan.constraint is not None
                self.compiler.forget(plan.constraint, plan.served.model.vocabulary)
                param = plan.constraint.sources[0].param
                raise GrammarRejected(error, param) from error


def service_of(request: Request) -> Service:
    """The service behind an application."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


async def while_connected(request: Request, work: Coroutine[Any, Any, Value]) -> Value:
    """The result of `work`, which is cancelled when the client leaves; then raises ClientGone."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(disconnected(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def opened(source: AsyncGenerator[Value, None]) -> AsyncGenerator[Value, None]:
    """The same values, once the first is there: what fails before it fails here."""
    try:
        first = [await anext(source)]
    except StopAsyncIteration:
        first = []
    except BaseException:
        await source.aclose()
        raise
    return _chained(first, source)


async def _chained(
    first: list[Value], source: AsyncGenerator[Value, None]
) -> AsyncGenerator[Value, None]:
    try:
        for value in first:
            yield value
        async for value in source:
            yield value
    finally:
        await source.aclose()
