"""Sends a request's chunks as they come, or all of them as one answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel

from lipogram.server import sse
from lipogram.server.deadlines import bounded, patience_s
from lipogram.server.serving import opened, while_connected
from lipogram.server.wire.common import StreamOptions

Chunk = TypeVar("Chunk", bound=BaseModel)


class Streamed(Protocol):
    """How a request wants its answer."""

    @property
    def stream(self) -> bool | None: ...

    @property
    def stream_options(self) -> StreamOptions | None: ...


class Writer(Protocol[Chunk]):
    """Knows an endpoint's shapes."""

    def usage(self) -> Chunk | None:
        """The chunk after the last one, which has the usage alone; None where the last has it."""
        ...

    def whole(self, chunks: Sequence[Chunk]) -> BaseModel:
        """All chunks as one answer."""
        ...


async def respond(
    request: Request,
    body: Streamed,
    chunks: AsyncGenerator[Chunk, None],
    writer: Writer[Chunk],
    framing: sse.Framing = sse.OPENAI,
) -> Response:
    """A stream if the client wants one. What fails before the first chunk is raised here."""
    chunks = bounded(chunks, patience_s(request))
    if body.stream:
        chunks = await while_connected(request, opened(chunks))
        options = body.stream_options
        has_usage = bool(options and options.include_usage)
        return sse.EventStream(_lines(chunks, writer, has_usage, framing), framing)
    whole = writer.whole(await while_connected(request, _all(chunks)))
    return Response(whole.model_dump_json(exclude_unset=True), media_type="application/json")


async def _all(chunks: AsyncGenerator[Chunk, None]) -> list[Chunk]:
    try:
        return [chunk async for chunk in chunks]
    finally:
        await chunks.aclose()


async def _lines(
    chunks: AsyncGenerator[Chunk, None],
    writer: Writer[Chunk],
    has_usage: bool,
    framing: sse.Framing,
) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in chunks:
            if has_usage:
                chunk = chunk.model_copy(update={"usage": None})
            yield framing.frame(chunk.model_dump_json(exclude_unset=True))
        usage = writer.usage() if has_usage else None
        if usage is not None:
            yield framing.frame(usage.model_dump_json(exclude_unset=True))
        if framing.end:
            yield framing.end
    finally:
        await chunks.aclose()
