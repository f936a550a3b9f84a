"""What happens when a part fails, or the server is told to stop, while it is at work.

docs/operation.md has the outcomes as a table; each row is tested here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence

import httpx
import numpy as np
import pytest

from lipogram.decoding.errors import BackendFailed
from lipogram.decoding.models.table import TableModel
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.server.settings import Settings
from server_under_test import PERSON, restless, serving

BODY = {"model": "fragile", "prompt": "x", "max_tokens": 20, "ignore_eos": True}


class FragileModel:
    """Raises `error` from its `failing`th question on."""

    def __init__(self) -> None:
        self._model = restless("fragile")
        self.name = "fragile"
        self.vocabulary = self._model.vocabulary
        self.context_tokens = 1000
        self.error: Exception | None = None
        self.failing = 0

    async def logits(self, queries: Sequence[object]) -> list[np.ndarray]:
        """The scores, until they are no more."""
        self.failing -= 1
        if self.error is not None and self.failing < 0:
            raise self.error
        return await self._model.logits(queries)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BackendFailed("out of memory"), 503, "backend_failed"),
        (RuntimeError("secret detail"), 500, "internal_error"),
        (MemoryError(), 500, "internal_error"),
    ],
)
def test_a_model_that_raises(error: Exception, status: int, code: str) -> None:
    model = FragileModel()
    with serving([model], Settings(compile_workers=1), until="/health") as address:
        model.error, model.failing = error, 3
        response = httpx.post(f"{address}/v1/completions", json=BODY)
        assert response.status_code == status
        assert response.json()["error"]["code"] == code
        assert "secret" not in response.text
        assert ("retry-after" in response.headers) == (status == 503)
        model.failing = 3
        stream = httpx.post(f"{address}/v1/completions", json={**BODY, "stream": True})
        assert stream.status_code == 200
        events = stream.text.strip().split("\n\n")
        assert json.loads(events[-1].removeprefix("data: "))["error"]["code"] == code
        assert "secret" not in stream.text
        model.error = None
        assert httpx.post(f"{address}/v1/completions", json=BODY).status_code == 200
        page = httpx.get(f"{address}/metrics").text
        assert f'lipogram_request_failures_total{{code="{code}"}} 2' in page
        assert "lipogram_num_requests_running 0" in page


def test_one_request_that_fails_leaves_the_others_alone() -> None:
    fragile, sound = FragileModel(), restless()
    results: list[int] = []

    def post(name: str) -> None:
        body = {**BODY, "model": name, "max_tokens": 200}
        results.append(httpx.post(f"{address}/v1/completions", json=body).status_code)

    with serving([fragile, sound], Settings(compile_workers=1), until="/health") as address:
        fragile.error = RuntimeError("broken")
        threads = [
            threading.Thread(target=post, args=(name,))
            for name in ("fragile", "restless", "fragile", "restless")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == [200, 200, 500, 500]


def test_a_killed_compile_worker_costs_one_request() -> None:
    """A grammar that takes too long is refused; the next grammar is compiled by a new worker."""
    slow = {"regex": "(?=.*a.{12}$)(?=.*b.{13}$)(?=.*c.{14}$)[abc]*"}
    settings = Settings(compile_workers=1, compile_seconds=0.3)
    with serving([restless()], settings) as address:
        body = {"model": "restless", "prompt": "x", "max_tokens": 60}
        outcomes: list[httpx.Response] = []

        def post(rule: object) -> None:
            json = {**body, "structured_outputs": rule}
            outcomes.append(httpx.post(f"{address}/v1/completions", json=json, timeout=60))

        first = threading.Thread(target=post, args=(slow,))
        first.start()
        time.sleep(0.1)
        post({"json": PERSON})
        first.join()
        assert sorted(response.status_code for response in outcomes) == [200, 400]
        refused = next(response for response in outcomes if response.status_code == 400)
        assert refused.json()["error"]["code"] == "grammar_too_complex"
        page = httpx.get(f"{address}/metrics").text
        assert "lipogram_compile_workers_lost_total 1" in page


def test_a_full_house_is_counted() -> None:
    model = FragileModel()
    with serving([model], Settings(max_requests=1, compile_workers=1), until="/health") as address:
        body = {**BODY, "max_tokens": 900, "stream": True}
        with httpx.stream("POST", f"{address}/v1/completions", json=body) as stream:
            assert stream.status_code == 200
            refused = httpx.post(f"{address}/v1/completions", json=BODY)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        page = httpx.get(f"{address}/metrics").text
        assert 'lipogram_admission_rejections_total{reason="queue_full"} 1' in page


def test_a_text_that_the_vocabulary_has_no_tokens_for() -> None:
    tokens = Vocabulary.from_tokens([*(bytes([byte]) for byte in range(0x20, 0x7F)), b""], (95,))
    model = TableModel(tokens, lambda prefix: np.zeros(96), name="ascii", context_tokens=99)
    with serving([model], Settings(compile_workers=1), until="/health") as address:
        for path, body in (
            ("/v1/completions", {"prompt": "caf\u00e9"}),
            ("/api/generate", {"prompt": "caf\u00e9", "raw": True, "stream": False}),
        ):
            response = httpx.post(address + path, json={"model": "ascii", **body})
            assert response.status_code == 400
            error = response.json()["error"]
            if path == "/v1/completions":
                assert error["code"] == "unspellable_text"
                error = error["message"]
            assert r"\xc3" in error
