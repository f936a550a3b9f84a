"""Flags win over the environment, and that over the defaults."""

from __future__ import annotations

import pytest

from lipogram.server.settings import Settings, SettingsError, gather


def test_precedence() -> None:
    environment = {"LIPOGRAM_PORT": "1", "LIPOGRAM_HOST": "::1", "LIPOGRAM_API_KEYS": "a, b"}
    settings = gather({"port": 2, "host": None}, environment)
    assert settings == Settings(port=2, host="::1", api_keys=("a", "b"))
    assert "'a'" not in repr(settings)
    assert gather({}, {}) == Settings()
    assert Settings().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("flags", "environment", "name"),
    [
        ({"port": 70_000}, {}, "port"),
        ({}, {"LIPOGRAM_PORT": "x"}, "LIPOGRAM_PORT"),
        ({"max_requests": 0}, {}, "max_requests"),
        ({"compile_seconds": float("nan")}, {}, "compile_seconds"),
        ({"drain_seconds": -1}, {}, "drain_seconds"),
        ({}, {"LIPOGRAM_KEY_ORDER": "none"}, "key_order"),
    ],
)
def test_bad_values_are_named(
    flags: dict[str, object], environment: dict[str, str], name: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        gather(flags, environment)
