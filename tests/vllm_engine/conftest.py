"""One engine for all tests of this folder: opening one takes a minute, so it has its own target.

`make test-vllm` installs vLLM's CPU build beside the package and runs them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vllm_settings import SETTINGS

if TYPE_CHECKING:
    from lipogram.decoding.models.vllm import VllmModel

os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "TORCHDYNAMO_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, in the layout of a hub."""
    import tiny_transformers

    return tiny_transformers.saved(tmp_path_factory.mktemp("model"), "wide")


@pytest.fixture(scope="session")
def model(folder: Path) -> Iterator[VllmModel]:
    """The model, opened once."""
    from lipogram.decoding.models.vllm import load

    opened = load(str(folder), name="tiny", **SETTINGS)
    yield opened
    opened.close()
