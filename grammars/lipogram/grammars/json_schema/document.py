"""A schema document: its drafts, base URIs, anchors, and where every reference leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported
from lipogram.grammars.json_schema.loading import load
from lipogram.grammars.json_schema.places import (
    OF_NO_DRAFT,
    Place,
    Resource,
    Scope,
    Where,
    brief,
    escaped,
)
from lipogram.grammars.json_schema.vocabulary import (
    ANNOTATIONS,
    EVERY_DRAFT,
    Dialect,
    of_draft,
    restricted,
)

MAX_PROPERTIES = 5_000
MAX_INVENTED = 10_000

_DRAFTS = {
    "http://json-schema.org/draft-04/schema": 4,
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-07/schema": 7,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "https://json-schema.org/draft/2020-12/schema": 2020,
    "http://json-schema.org/schema": 2020,
}
_MAPS = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas",
                   "dependencies"))  # fmt: skip
_PARTS = frozenset(("allOf", "anyOf", "oneOf", "prefixItems", "items", "additionalItems",
                    "additionalProperties", "not", "if", "then", "else", "contains",
                    "propertyNames", "unevaluatedItems", "unevaluatedProperties",
                    "contentSchema"))  # fmt: skip
# Schemas of no more than so many of these say the same wherever they stand.
_PLAIN_WORDS = frozenset(("type", "minimum", "maximum", "minLength", "maxLength"))
_FEW = 6
# No anchor can have this name; it stands for `$recursiveAnchor`.
_RECURSIVE = "$recursiveAnchor"


class Document:
    """All schemas that may be referred to: the one compiled and the ones supplied with it.

    Nothing is ever fetched. `told` holds the telling names that occur (see `load`).
    """

    def __init__(self, schema: object, supplied: Mapping[str, Any]) -> None:
        value, self.told = load(schema)
        self._resources: dict[str, Resource] = {}
        self._owners: dict[int, Resource] = {}
        self._places: dict[tuple[int, Resource, Scope], Place] = {}
        self._invented: dict[tuple[int, str], Place] = {}
        self._followed: dict[tuple[Resource, str], tuple[Any, str, Resource]] = {}
        self._plain: dict[tuple[tuple[tuple[object, ...], ...], Dialect], Place] = {}
        self._metaschemas: dict[str, Any] = {}
        self._dynamic: dict[str, int] = {}
        others: list[tuple[str, Any]] = []
        for uri, other in supplied.items():
            loaded, told = load(other)
            self.told |= told
            others.append((urldefrag(uri)[0], loaded))
            self._metaschemas[urldefrag(uri)[0]] = loaded
        root = self._add("", value, EVERY_DRAFT)
        for uri, other in others:
            # A document that does not say which draft it is written in is taken as the root's.
            self._add(uri, other, root.dialect)
        self._resources[""] = root
        # Where a name is given once, every dynamic reference to it leads there.
        self._dynamic = {name: count for name, count in self._dynamic.items() if count > 1}
        self.uses_unevaluated = not self.told.isdisjoint(
            ("unevaluatedItems", "unevaluatedProperties")
        )
        self.root = self._place(value, root, ())

    def _add(self, uri: str, value: Any, dialect: Dialect) -> Resource:
        if isinstance(value, dict) and isinstance(value.get("$schema"), str):
            dialect = self._dialect(value["$schema"], "")
        resource = Resource(uri, value, "", dialect)
        self._resources.setdefault(uri, resource)
        if self.told.isdisjoint(("$id", "id", "$anchor", "$dynamicAnchor", _RECURSIVE)):
            return resource
        pending: list[tuple[Any, str, Resource]] = [(value, "", resource)]
        while pending:
            schema, pointer, owner = pending.pop()
            if isinstance(schema, dict):
                owner = self._enter(schema, pointer, owner)
                pending += [(part, f"{pointer}/{step}", owner) for step, part in _parts(schema)]
        # A document is found where it was retrieved from, too, whatever it calls itself.
        found = self._owners.get(id(value), resource)
        if self._resources[uri] is resource:
            self._resources[uri] = found
        return found

    def _enter(self, schema: dict[str, Any], pointer: str, owner: Resource) -> Resource:
        dialect = owner.dialect
        declared = schema.get("$schema")
        if isinstance(declared, str) and pointer != owner.pointer and "$id" in schema:
            dialect = self._dialect(declared, pointer)
        own = schema.get("id" if dialect.draft == 4 else "$id")
        if "$ref" in schema and 0 < dialect.draft <= 7:
            own = None
        if isinstance(own, str) and not own.startswith("#"):
            owner = Resource(urldefrag(_join(owner.uri, own))[0], schema, pointer, dialect)
            self._resources[owner.uri] = owner
        self._owners[id(schema)] = owner
        if isinstance(own, str) and "#" in own:
            owner.anchors[urldefrag(own)[1]] = (schema, pointer)
        for keyword in ("$anchor", "$dynamicAnchor"):
            name = schema.get(keyword)
            if isinstance(name, str):
                owner.anchors[name] = (schema, pointer)
                if keyword == "$dynamicAnchor":
                    self._note_dynamic(owner, name, (schema, pointer))
        if schema.get(_RECURSIVE) is True and pointer == owner.pointer:
            self._note_dynamic(owner, _RECURSIVE, (schema, pointer))
        return owner

    def _note_dynamic(self, owner: Resource, name: str, where: Where) -> None:
        owner.dynamic[name] = where
        self._dynamic[name] = self._dynamic.get(name, 0) + 1

    def _dialect(self, declared: str, pointer: str) -> Dialect:
        """The dialect that `$schema` names: a draft's own, or that of a supplied metaschema."""
        uri = declared.removesuffix("#")
        draft = _DRAFTS.get(uri) or _DRAFTS.get(
            uri.replace("https://json-schema.org/draft-", "http://json-schema.org/draft-")
        )
        if draft is not None:
            return of_draft(draft)
        reason = f"the dialect {brief(declared)} is not known"
        meta = self._metaschemas.get(uri)
        base = meta.get("$schema") if isinstance(meta, dict) else None
        if isinstance(meta, dict) and isinstance(base, str) and base != declared:
            dialect = self._dialect(base, pointer)
            vocabularies = meta.get("$vocabulary")
            if not isinstance(vocabularies, dict):
                return dialect
            found = restricted(dialect, vocabularies)
            if isinstance(found, Dialect):
                return found
            reason = f"the vocabulary {brief(found)} is not known"
        raise Unsupported(
            f"$schema: {reason}", pointer=f"{pointer}/$schema", keyword="$schema"
        )  # fmt: skip

    def _place(
        self, value: Any, owner: Resource, scope: Scope, above: Place | None = None,
        steps: tuple[str | int, ...] = (), within: str = "",
    ) -> Place:  # fmt: skip
        if isinstance(value, dict):
            if self._owners:
                owner = self._owners.get(id(value), owner)
            if self._dynamic:
                scope = self._entered(scope, owner)
            key = (id(value), owner, scope)
            found = self._places.get(key)
            if found is None:
                found = self._places[key] = Place(value, owner, scope, above, steps, within)
            return found
        place = Place(value, owner, scope, above, steps, within)
        if not isinstance(value, bool):
            raise GrammarError(
                f"expected a schema (an object or a boolean), found {brief(value)}",
                pointer=place.pointer,
            )
        return place

    def _entered(self, scope: Scope, resource: Resource) -> Scope:
        """The scope after going into a resource, if that has anchors that none before has."""
        for name in resource.dynamic:
            if name in self._dynamic and all(name not in outer.dynamic for outer in scope):
                return (*scope, resource)
        return scope

    def child(self, place: Place, *steps: str | int) -> Place:
        """The subschema that the steps lead to; of those that say the same in plain words one."""
        value = place.value
        for step in steps:
            value = value[step]
        if not isinstance(value, dict):
            return self._place(value, place.resource, place.scope, place, steps)
        words = _plain_words(value) if len(value) <= _FEW else None
        if words is None:
            found = self._place(value, place.resource, place.scope, place, steps)
            return self.end_of_references(found) if "$ref" in value else found
        key = words, self._owners.get(id(value), place.resource).dialect
        if key not in self._plain:
            said = value if words else True
            self._plain[key] = self._place(said, place.resource, place.scope, place, steps)
        return self._plain[key]

    def end_of_references(self, place: Place) -> Place:
        """Where a schema that is nothing but a reference leads to in the end."""
        gone = {place}
        while isinstance(place.value, dict) and "$ref" in place.value:
            if not 0 < place.draft <= 7 and not all(
                name == "$ref" or name in ANNOTATIONS for name in place.value
            ):
                break
            place = self.resolve(place, "$ref")
            if place in gone:
                break
            gone.add(place)
        return place

    def invent(self, place: Place, keyword: str, value: Any) -> Place:
        """A schema that stands for what a keyword says, such as one member of a constant."""
        within = f"{place.pointer}/{keyword}"
        key = (id(place.resource), within)
        if key not in self._invented:
            if len(self._invented) == MAX_INVENTED:
                raise BudgetExceeded(
                    f"constant arrays and objects have more than {MAX_INVENTED} members",
                    pointer=place.pointer,
                )
            self._invented[key] = Place(value, OF_NO_DRAFT, within=within)
        return self._invented[key]

    def resolve(self, place: Place, keyword: str) -> Place:
        """The place that a reference leads to, taken as it stands.

        Raises GrammarError where nothing is there, Unsupported where it lies in a document that
        was not supplied.
        """
        reference = place.value[keyword]
        if not isinstance(reference, str):
            raise place.error("a URI reference", keyword)
        found = self._followed.get((place.resource, reference))
        if found is None:
            found = self._follow(place, keyword, reference)
            self._followed[(place.resource, reference)] = found
        value, pointer, resource = found
        return self._place(value, resource, place.scope, within=pointer)

    def resolve_dynamic(self, place: Place, keyword: str) -> Place:
        """The place that `$dynamicRef` or `$recursiveRef` leads to, in the scope of the place."""
        target = self.resolve(place, keyword)
        name = _RECURSIVE
        if keyword == "$dynamicRef":
            name = unquote(urldefrag(place.value[keyword])[1])
        if name not in self._dynamic or not isinstance(target.value, dict):
            return target
        own = target.resource.dynamic.get(name)
        if own is None or own[0] is not target.value:
            return target
        outermost = next(outer for outer in target.scope if name in outer.dynamic)
        value, pointer = outermost.dynamic[name]
        return self._place(value, outermost, place.scope, within=pointer)

    def _follow(self, place: Place, keyword: str, reference: str) -> tuple[Any, str, Resource]:
        resource: Resource | None = place.resource
        fragment = reference[1:]
        if not reference.startswith("#"):
            uri, fragment = urldefrag(_join(place.resource.uri, reference))
            resource = self._resources.get(uri)
        if resource is None:
            place.refuse(keyword, f"{brief(reference)} is elsewhere, and nothing is fetched")
        fragment = unquote(fragment)
        found: tuple[Any, str, Resource] | None = (resource.value, resource.pointer, resource)
        if fragment.startswith("/"):
            found = self._step_down(resource, fragment)
        elif fragment:
            anchored = resource.anchors.get(fragment)
            found = (*anchored, resource) if anchored else None
        if found is None:
            raise place.error("a reference to a schema that exists", keyword)
        return found

    def _step_down(self, resource: Resource, fragment: str) -> tuple[Any, str, Resource] | None:
        """What a JSON Pointer leads to within a resource."""
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


def _plain_words(schema: dict[str, Any]) -> tuple[tuple[object, ...], ...] | None:
    """What a schema says, where that is a few plain words; annotations left out."""
    said: list[tuple[object, ...]] = []
    for name, value in schema.items():
        if name in _PLAIN_WORDS:
            if isinstance(value, list):
                if not all(isinstance(one, str) for one in value):
                    return None
                value = tuple(value)
            elif isinstance(value, dict):
                return None
            said.append((name, type(value), value))  # True is 1 to Python
        elif name not in ANNOTATIONS:
            return None
    return tuple(said)


def _parts(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The schemas directly within a schema, with the steps to them."""
    for keyword, value in schema.items():
        if keyword in _MAPS and isinstance(value, dict):
            for name, member in value.items():
                yield f"{keyword}/{escaped(name)}", member
        elif keyword in _PARTS:
            if isinstance(value, list):
                for index, member in enumerate(value):
                    yield f"{keyword}/{index}", member
            else:
                yield keyword, value


def _join(base: str, reference: str) -> str:
    if reference.startswith("#"):
        return base + reference
    return urljoin(base, reference)
