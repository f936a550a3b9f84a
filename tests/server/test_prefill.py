"""Reading long prompts: given up when the client leaves, and done once for equal requests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lipogram.decoding.models.base import Logits
from lipogram.decoding.models.embedded import EmbeddedCausal, load
from lipogram.decoding.models.prefixes import Extension, Snapshot
from lipogram.server.settings import Settings
from server_under_test import send_body, serving

PREFIX = "".join(f"value_{number} = {number} * other_{number}\n" for number in range(70))
SUFFIX = "\nprint(value_1, value_2)\n"
CHUNK_TOKENS = 192


class Runs:
    """The runs of a model's graph: how many tokens each had, and how long it must take."""

    def __init__(self, model: EmbeddedCausal) -> None:
        self.tokens: list[int] = []
        self.least_s = 0.0
        self._run = model._graph.run
        model._graph.run = self  # type: ignore[method-assign, assignment]

    def __call__(self, rows: Sequence[Extension]) -> list[tuple[Logits, Snapshot]]:
        self.tokens.append(sum(len(row.tokens) for row in rows))
        time.sleep(self.least_s)
        return self._run(rows)


@pytest.fixture(scope="module")
def counted() -> Iterator[tuple[Runs, str]]:
    model = load()
    assert isinstance(model, EmbeddedCausal)
    runs = Runs(model)
    with serving([model], Settings(compile_workers=1), until="/health") as address:
        yield runs, address


@pytest.mark.parametrize("stream", [False, True])
def test_leaving_while_the_prompt_is_read(counted: tuple[Runs, str], stream: bool) -> None:
    runs, address = counted
    prefix = f"stream = {stream}\n{PREFIX}"
    runs.tokens.clear()
    runs.least_s = 0.3
    try:
        body = {"input_prefix": prefix, "input_suffix": SUFFIX, "n_predict": 0, "stream": stream}
        connection = send_body(address, "/infill", body)
        wait_until(lambda: len(runs.tokens) >= 2)
        connection.close()
        time.sleep(1.5)
        assert len(runs.tokens) <= 3
        assert max(runs.tokens) <= CHUNK_TOKENS
    finally:
        runs.least_s = 0.0


def wait_until(is_so: object) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("order", ["psm", "spm"])
def test_equal_requests_at_a_time_read_their_prompt_once(
    counted: tuple[Runs, str], order: str
) -> None:
    runs, address = counted
    body = {
        "model": "embedded-2k", "prompt": f"order = {order!r}\n{PREFIX}", "suffix": SUFFIX,
        "max_tokens": 4, "temperature": 0, "fim_order": order,
    }  # fmt: skip
    runs.tokens.clear()

    def post(_: int) -> httpx.Response:
        return httpx.post(f"{address}/v1/completions", json=body, timeout=60)

    with ThreadPoolExecutor(3) as threads:
        answers = [response.json() for response in threads.map(post, range(3))]
    assert len({answer["choices"][0]["text"] for answer in answers}) == 1
    (length,) = {answer["usage"]["prompt_tokens"] for answer in answers}
    assert length > 800
    assert length <= sum(runs.tokens) < 1.2 * length


def test_the_next_key_reads_little(counted: tuple[Runs, str]) -> None:
    """While somebody types, what is before and behind the cursor has been read already."""
    runs, address = counted
    for typed in ("", "r", "re", "res", "result"):
        body = {
            "input_prefix": f"key = 1\n{PREFIX}{typed}", "input_suffix": SUFFIX, "n_predict": 1,
            "fim_order": "spm", "cache_prompt": True,
        }  # fmt: skip
        runs.tokens.clear()
        assert httpx.post(f"{address}/infill", json=body, timeout=60).status_code == 200
        if typed:
            assert sum(runs.tokens) < 60


def test_what_was_read_before_is_counted(counted: tuple[Runs, str]) -> None:
    _, address = counted
    body = {"input_prefix": f"again = 1\n{PREFIX}", "input_suffix": SUFFIX, "n_predict": 4}
    ask = {"model": "embedded-2k", "prompt": body["input_prefix"], "max_tokens": 4}
    for byte_mode in ("switch", "full"):
        ask |= {"byte_mode": byte_mode, "prompt": f"{byte_mode}\n{PREFIX}"}
        usage = [
            httpx.post(f"{address}/v1/completions", json=ask, timeout=60).json()["usage"]
            for _ in range(2)
        ]
        cached = [each["prompt_tokens_details"]["cached_tokens"] for each in usage]
        assert cached[0] < 20 < usage[1]["prompt_tokens"] - 10 < cached[1]
    timings = [
        httpx.post(f"{address}/infill", json=body, timeout=60).json()["timings"] for _ in range(2)
    ]
    assert timings[0]["cache_n"] < 20 < timings[1]["cache_n"]
    assert timings[1]["cache_n"] + timings[1]["prompt_n"] == sum(
        timings[0][name] for name in ("cache_n", "prompt_n")
    )


def test_no_more_is_read_around_a_cursor_than_is_of_use(counted: tuple[Runs, str]) -> None:
    _, address = counted
    body = {"input_prefix": PREFIX * 3, "input_suffix": SUFFIX, "n_predict": 4}
    reply = httpx.post(f"{address}/infill", json=body, timeout=60).json()
    assert reply["truncated"] is True
    assert 600 < reply["tokens_evaluated"] <= 768
    model = load(infilling_tokens=1500)
    assert isinstance(model, EmbeddedCausal)
    assert model.infilling_tokens == 1500
    with serving([model], Settings(compile_workers=1), until="/health") as wider:
        reply = httpx.post(f"{wider}/infill", json=body, timeout=60).json()
    assert 1300 < reply["tokens_evaluated"] <= 1500
