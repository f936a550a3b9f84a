"""Fewer cubes for the same objects, where boolean combinations have made many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lipogram.grammars.json_schema.outlines import is_plain, values_of
from lipogram.grammars.json_schema.shapes import (
    NEVER,
    PLAIN_OTHERS,
    Node,
    ObjectCube,
    in_region,
)

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas

_PROOF_DEPTH = 3
_MAX_COMPARED = 400


def pruned(schemas: Schemas, cubes: tuple[ObjectCube, ...]) -> tuple[ObjectCube, ...]:
    """The same union, without cubes that certainly have no members, or none of their own."""
    simple = [
        _simplified(schemas, cube) for cube in cubes if not schemas.no_objects(cube, _PROOF_DEPTH)
    ]
    if len(simple) > _MAX_COMPARED:
        return tuple(simple)
    # The widest come first: few facts cover much.
    simple.sort(key=_count_facts)
    kept: list[ObjectCube] = []
    for cube in simple:
        if not any(_covers(other, cube) for other in kept):
            kept.append(cube)
    return tuple(kept)


def _count_facts(cube: ObjectCube) -> int:
    return len(cube.required) + sum(map(len, cube.named.values())) + len(cube.witnesses)


def _simplified(schemas: Schemas, cube: ObjectCube) -> ObjectCube:
    """The cube with what follows from the rest of it left out."""
    witnesses = tuple(
        (region, value)
        for region, value in cube.witnesses
        if not any(
            in_region(region, name) and _implies(cube.at(name), value) for name in cube.required
        )
    )
    named = cube.named
    for name, value in cube.named.items():
        if len(value) > 1:
            found = _simple_node(schemas, value)
            if found is not value:
                named = {**named, name: found}
    if named is cube.named and len(witnesses) == len(cube.witnesses):
        return cube
    return replace(cube, named=named, witnesses=witnesses)


def _simple_node(schemas: Schemas, of: Node) -> Node:
    """The node without negations that all of its few values pass anyway; NEVER without values."""
    known = schemas.simple_nodes.get(of)
    if known is not None:
        return known
    found = of
    values = None
    if is_plain(of):
        values = values_of(schemas.shape(of))
    if values is not None and not values:
        found = NEVER
    elif values is not None:
        for signed in of:
            rest = tuple(part for part in found if part != signed)
            if not signed[0] and rest and values_of(schemas.shape(rest)) == values:
                found = rest
    schemas.simple_nodes[of] = found
    return found


def _covers(wide: ObjectCube, cube: ObjectCube) -> bool:
    """Whether it is plain that every member of the second is one of the first."""
    if (
        wide.least > cube.least
        or (wide.most is not None and (cube.most is None or cube.most > wide.most))
        or (wide.others is not PLAIN_OTHERS and wide.others != cube.others)
        or (wide.seen_names, wide.seen_regions) != (cube.seen_names, cube.seen_regions)
        or not wide.required.keys() <= cube.required.keys()
        or any(witness not in cube.witnesses for witness in wide.witnesses)
    ):
        return False
    if not all(_implies(cube.at(name), value) for name, value in wide.named.items()):
        return False
    return wide.others is PLAIN_OTHERS or all(
        name in wide.named or _implies(value, wide.at(name)) for name, value in cube.named.items()
    )


def _implies(narrow: Node, wide: Node) -> bool:
    return narrow == NEVER or all(part in narrow for part in wide)
