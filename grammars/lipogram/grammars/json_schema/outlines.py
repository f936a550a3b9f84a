"""What is plain about a shape at a glance, so that most pairs of alternatives need no meeting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lipogram.grammars.immutable import immutable
from lipogram.grammars.json_schema.shapes import Node, ObjectCube, Shape

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas

_FEW_CASES = 8
Values = frozenset[object]


def values_of(shape: Shape) -> Values | None:
    """The members of a finite set of scalars, told apart by kind; None for other shapes."""
    if shape.arrays or shape.objects or shape.numbers.ranges or shape.strings.members is None:
        return None
    found: list[object] = [("null", None)] if shape.null else []
    found += [("boolean", value) for value in shape.booleans]
    found += [("number", value) for value in shape.numbers.points]
    found += [("string", value) for value in shape.strings.members]
    return frozenset(found)


def is_plain(of: Node) -> bool:
    """Whether no schema of the node has a schema within it: nothing then is looked at but them."""
    return not any(
        isinstance(value, dict) or (isinstance(value, list) and any(map(_is_nested, value)))
        for _, place in of
        for value in place.value.values()
    )


def _is_nested(value: object) -> bool:
    return isinstance(value, dict | list)


@immutable()
class Outline:
    """A shape without its arrays and objects, and the values of properties that tell objects."""

    scalars: Shape
    has_arrays: bool
    has_objects: bool
    tags: dict[str, Values]


def outline(schemas: Schemas, shape: Shape) -> Outline:
    """What is plain about the shape."""
    scalars = Shape(shape.null, shape.booleans, shape.numbers, shape.strings)
    tags: dict[str, Values] = {}
    if 0 < len(shape.objects) <= _FEW_CASES:
        first, *others = [_tags(schemas, cube) for cube in shape.objects]
        tags = {
            name: values.union(*(other[name] for other in others))
            for name, values in first.items()
            if all(name in other for other in others)
        }
    return Outline(scalars, bool(shape.arrays), bool(shape.objects), tags)


def _tags(schemas: Schemas, cube: ObjectCube) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for name in cube.required:
        value = cube.at(name)
        if value and is_plain(value):
            values = values_of(schemas.shape(value))
            if values is not None:
                found[name] = values
    return found


def in_groups(shape: Shape) -> tuple[Shape, Shape, Shape]:
    """The scalars, the arrays and the objects of a shape."""
    return (
        Shape(shape.null, shape.booleans, shape.numbers, shape.strings),
        Shape(arrays=shape.arrays),
        Shape(objects=shape.objects),
    )


def may_meet(left: Outline, right: Outline) -> tuple[bool, bool, bool]:
    """Whether the scalars, the arrays, the objects of two shapes may have members in common."""
    one, other = left.scalars, right.scalars
    scalars = (
        (one.null and other.null)
        or bool(one.booleans & other.booleans)
        or not _numbers_apart(one, other)
        or not _strings_apart(one, other)
    )
    told = left.tags
    objects = left.has_objects and right.has_objects and not any(
        name in right.tags and told[name].isdisjoint(right.tags[name]) for name in told
    )  # fmt: skip
    return scalars, left.has_arrays and right.has_arrays, objects


def _numbers_apart(one: Shape, other: Shape) -> bool:
    numbers, others = one.numbers, other.numbers
    if not numbers.ranges and not others.ranges:
        return numbers.points.isdisjoint(others.points)
    return not (numbers.ranges or numbers.points) or not (others.ranges or others.points)


def _strings_apart(one: Shape, other: Shape) -> bool:
    members, others = one.strings.members, other.strings.members
    if members is not None and others is not None:
        return not members or not others or set(members).isdisjoint(others)
    return members == () or others == ()
