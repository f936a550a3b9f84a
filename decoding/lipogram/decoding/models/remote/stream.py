"""What the server answers: events of a stream, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx

from lipogram.decoding.errors import (
    BackendFailed,
    ContextTooLong,
    DecodingError,
    UnsupportedJob,
)
from lipogram.decoding.events import ScoredToken
from lipogram.decoding.models.remote.request import Request


@dataclass(frozen=True, slots=True)
class Piece:
    """One event: text, its tokens if they were asked for, how it ended, what it counted."""

    text: bytes
    tokens: tuple[ScoredToken, ...] = ()
    finish: str | None = None
    usage: tuple[int, int] | None = None


async def pieces(client: httpx.AsyncClient, request: Request) -> AsyncGenerator[Piece, None]:
    """The events of one answer, to its end. Raises BackendFailed, ContextTooLong, UnsupportedJob.

    Leaving closes the connection, which is how such servers learn that they may stop.
    """
    try:
        async with client.stream("POST", request.path, json=request.body) as response:
            if response.status_code != 200:
                raise _refusal(response.status_code, await response.aread())
            async for line in response.aiter_lines():
                data = line.removeprefix("data:").strip()
                if not line.startswith("data:"):
                    continue
                if data == "[DONE]":
                    return
                yield _piece(json.loads(data), request.is_chat)
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
        raise BackendFailed(f"the remote server: {type(error).__name__} {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise BackendFailed(f"the remote server's answer cannot be read: {error!r}") from error
    raise BackendFailed("the remote server's stream broke off")


def _piece(event: dict[str, Any], is_chat: bool) -> Piece:
    if "error" in event:
        raise BackendFailed(f"the remote server: {_message(event)}")
    usage = event.get("usage")
    counts = (usage["prompt_tokens"], usage["completion_tokens"]) if usage else None
    choices = event["choices"]
    if not choices:
        return Piece(b"", usage=counts)
    choice = choices[0]
    text = choice["delta"].get("content") if is_chat else choice["text"]
    scores = (choice.get("logprobs") or {}).get("content") or []
    tokens = tuple(_scored(score) for score in scores)
    return Piece((text or "").encode(), tokens, choice.get("finish_reason"), counts)


def _scored(score: dict[str, Any]) -> ScoredToken:
    """A token by its bytes; its id is not known, and -1."""
    best = tuple(_scored(each) for each in score.get("top_logprobs") or ())
    raw = score.get("bytes")
    text = score["token"].encode() if raw is None else bytes(raw)
    return ScoredToken(-1, text, float(score["logprob"]), best)


def _refusal(status: int, body: bytes) -> DecodingError:
    try:
        content = json.loads(body)
        message, code = _message(content), content["error"].get("code")
    except (ValueError, KeyError, TypeError, AttributeError):
        message, code = body[:200].decode(errors="replace"), None
    if code == "context_length_exceeded" or "maximum context length" in message:
        return ContextTooLong(f"the remote server: {message}")
    if status in (400, 422):
        return UnsupportedJob(f"the remote server refuses: {message}")
    return BackendFailed(f"the remote server answers {status}: {message}")


def _message(content: dict[str, Any]) -> str:
    error = content["error"]
    return str(error["message"] if isinstance(error, dict) else error)[:500]
