"""The time that a request has: the server's, or less where the request itself says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

from fastapi import Request

from lipogram.server.errors import DeadlineExceeded, InvalidRequest
from lipogram.server.visits import CURRENT

HEADER = "X-Request-Timeout"

Value = TypeVar("Value")


def patience_s(request: Request) -> float:
    """Seconds from a request's arrival to its end; raises InvalidRequest for a bad header."""
    most_s: float = request.app.state.settings.request_seconds
    given = request.headers.get(HEADER)
    if given is None:
        return most_s
    try:
        wanted_s = float(given)
    except ValueError:
        wanted_s = 0.0
    if not wanted_s > 0:
        raise InvalidRequest(
            f"expected seconds above 0 in the header {HEADER}, found {given[:40]!r}"
        )
    return min(wanted_s, most_s)


async def bounded(
    source: AsyncGenerator[Value, None], patience_s: float
) -> AsyncGenerator[Value, None]:
    """The same values; raises DeadlineExceeded when this visit gets older than that."""
    visit = CURRENT.get()
    visit.patience_s = patience_s
    loop = asyncio.get_running_loop()
    end_s = loop.time() + patience_s - visit.age_s
    try:
        while True:
            async with asyncio.timeout_at(end_s):
                value = await anext(source)
            yield value
    except StopAsyncIteration:
        return
    except TimeoutError:
        raise DeadlineExceeded(f"not finished within {patience_s:g} s") from None
    finally:
        await source.aclose()
