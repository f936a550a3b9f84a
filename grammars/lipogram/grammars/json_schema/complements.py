"""The arrays and objects that are in none of some cubes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from lipogram.grammars.errors import Unsupported
from lipogram.grammars.json_schema.algebra import (
    meet,
)
from lipogram.grammars.json_schema.scalars import named_keys
from lipogram.grammars.json_schema.shapes import (
    ANY,
    ANYTHING,
    NEVER,
    ArrayCube,
    Contains,
    Node,
    ObjectCube,
    Region,
    Shape,
    node,
    only_arrays,
    only_objects,
    regions_without,
)

Cube = TypeVar("Cube", ArrayCube, ObjectCube)


def other_arrays(shape: Shape) -> tuple[ArrayCube, ...]:
    """The arrays that are not in the shape."""
    return _outside_all(shape.arrays, _not_array, only_arrays).arrays


def other_objects(shape: Shape) -> tuple[ObjectCube, ...]:
    """The objects that are not in the shape."""
    return _outside_all(shape.objects, _not_object, only_objects).objects


def _outside_all(
    cubes: tuple[Cube, ...],
    outside: Callable[[Cube], Iterator[Cube]],
    only: Callable[..., Shape],
) -> Shape:
    found = ANY
    for cube in cubes:
        found = meet(found, only(*outside(cube)))
    return found


def _negations(of: Node) -> list[Node]:
    """Nodes of which any is satisfied where this one is not."""
    if of == NEVER:
        return [ANYTHING]
    return [node(not sign, place) for sign, place in of]


def _not_array(cube: ArrayCube) -> Iterator[ArrayCube]:
    if cube.unique:
        raise Unsupported("uniqueItems: not compiled where the schema must not hold",
                          keyword="uniqueItems")  # fmt: skip
    length = len(cube.prefix)
    if cube.least:
        yield ArrayCube(most=cube.least - 1)
    if cube.most is not None:
        yield ArrayCube(least=cube.most + 1)
    for index, item in enumerate(cube.prefix):
        for other in _negations(item):
            yield ArrayCube((ANYTHING,) * index + (other,), least=index + 1)
    for other in _negations(cube.rest):
        yield ArrayCube(least=length + 1, contains=(Contains(other, start=length),))
    for counted in cube.contains:
        if counted.least:
            yield ArrayCube(contains=(Contains(counted.item, 0, counted.least - 1, counted.start),))
        if counted.most is not None:
            yield ArrayCube(
                contains=(Contains(counted.item, counted.most + 1, None, counted.start),)
            )


def _not_object(cube: ObjectCube) -> Iterator[ObjectCube]:
    if cube.least:
        yield ObjectCube(most=cube.least - 1)
    if cube.most is not None:
        yield ObjectCube(least=cube.most + 1)
    for name in cube.required:
        yield ObjectCube({name: NEVER})
    for name, value in cube.named.items():
        for other in _negations(value):
            yield ObjectCube({name: other}, required={name: None})
    unnamed: Region = frozenset({(False, named_keys(cube.named))} if cube.named else ())
    for region, value in cube.others:
        for other in _negations(value):
            yield ObjectCube(
                dict.fromkeys(cube.named, ANYTHING), witnesses=((region | unnamed, other),)
            )
    for region, value in cube.witnesses:
        others = _negations(value)
        if len(others) != 1:
            raise Unsupported("not: of a property that is not named and satisfies several schemas",
                              keyword="not")  # fmt: skip
        elsewhere = [(part, ANYTHING) for part in regions_without(frozenset(), region)]
        yield ObjectCube(others=((region, others[0]), *elsewhere))
