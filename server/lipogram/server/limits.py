"""What the holder of one key may do: requests at a time, requests and tokens a minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lipogram.server.errors import RateLimited
from lipogram.server.keys import ApiKey

Clock = Callable[[], float]


class Bucket:
    """Fills by `per_minute` and holds a minute's worth; what is taken may leave it in debt."""

    def __init__(self, per_minute: float, clock: Clock) -> None:
        self._rate = per_minute / 60
        self._most = per_minute
        self._level = per_minute
        self._clock = clock
        self._seen_s = clock()

    def wait_s(self, amount: float) -> float:
        """Seconds until so much is here, 0 if it is."""
        now_s = self._clock()
        self._level = min(self._most, self._level + self._rate * (now_s - self._seen_s))
        self._seen_s = now_s
        return max(0.0, (min(amount, self._most) - self._level) / self._rate)

    def take(self, amount: float) -> None:
        """Takes it, whether it is here or not."""
        self._level -= amount


class Allowance:
    """What is left of a key's limits."""

    def __init__(self, key: ApiKey, clock: Clock = time.monotonic) -> None:
        self.key = key
        self._inside = 0
        self._requests = _bucket(key.requests_per_minute, clock)
        self._tokens = _bucket(key.tokens_per_minute, clock)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts a request while it is served; raises RateLimited."""
        most = self.key.max_requests
        if most is not None and self._inside >= most:
            raise RateLimited(
                f"this key may have {most} requests at a time", reason="key_concurrency"
            )
        if self._tokens is not None:
            _check(self._tokens, "tokens", self.key.tokens_per_minute)
        if self._requests is not None:
            _check(self._requests, "requests", self.key.requests_per_minute)
            self._requests.take(1)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def charge(self, tokens: int) -> None:
        """Takes generated tokens; a debt keeps later requests out until it is paid."""
        if self._tokens is not None:
            self._tokens.take(tokens)


def _bucket(per_minute: float | None, clock: Clock) -> Bucket | None:
    return None if per_minute is None else Bucket(per_minute, clock)


def _check(bucket: Bucket, what: str, per_minute: float | None) -> None:
    wait_s = bucket.wait_s(1)
    if wait_s > 0:
        raise RateLimited(
            f"this key may have {per_minute:g} {what} a minute",
            reason=f"key_{what}",
            retry_after_s=wait_s,
        )
