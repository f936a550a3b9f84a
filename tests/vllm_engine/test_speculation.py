"""An engine that speculates by itself, under rules and without, in the same batches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

from vllm_settings import SETTINGS

METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "ngram": {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 3},
    "draft_model": {"method": "draft_model", "num_speculative_tokens": 3},
}


def mixed(folder: Path, method: str) -> dict[str, Any]:
    """What forty requests at a time came to."""
    settings = dict(SETTINGS)
    if METHODS[method]:
        settings["speculative_config"] = dict(METHODS[method])
    if method == "draft_model":
        settings["speculative_config"]["model"] = str(folder)
    script = Path(__file__).with_name("speculating.py")
    command = [sys.executable, str(script), str(folder), json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(lines[0].removeprefix("RESULT "))
    return found


@pytest.fixture(scope="module")
def plain(folder: Path) -> dict[str, Any]:
    return mixed(folder, "plain")


@pytest.mark.parametrize("method", ["ngram", "draft_model"])
def test_mixed_batches_have_no_errors(folder: Path, plain: dict[str, Any], method: str) -> None:
    found = mixed(folder, method)
    for kind in ("greedy", "drawn"):
        assert found[kind]["errors"] == []
        assert all(accepted for _, accepted in found[kind]["texts"])
    assert found["greedy"]["texts"] == plain["greedy"]["texts"]
    assert found["rows"] == plain["rows"]
