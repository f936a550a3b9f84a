"""A client that costs little: HTTP/1.1 over asyncio's streams, one request at a time."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 where the connection was given up, by us or by the server."""

    status: int
    body: bytes
    first_s: float
    total_s: float

    def json(self) -> object:
        """The body as a value."""
        return json.loads(self.body)

    def events(self) -> list[str]:
        """The data of a stream's events."""
        text = self.body.decode()
        return [event.removeprefix("data: ") for event in text.split("\n\n") if event]


class Client:
    """A connection that is opened when it is needed, and again after it was closed."""

    def __init__(self, address: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(address)
        self._host, self._port = str(parts.hostname), int(parts.port or 80)
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def close(self) -> None:
        """Closes the connection, whatever is under way on it."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._writer = self._reader = None

    async def ask(
        self, path: str, body: bytes | None = None, *, killed_after: int | None = None
    ) -> Answer:
        """POSTs the body as JSON, or GETs; leaves after so many bytes of an answer, if told to."""
        if self._reader is None or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        assert self._writer is not None
        started_s = time.perf_counter()
        method = "GET" if body is None else "POST"
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{self._headers}"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(f"{head}\r\n".encode() + (body or b""))
        return await self._answer(self._reader, started_s, killed_after)

    async def _answer(
        self, reader: asyncio.StreamReader, started_s: float, killed_after: int | None
    ) -> Answer:
        status, headers = await _head(reader)
        first_s = time.perf_counter() - started_s
        data = bytearray()
        if killed_after is not None and status == 200:
            while len(data) < killed_after and (piece := await reader.read(killed_after)):
                data += piece
            self.close()
            return Answer(0, bytes(data), first_s, time.perf_counter() - started_s)
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                data += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            data += await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return Answer(status, bytes(data), first_s, time.perf_counter() - started_s)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}
