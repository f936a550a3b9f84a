"""Opens the models that are to be served."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from lipogram.decoding.errors import DecodingError
from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import Model
from lipogram.server.settings import ModelSettings, SettingsError

_PATIENCE_SECONDS = 5.0
_TITLES: dict[type, str] = {
    bool: "true or false",
    int: "an integer above 0",
    str: "a text",
    Mapping: "a table",
}


@contextmanager
def patience_asked() -> Iterator[None]:
    """Tells the user on standard error why a start takes long, if it does."""
    text = "lipogram compiles its engine, once for this version: about a minute more"
    timer = threading.Timer(_PATIENCE_SECONDS, lambda: print(text, file=sys.stderr))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def load(models: Sequence[ModelSettings]) -> list[Model]:
    """These models; without any, the default one.

    Raises SettingsError for a model that cannot be opened, or not with these options.
    """
    return [_opened(model) for model in models or (ModelSettings(embedded.DEFAULT),)]


def _opened(model: ModelSettings) -> Model:
    source = model.source or model.name
    if model.backend == "embedded" and source not in embedded.NAMES and not Path(source).is_dir():
        names = ", ".join(embedded.NAMES)
        raise SettingsError(
            f"no model {source!r}: expected one of {names}, or a folder with an ONNX export"
        )
    try:
        backend = importlib.import_module(f"lipogram.decoding.models.{model.backend}")
    except ImportError as error:
        raise SettingsError(
            f"model {model.name!r}: {error}; the backend {model.backend} needs"
            f" 'lipogram[{model.backend}]'"
        ) from error
    _check_options(model, backend.load)
    try:
        opened: Model = backend.load(source, name=model.name, **model.options)
    except DecodingError as error:
        raise SettingsError(f"model {model.name!r}: {error}") from error
    return opened


def _check_options(model: ModelSettings, load: Callable[..., Any]) -> None:
    """Options are what the backend's `load` takes by keyword; numbers are above 0."""
    hints = get_type_hints(load)
    parameters = inspect.signature(load).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return  # it passes them on, and tells itself what is wrong
    known = [
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "name"
    ]
    for option, value in model.options.items():
        if option not in known:
            raise SettingsError(
                f"model {model.name!r}: the backend {model.backend} has no option {option!r};"
                f" expected {', '.join(known)}"
            )
        kind, title = _expected(hints[option])
        if not _fits(value, kind):
            raise SettingsError(
                f"model {model.name!r}: expected {option} to be {title}, found {value!r}"
            )


def _fits(value: object, kind: type) -> bool:
    if kind is int:
        return type(value) is int and value > 0
    return isinstance(value, kind) and value != ""


def _expected(hint: Any) -> tuple[type, str]:
    """The type of an option, None apart, and what to call it."""
    kinds = (get_origin(each) or each for each in (hint, *get_args(hint)))
    return next((kind, _TITLES[kind]) for kind in kinds if kind in _TITLES)
