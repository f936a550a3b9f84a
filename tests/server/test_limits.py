"""What the holder of a key may do, and what it is told when it has done it."""

from __future__ import annotations

import time

import httpx
import pytest

from lipogram.server.errors import RateLimited
from lipogram.server.keys import ApiKey, hash_of, new_key
from lipogram.server.limits import Allowance
from lipogram.server.settings import Settings
from server_under_test import SlowModel, serving

HASH = hash_of(new_key())


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def refused(allowance: Allowance) -> RateLimited:
    with pytest.raises(RateLimited) as caught, allowance.admitted():
        pass
    return caught.value


def test_requests_a_minute() -> None:
    clock = Clock()
    allowance = Allowance(ApiKey("a", HASH, requests_per_minute=2), clock)
    for _ in range(2):
        with allowance.admitted():
            pass
    assert refused(allowance).retry_after_s == pytest.approx(30)
    clock.now_s += 29
    assert refused(allowance).reason == "key_requests"
    clock.now_s += 1
    with allowance.admitted():
        pass
    refused(allowance)
    clock.now_s += 3600  # no more than a minute's worth is saved up
    for _ in range(2):
        with allowance.admitted():
            pass
    refused(allowance)


def test_tokens_are_paid_afterwards() -> None:
    clock = Clock()
    allowance = Allowance(ApiKey("a", HASH, tokens_per_minute=60), clock)
    with allowance.admitted():
        allowance.charge(90)
    error = refused(allowance)
    assert error.reason == "key_tokens"
    assert error.retry_after_s == pytest.approx(31)
    clock.now_s += 31
    with allowance.admitted():
        pass


def test_a_refused_request_costs_nothing() -> None:
    allowance = Allowance(ApiKey("a", HASH, max_requests=1, requests_per_minute=2), Clock())
    with allowance.admitted():
        assert refused(allowance).reason == "key_concurrency"
    with allowance.admitted():
        pass
    assert refused(allowance).reason == "key_requests"


def test_over_http() -> None:
    keys = [new_key() for _ in range(3)]
    api_keys = (
        ApiKey("one", hash_of(keys[0]), max_requests=1),
        ApiKey("few", hash_of(keys[1]), tokens_per_minute=10),
        ApiKey("free", hash_of(keys[2])),
    )
    model = SlowModel(0.02)
    body = {"model": "slow", "prompt": "x", "max_tokens": 20, "ignore_eos": True}

    def post(address: str, key: str, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.post(f"{address}/v1/completions", json={**body, **more}, headers=headers)

    with serving([model], Settings(api_keys=api_keys, compile_workers=1), "/health") as address:
        with (
            httpx.Client(headers={"X-Api-Key": keys[0]}) as client,
            client.stream(
                "POST", f"{address}/v1/completions", json={**body, "stream": True, "n": 4}
            ) as stream,
        ):
            assert stream.status_code == 200
            second = post(address, keys[0])
            assert second.status_code == 429
            assert second.json()["error"]["code"] == "rate_limit_exceeded"
        time.sleep(0.2)
        assert post(address, keys[0]).status_code == 200
        assert post(address, keys[1]).status_code == 200
        late = post(address, keys[1])
        assert late.status_code == 429
        assert 30 < int(late.headers["retry-after"]) <= 66  # 11 tokens, at 10 a minute
        assert post(address, keys[2]).status_code == 200
        page = httpx.get(f"{address}/metrics", headers={"X-Api-Key": keys[2]}).text
    assert 'lipogram_admission_rejections_total{reason="key_concurrency"} 1' in page
    assert 'lipogram_admission_rejections_total{reason="key_tokens"} 1' in page
