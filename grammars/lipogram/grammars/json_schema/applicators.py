"""Keywords that apply schemas to the value itself: references and boolean combinations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING

from lipogram.grammars.json_schema.algebra import join, meet, meet_all
from lipogram.grammars.json_schema.outlines import in_groups, may_meet, outline
from lipogram.grammars.json_schema.places import Place
from lipogram.grammars.json_schema.shapes import (
    ANY,
    NEVER,
    NONE,
    Node,
    Shape,
    Signed,
    node,
)

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas

MAX_ALTERNATIVES_AT_ONCE = 6
# No JSON text has this for a name.
EITHER = object()


def _children(schemas: Schemas, place: Place, keyword: str) -> list[Place]:
    value = place.value[keyword]
    if not isinstance(value, list) or not value:
        raise place.error("a list of at least one schema", keyword)
    return [schemas.document.child(place, keyword, index) for index in range(len(value))]


def reference(schemas: Schemas, place: Place, sign: bool) -> Shape:
    """`$ref`, wherever it leads within the documents at hand."""
    document = schemas.document
    return schemas.at(sign, document.end_of_references(document.resolve(place, "$ref")))


def _dynamic_reference(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return schemas.at(sign, schemas.document.resolve_dynamic(place, "$dynamicRef"))


def _recursive_reference(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return schemas.at(sign, schemas.document.resolve_dynamic(place, "$recursiveRef"))


def _all_of(schemas: Schemas, place: Place, sign: bool) -> Shape:
    parts = _children(schemas, place, "allOf")
    if sign:
        return schemas.shape(_conjunction([(True, part) for part in parts]))
    return join(schemas.at(False, part) for part in parts)


def _any_of(schemas: Schemas, place: Place, sign: bool) -> Shape:
    parts = _children(schemas, place, "anyOf")
    if not sign:
        return schemas.shape(_conjunction([(False, part) for part in parts]))
    if not schemas.document.uses_unevaluated:
        return join(schemas.at(True, part) for part in parts)
    # Every alternative that holds says what is evaluated: each set of them is a case.
    if len(parts) > MAX_ALTERNATIVES_AT_ONCE:
        place.refuse("anyOf", "too many alternatives in a document with unevaluated keywords")
    return join(
        schemas.shape(_conjunction([(True, part) for part in chosen]))
        for count in range(1, len(parts) + 1)
        for chosen in combinations(parts, count)
    )


def _one_of(schemas: Schemas, place: Place, sign: bool) -> Shape:
    parts = _children(schemas, place, "oneOf")
    shapes = [schemas.at(True, part) for part in parts]
    if schemas.proving:
        return join(shapes) if sign else ANY
    groups = [in_groups(shape) for shape in shapes]
    outlines = [outline(schemas, shape) for shape in shapes]
    # By alternative and group of kinds: the others that may hold as well.
    rivals: list[tuple[list[int], ...]] = [([], [], []) for _ in parts]
    for i, j in combinations(range(len(parts)), 2):
        for group, meeting in enumerate(may_meet(outlines[i], outlines[j])):
            if meeting and not schemas.has_nothing(meet(groups[i][group], groups[j][group])):
                rivals[i][group].append(j)
                rivals[j][group].append(i)
    if sign:
        return join(
            _without_others(schemas, groups[index][group], [parts[j] for j in others])
            for index in range(len(parts))
            for group, others in enumerate(rivals[index])
        )
    none = schemas.shape(_conjunction([(False, part) for part in parts]))
    several = (
        meet(groups[i][group], groups[j][group])
        for i in range(len(parts))
        for group, others in enumerate(rivals[i])
        for j in others
        if i < j
    )
    return join([none, *several])


def _without_others(schemas: Schemas, shape: Shape, others: list[Place]) -> Shape:
    """What is left of a shape where none of the others holds."""
    for other in others:
        shape = schemas.pruned(meet(shape, schemas.at(False, other)))
    return shape


def _conjunction(signed: list[Signed]) -> Node:
    merged: dict[Signed, None] = {}
    for sign, place in signed:
        part = node(sign, place)
        if part == NEVER or (part and (not sign, place) in merged):
            return NEVER
        merged |= dict.fromkeys(part)
    return tuple(merged)


def _not(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return schemas.at(not sign, schemas.document.child(place, "not"))


def _conditional(schemas: Schemas, place: Place, sign: bool) -> Shape:
    document = schemas.document
    if not place.has("if"):
        return ANY if sign else NONE
    condition = document.child(place, "if")
    cases: list[Shape] = []
    for holds, keyword in ((True, "then"), (False, "else")):
        branch: list[Signed] = [(holds, condition)]
        if place.has(keyword):
            branch.append((sign, document.child(place, keyword)))
        elif not sign:
            continue
        cases.append(schemas.shape(_conjunction(branch)))
    if sign and not place.has("then", "else") and not document.uses_unevaluated:
        return ANY
    return join(cases)


def either(schemas: Schemas, place: Place, sign: bool) -> Shape:
    """Any of the nodes that a place stands for that no text has."""
    nodes: tuple[Node, ...] = place.value[EITHER]
    if sign:
        return join([schemas.shape(one) for one in nodes])
    return meet_all([join([schemas.at(not sign, part) for sign, part in one]) for one in nodes])


HANDLERS: dict[str, Callable[[Schemas, Place, bool], Shape]] = {
    "$ref": reference,
    "$dynamicRef": _dynamic_reference,
    "$recursiveRef": _recursive_reference,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _conditional,
}
