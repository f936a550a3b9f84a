"""Runs the sequences of one request side by side, within the limits of the house."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager

from lipogram.decoding.events import Event
from lipogram.decoding.job import Job
from lipogram.server.errors import Overloaded
from lipogram.server.metrics import Metrics
from lipogram.server.registry import Decoder
from lipogram.server.visits import CURRENT

_AHEAD = 16
"""Events that are made before the client has taken the ones before them."""


class House:
    """Counts who is inside: `max_requests` in all, and `max_sequences` beyond one for each.

    The first sequence of a request never waits for others; more of them share the places, of which
    one request has at most a quarter.
    """

    def __init__(self, max_requests: int, max_sequences: int, metrics: Metrics) -> None:
        self._max_requests = max_requests
        self._metrics = metrics
        self._requests = 0
        self.running = 0
        self._places = asyncio.Semaphore(max_sequences)
        self._share = max(max_sequences // 4, 1)

    @property
    def waiting(self) -> int:
        """Requests that are inside and not running: their grammars are being compiled."""
        return self._requests - self.running

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts a request while it is inside; raises Overloaded when the house is full."""
        if self._requests >= self._max_requests:
            self._metrics.rejections.add(1, "queue_full")
            raise Overloaded(f"{self._requests} requests are being served or waiting; try again")
        self._requests += 1
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            visit = CURRENT.get()
            if visit.age_s < visit.patience_s:
                self._metrics.cancelled.add()
            else:
                self._metrics.failures.add(1, "deadline_exceeded")
            raise
        except Exception as error:
            self._metrics.failed(error)
            raise
        finally:
            self._requests -= 1

    async def run(
        self, decoder: Decoder, jobs: Sequence[Job]
    ) -> AsyncGenerator[tuple[int, Event], None]:
        """All events of all jobs, each with its job's index, as they come.

        The first failure ends the rest. Closing the iterator stops every job at its next await.
        """
        share = asyncio.Semaphore(self._share)
        events: asyncio.Queue[tuple[int, Event] | BaseException | None] = asyncio.Queue(_AHEAD)

        async def pump(index: int, job: Job) -> None:
            try:
                async with AsyncExitStack() as held:
                    if index:
                        await held.enter_async_context(share)
                        await held.enter_async_context(self._places)
                    source = aclosing(_closable(decoder.generate(job)))
                    async for event in await held.enter_async_context(source):
                        await events.put((index, event))
                await events.put(None)
            except Exception as error:
                await events.put(error)

        tasks = [asyncio.create_task(pump(index, job)) for index, job in enumerate(jobs)]
        self.running += 1
        try:
            left = len(jobs)
            while left:
                event = await events.get()
                if isinstance(event, BaseException):
                    raise event
                if event is None:
                    left -= 1
                else:
                    yield event
        finally:
            self.running -= 1
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _closable(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    """The same events; closing this closes them too, if they can be."""
    try:
        async for event in events:
            yield event
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
