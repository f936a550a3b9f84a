"""Keywords about arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lipogram.grammars.json_schema.places import Place
from lipogram.grammars.json_schema.scalars import count
from lipogram.grammars.json_schema.shapes import (
    ANY,
    ANYTHING,
    NONE,
    ArrayCube,
    Contains,
    Shape,
    node,
    only_arrays,
)

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas


def _items(schemas: Schemas, place: Place, sign: bool) -> Shape:
    """`prefixItems`, `items` in both its forms, and `additionalItems`."""
    child = schemas.document.child
    keyword, rest = "prefixItems", "items"
    if isinstance(place.value.get("items"), list):
        if place.draft == 2020:
            raise place.error("a schema", "items")
        keyword, rest = "items", "additionalItems"
    listed = place.value[keyword] if place.has(keyword) else []
    if not isinstance(listed, list):
        raise place.error("a list of schemas", keyword)
    prefix = [child(place, keyword, index) for index in range(len(listed))]
    others = child(place, rest) if place.has(rest) else None
    if sign:
        seen = (None if others else len(prefix)) if schemas.document.uses_unevaluated else 0
        nodes = tuple(node(True, item) for item in prefix)
        return only_arrays(ArrayCube(nodes, node(True, others) if others else ANYTHING, seen=seen))
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
        return only_arrays(ArrayCube(least=limit))
    return Shape(arrays=(ArrayCube(most=limit - 1),)) if limit else NONE


def _max_items(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "maxItems")
    if sign:
        return only_arrays(ArrayCube(most=limit))
    return Shape(arrays=(ArrayCube(least=limit + 1),))


def _unique_items(schemas: Schemas, place: Place, sign: bool) -> Shape:
    value = place.value["uniqueItems"]
    if not isinstance(value, bool):
        raise place.error("a boolean", "uniqueItems")
    if not value:
        return ANY if sign else NONE
    if not sign:
        place.refuse("uniqueItems", "not compiled where the schema must not hold")
    return only_arrays(ArrayCube(unique=True))


def _contains(schemas: Schemas, place: Place, sign: bool) -> Shape:
    item = node(True, schemas.document.child(place, "contains"))
    counted = place.draft in (0, 2019, 2020)
    least = count(place, "minContains") if counted and place.has("minContains") else 1
    most = count(place, "maxContains") if counted and place.has("maxContains") else None
    if sign:
        if least == 0 and most is None and not schemas.document.uses_unevaluated:
            return ANY
        evaluates = schemas.document.uses_unevaluated and place.draft != 2019
        return only_arrays(ArrayCube(contains=(Contains(item, least, most, 0, evaluates),)))
    cubes = []
    if least:
        cubes.append(ArrayCube(contains=(Contains(item, 0, least - 1),)))
    if most is not None:
        cubes.append(ArrayCube(contains=(Contains(item, most + 1),)))
    return Shape(arrays=tuple(cubes))


HANDLERS: dict[str, Callable[[Schemas, Place, bool], Shape]] = {
    "prefixItems": _items,
    "items": _items,
    "additionalItems": _items,
    "minItems": _min_items,
    "maxItems": _max_items,
    "uniqueItems": _unique_items,
    "contains": _contains,
}
