"""JSON text of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from lipogram.grammars import ir
from lipogram.grammars.errors import Unsupported
from lipogram.grammars.json_schema.shapes import (
    NEVER,
    ArrayCube,
    Contains,
    Node,
    both,
)
from lipogram.grammars.json_schema.unique_writer import UniqueWriter

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.writer import Writer

MAX_COUNTER_STATES = 3_000
_FEW_WITNESSES = 3
_CHAINED = 8
_OPEN, _CLOSE = ir.Literal(b"["), ir.Literal(b"]")


class ArrayWriter:
    """Writes array cubes for a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._unique = UniqueWriter(writer)

    def write(self, cube: ArrayCube) -> ir.Expression:
        """The arrays of the cube."""
        if cube.unique and (cube.most is None or cube.most > 1):
            items = self._unique.items(cube)
            if items is None:
                return self.write(replace(cube, unique=False))
            needed = cube.least or any(contains.least for contains in cube.contains)
            return self._array(items, may_be_empty=not needed)
        if not cube.contains:
            items = self._items(cube) if cube.most != 0 else ir.NOTHING
            return self._array(items, may_be_empty=not cube.least)
        if _is_plain(cube):
            (contains,) = cube.contains
            if contains.most is None and contains.least <= _FEW_WITNESSES:
                items = self._with_witnesses(cube, contains)
                return self._array(items, may_be_empty=not cube.least and not contains.least)
            if contains.most is not None and contains.least > contains.most:
                return ir.NOTHING
            if cube.least <= contains.least and cube.most is None:
                return self._alternating(cube, contains)
        return self._counted_array(cube)

    def by_first(self, cube: ArrayCube, firsts: Sequence[ir.Expression]) -> list[ir.Expression]:
        """The arrays with each of these for a first item, and the empty one if it is among them."""
        rest = replace(
            cube,
            prefix=cube.prefix[1:],
            least=max(cube.least - 1, 0),
            most=None if cube.most is None else cube.most - 1,
        )
        more: ir.Expression = ir.EMPTY
        if rest.most != 0:
            more = ir.sequence(self._writer.layout.comma, self._items(rest))
            more = self._writer.add("items", more if rest.least else ir.optional(more))
        arrays = [self._array(ir.sequence(first, more)) for first in firsts]
        return arrays if cube.least else [*arrays, self._array(ir.NOTHING, may_be_empty=True)]

    def _array(self, items: ir.Expression, *, may_be_empty: bool = False) -> ir.Expression:
        """An array of these items, at least one, or an empty one."""
        gap = self._writer.layout.inside
        if items == ir.NOTHING:
            return ir.sequence(_OPEN, gap, _CLOSE) if may_be_empty else ir.NOTHING
        inner = ir.Sequence((items, gap))
        return ir.Sequence((_OPEN, gap, ir.optional(inner) if may_be_empty else inner, _CLOSE))

    def _with_witnesses(self, cube: ArrayCube, contains: Contains) -> ir.Expression:
        """So many items that the schema is for, among any others."""
        witness = self._writer.value(both(cube.rest, contains.item))
        return ir.Members(
            (witness,) * contains.least,
            frozenset(range(contains.least)),
            self._writer.value(cube.rest),
            self._writer.layout.comma,
            max(cube.least, 1),
            cube.most,
            any_order=True,
        )

    def _alternating(self, cube: ArrayCube, contains: Contains) -> ir.Expression:
        """Each of the items that count, after any of those that do not."""
        comma = self._writer.layout.comma
        counted = self._writer.value(both(cube.rest, contains.item))
        rest = cube.rest if contains.most is None else both(cube.rest, _against(contains))
        other = self._writer.value(rest)
        more = ir.Repeat(ir.sequence(comma, other))
        options: list[ir.Expression] = []
        if contains.most != 0:
            most = None if contains.most is None else contains.most - 1
            following = ir.sequence(more, comma, counted)
            options.append(
                ir.sequence(
                    ir.Repeat(ir.sequence(other, comma)),
                    counted,
                    ir.Repeat(following, max(contains.least - 1, 0), most),
                    more,
                )
            )
        if not contains.least:
            options.append(ir.sequence(other, more))
        return self._array(ir.Choice(tuple(options)), may_be_empty=not contains.least)

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
    if contains.item == NEVER:
        return [((), count)]
    return [(contains.item, min(count + 1, contains.most + 1)), (_against(contains), count)]


def _against(contains: Contains) -> Node:
    """What an item has to satisfy that does not count."""
    against: Node = tuple((not sign, place) for sign, place in contains.item)
    if len(against) > 1:
        raise Unsupported("contains: a count of several schemas at once", keyword="contains")
    if contains.item == NEVER:
        return ()
    return against or NEVER


def _is_plain(cube: ArrayCube) -> bool:
    """Whether all items are alike, and one schema is counted among them."""
    return not cube.prefix and len(cube.contains) == 1 and not cube.contains[0].start
