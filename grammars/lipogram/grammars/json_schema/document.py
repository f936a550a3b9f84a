"""A schema document: its drafts, base URIs, anchors, and where every reference leads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Any, NoReturn
from urllib.parse import unquote, urldefrag, urljoin

from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported

MAX_NESTING = 256
MAX_VALUES = 400_000
MAX_TEXT_BYTES = 8 * 1024 * 1024
MAX_PROPERTIES = 5_000

_DRAFTS = {
    "http://json-schema.org/draft-04/schema": 4,
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-07/schema": 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "https://json-schema.org/draft/2020-12/schema": 2020,
    "http://json-schema.org/schema": 2020,
}
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas",
         "dependencies")  # fmt: skip
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SINGLES = ("items", "additionalItems", "additionalProperties", "not", "if", "then", "else",
            "contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties",
            "contentSchema")  # fmt: skip


@dataclass(slots=True, eq=False)
class Resource:
    """A schema with a base URI of its own; `draft` is 0 where no `$schema` says which."""

    uri: str
    value: Any
    pointer: str
    draft: int
    anchors: dict[str, tuple[Any, str]] = field(default_factory=dict)
    dynamic: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One subschema; the same place is always the same object."""

    value: Any
    pointer: str
    resource: Resource

    @property
    def draft(self) -> int:
        """The draft whose rules apply; 0: none declared, every draft's keywords are understood."""
        return self.resource.draft

    def has(self, *keywords: str) -> bool:
        """Whether any of the keywords is there."""
        return any(keyword in self.value for keyword in keywords)

    def error(self, expected: str, keyword: str) -> GrammarError:
        """The error for a keyword whose value is not what it has to be."""
        return GrammarError(
            f"expected {expected}, found {brief(self.value.get(keyword))}",
            pointer=f"{self.pointer}/{escaped(keyword)}",
            keyword=keyword,
        )

    def refuse(self, keyword: str, reason: str) -> NoReturn:
        """Raises Unsupported for the keyword."""
        raise Unsupported(
            f"{keyword}: {reason}", pointer=f"{self.pointer}/{escaped(keyword)}", keyword=keyword
        )


def escaped(name: str) -> str:
    """A name as one step of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def brief(value: object) -> str:
    """A value as an error message shows it, cut to 40 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."


def load(schema: object) -> Any:
    """The schema as plain values, checked to be JSON of a bounded size and depth."""
    if isinstance(schema, str):
        if len(schema) > MAX_TEXT_BYTES:
            raise BudgetExceeded(f"the schema is longer than {MAX_TEXT_BYTES} bytes", pointer="")
        try:
            schema = json.loads(schema, parse_float=Decimal, object_pairs_hook=_unique_keys)
        except RecursionError as error:
            raise BudgetExceeded("the schema is nested too deeply", pointer="") from error
        except ValueError as error:
            raise GrammarError(f"expected JSON: {error}", pointer="") from error
    _check(schema)
    return schema


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise GrammarError(f"expected each name once in an object, found {twice!r} twice",
                           pointer="")  # fmt: skip
    return found


def _check(schema: object) -> None:
    pending: list[tuple[object, int]] = [(schema, 0)]
    count = 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if depth > MAX_NESTING or count > MAX_VALUES:
            raise BudgetExceeded(
                f"the schema is nested deeper than {MAX_NESTING}" if depth > MAX_NESTING
                else f"the schema has more than {MAX_VALUES} values",
                pointer="",
            )  # fmt: skip
        if isinstance(value, dict):
            for name, member in value.items():
                if not isinstance(name, str):
                    raise GrammarError(f"expected a string as a name, found {name!r}", pointer="")
                _check_text(name)
                pending.append((member, depth + 1))
        elif isinstance(value, list | tuple):
            pending.extend((member, depth + 1) for member in value)
        else:
            _check_scalar(value)


def _check_scalar(value: object) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float | Decimal):
        if not isfinite(value):
            raise GrammarError(f"expected a finite number, found {value}", pointer="")
        if isinstance(value, Decimal) and abs(int(value.as_tuple().exponent)) > 400:
            raise BudgetExceeded(f"the number {value} has too many digits", pointer="")
    elif value is not None and not isinstance(value, bool | int):
        raise GrammarError(f"expected JSON, found {type(value).__name__}", pointer="")


def _check_text(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise GrammarError("expected text, found an unpaired surrogate", pointer="")


class Document:
    """All schemas that may be referred to: the one compiled and the ones supplied with it.

    Nothing is ever fetched.
    """

    def __init__(self, schema: Any, supplied: Mapping[str, Any]) -> None:
        self._resources: dict[str, Resource] = {}
        self._owners: dict[int, Resource] = {}
        self._places: dict[tuple[int, str], Place] = {}
        self.uses_unevaluated = False
        self.dynamic_anchors: dict[str, int] = {}
        self.recursive_anchors = 0
        for uri, value in supplied.items():
            self._add(uri, load(value))
        self.root = self._place(schema, "", self._add("", schema))

    def _add(self, uri: str, value: Any) -> Resource:
        resource = Resource(urldefrag(uri)[0], value, "", 0)
        self._resources.setdefault(resource.uri, resource)
        pending: list[tuple[Any, str, Resource]] = [(value, "", resource)]
        while pending:
            schema, pointer, owner = pending.pop()
            if not isinstance(schema, dict):
                continue
            owner = self._enter(schema, pointer, owner)
            pending.extend(
                (child, f"{pointer}/{step}", owner) for step, child in subschemas(schema)
            )
        return self._owners.get(id(value), resource)

    def _enter(self, schema: dict[str, Any], pointer: str, owner: Resource) -> Resource:
        draft = owner.draft
        declared = schema.get("$schema")
        if isinstance(declared, str) and (pointer == owner.pointer or "$id" in schema):
            draft = _draft(declared, pointer)
        own = schema.get("id" if draft == 4 else "$id")
        if "$ref" in schema and 0 < draft <= 7:
            own = None
        if isinstance(own, str) and not own.startswith("#"):
            owner = Resource(urldefrag(_join(owner.uri, own))[0], schema, pointer, draft)
            self._resources[owner.uri] = owner
        elif pointer == owner.pointer:
            owner.draft = draft
        self._owners[id(schema)] = owner
        if isinstance(own, str) and own.startswith("#"):
            owner.anchors[own[1:]] = (schema, pointer)
        for keyword in ("$anchor", "$dynamicAnchor"):
            name = schema.get(keyword)
            if isinstance(name, str):
                owner.anchors[name] = (schema, pointer)
                if keyword == "$dynamicAnchor":
                    owner.dynamic.add(name)
                    self.dynamic_anchors[name] = self.dynamic_anchors.get(name, 0) + 1
        self.recursive_anchors += schema.get("$recursiveAnchor") is True
        self.uses_unevaluated |= "unevaluatedProperties" in schema or "unevaluatedItems" in schema
        return owner

    def _place(self, value: Any, pointer: str, owner: Resource) -> Place:
        owner = self._owners.get(id(value), owner) if isinstance(value, dict) else owner
        key = (id(owner), pointer)
        if key not in self._places:
            if not isinstance(value, dict | bool):
                raise GrammarError(
                    f"expected a schema (an object or a boolean), found {brief(value)}",
                    pointer=pointer,
                )
            self._places[key] = Place(value, pointer, owner)
        return self._places[key]

    def child(self, place: Place, *steps: str | int) -> Place:
        """The subschema that the steps lead to."""
        value, pointer = place.value, place.pointer
        for step in steps:
            value = value[step]
            pointer += f"/{escaped(str(step))}"
        return self._place(value, pointer, place.resource)

    def invent(self, place: Place, keyword: str, value: Any) -> Place:
        """A schema that stands for what a keyword says, such as one member of a constant."""
        pointer = f"{place.pointer}/{keyword}"
        key = (id(place.resource), "invented " + pointer)
        if key not in self._places:
            self._places[key] = Place(value, pointer, place.resource)
        return self._places[key]

    def resolve(self, place: Place, keyword: str) -> Place:
        """The place that a reference leads to.

        Raises GrammarError where nothing is there, Unsupported where it lies in a document that
        was not supplied.
        """
        reference = place.value[keyword]
        if not isinstance(reference, str):
            raise place.error("a URI reference", keyword)
        uri, fragment = urldefrag(_join(place.resource.uri, reference))
        resource = self._resources.get(uri)
        if resource is None:
            place.refuse(keyword, f"{brief(reference)} is elsewhere, and nothing is fetched")
        fragment = unquote(fragment)
        if not fragment:
            return self._place(resource.value, resource.pointer, resource)
        found = self._follow(resource, fragment)
        if found is None:
            raise place.error("a reference to a schema that exists", keyword)
        return self._place(*found)

    def _follow(self, resource: Resource, fragment: str) -> tuple[Any, str, Resource] | None:
        """What an anchor or a JSON Pointer leads to within a resource."""
        if not fragment.startswith("/"):
            anchored = resource.anchors.get(fragment)
            return (*anchored, resource) if anchored else None
        value, pointer = resource.value, resource.pointer
        for step in fragment.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                value = value[int(name)]
            else:
                return None
            pointer += f"/{escaped(name)}"
            resource = self._owners.get(id(value), resource)
        return value, pointer, resource


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The schemas directly within a schema, with the steps to them."""
    for keyword in _MAPS:
        members = schema.get(keyword)
        if isinstance(members, dict):
            for name, member in members.items():
                yield f"{keyword}/{escaped(name)}", member
    for keyword in _LISTS:
        members = schema.get(keyword)
        if isinstance(members, list):
            for index, member in enumerate(members):
                yield f"{keyword}/{index}", member
    for keyword in _SINGLES:
        if isinstance(schema.get(keyword), dict):
            yield keyword, schema[keyword]


def _join(base: str, reference: str) -> str:
    if reference.startswith("#"):
        return base + reference
    return urljoin(base, reference)


def _draft(declared: str, pointer: str) -> int:
    draft = _DRAFTS.get(declared.removesuffix("#"))
    draft = draft or _DRAFTS.get(
        declared.removesuffix("#").replace(
            "https://json-schema.org/draft-", "http://json-schema.org/draft-"
        )
    )
    if draft is None:
        raise Unsupported(
            f"$schema: the dialect {brief(declared)} is not known", pointer=f"{pointer}/$schema",
            keyword="$schema",
        )  # fmt: skip
    return draft
