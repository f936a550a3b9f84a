"""JSON text of the items of arrays in which no two are equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING

from lipogram.grammars import ir
from lipogram.grammars.errors import Unsupported
from lipogram.grammars.json_schema.algebra import meet
from lipogram.grammars.json_schema.distinct import CLASSES, of_class
from lipogram.grammars.json_schema.numbers import NumberSet
from lipogram.grammars.json_schema.shapes import (
    NO_NUMBERS,
    NO_TEXTS,
    ArrayCube,
    ObjectCube,
    Shape,
    Texts,
    texts_of,
)
from lipogram.grammars.json_schema.text import CANONICAL

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.writer import Writer

MAX_CASES = 500
_FEW_PLACES = 16
_DISTINCT_SCALARS = (
    "everywhere: where no two items may be equal, strings and numbers differ in a checksum"
)
_ONE_ARRAY = "everywhere: where no two items may be equal, at most one is an array"
_ONE_OBJECT = (
    "everywhere: where no two items may be equal, at most one is an object that does not have to"
    " have a certain property that is a string"
)
_DISTINCT_OBJECTS = (
    "everywhere: where no two items may be equal, objects differ in the first property that has to"
    " be there and is a string, or in its checksum"
)
_DIGIT = ir.one_of("0123456789")
# One spelling for each number, and so short that as binary floating point they still differ.
_PLAIN_NUMBER = ir.Intersection(
    (
        ir.Sequence(
            (
                ir.optional(ir.Literal(b"-")),
                ir.Repeat(_DIGIT, 1),
                ir.optional(
                    ir.Sequence((ir.Literal(b"."), ir.Repeat(_DIGIT), ir.one_of("123456789")))
                ),
            )
        ),
        ir.Complement(ir.Literal(b"-0")),
        ir.Repeat(ir.Bytes((1 << 256) - 1), 1, 16),
    )
)


class UniqueWriter:
    """Writes the items of array cubes without repeats for a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def items(self, cube: ArrayCube) -> ir.Expression | None:
        """The items, at least one; None where no two can be equal anyway."""
        if self._all_differ(cube):
            return None
        shape = self._writer.schemas.shape(cube.rest)
        listed = _listed(shape)
        if listed is not None and not cube.prefix:
            return self._chosen(cube, listed)
        if cube.contains:
            raise Unsupported("uniqueItems: next to contains", keyword="uniqueItems")
        if cube.prefix:
            return self._placed(cube, self._listed_prefix(cube), ())
        return self._run(cube, self._kinds(shape, ()), frozenset())

    def _listed_prefix(self, cube: ArrayCube) -> list[list[Shape]]:
        """The values that the item at each place may have."""
        listed = [_listed(self._writer.schemas.shape(item)) for item in cube.prefix]
        found = [values for values in listed if values is not None]
        if len(found) < len(listed) or prod(map(len, found)) > MAX_CASES:
            raise Unsupported(
                f"uniqueItems: next to items by their places, of more than {MAX_CASES} values",
                keyword="uniqueItems",
            )
        return found

    def _placed(
        self, cube: ArrayCube, prefix: list[list[Shape]], used: tuple[Shape, ...]
    ) -> ir.Expression:
        """What may come after these items."""
        index = len(used)
        options: list[ir.Expression] = [ir.EMPTY] if index >= max(cube.least, 1) else []
        before = self._writer.layout.comma if used else ir.EMPTY
        if index < len(prefix) and (cube.most is None or index < cube.most):
            for value in prefix[index]:
                if not self._is_among(used, value):
                    item, rest = (
                        self._writer.shape(value),
                        self._placed(cube, prefix, (*used, value)),
                    )
                    options.append(ir.sequence(before, item, rest))
        elif cube.most is None or index < cube.most:
            left = replace(
                cube,
                least=max(cube.least - index, 0),
                most=None if cube.most is None else cube.most - index,
            )
            items = self._kinds(self._writer.schemas.shape(cube.rest), used)
            options.append(ir.sequence(before, self._run(left, items, frozenset())))
        return ir.Choice(tuple(options))

    def _all_differ(self, cube: ArrayCube) -> bool:
        """Whether items at different places are of different kinds, or values, certainly."""
        if cube.most is None or cube.most > _FEW_PLACES:
            return False
        schemas = self._writer.schemas
        shapes = [schemas.shape(cube.at(index)) for index in range(cube.most)]
        return all(schemas.has_nothing(meet(a, b)) for a, b in combinations(shapes, 2))

    def _run(
        self, cube: ArrayCube, items: list[ir.Expression], required: frozenset[int]
    ) -> ir.Expression:
        return ir.Members(
            tuple(items),
            required,
            separator=self._writer.layout.comma,
            minimum=max(cube.least, 1),
            maximum=cube.most,
            any_order=True,
        )

    def _chosen(self, cube: ArrayCube, values: list[Shape]) -> ir.Expression:
        """Items of known values, each at most once."""
        items = [self._writer.shape(value) for value in values]
        if not cube.contains:
            return self._run(cube, items, frozenset())
        (contains, *more) = cube.contains
        if more or contains.start:
            raise Unsupported("uniqueItems: next to several contains", keyword="uniqueItems")
        schemas = self._writer.schemas
        counted_shape = schemas.shape(contains.item)
        counted = [
            index
            for index, value in enumerate(values)
            if not schemas.has_nothing(meet(value, counted_shape))
        ]
        most = len(counted) if contains.most is None else min(contains.most, len(counted))
        options: list[ir.Expression] = []
        for allowed in combinations(counted, most):
            left = [
                item if index in allowed or index not in counted else ir.NOTHING
                for index, item in enumerate(items)
            ]
            for required in combinations(allowed, contains.least):
                options.append(self._run(cube, left, frozenset(required)))
                if len(options) > MAX_CASES:
                    raise Unsupported(
                        f"uniqueItems: next to contains, more than {MAX_CASES} cases",
                        keyword="uniqueItems",
                    )
        return ir.choice(*options)

    def _kinds(self, shape: Shape, used: tuple[Shape, ...]) -> list[ir.Expression]:
        """Items of which no two are equal, nor one to a used one, if each comes at most once."""
        narrowed = self._writer.schemas.narrowed
        listed = replace(shape, arrays=(), objects=())
        if shape.strings.members is None:
            listed = replace(listed, strings=NO_TEXTS)
        if shape.numbers.ranges:
            listed = replace(listed, numbers=NO_NUMBERS)
        items = [
            self._writer.shape(v) for v in _listed(listed) or [] if not self._is_among(used, v)
        ]
        if shape.arrays:
            narrowed[_ONE_ARRAY] = None
            items.append(self._rule(Shape(arrays=shape.arrays)))
        if shape.objects:
            told_apart = self._objects(shape.objects)
            narrowed[_DISTINCT_OBJECTS if told_apart else _ONE_OBJECT] = None
            items += told_apart or [self._rule(Shape(objects=shape.objects))]
        if shape.strings.members is None:
            narrowed[_DISTINCT_SCALARS] = None
            text = shape.strings.expression
            others = CANONICAL.other_than(t for v in used for t in v.strings.members or ())
            for number in range(CLASSES):
                among = ir.intersection(of_class(number), *([others] if used else []))
                items.append(CANONICAL.string(text, among))
        if shape.numbers.ranges:
            narrowed[_DISTINCT_SCALARS] = None
            items += self._numbers(shape.numbers, used)
        return items

    def _objects(self, cubes: tuple[ObjectCube, ...]) -> list[ir.Expression] | None:
        """Objects by the value of a property that all have, if there is one."""
        schemas = self._writer.schemas
        for name in cubes[0].required:
            shapes = [schemas.shape(cube.at(name)) for cube in cubes if name in cube.required]
            if len(shapes) < len(cubes) or any(map(_is_more_than_strings, shapes)):
                continue
            items = []
            for values in _classes([shape.strings for shape in shapes]):
                written = [
                    self._writer.objects.write_with(cube, name, value)
                    for cube, value in zip(cubes, values, strict=True)
                    if value != ir.NOTHING
                ]
                options = [option for option in written if option is not None]
                if len(options) < len(written):
                    return None
                items.append(self._writer.add("item", ir.Choice(tuple(options))))
            return items
        return None

    def _is_among(self, values: tuple[Shape, ...], value: Shape) -> bool:
        has_nothing = self._writer.schemas.has_nothing
        return any(not has_nothing(meet(value, other)) for other in values)

    def _rule(self, shape: Shape) -> ir.Expression:
        return self._writer.add("item", self._writer.shape(shape))

    def _numbers(self, numbers: NumberSet, used: tuple[Shape, ...]) -> list[ir.Expression]:
        written = self._writer.numbers.write(numbers)
        others = [
            ir.Complement(self._writer.numbers.write(value.numbers))
            for value in used
            if value.numbers != NO_NUMBERS
        ]
        if _takes_rules(written):
            # Remainders take rules, of which no class can be made.
            return [] if others else [written]
        facts = (written, _PLAIN_NUMBER, *others)
        return [ir.Intersection((*facts, of_class(number))) for number in range(CLASSES)]


def _takes_rules(expression: ir.Expression) -> bool:
    match expression:
        case ir.Sequence(items) | ir.Choice(items) | ir.Intersection(items):
            return any(map(_takes_rules, items))
        case ir.Repeat(item) | ir.Complement(item):
            return _takes_rules(item)
    return isinstance(expression, ir.Reference)


def _is_more_than_strings(shape: Shape) -> bool:
    return bool(
        shape.null or shape.booleans or shape.numbers != NO_NUMBERS or shape.arrays or shape.objects
    )


def _classes(texts: list[Texts]) -> Iterator[list[ir.Expression]]:
    """Disjoint classes of strings, each as its part of each of the sets."""
    listed = [one.members for one in texts if one.members is not None]
    if len(listed) == len(texts):
        for text in dict.fromkeys(text for members in listed for text in members):
            literal = CANONICAL.string(ir.Literal(text.encode()))
            yield [literal if text in members else ir.NOTHING for members in listed]
        return
    for number in range(CLASSES):
        yield [CANONICAL.string(one.expression, of_class(number)) for one in texts]


def _listed(shape: Shape) -> list[Shape] | None:
    """Each member of a finite shape of scalars; None where it is not one."""
    if shape.arrays or shape.objects or shape.numbers.ranges or shape.strings.members is None:
        return None
    found = [Shape(null=True)] * shape.null
    found += [Shape(booleans=frozenset({value})) for value in shape.booleans]
    found += [Shape(numbers=NumberSet(frozenset({p}))) for p in sorted(shape.numbers.points)]
    found += [Shape(strings=texts_of([text])) for text in shape.strings.members]
    return found
