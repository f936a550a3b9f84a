"""Traces over OpenTelemetry, where an endpoint for them is given: one span a request.

Attributes follow the conventions for generative AI, as vLLM's do; none has a client's text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from lipogram.server.settings import SettingsError
from lipogram.server.visits import CURRENT

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

_ATTRIBUTES = {
    "id": "gen_ai.request.id",
    "model": "gen_ai.request.model",
    "sequences": "gen_ai.request.n",
    "finish": "gen_ai.response.finish_reasons",
    "prompt_tokens": "gen_ai.usage.prompt_tokens",
    "completion_tokens": "gen_ai.usage.completion_tokens",
    "status": "http.response.status_code",
    "method": "http.request.method",
    "forced_tokens": "lipogram.forced_tokens",
    "model_calls": "lipogram.model_calls",
    "syntax": "lipogram.grammar.syntax",
}
_MILLISECONDS = {
    "first_token_ms": "gen_ai.latency.time_to_first_token",
    "compile_ms": "lipogram.latency.grammar_compile",
}


def provider(endpoint: str) -> TracerProvider:
    """What sends spans to an OTLP endpoint over HTTP, in the background.

    Raises SettingsError where the extra `otel` is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(
            "otlp_traces_endpoint: traces need `pip install lipogram[otel]`"
        ) from None
    made = TracerProvider(resource=Resource.create({"service.name": "lipogram"}))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    return made


class Traces:
    """Makes a span of every request but probes and scrapes, a child of the client's if it has one.

    It stands inside of the request log, whose facts become attributes.
    """

    def __init__(self, app: ASGIApp, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._app = app
        self._tracer = provider.get_tracer("lipogram")
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind

        parent = self._propagator.extract(dict(Headers(scope=scope)))
        span = self._tracer.start_span(scope["method"], parent, kind=SpanKind.SERVER)
        try:
            await self._app(scope, receive, send)
        finally:
            _describe(span, CURRENT.get().facts, scope)
            span.end()


def _describe(span: Span, facts: dict[str, Any], scope: Scope) -> None:
    from opentelemetry.trace import Status, StatusCode

    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
    for fact, attribute in _ATTRIBUTES.items():
        if fact in facts:
            span.set_attribute(attribute, facts[fact])
    for fact, attribute in _MILLISECONDS.items():
        if fact in facts:
            span.set_attribute(attribute, facts[fact] / 1000)
    if facts["status"] >= 500:
        span.set_status(Status(StatusCode.ERROR))
