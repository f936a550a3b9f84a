"""A server with two models for all tests here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from lipogram.server.settings import Settings
from server_under_test import restless, serving


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """A server with two models: one with sentinels, one without."""
    models = [restless(), restless("plain", has_specials=False)]
    with serving(models, Settings(served_names=("tiny",))) as url:
        yield url


@pytest.fixture
def post(address: str) -> Iterator[Callable[..., httpx.Response]]:
    """Posts JSON to a path of that server."""
    with httpx.Client(base_url=address, timeout=60) as client:

        def send(path: str, **body: object) -> httpx.Response:
            return client.post(path, json=body)

        yield send
