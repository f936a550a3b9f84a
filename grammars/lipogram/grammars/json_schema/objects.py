"""Keywords about objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.json_schema import regular
from lipogram.grammars.json_schema.algebra import (
    join,
    meet,
    meet_all,
)
from lipogram.grammars.json_schema.document import MAX_PROPERTIES
from lipogram.grammars.json_schema.places import Place
from lipogram.grammars.json_schema.scalars import (
    count,
    named_keys,
)
from lipogram.grammars.json_schema.shapes import (
    ANY,
    ANYTHING,
    EVERY_KEY,
    NEVER,
    NONE,
    PLAIN_OTHERS,
    KeySet,
    Node,
    ObjectCube,
    Region,
    Shape,
    both,
    node,
    only_objects,
)
from lipogram.grammars.json_schema.strings import (
    DIFFERING,
    possible_matches,
    search,
)

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas

MAX_REGIONS = 64


def _schema_map(schemas: Schemas, place: Place, keyword: str) -> dict[str, Place]:
    value = place.value.get(keyword)
    if value is None or keyword not in place.resource.dialect.keywords:
        return {}
    if not isinstance(value, dict):
        raise place.error("an object of schemas", keyword)
    if len(value) > MAX_PROPERTIES:
        raise BudgetExceeded(
            f"{keyword} has more than {MAX_PROPERTIES} members", pointer=place.pointer,
            keyword=keyword,
        )  # fmt: skip
    return {name: schemas.document.child(place, keyword, name) for name in value}


def _properties(schemas: Schemas, place: Place, sign: bool) -> Shape:
    """`properties`, `patternProperties` and `additionalProperties`."""
    named = _schema_map(schemas, place, "properties")
    patterns: dict[KeySet, Place] = {}
    for pattern, schema in _schema_map(schemas, place, "patternProperties").items():
        expression = search(place, "patternProperties", pattern)
        possible = possible_matches(pattern)
        patterns[KeySet("pattern " + pattern, expression, possible)] = schema
        if possible != expression and place.value.get("additionalProperties") is not False:
            schemas.narrow(place, "patternProperties", DIFFERING)
    others = None
    if place.has("additionalProperties"):
        others = schemas.document.child(place, "additionalProperties")
    if sign:
        told = schemas.document.uses_unevaluated
        return only_objects(_property_cube(named, patterns, others, told))
    return Shape(objects=tuple(_property_violations(named, patterns, others)))


def _property_cube(
    named: dict[str, Place], patterns: dict[KeySet, Place], others: Place | None, told: bool
) -> ObjectCube:
    """The objects that satisfy all of it; if `told`, with what is evaluated by that."""
    parts = _split(patterns)
    values = {name: node(True, schema) for name, schema in named.items()}
    for keys, pattern_schema in patterns.items():
        for name in named:
            if keys.holds(name):
                values[name] = both(values[name], node(True, pattern_schema))
    rest = node(True, others) if others else ANYTHING
    ordered = len(named) > 1
    if not told and not patterns:
        return ObjectCube(values, ((EVERY_KEY, rest),) if rest else PLAIN_OTHERS, ordered=ordered)
    none = frozenset((False, keys) for keys in patterns)
    regions = [(region, rest if region == none else _all_of(region, patterns)) for region in parts]
    seen: set[Region] = {frozenset({(True, keys)}) for keys in patterns}
    if others:
        seen.add(none)
    if not told:
        return ObjectCube(values, tuple(regions), ordered=ordered)
    return ObjectCube(
        values,
        tuple(regions),
        seen_names=frozenset(named),
        seen_regions=frozenset(seen),
        ordered=ordered,
    )


def _all_of(region: Region, patterns: dict[KeySet, Place]) -> Node:
    found = ANYTHING
    for keys, schema in patterns.items():
        if (True, keys) in region:
            found = both(found, node(True, schema))
    return found


def _split(keys: Iterable[KeySet]) -> list[Region]:
    """The regions that the sets cut the names into, but for some that are certainly empty."""
    regions: list[Region] = [EVERY_KEY]
    for cut in keys:
        found: list[Region] = []
        for region in regions:
            inside = [other.expression for sign, other in region if sign]
            meeting = ir.Intersection((cut.expression, *inside))
            if not inside or not regular.is_empty(meeting):
                found.append(region | {(True, cut)})
            found.append(region | {(False, cut)})
        regions = found
        if len(regions) > MAX_REGIONS:
            raise BudgetExceeded(f"patternProperties: more than {MAX_REGIONS} overlaps", pointer="")
    return regions


def _property_violations(
    named: dict[str, Place], patterns: dict[KeySet, Place], others: Place | None
) -> Iterable[ObjectCube]:
    for name, schema in named.items():
        yield ObjectCube({name: node(False, schema)}, required={name: None})
    for keys, schema in patterns.items():
        yield ObjectCube(witnesses=((frozenset({(True, keys)}), node(False, schema)),))
        for name in named:
            if keys.holds(name):
                yield ObjectCube({name: node(False, schema)}, required={name: None})
    if others:
        region = frozenset((False, keys) for keys in (*patterns, named_keys(named)))
        # With their names, declared properties may stand next to the one that violates.
        yield ObjectCube(dict.fromkeys(named, ANYTHING), witnesses=((region, node(False, others)),))


def _names(place: Place, keyword: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise place.error("a list of property names", keyword)
    return value


def _with(names: Iterable[str]) -> ObjectCube:
    found = dict.fromkeys(names)
    return ObjectCube(dict.fromkeys(found, ANYTHING), required=found)


def _without(name: str) -> ObjectCube:
    return ObjectCube({name: NEVER})


def _required(schemas: Schemas, place: Place, sign: bool) -> Shape:
    names = _names(place, "required", place.value["required"])
    if sign:
        return only_objects(_with(names)) if names else ANY
    return Shape(objects=tuple(_without(name) for name in dict.fromkeys(names)))


def _min_properties(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "minProperties")
    if sign:
        return only_objects(ObjectCube(least=limit))
    return Shape(objects=(ObjectCube(most=limit - 1),)) if limit else NONE


def _max_properties(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "maxProperties")
    if sign:
        return only_objects(ObjectCube(most=limit))
    return Shape(objects=(ObjectCube(least=limit + 1),))


def _property_names(schemas: Schemas, place: Place, sign: bool) -> Shape:
    schema = schemas.document.child(place, "propertyNames")
    keys = KeySet(f"names at {place.pointer}", schemas.at(True, schema).strings.expression)
    if sign:
        inside, outside = frozenset({(True, keys)}), frozenset({(False, keys)})
        return only_objects(ObjectCube(others=((inside, ANYTHING), (outside, NEVER))))
    return Shape(objects=(ObjectCube(witnesses=((frozenset({(False, keys)}), ANYTHING),)),))


def _depending(schemas: Schemas, place: Place, sign: bool, keyword: str) -> Shape:
    """Names, or a schema, that a property asks for."""
    value = place.value[keyword]
    if not isinstance(value, dict):
        raise place.error("an object", keyword)
    shapes: list[Shape] = []
    for name, dependency in value.items():
        present, absent = Shape(objects=(_with([name]),)), only_objects(_without(name))
        if isinstance(dependency, list) and keyword != "dependentSchemas":
            names = _names(place, keyword, dependency)
            if sign:
                asked = Shape(objects=(_with([name, *names]),))
            else:
                asked = meet(present, Shape(objects=tuple(map(_without, names))))
        elif isinstance(dependency, dict | bool) and keyword != "dependentRequired":
            shape = schemas.at(sign, schemas.document.child(place, keyword, name))
            # A name that the schema lists has its place there.
            listed = any(name in cube.named for cube in shape.objects)
            asked = meet(shape, present) if listed else meet(present, shape)
        else:
            raise place.error("what fits each property", keyword)
        shapes.append(join((absent, asked)) if sign else asked)
    return meet_all(shapes) if sign else join(shapes)


def _dependencies(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _depending(schemas, place, sign, "dependencies")


def _dependent_required(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _depending(schemas, place, sign, "dependentRequired")


def _dependent_schemas(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _depending(schemas, place, sign, "dependentSchemas")


HANDLERS: dict[str, Callable[[Schemas, Place, bool], Shape]] = {
    "properties": _properties,
    "patternProperties": _properties,
    "additionalProperties": _properties,
    "required": _required,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "propertyNames": _property_names,
    "dependencies": _dependencies,
    "dependentRequired": _dependent_required,
    "dependentSchemas": _dependent_schemas,
}
