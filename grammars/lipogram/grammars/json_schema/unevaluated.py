"""What no keyword has looked at: `unevaluatedProperties` and `unevaluatedItems`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lipogram.grammars.json_schema.places import Place
from lipogram.grammars.json_schema.shapes import (
    ANY,
    EVERY_KEY,
    NONE,
    ArrayCube,
    Node,
    ObjectCube,
    Region,
    Shape,
    both,
    in_region,
    node,
    regions_without,
)

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas


def unseen(shape: Shape) -> Shape:
    """The same values, with nothing evaluated: what a value fails says nothing of it."""
    if shape is ANY or shape is NONE:
        return shape
    return replace(
        shape,
        arrays=tuple(
            replace(
                cube, seen=0, contains=tuple(replace(c, evaluates=False) for c in cube.contains)
            )
            for cube in shape.arrays
        ),
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
            left = [piece for part in left for piece in regions_without(part, seen_region)]
        done = [region] if not left else _remainder(region, left)
        others.extend((part, value) for part in done)
        others.extend((part, both(value, rest)) for part in left)
    for name in cube.seen_names:
        named.setdefault(name, cube.at(name))
    return replace(cube, named=named, others=tuple(others), seen_regions=frozenset({EVERY_KEY}))


def _remainder(whole: Region, without: list[Region]) -> list[Region]:
    left = [whole]
    for away in without:
        left = [piece for part in left for piece in regions_without(part, away)]
    return left


def unevaluated_items(schemas: Schemas, place: Place, shape: Shape) -> Shape:
    """The shape of the rest of a schema, with `unevaluatedItems` applied to what is left."""
    rest = node(True, schemas.document.child(place, "unevaluatedItems"))
    cubes: list[ArrayCube] = []
    for cube in shape.arrays:
        if cube.seen is not None:
            counted = [c.item for c in cube.contains if c.evaluates]
            left = schemas.either((*counted, rest)) if counted else rest
            prefix = tuple(
                item if index < cube.seen else both(item, left)
                for index, item in enumerate(cube.prefix)
            )
            prefix += (cube.rest,) * (cube.seen - len(prefix))
            cube = replace(cube, prefix=prefix, rest=both(cube.rest, left), seen=None)
        cubes.append(cube)
    return replace(shape, arrays=tuple(cubes))
