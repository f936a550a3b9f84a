"""What `/metrics` says: read back by Prometheus's own rules, and compared with what was asked."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from lipogram.server.exposition import Counter, Gauge, Histogram, exposed
from lipogram.server.settings import Settings
from server_under_test import PERSON, restless, serving

_SAMPLE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)'
)


def read(page: str) -> dict[str, float]:
    """The samples of a page by name and labels; every one has a header before it."""
    samples: dict[str, float] = {}
    kinds: dict[str, str] = {}
    assert page.endswith("\n")
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in kinds
            kinds[name] = kind
        elif not line.startswith("# HELP "):
            found = _SAMPLE.fullmatch(line)
            assert found, line
            name = found[1]
            base = re.sub(r"_(bucket|count|sum)$", "", name)
            kind = kinds.get(name) or kinds[base]
            assert (kind == "counter") == name.endswith("_total"), line
            assert f"{name}{{{found[2] or ''}}}" not in samples
            samples[f"{name}{{{found[2] or ''}}}"] = float(found[3])
    return samples


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving([restless()], Settings(compile_workers=1)) as url:
        yield url


def test_text_format() -> None:
    counter = Counter("a_total", "A", ("x",))
    counter.add(2, 'say "hi"\n\\')
    histogram = Histogram("b", "B", (1, 2.5))
    for amount in (0.5, 1, 2, 9):
        histogram.observe(amount)
    gauge = Gauge("c", "C", lambda: {"u": 1, "v": 2.5}, "z")
    assert exposed([counter, histogram, gauge]).splitlines() == [
        "# HELP a_total A",
        "# TYPE a_total counter",
        r'a_total{x="say \"hi\"\n\\"} 2',
        "# HELP b B",
        "# TYPE b histogram",
        'b_bucket{le="1"} 2',
        'b_bucket{le="2.5"} 3',
        'b_bucket{le="+Inf"} 4',
        "b_count 4",
        "b_sum 12.5",
        "# HELP c C",
        "# TYPE c gauge",
        'c{z="u"} 1',
        'c{z="v"} 2.5',
    ]


def test_what_was_served_is_counted(address: str) -> None:
    before = read(httpx.get(f"{address}/metrics").text)
    body = {"model": "restless", "prompt": "ab", "max_tokens": 30, "seed": 1, "n": 2}
    usage = {"prompt_tokens": 0, "completion_tokens": 0}
    for _ in range(2):
        answer = httpx.post(
            f"{address}/v1/completions", json={**body, "structured_outputs": {"json": PERSON}}
        ).json()
        for name in usage:
            usage[name] += answer["usage"][name]
    refused = {**body, "structured_outputs": {"regex": "("}}
    assert httpx.post(f"{address}/v1/completions", json=refused).status_code == 400
    page = httpx.get(f"{address}/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = read(page.text)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    label = '{model_name="restless"}'
    assert grown(f"lipogram_generation_tokens_total{label}") == usage["completion_tokens"]
    assert grown(f"lipogram_prompt_tokens_total{label}") == 2 * usage["prompt_tokens"]
    assert grown(f"lipogram_forced_tokens_total{label}") > 0
    finishes = [name for name in after if name.startswith("lipogram_request_success_total")]
    assert sum(grown(name) for name in finishes) == 4
    assert grown('lipogram_request_failures_total{code="invalid_grammar"}') == 1
    assert grown("lipogram_grammar_cache_queries_total{}") == 3
    assert grown("lipogram_grammar_cache_hits_total{}") == 1
    assert after["lipogram_grammar_cache_bytes{}"] > 0
    assert grown('lipogram_grammar_compile_seconds_count{outcome="compiled"}') == 1
    assert grown('lipogram_grammar_compile_seconds_count{outcome="refused"}') == 1
    assert grown("lipogram_mask_seconds_count{}") > 0
    assert grown(f"lipogram_time_to_first_token_seconds_count{label}") == 2
    assert grown(f"lipogram_e2e_request_latency_seconds_count{label}") == 2
    assert after["lipogram_num_requests_running{}"] == 0
    assert after["lipogram_num_requests_waiting{}"] == 0
    route = 'route="/v1/completions",method="POST"'
    assert grown(f'lipogram_http_requests_total{{{route},status="200"}}') == 2
    assert grown(f'lipogram_http_requests_total{{{route},status="400"}}') == 1


def test_unknown_paths_and_methods_make_no_labels(address: str) -> None:
    for index in range(3):
        httpx.request(f"M{index}", f"{address}/nowhere/{index}")
    names = read(httpx.get(f"{address}/metrics").text)
    assert 'lipogram_http_requests_total{route="",method="",status="404"}' in names
    assert not any("nowhere" in name or "M1" in name for name in names)
