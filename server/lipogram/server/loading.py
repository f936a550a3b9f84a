"""Opens the models that are to be served."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import CausalModel
from lipogram.server.settings import SettingsError

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


def load(names: Sequence[str]) -> list[CausalModel]:
    """The models of these names or folders; without any, the default one.

    Raises SettingsError for an unknown model or one that does not write from left to right,
    UnreadableExport for a folder that cannot be read.
    """
    models: list[CausalModel] = []
    for name in names or (embedded.DEFAULT,):
        if name not in embedded.NAMES and not Path(name).is_dir():
            names = ", ".join(embedded.NAMES)
            raise SettingsError(
                f"no model {name!r}: expected one of {names}, or a folder with an ONNX export"
            )
        model = embedded.load(name)
        if not isinstance(model, embedded.EmbeddedCausal):
            raise SettingsError(
                f"model {name!r} fills masks; expected one that writes from left to right"
            )
        models.append(model)
    return models
