"""Values told apart: JSON text in kinds, of which no two share a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lipogram.grammars import ir
from lipogram.grammars.json_schema.algebra import meet
from lipogram.grammars.json_schema.distinct import CLASSES, FEW_CLASSES, of_class
from lipogram.grammars.json_schema.numbers import NumberSet
from lipogram.grammars.json_schema.shapes import (
    NEVER,
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

_LEVELS = 3  # of values within values that are looked at: each doubles the kinds
_FEW = 3  # forms of objects, and declared strings, by which they are told apart
_SCALARS = "everywhere: where no two items may be equal, strings and numbers differ in a checksum"
_ARRAYS = "everywhere: where no two items may be equal, arrays differ in the kind of the first item"
_OBJECTS = (
    "everywhere: where no two items may be equal, objects differ in the checksum or kind of a"
    " property that has to be there, of a declared string, or of the only property; of others"
    " there is at most one"
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


class KindWriter:
    """Writes shapes in kinds for a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._known: dict[tuple[int, int, int], tuple[Shape, list[ir.Expression]]] = {}

    def kinds(
        self,
        shape: Shape,
        used: tuple[Shape, ...] = (),
        levels: int = _LEVELS,
        classes: int = CLASSES,
    ) -> list[ir.Expression]:
        """Values of the shape that differ, and from the used scalars, if each comes at most once.

        What is narrowed for that is noted.
        """
        within = classes if _is_all_arrays_or_objects(shape) else FEW_CLASSES
        known = listed(_known_scalars(shape)) or []
        kinds = [self._writer.shape(v) for v in known if not self.is_among(used, v)]
        kinds += self._arrays(shape.arrays, levels, within)
        kinds += self._objects(shape.objects, levels, within)
        if shape.strings.members is None:
            self._writer.schemas.narrowed[_SCALARS] = None
            text = shape.strings.expression
            others = CANONICAL.other_than(t for v in used for t in v.strings.members or ())
            for number in range(classes):
                among = ir.intersection(of_class(number, classes), *([others] if used else []))
                kinds.append(self._writer.scalar(CANONICAL.string(text, among)))
        if shape.numbers.ranges:
            self._writer.schemas.narrowed[_SCALARS] = None
            kinds += self._numbers(shape.numbers, used, classes)
        return kinds

    def _types(self, shape: Shape) -> list[ir.Expression]:
        """Values of the shape by no more than their types, but for those that are known."""
        rest = [Shape(arrays=shape.arrays), Shape(objects=shape.objects)]
        if shape.strings.members is None:
            rest.append(Shape(strings=shape.strings))
        if shape.numbers.ranges:
            rest.append(Shape(numbers=shape.numbers))
        written = map(self._writer.shape, (listed(_known_scalars(shape)) or []) + rest)
        return [kind for kind in written if kind != ir.NOTHING]

    def is_among(self, values: tuple[Shape, ...], value: Shape) -> bool:
        """Whether a value may be equal to one of these."""
        has_nothing = self._writer.schemas.has_nothing
        return any(not has_nothing(meet(value, other)) for other in values)

    def _inner(self, shape: Shape, levels: int, classes: int) -> list[ir.Expression]:
        """Kinds as rules, since more than one value begins with them; none where it is no use."""
        if not levels:
            return []
        key = id(shape), levels, classes
        if key not in self._known:
            kinds = self.kinds(shape, (), levels - 1, classes) if levels > 1 else self._types(shape)
            rules = [self._writer.scalar(kind) for kind in kinds] if len(kinds) > 1 else []
            self._known[key] = shape, rules
        return self._known[key][1]

    def _arrays(
        self, cubes: tuple[ArrayCube, ...], levels: int, classes: int
    ) -> list[ir.Expression]:
        """Arrays by their first item."""
        if not cubes:
            return []
        self._writer.schemas.narrowed[_ARRAYS] = None
        if len(cubes) == 1 and not cubes[0].unique and not cubes[0].contains:
            (cube,) = cubes
            firsts = self._inner(self._writer.schemas.shape(cube.at(0)), levels, classes)
            if firsts and cube.most != 0:
                return self._writer.arrays.by_first(cube, firsts)
        return [self._writer.add("item", self._writer.shape(Shape(arrays=cubes)))]

    def _objects(
        self, cubes: tuple[ObjectCube, ...], levels: int, classes: int
    ) -> list[ir.Expression]:
        """Objects by the value of a property that all have, or of the only one."""
        if not cubes:
            return []
        self._writer.schemas.narrowed[_OBJECTS] = None
        kinds = self._by_string(cubes)
        if kinds is None and len(cubes) == 1:
            (cube,) = cubes
            kinds = self._by_property(cube, levels, classes) or self._by_lone(cube, levels, classes)
        return kinds or self._by_optional(cubes) or [self._alike(cubes)]

    def _alike(self, cubes: tuple[ObjectCube, ...]) -> ir.Expression:
        return self._writer.add("item", self._writer.shape(Shape(objects=cubes)))

    def _by_string(self, cubes: tuple[ObjectCube, ...]) -> list[ir.Expression] | None:
        """Objects by a property that is a string in all."""
        for name in cubes[0].required:
            if all(name in cube.required for cube in cubes):
                kinds = self._told_by(cubes, name, CLASSES)
                if kinds is not None:
                    return kinds
        return None

    def _told_by(
        self, cubes: tuple[ObjectCube, ...], name: str, classes: int
    ) -> list[ir.Expression] | None:
        """Objects by a required property; None where its values may be more than strings."""
        shapes = [self._writer.schemas.shape(cube.at(name)) for cube in cubes]
        if any(map(_is_more_than_strings, shapes)):
            return None
        kinds = []
        for values in _classes([shape.strings for shape in shapes], classes):
            written = [
                self._writer.objects.write_with(cube, name, value)
                for cube, value in zip(cubes, values, strict=True)
                if value != ir.NOTHING
            ]
            options = [option for option in written if option is not None]
            if len(options) < len(written):
                return None
            kinds.append(self._writer.add("item", ir.Choice(tuple(options))))
        return kinds

    def _by_optional(self, cubes: tuple[ObjectCube, ...]) -> list[ir.Expression]:
        """Objects by the first of a few declared strings that they have; those come once."""
        kinds: list[ir.Expression] = []
        names = dict.fromkeys(name for cube in cubes for name in cube.named)
        for name in names if len(cubes) <= _FEW else ():
            having = tuple(_having(cube, name) for cube in cubes if cube.at(name) != NEVER)
            told = self._told_by(having, name, FEW_CLASSES) if having else None
            if told is not None:
                kinds += told
                cubes = tuple(
                    replace(cube, named=cube.named | {name: NEVER})
                    for cube in cubes
                    if name not in cube.required
                )
            if not cubes or len(kinds) >= _FEW * FEW_CLASSES:
                break
        return [*kinds, self._alike(cubes)] if kinds and cubes else kinds

    def _by_property(self, cube: ObjectCube, levels: int, classes: int) -> list[ir.Expression]:
        for name in cube.required:
            inner = self._inner(self._writer.schemas.shape(cube.at(name)), levels, classes)
            written = [self._writer.objects.write_with(cube, name, kind) for kind in inner]
            kinds = [kind for kind in written if kind is not None]
            if kinds and len(kinds) == len(inner):
                return kinds
        return []

    def _by_lone(self, cube: ObjectCube, levels: int, classes: int) -> list[ir.Expression]:
        """Objects of one property by its value, where nothing is said of names."""
        if cube.named or len(cube.others) != 1 or cube.witnesses or cube.least > 1:
            return []
        inner = self._inner(self._writer.schemas.shape(cube.others[0][1]), levels, classes)
        if not inner or cube.most == 0:
            return []
        objects = self._writer.objects
        more = replace(cube, least=2)  # of two names that differ: readers keep one of equal ones
        kinds = [objects.write_lone(cube, kind) for kind in inner]
        if cube.most is None or cube.most > 1:
            kinds.append(self._writer.add("item", objects.write(more)))
        return kinds if cube.least else [*kinds, objects.write(replace(cube, most=0))]

    def _numbers(
        self, numbers: NumberSet, used: tuple[Shape, ...], classes: int
    ) -> list[ir.Expression]:
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
        kinds = [ir.Intersection((*facts, of_class(number, classes))) for number in range(classes)]
        return [self._writer.scalar(kind) for kind in kinds]


def _having(cube: ObjectCube, name: str) -> ObjectCube:
    """The objects that have the property, once."""
    named, required = cube.named | {name: cube.at(name)}, cube.required | {name: None}
    return replace(cube, named=named, required=required)


def _takes_rules(expression: ir.Expression) -> bool:
    match expression:
        case ir.Sequence(items) | ir.Choice(items) | ir.Intersection(items):
            return any(map(_takes_rules, items))
        case ir.Repeat(item) | ir.Complement(item):
            return _takes_rules(item)
    return isinstance(expression, ir.Reference)


def _has_scalars(shape: Shape) -> bool:
    return bool(
        shape.null or shape.booleans or shape.numbers != NO_NUMBERS or shape.strings != NO_TEXTS
    )


def _known_scalars(shape: Shape) -> Shape:
    """The scalars of the shape, but for strings or numbers that are not listed."""
    return Shape(
        shape.null,
        shape.booleans,
        NO_NUMBERS if shape.numbers.ranges else shape.numbers,
        NO_TEXTS if shape.strings.members is None else shape.strings,
    )


def _is_all_arrays_or_objects(shape: Shape) -> bool:
    """Whether all values are arrays, or all are objects."""
    return not _has_scalars(shape) and not (shape.arrays and shape.objects)


def _is_more_than_strings(shape: Shape) -> bool:
    return _has_scalars(replace(shape, strings=NO_TEXTS)) or bool(shape.arrays or shape.objects)


def _classes(texts: list[Texts], classes: int) -> Iterator[list[ir.Expression]]:
    """Disjoint classes of strings, each as its part of each of the sets."""
    listed = [one.members for one in texts if one.members is not None]
    if len(listed) == len(texts):
        for text in dict.fromkeys(text for members in listed for text in members):
            literal = CANONICAL.string(ir.Literal(text.encode()))
            yield [literal if text in members else ir.NOTHING for members in listed]
        return
    for number in range(classes):
        yield [CANONICAL.string(one.expression, of_class(number, classes)) for one in texts]


def listed(shape: Shape) -> list[Shape] | None:
    """Each member of a finite shape of scalars; None where it is not one."""
    if shape.arrays or shape.objects or shape.numbers.ranges or shape.strings.members is None:
        return None
    found = [Shape(null=True)] * shape.null
    found += [Shape(booleans=frozenset({value})) for value in shape.booleans]
    found += [Shape(numbers=NumberSet(frozenset({p}))) for p in sorted(shape.numbers.points)]
    found += [Shape(strings=texts_of([text])) for text in shape.strings.members]
    return found
