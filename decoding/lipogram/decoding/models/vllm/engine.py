"""The thread that owns the engine: requests in, tokens out, to whichever event loop asked."""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from lipogram.decoding.errors import BackendFailed
from lipogram.decoding.models.vllm.interfaces import LLMEngine, SamplingParams


@dataclass(frozen=True, slots=True)
class Drawn:
    """Tokens that a request got in one step; `finish` is how it ended, if it did.

    `logprobs` are the engine's own, where they were asked for.
    """

    tokens: tuple[int, ...]
    finish: str | None = None
    logprobs: Any = None


@dataclass(frozen=True, slots=True)
class _Listener:
    loop: asyncio.AbstractEventLoop
    drawn: asyncio.Queue[Drawn | Exception]

    def tell(self, what: Drawn | Exception) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.drawn.put_nowait, what)


_Command: TypeAlias = Callable[[], None]


class Engine:
    """An `LLMEngine` that steps while anything is to be done.

    All calls of the engine happen in its thread. A step that fails fails the requests in it.
    """

    def __init__(self, engine: LLMEngine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._commands: queue.SimpleQueue[_Command | None] = queue.SimpleQueue()
        self._listeners: dict[str, _Listener] = {}
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def draw(
        self, tokens: tuple[int, ...], parameters: SamplingParams
    ) -> AsyncGenerator[Drawn, None]:
        """What follows these tokens, step by step; closing it ends the request.

        Raises BackendFailed.
        """
        listener = _Listener(asyncio.get_running_loop(), asyncio.Queue())
        request = str(next(self._numbers))
        self._commands.put(lambda: self._add(request, tokens, parameters, listener))
        ended = False
        try:
            while not ended:
                drawn = await listener.drawn.get()
                if isinstance(drawn, Exception):
                    ended = True
                    raise BackendFailed(f"{self._name}: {drawn}") from drawn
                ended = drawn.finish is not None
                yield drawn
        finally:
            if not ended:
                self._commands.put(lambda: self._abort(request))

    def close(self) -> None:
        """Let the thread end; no call may follow."""
        self._commands.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            idle = not self._listeners
            while idle or not self._commands.empty():
                command = self._commands.get()
                if command is None:
                    return
                command()
                idle = False
            if self._listeners:
                self._step()

    def _add(
        self, request: str, tokens: tuple[int, ...], parameters: SamplingParams, to: _Listener
    ) -> None:
        try:
            prompt: Any = {"prompt_token_ids": list(tokens)}
            self._engine.add_request(request, prompt, parameters)
        except Exception as failure:
            to.tell(failure)
        else:
            self._listeners[request] = to

    def _abort(self, request: str) -> None:
        if self._listeners.pop(request, None) is not None:
            self._engine.abort_request([request])

    def _step(self) -> None:
        try:
            outputs = self._engine.step()
        except Exception as failure:
            lost, self._listeners = self._listeners, {}
            for listener in lost.values():
                listener.tell(failure)
            with suppress(Exception):  # what is lost altogether cannot be told to forget
                self._engine.abort_request(list(lost))
            return
        for output in outputs:
            to = self._listeners.get(output.request_id)
            if to is None:
                continue
            [own] = output.outputs
            finish = (own.finish_reason or "stop") if output.finished else None
            if output.finished:
                del self._listeners[output.request_id]
            to.tell(Drawn(tuple(own.token_ids), finish, own.logprobs))
