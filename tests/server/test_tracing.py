"""One span a request, with numbers and names but none of a client's text."""

from __future__ import annotations

import importlib.util

import httpx
import pytest

from lipogram.server import app
from lipogram.server.settings import Settings, SettingsError
from lipogram.server.tracing import provider
from server_under_test import restless, serving

HAS_SDK = importlib.util.find_spec("opentelemetry") is not None and (
    importlib.util.find_spec("opentelemetry.sdk") is not None
)
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.skipif(HAS_SDK, reason="OpenTelemetry's SDK is installed")
def test_without_the_extra_it_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"otlp_traces_endpoint: .*lipogram\[otel\]"):
        provider("http://127.0.0.1:4318/v1/traces")


@pytest.mark.skipif(not HAS_SDK, reason="OpenTelemetry's SDK is not installed: pip install [otel]")
def test_a_span_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(app, "provider", lambda endpoint: made)
    body = {"model": "restless", "prompt": "the secret", "max_tokens": 5}
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-Id": "mine"}
    with serving([restless()], Settings(otlp_traces_endpoint="x", compile_workers=1)) as address:
        httpx.get(f"{address}/metrics")
        httpx.post(f"{address}/v1/completions", json=body, headers=headers)
        httpx.post(f"{address}/nowhere")
    served, lost = exporter.get_finished_spans()
    assert (served.name, lost.name) == ("POST /v1/completions", "POST")
    assert f"{served.context.trace_id:032x}" == TRACE
    attributes = served.attributes or {}
    assert attributes["gen_ai.request.id"] == "mine"
    assert attributes["gen_ai.usage.completion_tokens"] == 5
    assert attributes["http.response.status_code"] == 200
    assert attributes["gen_ai.latency.time_to_first_token"] > 0
    assert "secret" not in served.to_json()
