"""Opens the models that are to be served."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import CausalModel
from lipogram.server.settings import ModelSettings, SettingsError

_PATIENCE_SECONDS = 5.0


@contextmanager
def patience_asked() -> Iterator[None]:
    """Tells the user on standard error why a start takes long, if it does."""
    text = "lipogram compiles its engine, once for this installation: about two minutes more"
    timer = threading.Timer(_PATIENCE_SECONDS, lambda: print(text, file=sys.stderr))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def load(models: Sequence[ModelSettings]) -> list[CausalModel]:
    """These models; without any, the default one.

    Raises SettingsError for an unknown model, or one that does not write from left to right,
    UnreadableExport for a folder that cannot be read.
    """
    return [_opened(model) for model in models or (ModelSettings(embedded.DEFAULT),)]


def _opened(model: ModelSettings) -> CausalModel:
    if model.backend != "embedded":
        raise SettingsError(f"model {model.name!r}: there is no backend {model.backend!r}")
    source = model.source or model.name
    if source not in embedded.NAMES and not Path(source).is_dir():
        names = ", ".join(embedded.NAMES)
        raise SettingsError(
            f"no model {source!r}: expected one of {names}, or a folder with an ONNX export"
        )
    options: dict[str, Any] = dict(model.options)
    for option, value in options.items():
        if option not in ("threads", "cache_bytes") or type(value) is not int or value < 1:
            raise SettingsError(
                f"model {model.name!r}: expected options of threads and cache_bytes, each an"
                f" integer above 0, found {option} = {value!r}"
            )
    opened = embedded.load(source, name=model.name, **options)
    if not isinstance(opened, embedded.EmbeddedCausal):
        raise SettingsError(
            f"model {model.name!r} fills masks; expected one that writes from left to right"
        )
    return opened
