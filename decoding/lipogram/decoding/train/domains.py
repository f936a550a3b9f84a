"""What the synthetic texts are about, read from `domains.json`."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from lipogram.decoding.train.values import MAKERS

_TEXT = {"type": "string"}
_ADDRESS = {
    "type": "object",
    "properties": {"street": _TEXT, "city": _TEXT},
    "required": ["street", "city"],
    "additionalProperties": False,
}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "money": {"type": "number"},
    "decimal": {"type": "number"},
    "salary": {"type": "integer"},
    "flag": {"type": "boolean"},
    "address": _ADDRESS,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A property: the keys it may go by, its schema, its values, and templates that state it.

    Templates hold {subject} and {value}; a flag's say yes, and `denials` say no.
    """

    keys: tuple[str, ...]
    schema: dict[str, Any]
    make: Callable[[random.Random], Any]
    templates: tuple[str, ...]
    denials: tuple[str, ...]

    def state(self, rng: random.Random, value: object) -> str:
        """A sentence that still has {subject} in it."""
        chosen = self.denials if value is False else self.templates
        shown = show(value).replace("{", "{{").replace("}", "}}")
        return rng.choice(chosen).replace("{value}", shown)


@dataclass(frozen=True, slots=True)
class Domain:
    """A kind of record: one field names its subject, the others say things about it."""

    subject: Field
    pronoun: str
    openings: tuple[str, ...]
    asides: tuple[str, ...]
    fields: tuple[Field, ...]


def show(value: object) -> str:
    """A value as people write it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case [*most, last] if most:
            return f"{', '.join(map(str, most))} and {last}"
        case [only]:
            return str(only)
        case dict():
            return ", ".join(map(str, value.values()))
    return str(value)


def _field(raw: dict[str, Any]) -> Field:
    schema, make = _kind(raw)
    templates, denials = tuple(raw.get("templates", ())), tuple(raw.get("denials", ()))
    return Field(tuple(raw["keys"]), schema, make, templates, denials)


def _kind(raw: dict[str, Any]) -> tuple[dict[str, Any], Callable[[random.Random], Any]]:
    if "choices" in raw:
        choices = raw["choices"]
        return {"type": "string", "enum": choices}, lambda rng: rng.choice(choices)
    if "range" in raw:
        low, high = raw["range"]
        return {"type": "integer"}, lambda rng: rng.randint(low, high)
    make = MAKERS[raw["values"]]
    if raw.get("several"):
        return {"type": "array", "items": _TEXT}, lambda rng: _several(rng, make)
    return _SCHEMAS.get(raw["values"], _TEXT), make


def _several(rng: random.Random, make: Callable[[random.Random], object]) -> list[object]:
    """One to three different values."""
    return list(dict.fromkeys(make(rng) for _ in range(rng.randint(1, 3))))


def _domain(raw: dict[str, Any]) -> Domain:
    return Domain(
        _field(raw["subject"]),
        raw["pronoun"],
        tuple(raw["openings"]),
        tuple(raw["asides"]),
        tuple(map(_field, raw["fields"])),
    )


_RAW = json.loads(files(__package__).joinpath("domains.json").read_text(encoding="utf-8"))
INSTRUCTIONS: tuple[str, ...] = tuple(_RAW["instructions"])
DOMAINS: tuple[Domain, ...] = tuple(map(_domain, _RAW["domains"]))
