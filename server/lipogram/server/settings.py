"""What can be configured, and where a value comes from: flags, then environment, then defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from lipogram.grammars.errors import Error
from lipogram.grammars.json_schema import KeyOrder

PREFIX = "LIPOGRAM_"


class SettingsError(Error):
    """A setting has a value that cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the server can be told.

    `model` names the embedded models (or folders) to serve, none meaning the default one;
    `served_names` are further names for the first. `max_requests` may be in the house before new
    ones are answered 429; the first sequence of each is decoded at once, and `max_sequences`
    more. `key_order` is that of JSON objects whose request names none. `compile_*` bound one
    request's grammar, `cache_mib` all compiled ones together.
    """

    model: tuple[str, ...] = ()
    served_names: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    api_keys: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    key_order: KeyOrder = "schema"
    max_body_bytes: int = 4 << 20
    max_nesting: int = 200
    max_sequences: int = 32
    max_requests: int = 256
    compile_workers: int = 2
    compile_seconds: float = 5.0
    compile_mib: int = 1024
    cache_mib: int = 256
    drain_seconds: int = 30


def gather(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """The settings of these flags (None: not given) over `LIPOGRAM_*` variables over defaults.

    Raises SettingsError for a value that is no such number, or out of range.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        variable = PREFIX + field.name.upper()
        if flags.get(field.name) is not None:
            values[field.name] = flags[field.name]
        elif environment.get(variable):
            values[field.name] = _parsed(variable, str(field.type), environment[variable])
    settings = Settings(**values)
    _check(settings)
    return settings


def _parsed(variable: str, kind: str, text: str) -> Any:
    """The value of an environment variable; lists are separated by commas."""
    if kind.startswith("tuple"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind not in ("int", "float"):
        return text
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        raise SettingsError(f"{variable}: expected a number, found {text!r}") from None


def _check(settings: Settings) -> None:
    if not 0 <= settings.port <= 65535:
        raise SettingsError(f"port: expected 0 to 65535, found {settings.port}")
    if settings.key_order not in get_args(KeyOrder):
        raise SettingsError(f"key_order: expected schema or any, found {settings.key_order!r}")
    for field in dataclasses.fields(Settings):
        value = getattr(settings, field.name)
        if field.name not in {"port", "drain_seconds"} and isinstance(value, int | float):
            low = 0.1 if field.name == "compile_seconds" else 1
            if not value >= low:
                raise SettingsError(f"{field.name}: expected at least {low}, found {value}")
    if settings.drain_seconds < 0:
        raise SettingsError(f"drain_seconds: expected 0 or more, found {settings.drain_seconds}")
