"""A model behind somebody else's server: it writes by itself, and gives no scores.

Constraints go along as their author wrote them, where the server is declared to take them, and
what comes back is read by the automaton: a text that breaks the rule is an error, never an answer.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal

import httpx

from lipogram.decoding.errors import BackendFailed, UnsupportedJob, UnsupportedModel
from lipogram.decoding.events import Event, Finish, FinishReason, Usage
from lipogram.decoding.job import Job
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.remote.request import Abilities, Constraints, request_of, vocabulary
from lipogram.decoding.models.remote.stream import Piece, pieces
from lipogram.decoding.output import Output
from lipogram.grammars import State


class RemoteModel:
    """Generates on an OpenAI-compatible server; `url` is that of its `/v1`."""

    knows_tokens: Literal[False] = False

    def __init__(
        self,
        url: str,
        *,
        name: str,
        model: str,
        abilities: Abilities,
        api_key: str = "",
        context_tokens: int = 1 << 20,
        connect_s: float = 5.0,
        read_s: float = 60.0,
    ) -> None:
        """`model` is its name there. Nothing is sent before the first job, and nothing twice."""
        self.name = name
        self.vocabulary = vocabulary(abilities)
        self.context_tokens = context_tokens
        self._model = model
        self._abilities = abilities
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = httpx.Timeout(read_s, connect=connect_s)
        self._tls = ssl.create_default_context()

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        """A remote model has none: raises UnsupportedJob."""
        raise UnsupportedJob(f"{self.name}: a remote model gives no scores")

    async def generate(self, job: Job) -> AsyncGenerator[Event, None]:
        """Chunks as they come, then one Finish; closing it closes the connection.

        Raises UnsupportedJob, ContextTooLong, BackendFailed.
        """
        request = request_of(job, self._model, self.vocabulary, self._abilities)
        answer = _Answer(job)
        client = httpx.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=self._timeout, verify=self._tls
        )
        async with client, aclosing(pieces(client, request)) as found:
            async for piece in found:
                chunk = answer.take(piece)
                if chunk is not None:
                    yield chunk
                if answer.stopped:
                    break
        for event in answer.end():
            yield event


class _Answer:
    """What has come so far, held against the rule."""

    def __init__(self, job: Job) -> None:
        self._masker = job.masker
        self._state: State | None = None if job.masker is None else job.masker.start()
        self._output = Output(job.stop, job.suffix)
        self._finish: str | None = None
        self._usage: tuple[int, int] | None = None
        self._events = 0

    @property
    def stopped(self) -> bool:
        """Whether a stop string was met."""
        return self._output.stopped is not None

    def take(self, piece: Piece) -> Event | None:
        """What becomes final with a piece; raises BackendFailed where it breaks the rule."""
        self._finish = piece.finish or self._finish
        self._usage = piece.usage or self._usage
        if not piece.text and not piece.tokens:
            return None
        self._events += 1
        may_end = self._walked(piece.text)
        if not piece.tokens:
            return self._output.push(piece.text, None, may_end)
        scored = piece.tokens[0] if len(piece.tokens) == 1 else None
        if scored is None or scored.text != piece.text:
            raise BackendFailed("the remote server's tokens are not those of its text")
        return self._output.push(piece.text, scored, may_end)

    def _walked(self, text: bytes) -> list[bool] | None:
        if self._masker is None:
            return None
        complete = []
        for byte in text:
            assert self._state is not None  # checked below
            complete.append(self._masker.is_complete(self._state))
            self._state = self._masker.automaton.step(self._state, byte)
            if self._state is None:
                raise BackendFailed("the remote server's text breaks the constraint")
        return complete

    def end(self) -> list[Event]:
        """The last events; raises BackendFailed where the text is not complete."""
        reason: FinishReason = "length" if self._finish == "length" else "stop"
        if not self.stopped:
            if self._finish not in ("stop", "length"):
                raise BackendFailed(f"the remote server ended with {self._finish!r}")
            masker, state = self._masker, self._state
            if masker is not None and state is not None and not masker.is_complete(state):
                raise BackendFailed("the remote server's text ends before it is complete")
        rest = None if self.stopped else self._output.flush()
        prompt, completion = self._usage or (0, self._events)
        usage = Usage(prompt_tokens=prompt, completion_tokens=completion, model_calls=completion)
        finish = Finish("stop" if self.stopped else reason, usage, self._output.stopped)
        return [finish] if rest is None else [rest, finish]


def load(
    source: str,
    *,
    name: str,
    model: str = "",
    api_key_variable: str = "",
    constraints: str = "",
    suffix: bool = False,
    logprobs: bool = False,
    extensions: bool = False,
    context_tokens: int = 1 << 20,
    connect_seconds: int = 5,
    read_seconds: int = 60,
) -> RemoteModel:
    """A server at the URL `source`, where the model is called `model` (empty: `name`).

    `api_key_variable` names the environment variable that holds its key. The others say what it
    understands (`Abilities`) and how long to wait: for a connection, and for each next event.
    Raises UnsupportedModel.
    """
    if not source.startswith(("http://", "https://")):
        raise UnsupportedModel(f"expected the URL of a server, found {source!r}")
    if constraints not in ("", "structured_outputs", "response_format"):
        raise UnsupportedModel(
            f"expected constraints structured_outputs or response_format, found {constraints!r}"
        )
    key = os.environ.get(api_key_variable, "") if api_key_variable else ""
    if api_key_variable and not key:
        raise UnsupportedModel(f"the environment variable {api_key_variable} has no key")
    declared: Constraints = constraints  # type: ignore[assignment]
    return RemoteModel(
        source,
        name=name,
        model=model or name,
        abilities=Abilities(declared, suffix, logprobs, extensions),
        api_key=key,
        context_tokens=context_tokens,
        connect_s=connect_seconds,
        read_s=read_seconds,
    )
