"""How the server listens: HTTP/1.1 whose headers are bounded in bytes and in time."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from lipogram.server.settings import Settings

_MAX_HEADER_BYTES = 64 << 10


def configuration(application: FastAPI, settings: Settings) -> uvicorn.Config:
    """What uvicorn is told; never that it may choose a parser without bounds."""
    return uvicorn.Config(
        application,
        http=_bounded(settings.body_seconds),
        ws="none",
        h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def _bounded(patience_s: float) -> type[asyncio.Protocol]:
    """A connection that is closed when its next request's headers take longer than that."""

    class Bounded(H11Protocol):
        _waiting_for: Any = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._look()

        def _look(self) -> None:
            """Closes what has waited for the same headers since the last look."""
            if self.transport.is_closing():
                return
            waiting_for = (self.cycle,) if self.conn.their_state is h11.IDLE else None
            if waiting_for is not None and waiting_for == self._waiting_for:
                self.transport.close()
                return
            self._waiting_for = waiting_for
            self.loop.call_later(patience_s, self._look)

    return Bounded
