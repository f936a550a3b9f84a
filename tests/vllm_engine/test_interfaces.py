"""vLLM is as this backend was written for, and what is told where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

from lipogram.decoding.errors import UnsupportedModel
from lipogram.decoding.models.vllm import interfaces, load


def test_the_installed_version_is_known() -> None:
    assert interfaces.differences() == []


def test_a_version_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(interfaces.vllm, "__version__", "0.99.0")
    monkeypatch.delattr(interfaces.StructuredOutputGrammar, "rollback")
    monkeypatch.setattr(
        interfaces.StructuredOutputGrammar, "__abstractmethods__", frozenset({"accept_tokens"})
    )
    message = "expected vLLM 0.32.x and 0.33.x, found 0.99.0; StructuredOutputGrammar has the"
    with pytest.raises(UnsupportedModel, match=message):
        load(str(folder), name="x")


def test_arguments_are_the_engines_own(folder: Path) -> None:
    with pytest.raises(UnsupportedModel, match="cannot open it"):
        load(str(folder), name="x", no_such_argument=1)
