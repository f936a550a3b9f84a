"""A real server in this process, with a model whose scores are a table."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import uvicorn
from numpy.typing import NDArray

from lipogram.decoding.models.base import Logits, Model, Query
from lipogram.decoding.models.table import MaskedTableModel, TableModel
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.server.app import build_app
from lipogram.server.connections import configuration
from lipogram.server.settings import Settings

Post = Callable[..., httpx.Response]

PERSON = {
    "type": "object",
    "properties": {"a": {"type": "boolean"}},
    "required": ["a"],
    "additionalProperties": False,
}
SPECIALS = (
    *("<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    *("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
)
WORDS = (b"hello", b" world", b'":', b'{"', b"\xc3", b"\xa9")


def vocabulary(*, has_specials: bool = True, has_mask: bool = False) -> Vocabulary:
    """All bytes, a few words, and the embedded models' special tokens (or an end alone)."""
    names = SPECIALS if has_specials else SPECIALS[:1]
    tokens = [bytes([byte]) for byte in range(256)] + list(WORDS) + [b""] * len(names)
    specials = {name: 256 + len(WORDS) + index for index, name in enumerate(names)}
    ends = [specials[name] for name in ("<|endoftext|>", "<|end|>") if name in specials]
    mask = len(tokens) if has_mask else None
    return Vocabulary.from_tokens([*tokens, b""][: len(tokens) + has_mask], ends, mask, specials)


def restless(name: str = "restless", *, has_specials: bool = True) -> TableModel:
    """Writes words and printed characters, likes to close what is open, and ends now and then."""
    tokens = vocabulary(has_specials=has_specials)
    liked = np.full(len(tokens), -6.0)
    liked[0x20:0x7F] = 0.0
    liked[[*b'"}]', *range(256, 260)]] = 2.5
    liked[list(tokens.eos_ids)] = 2.0

    def scores(prefix: tuple[int, ...]) -> np.ndarray:
        generator = np.random.default_rng((len(prefix), *prefix[-3:]))
        return liked + generator.normal(0, 1.0, len(tokens))

    return TableModel(tokens, scores, name=name, context_tokens=2048)


def masks(name: str = "masks", *, context_tokens: int = 512) -> MaskedTableModel:
    """Fills masks with words and printed characters, and likes to close what is open."""
    tokens = vocabulary(has_mask=True)
    liked = np.full(len(tokens), -6.0)
    liked[0x20:0x7F] = 0.0
    liked[[*b'"}]', *range(256, 260)]] = 2.5
    liked[list(tokens.eos_ids)] = 1.0

    def scores(canvas: tuple[int, ...]) -> np.ndarray:
        seen = canvas.count(tokens.mask_id or -1)
        generator = np.random.default_rng((len(canvas), seen, *canvas[-2:]))
        return liked + generator.normal(0, 1.0, (len(canvas), len(tokens)))

    return MaskedTableModel(tokens, scores, name=name, context_tokens=context_tokens)


class SlowModel:
    """Counts how often it is asked, and takes its time; writes anything, but hardly ever ends."""

    def __init__(self, seconds: float) -> None:
        self._model = restless("slow")
        self.name = "slow"
        self.vocabulary = self._model.vocabulary
        self.context_tokens = 100_000
        self.seconds = seconds
        self.asked = 0
        self.running = 0

    async def logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        """The same row everywhere, after a while."""
        self.asked += 1
        self.running += 1
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        row = np.where(self.vocabulary.has_text, 0, -100).astype(np.float32)
        return [np.tile(row, (1 + len(query.draft), 1)) for query in queries]


class SlowMasks:
    """Counts how often it is asked, and takes its time."""

    def __init__(self, seconds: float) -> None:
        self._model = masks("slow")
        self.name = "slow"
        self.vocabulary = self._model.vocabulary
        self.mask_id = self._model.mask_id
        self.context_tokens = self._model.context_tokens
        self.seconds = seconds
        self.asked = 0

    async def logits(self, canvas: NDArray[np.int64]) -> Logits:
        """Its rows, after a while."""
        self.asked += 1
        await asyncio.sleep(self.seconds)
        return await self._model.logits(canvas)


@contextmanager
def serving(
    models: Sequence[Model], settings: Settings | None = None, until: str = "/ready"
) -> Iterator[str]:
    """A server on a free port, in a thread; yields its address once `until` is answered."""
    settings = settings or Settings()
    config = configuration(build_app(settings, models), settings)
    server = uvicorn.Server(config)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        for _ in range(600):
            try:
                if httpx.get(address + until).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        yield address
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def send_body(address: str, path: str, body: dict[str, object]) -> socket.socket:
    """Sends a request by hand and returns the open connection."""
    data = json.dumps(body).encode()
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=10)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


def ask(post: Post, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "hi"}]
    response = post(
        "/v1/chat/completions",
        **{"model": "restless", "messages": messages, "seed": 3, "max_tokens": 80, **body},
    )
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.json()
    return value


def stream(post: Post, **body: Any) -> list[dict[str, Any]]:
    messages = [{"role": "user", "content": "hi"}]
    response = post(
        "/v1/chat/completions",
        **{
            "model": "restless",
            "messages": messages,
            "seed": 3,
            "max_tokens": 80,
            "stream": True,
            **body,
        },
    )
    assert response.status_code == 200, response.text
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
