"""JSON text of arrays."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from lipogram.grammars import ir
from lipogram.grammars.errors import Unsupported
from lipogram.grammars.json_schema.numbers import NumberSet
from lipogram.grammars.json_schema.shapes import (
    NEVER,
    ArrayCube,
    Contains,
    Node,
    Shape,
    both,
    texts_of,
)

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.writer import Writer

MAX_COUNTER_STATES = 3_000
MAX_UNIQUE_VALUES = 8
_CHAINED = 8
_OPEN, _CLOSE = ir.Literal(b"["), ir.Literal(b"]")


class ArrayWriter:
    """Writes array cubes for a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def write(self, cube: ArrayCube) -> ir.Expression:
        """The arrays of the cube."""
        if cube.unique and (cube.most is None or cube.most > 1):
            return self._unique_array(cube)
        if cube.contains:
            return self._counted_array(cube)
        gap = self._writer.layout.inside
        inner: ir.Expression = ir.EMPTY
        if cube.most != 0:
            inner = ir.sequence(self._items(cube), gap)
            if cube.least == 0:
                inner = ir.optional(inner)
        return ir.sequence(_OPEN, gap, inner, _CLOSE)

    def _items(self, cube: ArrayCube) -> ir.Expression:
        """At least one item, as many as the cube asks for."""
        comma = self._writer.layout.comma
        most = cube.most
        length = len(cube.prefix) if most is None else min(most, len(cube.prefix))
        least = max(cube.least, 1)
        tail: ir.Expression = ir.EMPTY
        if most is None or most > length:
            used = max(length, 1)
            tail = ir.Repeat(
                ir.sequence(comma, self._writer.value(cube.rest)),
                max(least - used, 0),
                None if most is None else most - used,
            )
        if not length:
            return ir.sequence(self._writer.value(cube.rest), tail)
        items = [self._writer.value(item) for item in cube.prefix[:length]]
        for index in range(length - 1, least - 1, -1):
            tail = ir.optional(ir.sequence(comma, items[index], tail))
            if (length - index) % _CHAINED == 0:
                tail = self._writer.add("items", tail)
        fixed = [items[0]]
        for item in items[1:least]:
            fixed += [comma, item]
        return ir.sequence(*fixed, tail)

    def _counted_array(self, cube: ArrayCube) -> ir.Expression:
        """One rule for each number of items so far and of those that each `contains` counts."""
        tops = [c.least if c.most is None else c.most + 1 for c in cube.contains]
        last = max([1, len(cube.prefix), cube.least, *(c.start for c in cube.contains)])
        last = last if cube.most is None else max(last, cube.most)
        states = last + 1
        for top in tops:
            states *= top + 1
        if states > MAX_COUNTER_STATES:
            raise Unsupported(f"contains: it would take {states} states", keyword="contains")
        name = self._writer.fresh("counted")
        for counts in product(*(range(top + 1) for top in tops)):
            for index in range(last + 1):
                self._writer.rules[f"{name} {index} {counts}"] = self._counted(
                    cube, name, index, counts, last
                )
        return ir.Reference(f"{name} 0 {tuple(0 for _ in tops)}")

    def _counted(
        self, cube: ArrayCube, name: str, index: int, counts: tuple[int, ...], last: int
    ) -> ir.Expression:
        """What may follow `index` items; the brackets are part of it."""
        options: list[ir.Expression] = []
        enough = index >= cube.least and (cube.most is None or index <= cube.most)
        if enough and all(
            c.least <= n and (c.most is None or n <= c.most)
            for c, n in zip(cube.contains, counts, strict=True)
        ):
            gap = self._writer.layout.inside
            closing = ir.sequence(gap, _CLOSE)
            options.append(ir.sequence(_OPEN, closing) if index == 0 else closing)
        if cube.most is None or index < cube.most:
            before = self._writer.layout.comma
            if index == 0:
                before = ir.sequence(_OPEN, self._writer.layout.inside)
            for item, following in _next_items(cube, index, counts):
                rest = f"{name} {min(index + 1, last)} {following}"
                options.append(ir.sequence(before, self._writer.value(item), ir.Reference(rest)))
        return ir.choice(*options)

    def _unique_array(self, cube: ArrayCube) -> ir.Expression:
        """Items of a small finite set: one rule for each set of those that are left."""
        shape = self._writer.schemas.shape(cube.rest)
        values = _listed(shape)
        if values is None or cube.prefix or cube.contains or len(values) > MAX_UNIQUE_VALUES:
            raise Unsupported(
                f"uniqueItems: compiled only for items of at most {MAX_UNIQUE_VALUES} known values",
                keyword="uniqueItems",
            )
        name = self._writer.fresh("unique")
        count = len(values)
        for used in range(2**count):
            size = used.bit_count()
            options: list[ir.Expression] = []
            if size >= cube.least:
                options.append(ir.EMPTY)
            if cube.most is None or size < cube.most:
                for index, value in enumerate(values):
                    if not used >> index & 1:
                        rest = ir.Reference(f"{name} {used | 1 << index}")
                        comma = self._writer.layout.comma if used else ir.EMPTY
                        options.append(ir.sequence(comma, self._writer.shape(value), rest))
            self._writer.rules[f"{name} {used}"] = ir.choice(*options)
        gap = self._writer.layout.inside
        return ir.sequence(_OPEN, gap, ir.Reference(f"{name} 0"), gap, _CLOSE)


def _next_items(
    cube: ArrayCube, index: int, counts: tuple[int, ...]
) -> list[tuple[Node, tuple[int, ...]]]:
    """What the next item may be, and the counts after it."""
    found: list[tuple[Node, tuple[int, ...]]] = []
    choices = [_ways(c, n, index) for c, n in zip(cube.contains, counts, strict=True)]
    for ways in product(*choices):
        item = cube.at(index)
        for extra, _ in ways:
            item = both(item, extra)
        if item != NEVER:
            found.append((item, tuple(n for _, n in ways)))
    return found


def _ways(contains: Contains, count: int, index: int) -> list[tuple[Node, int]]:
    """The item counts, or it does not; whether it may stay open which is for the limit to say."""
    if index < contains.start:
        return [((), count)]
    if contains.most is None:
        if count >= contains.least:
            return [((), count)]
        return [(contains.item, count + 1), ((), count)]
    against: Node = tuple((not sign, place) for sign, place in contains.item)
    if len(against) > 1:
        raise Unsupported("contains: a count of several schemas at once", keyword="contains")
    if not contains.item:
        against = NEVER
    elif contains.item == NEVER:
        return [((), count)]
    return [(contains.item, min(count + 1, contains.most + 1)), (against, count)]


def _listed(shape: Shape) -> list[Shape] | None:
    """Each member of a finite shape of scalars; None where it is not one."""
    if shape.arrays or shape.objects or shape.numbers.ranges or shape.strings.members is None:
        return None
    found = [Shape(null=True)] * shape.null
    found += [Shape(booleans=frozenset({value})) for value in shape.booleans]
    found += [Shape(numbers=NumberSet(frozenset({p}))) for p in sorted(shape.numbers.points)]
    found += [Shape(strings=texts_of([text])) for text in shape.strings.members]
    return found
