"""Puts the server together."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from lipogram.decoding.models.base import Model
from lipogram.grammars.errors import Error
from lipogram.server import errors
from lipogram.server.access import Access, KeyRing, refusal
from lipogram.server.document import DocumentedApp
from lipogram.server.drafting import Draft
from lipogram.server.logs import RequestLog
from lipogram.server.metrics import Metrics
from lipogram.server.registry import Registry
from lipogram.server.routes import (
    chat,
    completions,
    editors,
    grammars,
    health,
    models,
    responses,
    tokens,
)
from lipogram.server.serving import ClientGone, Service
from lipogram.server.settings import Settings, SettingsError
from lipogram.server.tracing import Traces, provider
from lipogram.server.validation import invalid

_CLIENT_GONE = 499
_ALLOCATIONS = 20_000  # between collections of garbage: reading a schema makes thousands that stay


def build_app(settings: Settings, served: Sequence[Model]) -> FastAPI:
    """The application that serves these models, the first by default."""
    service = Service(settings, _registry(settings, served))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.compiler.start()
        gc.collect()
        gc.freeze()  # vocabularies and modules stay; collections need not look at them again
        gc.set_threshold(_ALLOCATIONS)
        yield
        await service.compiler.close()

    app = DocumentedApp(
        title="lipogram",
        summary="Text that obeys a JSON Schema, regex or grammar, over OpenAI's API",
        lifespan=lifespan,
        strict_content_type=False,
    )
    app.state.settings = settings
    app.state.service = service
    for family in (models, completions, chat, responses, grammars, tokens, health):
        app.include_router(family.router)
    for router in (editors.llama_cpp, editors.mistral, editors.ollama, editors.tabby):
        app.include_router(router)
    app.add_exception_handler(Error, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_value)
    app.add_exception_handler(HTTPException, _refuse_route)
    app.add_exception_handler(ClientGone, _nobody)
    app.add_exception_handler(Exception, _refuse)
    _surround(app, settings, service.metrics)
    return app


def _registry(settings: Settings, served: Sequence[Model]) -> Registry:
    drafts = {model.name: Draft.parse(model.draft) for model in settings.models}
    try:
        return Registry(served, settings.served_names, drafts, settings.ensembles)
    except errors.RequestError as error:
        raise SettingsError(f"a model's draft cannot be: {error}") from error


def _surround(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Adds what every request goes through, from the inside out."""
    app.add_middleware(Access, keys=KeyRing(settings.api_keys), metrics=metrics)
    if settings.otlp_traces_endpoint:
        app.add_middleware(Traces, provider=provider(settings.otlp_traces_endpoint))
    app.add_middleware(RequestLog, metrics=metrics)


async def _refuse(request: Request, error: Exception) -> Response:
    return refusal(error)


async def _refuse_value(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return refusal(invalid(error.errors(), error.body))


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.scope['path'][:200]}"
    if error.status_code == 404:
        return refusal(errors.NotFound(f"Unknown request URL: {where}."))
    if error.status_code == 405:
        response = refusal(errors.MethodNotAllowed(f"Method not allowed: {where}."))
        response.headers.update(error.headers or {})
        return response
    return refusal(errors.InvalidRequest(str(error.detail)))


async def _nobody(request: Request, error: Exception) -> Response:
    return Response(status_code=_CLIENT_GONE)
