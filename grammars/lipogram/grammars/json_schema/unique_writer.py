"""JSON text of the items of arrays in which no two are equal."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from lipogram.grammars import ir
from lipogram.grammars.errors import Unsupported
from lipogram.grammars.json_schema.distinct import CLASSES, of_class
from lipogram.grammars.json_schema.numbers import NumberSet
from lipogram.grammars.json_schema.shapes import (
    NO_NUMBERS,
    NO_TEXTS,
    ArrayCube,
    Shape,
    meet,
    texts_of,
)
from lipogram.grammars.json_schema.text import CANONICAL
from lipogram.grammars.lowering import postorder

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.writer import Writer

MAX_CASES = 500
_FEW_PLACES = 16
_DISTINCT_SCALARS = (
    "everywhere: where no two items may be equal, strings and numbers differ in a checksum"
)
_ONE_COMPOUND = (
    "everywhere: where no two items may be equal, at most one is an array, one an object"
)
_DIGIT = ir.one_of("0123456789")
# With one spelling for each number.
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
        if cube.prefix:
            raise Unsupported("uniqueItems: next to items by their places", keyword="uniqueItems")
        shape = self._writer.schemas.shape(cube.rest)
        listed = _listed(shape)
        if listed is not None:
            return self._chosen(cube, listed)
        if cube.contains:
            raise Unsupported("uniqueItems: next to contains", keyword="uniqueItems")
        return self._run(cube, self._kinds(shape), frozenset())

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
        if len(cube.contains) > 1:
            raise Unsupported("uniqueItems: next to several contains", keyword="uniqueItems")
        (contains,) = cube.contains
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

    def _kinds(self, shape: Shape) -> list[ir.Expression]:
        """Items of which no two are equal if each comes at most once."""
        scalars = replace(shape, arrays=(), objects=(), strings=NO_TEXTS, numbers=NO_NUMBERS)
        narrowed = self._writer.schemas.narrowed
        items = [self._writer.shape(value) for value in _listed(scalars) or []]
        if shape.arrays or shape.objects:
            narrowed[_ONE_COMPOUND] = None
            if shape.arrays:
                items.append(self._rule(Shape(arrays=shape.arrays)))
            if shape.objects:
                items.append(self._rule(Shape(objects=shape.objects)))
        if shape.strings.members is not None:
            items += [self._writer.shape(v) for v in _listed(Shape(strings=shape.strings)) or []]
        else:
            narrowed[_DISTINCT_SCALARS] = None
            text = shape.strings.expression
            items += [CANONICAL.string(text, of_class(number)) for number in range(CLASSES)]
        if shape.numbers.ranges:
            narrowed[_DISTINCT_SCALARS] = None
            items += self._numbers(shape.numbers)
        else:
            items += [self._writer.shape(v) for v in _listed(Shape(numbers=shape.numbers)) or []]
        return items

    def _rule(self, shape: Shape) -> ir.Expression:
        return self._writer.add("item", self._writer.shape(shape))

    def _numbers(self, numbers: NumberSet) -> list[ir.Expression]:
        written = self._writer.number(numbers)
        if any(isinstance(part, ir.Reference) for part in postorder(written)):
            return [written]  # remainders take rules, of which no class can be made
        return [
            ir.Intersection((written, _PLAIN_NUMBER, of_class(number))) for number in range(CLASSES)
        ]


def _listed(shape: Shape) -> list[Shape] | None:
    """Each member of a finite shape of scalars; None where it is not one."""
    if shape.arrays or shape.objects or shape.numbers.ranges or shape.strings.members is None:
        return None
    found = [Shape(null=True)] * shape.null
    found += [Shape(booleans=frozenset({value})) for value in shape.booleans]
    found += [Shape(numbers=NumberSet(frozenset({p}))) for p in sorted(shape.numbers.points)]
    found += [Shape(strings=texts_of([text])) for text in shape.strings.members]
    return found
