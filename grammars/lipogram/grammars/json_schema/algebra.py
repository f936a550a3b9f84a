"""Intersections and unions of shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.json_schema import regular
from lipogram.grammars.json_schema.numbers import EVERY_NUMBER, NumberSet
from lipogram.grammars.json_schema.shapes import (
    ANY,
    ANY_TEXTS,
    NEVER,
    NO_NUMBERS,
    NO_TEXTS,
    NONE,
    PLAIN_OTHERS,
    ArrayCube,
    Node,
    ObjectCube,
    Region,
    Shape,
    Texts,
    both,
    overlap,
    texts_of,
)

MAX_CASES = 1_000
Cube = TypeVar("Cube")
Kind = TypeVar("Kind")
Part = TypeVar("Part")


def meet(left: Shape, right: Shape) -> Shape:
    """The values of both; BudgetExceeded where that takes more than MAX_CASES cubes of a kind."""
    if left is ANY or right is NONE:
        return right
    if right is ANY or left is NONE:
        return left
    return Shape(
        left.null and right.null,
        left.booleans & right.booleans,
        _met(left.numbers, right.numbers, EVERY_NUMBER, NO_NUMBERS, NumberSet.meet),
        _met(left.strings, right.strings, ANY_TEXTS, NO_TEXTS, _meet_texts),
        _met(left.arrays, right.arrays, ANY.arrays, (), _meet_all_arrays),
        _met(left.objects, right.objects, ANY.objects, (), _meet_all_objects),
    )


def meet_all(shapes: Sequence[Shape]) -> Shape:
    """The values of every shape; of halves, so that cases that exclude each other stay few."""
    if len(shapes) < 2:
        return shapes[0] if shapes else ANY
    half = len(shapes) // 2
    return meet(meet_all(shapes[:half]), meet_all(shapes[half:]))


def _met(
    left: Kind, right: Kind, whole: Kind, none: Kind, combine: Callable[[Kind, Kind], Kind]
) -> Kind:
    """Both, where most often one side says nothing of the kind, or leaves none of it."""
    if left is right or right is whole or left is none:
        return left
    if left is whole or right is none:
        return right
    return combine(left, right)


def join(shapes: Iterable[Shape]) -> Shape:
    """The values of any."""
    parts = [shape for shape in shapes if shape is not NONE]
    if len(parts) == 1:
        return parts[0]
    annotated = any(map(_annotated, parts))
    if any(part is ANY for part in parts) and not annotated:
        return ANY
    numbers, strings = NO_NUMBERS, NO_TEXTS
    for part in parts:
        if part.numbers is not numbers:
            numbers = numbers.join(part.numbers)
        strings = _join_texts(strings, part.strings)
    return Shape(
        any(part.null for part in parts),
        frozenset().union(*(part.booleans for part in parts)),
        numbers,
        strings,
        _joined([part.arrays for part in parts], ANY.arrays, annotated),
        _joined([part.objects for part in parts], ANY.objects, annotated),
    )


def _annotated(shape: Shape) -> bool:
    return any(cube.seen != 0 for cube in shape.arrays) or any(
        cube.seen_names or cube.seen_regions for cube in shape.objects
    )


def _joined(
    groups: list[tuple[Cube, ...]], whole: tuple[Cube, ...], annotated: bool
) -> tuple[Cube, ...]:
    if whole in groups and not annotated:
        return whole
    return _bounded(tuple(dict.fromkeys([cube for group in groups for cube in group])))


def merged_absence(cubes: tuple[ObjectCube, ...]) -> tuple[ObjectCube, ...]:
    """The same union, where "absent" and "present and such" become "such, if present"."""
    absent = {_lone(cube) for cube in cubes if not cube.required}
    found: dict[ObjectCube, None] = {}
    covered: set[str] = set()
    for cube in cubes:
        name = _lone(cube)
        if name in cube.required and name in absent and cube.named[name] != NEVER:
            covered.add(name)
            cube = ObjectCube(cube.named)
        found[cube] = None
    return tuple(
        c for c in found if c.required or _lone(c) not in covered or NEVER not in c.named.values()
    )


def _lone(cube: ObjectCube) -> str | None:
    """The only property of which the cube says anything, if there is just one."""
    plain = cube.others == ANY.objects[0].others and not cube.witnesses
    if not plain or cube.least or cube.most is not None or len(cube.named) != 1:
        return None
    (name,) = cube.named
    value_is_told = cube.required or cube.named[name] == NEVER
    return name if value_is_told else None


def _bounded(cubes: tuple[Cube, ...]) -> tuple[Cube, ...]:
    if len(cubes) > MAX_CASES:
        raise BudgetExceeded(f"the schema has more than {MAX_CASES} cases", pointer="")
    return cubes


def _products(
    left: Sequence[Part], right: Sequence[Part], combine: Callable[[Part, Part], Cube | None]
) -> tuple[Cube, ...]:
    found: dict[Cube, None] = {}
    for a in left:
        for b in right:
            cube = combine(a, b)
            if cube is not None:
                found[cube] = None
                if len(found) > MAX_CASES:
                    return _bounded(tuple(found))
    return tuple(found)


def _meet_texts(left: Texts, right: Texts) -> Texts:
    if left == right:
        return left
    if left.members is not None and right.members is not None:
        other = set(right.members)
        return texts_of(member for member in left.members if member in other)
    if right.members is not None:
        left, right = right, left
    if left.members is not None:
        return texts_of(m for m in left.members if regular.holds(right.expression, m))
    both = ir.intersection(left.expression, right.expression)
    return NO_TEXTS if both == ir.NOTHING else Texts(both)


def _join_texts(left: Texts, right: Texts) -> Texts:
    if right is NO_TEXTS or left is right:
        return left
    if left is NO_TEXTS:
        return right
    if left is ANY_TEXTS or right is ANY_TEXTS:
        return ANY_TEXTS
    if left.members is not None and right.members is not None:
        return texts_of(left.members + right.members)
    return Texts(ir.choice(left.expression, right.expression))


def _meet_all_arrays(
    left: tuple[ArrayCube, ...], right: tuple[ArrayCube, ...]
) -> tuple[ArrayCube, ...]:
    return _products(left, right, _meet_arrays)


def _meet_arrays(left: ArrayCube, right: ArrayCube) -> ArrayCube | None:
    if left is right or right is ANY.arrays[0]:
        return left
    if left is ANY.arrays[0]:
        return right
    length = max(len(left.prefix), len(right.prefix))
    prefix = tuple([both(left.at(i), right.at(i)) for i in range(length)])
    least, most = max(left.least, right.least), _least_of(left.most, right.most)
    for index, item in enumerate(prefix):
        if item == NEVER:
            most = _least_of(most, index)
            break
    rest = both(left.rest, right.rest)
    if rest == NEVER:
        most = _least_of(most, length)
    if most is not None and most < least:
        return None
    return ArrayCube(
        prefix, rest, least, most,
        left.contains + right.contains,
        left.unique or right.unique,
        None if left.seen is None or right.seen is None else max(left.seen, right.seen),
    )  # fmt: skip


def _meet_all_objects(
    left: tuple[ObjectCube, ...], right: tuple[ObjectCube, ...]
) -> tuple[ObjectCube, ...]:
    return _products(
        [(cube, _absent(cube)) for cube in left],
        [(cube, _absent(cube)) for cube in right],
        _meet_objects,
    )


def _absent(cube: ObjectCube) -> frozenset[str]:
    return frozenset(name for name, value in cube.named.items() if value == NEVER)


def _meet_objects(
    one: tuple[ObjectCube, frozenset[str]], other: tuple[ObjectCube, frozenset[str]]
) -> ObjectCube | None:
    """Cubes come with the names that they exclude, for most pairs of cases fail on those."""
    (left, left_absent), (right, right_absent) = one, other
    if not left.required.keys().isdisjoint(right_absent):
        return None
    if not right.required.keys().isdisjoint(left_absent):
        return None
    if left is right or right is ANY.objects[0]:
        return left
    if left is ANY.objects[0]:
        return right
    named = dict(left.named)
    if right.others is not PLAIN_OTHERS:
        for name, value in left.named.items():
            if name not in right.named:
                named[name] = both(value, right.at(name))
    for name, value in right.named.items():
        named[name] = both(left.at(name), value)
    required = left.required
    if right.required:
        required = required | right.required if required else right.required
    if required and any(named.get(name) == NEVER for name in required):
        return None
    least, most = max(left.least, right.least), _least_of(left.most, right.most)
    if most is not None and max(least, len(required)) > most:
        return None
    return ObjectCube(
        named,
        _meet_others(left.others, right.others),
        required,
        least,
        most,
        left.witnesses + right.witnesses,
        left.seen_names | right.seen_names,
        left.seen_regions | right.seen_regions,
        left.ordered or right.ordered,
    )


def _meet_others(
    left: tuple[tuple[Region, Node], ...], right: tuple[tuple[Region, Node], ...]
) -> tuple[tuple[Region, Node], ...]:
    if right is PLAIN_OTHERS:
        return left
    if left is PLAIN_OTHERS:
        return right
    found: list[tuple[Region, Node]] = []
    for region, node in left:
        for other_region, other_node in right:
            shared = overlap(region, other_region)
            if shared is not None:
                found.append((shared, both(node, other_node)))
    return tuple(found)


def _least_of(left: int | None, right: int | None) -> int | None:
    """The stricter of two upper limits; None: no limit."""
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)
