"""Opening a model by its name or its folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from lipogram.decoding.models.embedded.causal import EmbeddedCausal
from lipogram.decoding.models.embedded.configuration import Configuration
from lipogram.decoding.models.embedded.masked import EmbeddedMasked

NAMES = ("embedded-2k", "embedded-4k", "embedded-byte", "embedded-diffusion")
DEFAULT = "embedded-2k"

_MOST_THREADS = 4  # that pay for models so small
_WEIGHTS = Path(__file__).parent / "weights"


def folder_of(name_or_folder: str | Path) -> Path:
    """Where a shipped model lives; a folder is its own."""
    return _WEIGHTS / name_or_folder if name_or_folder in NAMES else Path(name_or_folder)


def load(
    name_or_folder: str | Path = DEFAULT,
    *,
    name: str | None = None,
    threads: int = 0,
    cache_bytes: int = 256 << 20,
    infilling_tokens: int | None = None,
) -> EmbeddedCausal | EmbeddedMasked:
    """Open a shipped model, or a folder with an ONNX export in the layout of Optimum.

    `name` replaces the model's own. `threads` are those of one run, 0: as many as there are cores,
    at most 4. `cache_bytes` bound the kept keys and values. `infilling_tokens` replaces how many
    tokens around a cursor the model's own configuration says are worth reading. Reads the whole
    file: some tenths of a second for a shipped model. Raises UnreadableExport.
    """
    folder = folder_of(name_or_folder)
    configuration = Configuration.read(folder)
    if name is not None:
        configuration = replace(configuration, name=name)
    if infilling_tokens is not None and configuration.infilling is not None:
        infilling = replace(configuration.infilling, context_tokens=infilling_tokens)
        configuration = replace(configuration, infilling=infilling)
    threads = threads or min(os.cpu_count() or 1, _MOST_THREADS)
    if configuration.kind == "masked":
        return EmbeddedMasked(folder, configuration, threads=threads)
    return EmbeddedCausal(folder, configuration, threads=threads, cache_bytes=cache_bytes)
