"""What can be configured, and where a value comes from: flags, environment, file, defaults."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from lipogram.decoding.bytes.mixing import MixingRule
from lipogram.grammars.errors import Error
from lipogram.grammars.json_schema import KeyOrder
from lipogram.grammars.kernels import CACHE_DIR
from lipogram.server.drafting import Draft
from lipogram.server.keys import ApiKey, check_hash

PREFIX = "LIPOGRAM_"
CONFIG = "config"
_TESTS = PREFIX + "TEST_"

Backend: TypeAlias = Literal["embedded", "transformers", "vllm", "remote"]
_MODEL = re.compile(
    rf"(?:(?P<name>[\w.-]+)=)?(?:(?P<backend>{'|'.join(get_args(Backend))}):)?(?P<source>.+)"
)


class SettingsError(Error):
    """A setting has a value that cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """A model to serve under `name`: what `backend` opens as `source` (empty: the name).

    `options` are the backend's own: threads, dtype, tensor_parallel_size and the like. `draft` says
    who guesses ahead of the model where a request does not: auto, none, or some of grammar, prompt,
    heads and model:NAME with + between.
    """

    name: str
    backend: Backend = "embedded"
    source: str = ""
    draft: str = "auto"
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, text: str) -> ModelSettings:
        """`[NAME=][BACKEND:]SOURCE`; without a name, the last part of the source's path."""
        found = _MODEL.fullmatch(text)
        if found is None:
            raise SettingsError(f"expected [NAME=][BACKEND:]SOURCE, found {text!r}")
        source = found["source"]
        name = found["name"] or source.rstrip("/").rpartition("/")[2]
        return cls(name, found["backend"] or "embedded", source)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class EnsembleSettings:
    """An ensemble to serve under `name`: names of `models`, and how they are mixed (`Mixing`)."""

    name: str
    members: tuple[str, ...]
    rule: MixingRule = "linear"
    weights: tuple[float, ...] = ()
    strength: float | None = None

    @classmethod
    def parse(cls, text: str) -> EnsembleSettings:
        """Raises SettingsError: no text says it all."""
        raise SettingsError("expected ensembles in the settings file alone, found them here")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the server can be told.

    `models` are served, none meaning the default embedded one; `served_names` are further names
    for the first; `ensembles` of them have names of their own. `max_requests` may be in the
    house before new ones are answered 429; the first sequence of each is decoded at once, and
    `max_sequences` more. `key_order` is that of JSON objects whose request names none.
    `compile_*` bound one request's grammar, `cache_mib` all compiled ones together. A body has
    `body_seconds` to arrive, a request `request_seconds` from there to its last byte. Traces go
    to `otlp_traces_endpoint`, if it is given.
    """

    models: tuple[ModelSettings, ...] = ()
    served_names: tuple[str, ...] = ()
    ensembles: tuple[EnsembleSettings, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    api_keys: tuple[ApiKey, ...] = field(default=(), repr=False)
    key_order: KeyOrder = "schema"
    max_body_bytes: int = 4 << 20
    max_nesting: int = 200
    max_sequences: int = 32
    max_requests: int = 256
    body_seconds: float = 30.0
    request_seconds: float = 600.0
    compile_workers: int = 2
    compile_seconds: float = 5.0
    compile_mib: int = 1024
    cache_mib: int = 256
    drain_seconds: int = 30
    otlp_traces_endpoint: str = ""


_PARSERS: dict[object, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    KeyOrder: str,
    ModelSettings: ModelSettings.parse,
    EnsembleSettings: EnsembleSettings.parse,
    ApiKey: ApiKey.parse,
}


def gather(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """The settings of these flags over `LIPOGRAM_*` variables over the file over defaults.

    A flag's value is a text, a list of texts, a number, or None where it is not given; the file
    is named by the flag `config` or the variable `LIPOGRAM_CONFIG`. Raises SettingsError for a
    value of a wrong type or out of range, and for a name that nobody knows.
    """
    hints = get_type_hints(Settings)
    _check_variables(environment, hints)
    file = flags.get(CONFIG) or environment.get(PREFIX + CONFIG.upper())
    values = _read_file(Path(file)) if file else {}
    for name, hint in hints.items():
        variable = PREFIX + name.upper()
        if flags.get(name) is not None:
            values[name] = _parsed("--" + name.replace("_", "-"), hint, flags[name])
        elif environment.get(variable):
            values[name] = _parsed(variable, hint, environment[variable])
    settings = Settings(**values)
    _check(settings)
    return settings


def _check_variables(environment: Mapping[str, str], hints: Mapping[str, Any]) -> None:
    """A misspelt variable must not leave a server without its keys."""
    known = {CACHE_DIR, *(PREFIX + name.upper() for name in (*hints, CONFIG))}
    for variable in environment:
        if (
            variable.startswith(PREFIX)
            and variable not in known
            and not variable.startswith(_TESTS)
        ):
            raise SettingsError(f"{variable}: no setting has this name")
    if environment.get(PREFIX + "API_KEYS") == "":
        raise SettingsError(f"{PREFIX}API_KEYS: expected keys, found none; unset it to have none")


def _read_file(path: Path) -> dict[str, Any]:
    """The settings in a TOML file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    values = _members(Settings, document, f"{path}: ")
    for key in values.get("api_keys", ()):
        try:
            check_hash(key.hash)
        except Error as error:
            raise SettingsError(f"{path}: api_keys {key.name!r}: {error}") from None
    return values


def _members(kind: Any, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A table's values for the fields of a dataclass; raises for unknown and missing ones."""
    hints = get_type_hints(kind)
    for name in table:
        if name not in hints:
            raise SettingsError(f"{where}{name}: no setting has this name")
    for entry in dataclasses.fields(kind):
        has_default = (entry.default, entry.default_factory) != (dataclasses.MISSING,) * 2
        if not has_default and entry.name not in table:
            raise SettingsError(f"{where}{entry.name} is missing")
    return {name: _typed(hints[name], value, where + name) for name, value in table.items()}


def _typed(hint: Any, value: Any, where: str) -> Any:
    """A value of a TOML file as its field has it."""
    origin = get_origin(hint)
    if origin is tuple and isinstance(value, list):
        item = get_args(hint)[0]
        return tuple(_typed(item, each, f"{where}[{place}]") for place, each in enumerate(value))
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return hint(**_members(hint, value, where + "."))  # type: ignore[operator]
    if isinstance(hint, UnionType):
        return _typed(get_args(hint)[0], value, where)
    if origin is Literal:
        if value in get_args(hint):
            return value
        raise SettingsError(f"{where}: expected one of {get_args(hint)}, found {value!r}")
    if hint is float and type(value) is int:
        return float(value)
    kind = dict if issubclass(origin or hint, Mapping) else origin or hint
    if type(value) is not kind:
        raise SettingsError(f"{where}: expected {_title(hint)}, found {value!r}")
    return value


def _title(hint: Any) -> str:
    names = {tuple: "a list", str: "a text", int: "an integer", float: "a number"}
    return names.get(get_origin(hint) or hint, "a table")


def _parsed(where: str, hint: Any, given: Any) -> Any:
    """The value of a variable, in which commas separate a list, or of a flag."""
    if get_origin(hint) is tuple:
        parts = given.split(",") if isinstance(given, str) else given
        item = get_args(hint)[0]
        return tuple(_parsed(where, item, part.strip()) for part in parts if part.strip())
    try:
        return _PARSERS[hint](given)
    except ValueError:
        raise SettingsError(f"{where}: expected a number, found {given!r}") from None
    except Error as error:
        raise SettingsError(f"{where}: {error}") from None


_LEAST = {"port": 0, "drain_seconds": 0, "compile_seconds": 0.1, "body_seconds": 0.1}


def _check(settings: Settings) -> None:
    if settings.port > 65535:
        raise SettingsError(f"port: expected 0 to 65535, found {settings.port}")
    if settings.key_order not in get_args(KeyOrder):
        raise SettingsError(f"key_order: expected schema or any, found {settings.key_order!r}")
    _check_numbers(settings, _LEAST, "")
    for key in settings.api_keys:
        _check_numbers(key, {}, f"api_keys {key.name!r}: ")
    for model in settings.models:
        try:
            Draft.parse(model.draft)
        except ValueError as error:
            raise SettingsError(f"models {model.name!r}: draft: {error}") from None
    served = [*(model.name for model in settings.models), *settings.served_names]
    ensembles = [ensemble.name for ensemble in settings.ensembles]
    for kind, names in (
        ("models", served),
        ("ensembles", [*served, *ensembles]),
        ("api_keys", [key.name for key in settings.api_keys]),
    ):
        for place, name in enumerate(names):
            if not name or name in names[:place]:
                raise SettingsError(f"{kind}: expected distinct names, found {name!r} again")


def _check_numbers(holder: Any, least: Mapping[str, float], where: str) -> None:
    for entry in dataclasses.fields(holder):
        value = getattr(holder, entry.name)
        low = least.get(entry.name, 1)
        if isinstance(value, int | float) and not low <= value < 2**63:
            raise SettingsError(f"{where}{entry.name}: expected at least {low}, found {value}")
