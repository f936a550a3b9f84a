"""`GET /health` and `GET /ready`, which never need a key, and `GET /metrics`, which does."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from lipogram.server.exposition import MEDIA_TYPE
from lipogram.server.serving import service_of
from lipogram.server.wire.common import Status

router = APIRouter(tags=["operation"])


@router.get("/health")
async def health() -> Status:
    """The process lives."""
    return Status(status="ok")


@router.get("/ready", responses={503: {"model": Status}})
async def ready(request: Request, response: Response) -> Status:
    """Requests are served without waiting for anything to start; 503 until then."""
    if service_of(request).compiler.ready:
        return Status(status="ready")
    response.status_code = 503
    return Status(status="starting")


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """What the server counts, as Prometheus reads it."""
    service = service_of(request)
    page = service.metrics.page(service.house, service.compiler)
    return Response(page, media_type=MEDIA_TYPE)
