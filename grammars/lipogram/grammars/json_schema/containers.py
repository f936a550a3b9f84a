"""Keywords about arrays and objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.json_schema import regular
from lipogram.grammars.json_schema.document import MAX_PROPERTIES, Place
from lipogram.grammars.json_schema.scalars import count, named_keys, search
from lipogram.grammars.json_schema.shapes import (
    ANY,
    ANYTHING,
    EVERY_KEY,
    NEVER,
    NONE,
    ArrayCube,
    Contains,
    KeySet,
    Node,
    ObjectCube,
    Region,
    Shape,
    both,
    in_region,
    join,
    meet,
    node,
)

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas

MAX_REGIONS = 64


def _arrays(cube: ArrayCube) -> Shape:
    return replace(ANY, arrays=(cube,))


def _objects(*cubes: ObjectCube) -> Shape:
    return replace(ANY, objects=cubes)


def _items(schemas: Schemas, place: Place, sign: bool) -> Shape:
    """`prefixItems`, `items` in both its forms, and `additionalItems`."""
    child = schemas.document.child
    keyword, rest = "prefixItems", "items"
    if isinstance(place.value.get("items"), list):
        if place.draft == 2020:
            raise place.error("a schema", "items")
        keyword, rest = "items", "additionalItems"
    elif place.has("prefixItems") and 0 < place.draft < 2020:
        place.refuse("prefixItems", "not a keyword of the draft that $schema declares")
    listed = place.value.get(keyword, [])
    if not isinstance(listed, list):
        raise place.error("a list of schemas", keyword)
    prefix = [child(place, keyword, index) for index in range(len(listed))]
    others = child(place, rest) if place.has(rest) else None
    if sign:
        seen = None if others else len(prefix)
        nodes = tuple(node(True, item) for item in prefix)
        return _arrays(ArrayCube(nodes, node(True, others) if others else ANYTHING, seen=seen))
    cubes = [
        ArrayCube((ANYTHING,) * index + (node(False, item),), least=index + 1)
        for index, item in enumerate(prefix)
    ]
    if others:
        witness = Contains(node(False, others), start=len(prefix))
        cubes.append(ArrayCube(least=len(prefix) + 1, contains=(witness,)))
    return Shape(arrays=tuple(cubes))


def _min_items(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "minItems")
    if sign:
        return _arrays(ArrayCube(least=limit))
    return Shape(arrays=(ArrayCube(most=limit - 1),)) if limit else NONE


def _max_items(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "maxItems")
    if sign:
        return _arrays(ArrayCube(most=limit))
    return Shape(arrays=(ArrayCube(least=limit + 1),))


def _unique_items(schemas: Schemas, place: Place, sign: bool) -> Shape:
    value = place.value["uniqueItems"]
    if not isinstance(value, bool):
        raise place.error("a boolean", "uniqueItems")
    if not value:
        return ANY if sign else NONE
    if not sign:
        place.refuse("uniqueItems", "not compiled where the schema must not hold")
    return _arrays(ArrayCube(unique=True))


def _contains(schemas: Schemas, place: Place, sign: bool) -> Shape:
    item = node(True, schemas.document.child(place, "contains"))
    counted = place.draft in (0, 2019, 2020)
    least = count(place, "minContains") if counted and place.has("minContains") else 1
    most = count(place, "maxContains") if counted and place.has("maxContains") else None
    if sign:
        if least == 0 and most is None and not schemas.document.uses_unevaluated:
            return ANY
        return _arrays(ArrayCube(contains=(Contains(item, least, most),)))
    cubes = []
    if least:
        cubes.append(ArrayCube(contains=(Contains(item, 0, least - 1),)))
    if most is not None:
        cubes.append(ArrayCube(contains=(Contains(item, most + 1),)))
    return Shape(arrays=tuple(cubes))


def _schema_map(schemas: Schemas, place: Place, keyword: str) -> dict[str, Place]:
    value = place.value.get(keyword, {})
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
    patterns = {
        KeySet("pattern " + pattern, search(place, "patternProperties", pattern)): schema
        for pattern, schema in _schema_map(schemas, place, "patternProperties").items()
    }
    others = None
    if place.has("additionalProperties"):
        others = schemas.document.child(place, "additionalProperties")
    if sign:
        return _objects(_property_cube(named, patterns, others))
    return Shape(objects=tuple(_property_violations(named, patterns, others)))


def _property_cube(
    named: dict[str, Place], patterns: dict[KeySet, Place], others: Place | None
) -> ObjectCube:
    values: dict[str, Node] = {}
    for name, schema in named.items():
        values[name] = node(True, schema)
        for keys, pattern_schema in patterns.items():
            if keys.holds(name):
                values[name] = both(values[name], node(True, pattern_schema))
    rest = node(True, others) if others else ANYTHING
    none = frozenset((False, keys) for keys in patterns)
    regions = [
        (region, rest if region == none else _all_of(region, patterns))
        for region in _split(patterns)
    ]
    seen: set[Region] = {frozenset({(True, keys)}) for keys in patterns}
    if others:
        seen.add(none)
    return ObjectCube(
        values, tuple(regions), seen_names=frozenset(named), seen_regions=frozenset(seen)
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
        yield ObjectCube(witnesses=((region, node(False, others)),))


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
        return _objects(_with(names)) if names else ANY
    return Shape(objects=tuple(_without(name) for name in dict.fromkeys(names)))


def _min_properties(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "minProperties")
    if sign:
        return _objects(ObjectCube(least=limit))
    return Shape(objects=(ObjectCube(most=limit - 1),)) if limit else NONE


def _max_properties(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "maxProperties")
    if sign:
        return _objects(ObjectCube(most=limit))
    return Shape(objects=(ObjectCube(least=limit + 1),))


def _property_names(schemas: Schemas, place: Place, sign: bool) -> Shape:
    schema = schemas.document.child(place, "propertyNames")
    keys = KeySet(f"names at {place.pointer}", schemas.at(True, schema).strings.expression)
    if sign:
        inside, outside = frozenset({(True, keys)}), frozenset({(False, keys)})
        return _objects(ObjectCube(others=((inside, ANYTHING), (outside, NEVER))))
    return Shape(objects=(ObjectCube(witnesses=((frozenset({(False, keys)}), ANYTHING),)),))


def _depending(schemas: Schemas, place: Place, sign: bool, keyword: str) -> Shape:
    """Names, or a schema, that a property asks for."""
    value = place.value[keyword]
    if not isinstance(value, dict):
        raise place.error("an object", keyword)
    shapes: list[Shape] = []
    for name, dependency in value.items():
        present, absent = Shape(objects=(_with([name]),)), _objects(_without(name))
        if isinstance(dependency, list) and keyword != "dependentSchemas":
            names = _names(place, keyword, dependency)
            if sign:
                asked = Shape(objects=(_with([name, *names]),))
            else:
                asked = meet(present, Shape(objects=tuple(map(_without, names))))
        elif isinstance(dependency, dict | bool) and keyword != "dependentRequired":
            schema = schemas.document.child(place, keyword, name)
            asked = meet(present, schemas.at(sign, schema))
        else:
            raise place.error("what fits each property", keyword)
        shapes.append(join((absent, asked)) if sign else asked)
    if not sign:
        return join(shapes)
    whole = ANY
    for shape in shapes:
        whole = meet(whole, shape)
    return whole


def _dependencies(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _depending(schemas, place, sign, "dependencies")


def _dependent_required(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _depending(schemas, place, sign, "dependentRequired")


def _dependent_schemas(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _depending(schemas, place, sign, "dependentSchemas")


def unseen(shape: Shape) -> Shape:
    """The same values, with nothing evaluated: `not` keeps no annotations."""
    return replace(
        shape,
        arrays=tuple(replace(cube, seen=0) for cube in shape.arrays),
        objects=tuple(
            replace(cube, seen_names=frozenset(), seen_regions=frozenset())
            for cube in shape.objects
        ),
    )


def unevaluated_properties(schemas: Schemas, place: Place, shape: Shape) -> Shape:
    """The shape of the rest of a schema, with `unevaluatedProperties` applied to what is left."""
    rest = node(True, schemas.document.child(place, "unevaluatedProperties"))
    return replace(shape, objects=tuple(_closed_object(cube, rest) for cube in shape.objects))


def _closed_object(cube: ObjectCube, rest: Node) -> ObjectCube:
    named = dict(cube.named)
    for name in named:
        seen = name in cube.seen_names or any(in_region(r, name) for r in cube.seen_regions)
        if not seen:
            named[name] = both(named[name], rest)
    others: list[tuple[Region, Node]] = []
    for region, value in cube.others:
        left = [region]
        for seen_region in cube.seen_regions:
            left = [piece for part in left for piece in _difference(part, seen_region)]
        done = [region] if not left else _remainder(region, left)
        others.extend((part, value) for part in done)
        others.extend((part, both(value, rest)) for part in left)
    for name in cube.seen_names:
        named.setdefault(name, cube.at(name))
    return replace(cube, named=named, others=tuple(others), seen_regions=frozenset({EVERY_KEY}))


def _difference(part: Region, away: Region) -> list[Region]:
    """Disjoint regions that make up what is in `part` and not in `away`."""
    pieces: list[Region] = []
    for sign, keys in away - part:
        if (not sign, keys) in part:
            return [*pieces, part]
        pieces.append(part | {(not sign, keys)})
        part |= {(sign, keys)}
    return pieces if not any((not sign, keys) in part for sign, keys in away) else [part]


def _remainder(whole: Region, without: list[Region]) -> list[Region]:
    left = [whole]
    for away in without:
        left = [piece for part in left for piece in _difference(part, away)]
    return left


def unevaluated_items(schemas: Schemas, place: Place, shape: Shape) -> Shape:
    """The shape of the rest of a schema, with `unevaluatedItems` applied to what is left."""
    rest = node(True, schemas.document.child(place, "unevaluatedItems"))
    cubes: list[ArrayCube] = []
    for cube in shape.arrays:
        if cube.contains and place.draft != 2019:
            place.refuse("unevaluatedItems", "not compiled next to contains")
        if cube.seen is not None:
            prefix = tuple(
                item if index < cube.seen else both(item, rest)
                for index, item in enumerate(cube.prefix)
            )
            prefix += (cube.rest,) * (cube.seen - len(prefix))
            cube = replace(cube, prefix=prefix, rest=both(cube.rest, rest), seen=None)
        cubes.append(cube)
    return replace(shape, arrays=tuple(cubes))


Handler = Callable[["Schemas", Place, bool], Shape]
HANDLERS: dict[str, Handler] = {
    "prefixItems": _items,
    "items": _items,
    "additionalItems": _items,
    "minItems": _min_items,
    "maxItems": _max_items,
    "uniqueItems": _unique_items,
    "contains": _contains,
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
