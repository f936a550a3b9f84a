"""What the routes share: a plan in, its events out, and an end when the client has gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from starlette.types import Scope

from lipogram.decoding.errors import DeadEnd
from lipogram.decoding.events import Event, Finish
from lipogram.decoding.masking import Masker
from lipogram.grammars.errors import GrammarError, NoMiddle
from lipogram.server import logs
from lipogram.server.compiling import Compiler, Rule
from lipogram.server.constraints import Place
from lipogram.server.errors import GrammarRejected
from lipogram.server.generation import House
from lipogram.server.metrics import Metrics
from lipogram.server.registry import Registry
from lipogram.server.settings import Settings
from lipogram.server.sse import disconnected
from lipogram.server.translate.plan import Plan
from lipogram.server.translate.unconstrained import Dropped
from lipogram.server.visits import CURRENT

Value = TypeVar("Value")


class ClientGone(Exception):
    """Nobody is left to answer."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A masker for each prompt of a plan, and the constraints that were dropped."""

    maskers: tuple[Masker | None, ...]
    dropped: Dropped


class Service:
    """The models, the compiler and the limits of one server."""

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self.registry = registry
        self.metrics = Metrics()
        self.compiler = Compiler(settings, self.metrics)
        self.house = House(settings.max_requests, settings.max_sequences, self.metrics)
        self.request_seconds = settings.request_seconds

    async def rules(self, plan: Plan, scope: Scope) -> Rules:
        """The rule of each of a plan's prompts; raises GrammarRejected."""
        logs.note(scope, model=plan.served.name, sequences=len(plan.prompts) * plan.n)
        if plan.constraint is None:
            return Rules((None,) * len(plan.prompts), {})
        started = time.perf_counter()
        vocabulary = plan.served.model.vocabulary
        if not plan.places:
            rule = await self.compiler.rule(plan.constraint, vocabulary)
            found: list[Rule | GrammarRejected] = [rule] * len(plan.prompts)
        else:
            found = [await self._middle(plan, place) for place in plan.places]
        logs.note(scope, compile_ms=round(1000 * (time.perf_counter() - started), 1))
        rules = [rule for rule in found if isinstance(rule, Rule)]
        if rules:
            logs.note_grammar(scope, rules[0].syntax, rules[0].masker.automaton.report)
        if len(rules) < len(found):
            logs.note(scope, unconstrained=len(found) - len(rules))
        return Rules(
            tuple(rule.masker if isinstance(rule, Rule) else None for rule in found),
            {
                index: rule
                for place, rule in enumerate(found)
                if isinstance(rule, GrammarRejected)
                for index in range(place * plan.n, (place + 1) * plan.n)
            },
        )

    async def _middle(self, plan: Plan, place: Place) -> Rule | GrammarRejected:
        """The rule of a place; why there is none, where the plan falls back."""
        assert plan.constraint is not None
        try:
            return await self.compiler.middle(plan.constraint, plan.served.model.vocabulary, place)
        except GrammarRejected as rejected:
            if plan.falls_back and isinstance(rejected.error, NoMiddle):
                return rejected
            raise

    async def run(self, plan: Plan, rules: Rules) -> AsyncGenerator[tuple[int, Event], None]:
        """All events of a plan, each with its sequence's index; the first one is there already."""
        return await opened(self._run(plan, rules))

    async def _run(self, plan: Plan, rules: Rules) -> AsyncGenerator[tuple[int, Event], None]:
        """Where a grammar turns out too complex on the way, what is known of it is dropped."""
        count = Counting(self.metrics, plan.served.name)
        jobs = plan.jobs(rules.maskers)
        async with aclosing(self.house.run(plan.served.decoder, jobs)) as events:
            try:
                async for entry in events:
                    count.event(*entry)
                    yield entry
            except DeadEnd:
                self.metrics.dead_ends.add(1, plan.served.name)
                raise
            except GrammarError as error:
                assert plan.constraint is not None
                self.compiler.forget(plan.constraint, plan.served.model.vocabulary)
                param = plan.constraint.sources[0].param
                raise GrammarRejected(error, param) from error
        count.end()


class Counting:
    """Counts the events of one request, as they pass, for the metrics, the log and the key."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._metrics = metrics
        self._model = model
        self._visit = CURRENT.get()
        self._last_s: dict[int, float] = {}
        self._charged: dict[int, int] = {}

    def event(self, index: int, event: Event) -> None:
        """Counts an event of the sequence of this index."""
        if isinstance(event, Finish):
            self._charge(index, event.usage.completion_tokens - self._charged.get(index, 0))
            self._metrics.finished(self._model, event)
            return
        if not event.text:
            return
        self._charge(index, 1)  # at least: who leaves before the end has paid for what it saw
        now_s = time.perf_counter()
        if not self._last_s:
            first_s = now_s - self._visit.arrived_s
            self._metrics.first_token.observe(first_s, self._model)
            self._visit.facts["first_token_ms"] = round(1000 * first_s, 1)
        elif index in self._last_s:
            self._metrics.between_tokens.observe(now_s - self._last_s[index], self._model)
        self._last_s[index] = now_s

    def _charge(self, index: int, tokens: int) -> None:
        if self._visit.allowance is not None:
            self._charged[index] = self._charged.get(index, 0) + tokens
            self._visit.allowance.charge(tokens)

    def end(self) -> None:
        """Counts the end of the request."""
        self._metrics.latency.observe(self._visit.age_s, self._model)


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
