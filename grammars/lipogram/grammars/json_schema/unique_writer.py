"""JSON text of the items of arrays in which no two are equal."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING

from lipogram.grammars import ir
from lipogram.grammars.errors import Unsupported
from lipogram.grammars.json_schema.algebra import meet
from lipogram.grammars.json_schema.kinds import KindWriter, listed
from lipogram.grammars.json_schema.shapes import ArrayCube, Shape

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.writer import Writer

MAX_CASES = 500
_FEW_PLACES = 16


class UniqueWriter:
    """Writes the items of array cubes without repeats for a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._kinds = KindWriter(writer)

    def items(self, cube: ArrayCube) -> ir.Expression | None:
        """The items, at least one; None where no two can be equal anyway."""
        if self._all_differ(cube):
            return None
        shape = self._writer.schemas.shape(cube.rest)
        values = listed(shape)
        if values is not None and not cube.prefix:
            return self._chosen(cube, values)
        if cube.contains:
            raise Unsupported("uniqueItems: next to contains", keyword="uniqueItems")
        if cube.prefix:
            return self._placed(cube, self._listed_prefix(cube), ())
        return self._run(cube, self._kinds.kinds(shape), frozenset())

    def _listed_prefix(self, cube: ArrayCube) -> list[list[Shape]]:
        """The values that the item at each place may have."""
        found = [
            values
            for item in cube.prefix
            if (values := listed(self._writer.schemas.shape(item))) is not None
        ]
        if len(found) < len(cube.prefix) or prod(map(len, found)) > MAX_CASES:
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
                if not self._kinds.is_among(used, value):
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
            items = self._kinds.kinds(self._writer.schemas.shape(cube.rest), used)
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
