"""Which models are opened, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lipogram.server import loading
from lipogram.server.settings import ModelSettings, SettingsError


def test_the_default_and_a_name_of_ones_own() -> None:
    (default,) = loading.load(())
    assert default.name == "embedded-2k"
    (named,) = loading.load((ModelSettings("mine", source="embedded-byte"),))
    assert named.name == "mine"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cache_mib": 4}, "has no option 'cache_mib'; expected threads, cache_bytes"),
        ({"threads": 0}, "expected threads to be an integer above 0, found 0"),
        ({"threads": True}, "expected threads to be an integer above 0, found True"),
        ({"threads": "2"}, "expected threads to be an integer above 0, found '2'"),
    ],
)
def test_options_are_the_backends_own(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        loading.load((ModelSettings("x", source="embedded-2k", options=options),))


def test_folders_that_hold_no_model(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no model 'nowhere'"):
        loading.load((ModelSettings("nowhere"),))
    with pytest.raises(SettingsError, match=r"model 'x': .*model\.onnx"):
        loading.load((ModelSettings("x", source=str(tmp_path)),))


def test_a_backend_whose_library_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError("No module named 'torch'")

    monkeypatch.setattr(loading.importlib, "import_module", missing)
    with pytest.raises(SettingsError, match=r"needs 'lipogram\[transformers\]'"):
        loading.load((ModelSettings("x", "transformers", "org/x"),))
