"""A pool of processes in which grammars are parsed and compiled, and which can be killed."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process

from lipogram.grammars.errors import BudgetExceeded, Error
from lipogram.server.compile_messages import (
    HEADER_BYTES,
    Compiled,
    Failed,
    Reply,
    Task,
    decode,
    encode,
    length,
)
from lipogram.server.errors import NotReady

_START_SECONDS = 300.0  # on the first start ever, the engine's kernels are compiled
_RETRY_SECONDS = 1.0

_LOG = logging.getLogger("lipogram.server")


class WorkerPool:
    """`workers` long-lived processes; a task takes one for at most `seconds`, then kills it.

    A killed or crashed worker is replaced at once, in the background.
    """

    def __init__(self, workers: int, seconds: float, mebibytes: int) -> None:
        self._workers = workers
        self._seconds = seconds
        self._mebibytes = mebibytes
        self._idle: asyncio.Queue[Process] = asyncio.Queue()
        self._running: set[Process] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._closed = False
        self._has_started = False
        self.lost = 0

    @property
    def ready(self) -> bool:
        """Whether a worker has been up, so that a task need not wait for a first one."""
        return self._has_started

    @property
    def idle(self) -> int:
        """Workers that wait for a task."""
        return self._idle.qsize()

    async def start(self) -> None:
        """Begins to start all workers; does not wait for them."""
        for _ in range(self._workers):
            self._replace()

    async def close(self) -> None:
        """Ends all workers."""
        self._closed = True
        for task in self._starting:
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        for process in tuple(self._running):
            await self._kill(process)

    async def perform(self, task: Task) -> Compiled | Failed:
        """The worker's answer; a Failed with BudgetExceeded if it had to be killed or died.

        Waits for an idle worker without limit: the number of requests is bounded elsewhere. A
        worker may die of something else than its task, so a task is at fault at the second death.
        """
        for _ in range(2):
            if self._closed:
                raise NotReady("the server is stopping")
            process = await self._living()
            try:
                return await self._ask(process, task)
            except (asyncio.IncompleteReadError, ConnectionError):
                _LOG.warning("a compile worker died")
        return Failed(BudgetExceeded("the grammar needs more memory than allowed"))

    async def _ask(self, process: Process, task: Task) -> Compiled | Failed:
        """One worker's answer; the worker goes back to the others if it can do more."""
        reply = None
        try:
            async with asyncio.timeout(self._seconds):
                reply = await _exchange(process, encode(task))
            if not isinstance(reply, Reply):
                raise Error("a compile worker sent something else than an answer")
            return reply.outcome
        except TimeoutError:
            return Failed(
                BudgetExceeded(f"the grammar takes more than {self._seconds:g} s to compile")
            )
        finally:
            if isinstance(reply, Reply) and not reply.is_worn:
                self._idle.put_nowait(process)
            else:
                self.lost += reply is None
                await self._kill(process)
                self._replace()

    async def _living(self) -> Process:
        """An idle worker that has not died in the meantime."""
        process = await self._idle.get()
        while process.returncode is not None:
            self._running.discard(process)
            self.lost += 1
            self._replace()
            process = await self._idle.get()
        return process

    def _replace(self) -> None:
        if self._closed:
            return
        task = asyncio.create_task(self._started())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _started(self) -> None:
        """Starts a worker, however often it takes."""
        while not self._closed:
            try:
                await self._spawn()
                return
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                _LOG.exception("a compile worker did not start")
                await asyncio.sleep(_RETRY_SECONDS)

    async def _spawn(self) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "lipogram.server.compile_worker"),
            *(str(self._mebibytes), str(4 * self._seconds)),
            stdin=PIPE,
            stdout=PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._running.add(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await _read(process)
        except BaseException:
            await self._kill(process)
            raise
        self._has_started = True
        self._idle.put_nowait(process)

    async def _kill(self, process: Process) -> None:
        self._running.discard(process)
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _exchange(process: Process, message: bytes) -> object:
    assert process.stdin is not None
    process.stdin.write(message)
    await process.stdin.drain()
    return await _read(process)


async def _read(process: Process) -> object:
    assert process.stdout is not None
    header = await process.stdout.readexactly(HEADER_BYTES)
    data = await process.stdout.readexactly(length(header))
    if len(data) > 1 << 20:
        return await asyncio.to_thread(decode, data)
    return decode(data)
