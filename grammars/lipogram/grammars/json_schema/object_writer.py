"""JSON text of objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.json_schema import regular
from lipogram.grammars.json_schema.distinct import CLASSES, of_class
from lipogram.grammars.json_schema.regular import ANY_TEXT
from lipogram.grammars.json_schema.shapes import (
    NEVER,
    Node,
    ObjectCube,
    Region,
    both,
    in_region,
    overlap,
)
from lipogram.grammars.json_schema.text import CANONICAL

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.writer import Writer

Witness = tuple[Region, Node]

MAX_VARIANTS = 500
_OPEN, _CLOSE = ir.Literal(b"{"), ir.Literal(b"}")
_MAX_TRIED = 4 * MAX_VARIANTS
_MAX_CASES = 32
_ONE_WITNESS = (
    "everywhere: where an object must violate several schemas by properties that are not named,"
    " one property violates all"
)
_ALL_WITNESSES = (
    "everywhere: where an object must violate a schema by a property that is not named, all such"
    " properties do"
)
_SOME_VARIANTS = (
    f"everywhere: of the combinations of properties that violate schemas, {MAX_VARIANTS} are tried"
)
_DISTINCT_NAMES = (
    "everywhere: where several properties that are not named must come, their names differ in a"
    " checksum"
)


class ObjectWriter:
    """Writes object cubes for a writer."""

    def __init__(self, writer: Writer, *, any_order: bool) -> None:
        self._writer = writer
        self._any_order = any_order
        self._variants = 0
        self._members: dict[tuple[str, Node, bool], ir.Expression] = {}
        self._keys: dict[tuple[Region, tuple[str, ...], int | None], ir.Expression] = {}

    def write(self, cube: ObjectCube) -> ir.Expression:
        """The objects of the cube."""
        if any(cube.at(name) == NEVER for name in cube.required):
            return ir.NOTHING
        body = self._body(cube)
        gap = self._writer.layout.inside
        inner = ir.NOTHING if body == ir.NOTHING else ir.sequence(body, gap)
        if not cube.least and not cube.required and not cube.witnesses:
            inner = ir.optional(inner) if inner != ir.NOTHING else ir.EMPTY
        if inner == ir.NOTHING:
            return ir.NOTHING
        return ir.sequence(_OPEN, gap, inner, _CLOSE)

    def write_with(self, cube: ObjectCube, name: str, value: ir.Expression) -> ir.Expression | None:
        """The objects in which a required property has this value; None where that is not told."""
        run = None if cube.witnesses else self._run(cube)
        if not isinstance(run, ir.Members):
            return None
        index = [own for own, node in cube.named.items() if node != NEVER].index(name)
        member = self._written(name, value, run.any_order)
        run = replace(run, items=(*run.items[:index], member, *run.items[index + 1 :]))
        gap = self._writer.layout.inside
        return ir.Sequence((_OPEN, gap, run, gap, _CLOSE))

    def write_lone(self, cube: ObjectCube, value: ir.Expression) -> ir.Expression:
        """The objects of one property, of any name, that has this value."""
        layout = self._writer.layout
        member = ir.sequence(self._key(cube.others[0][0], (), None), ir.Literal(layout.colon),
                             *layout.after_colon, value)  # fmt: skip
        return ir.Sequence((_OPEN, layout.inside, member, layout.inside, _CLOSE))

    def _body(self, cube: ObjectCube, unnamed: tuple[Witness, ...] = ()) -> ir.Expression:
        """At least one property, in all the ways to be the witnesses that are asked for.

        `unnamed` are witnesses that a property has to be that is not named.
        """
        if not cube.witnesses:
            return self._with_unnamed(cube, unnamed) if unnamed else self._run(cube)
        self._variants += 1
        if self._variants > _MAX_TRIED:
            raise BudgetExceeded(f"not: more than {_MAX_TRIED} cases", keyword="not")
        options: list[ir.Expression] = []
        for option in self._ways(cube, unnamed):
            if option != ir.NOTHING:
                options.append(option)
            if options and self._variants > MAX_VARIANTS:
                self._writer.schemas.narrowed[_SOME_VARIANTS] = None
                break
        return options[0] if len(options) == 1 else ir.Choice(tuple(options))

    def _ways(self, cube: ObjectCube, unnamed: tuple[Witness, ...]) -> Iterator[ir.Expression]:
        """The bodies in which a certain property is the first witness."""
        (region, value), *rest = cube.witnesses
        cube = replace(cube, witnesses=tuple(rest))
        in_place = [name for name in cube.named if in_region(region, name)]
        if any(name in cube.required and _covers(cube.named[name], value) for name in in_place):
            yield self._body(cube, unnamed)
            return
        if any(
            overlap(own_region, region) is not None and both(own, value) != NEVER
            for own_region, own in cube.others
        ):
            yield self._body(cube, (*unnamed, (region, value)))
        for name in in_place:
            values = both(cube.named[name], value)
            if not self._writer.schemas.is_empty(values):
                named, required = cube.named | {name: values}, cube.required | {name: None}
                yield self._body(replace(cube, named=named, required=required), unnamed)

    def _with_unnamed(self, cube: ObjectCube, unnamed: tuple[Witness, ...]) -> ir.Expression:
        """Properties among which some that are not named are the witnesses.

        The witnesses come last: a later property of the same name would replace one.
        """
        unnamed = tuple(dict.fromkeys(unnamed))
        are_apart = all(_are_apart(a, b) for (a, _), (b, _) in combinations(unnamed, 2))
        if not are_apart:
            region, value = unnamed[0]
            for other_region, other_value in unnamed[1:]:
                region, value = region | other_region, both(value, other_value)
            unnamed = ((region, value),)
        witnesses = [self._others(cube, region, value) for region, value in unnamed]
        if ir.NOTHING in witnesses:
            return ir.NOTHING
        if cube.most is not None and cube.most < len(witnesses):
            return ir.NOTHING
        if not are_apart:
            self._writer.schemas.narrowed[_ONE_WITNESS] = None
        most = None if cube.most is None else cube.most - len(witnesses)
        least = max(cube.least - len(witnesses), 0)
        if least > len(cube.required):
            least = cube.least  # others are among them, which might have a witness's name
            if most is not None and most < least:
                raise Unsupported("not: next to minProperties and maxProperties", keyword="not")
        if self._any_order:
            return self._with_violations(replace(cube, least=least), unnamed, witnesses)
        comma = self._writer.layout.comma
        before = ir.sequence(self._run(replace(cube, least=least, most=most)), comma)
        if not least and not cube.required:
            before = ir.optional(before)
        following = [part for witness in witnesses for part in (comma, witness)]
        return ir.sequence(before, *following[1:])

    def _with_violations(
        self, cube: ObjectCube, unnamed: tuple[Witness, ...], witnesses: list[ir.Expression]
    ) -> ir.Expression:
        """The same in any order: whatever could replace a witness has to be one."""
        others = cube.others
        for region, value in unnamed:
            others = tuple(
                (own, values if overlap(own, region) is None else both(values, value))
                for own, values in others
            )
        self._writer.schemas.narrowed[_ALL_WITNESSES] = None
        run = self._run(replace(cube, others=others))
        assert isinstance(run, ir.Members)
        count = len(witnesses)
        return replace(
            run,
            items=run.items + tuple(witnesses),
            required=run.required | {len(run.items) + index for index in range(count)},
            minimum=count + (cube.least if cube.least > len(cube.required) else 0),
        )

    def _run(self, cube: ObjectCube) -> ir.Expression:
        """The properties of a cube without witnesses, at least one."""
        others = self._others(cube)
        least = max(cube.least, 1)
        if others != ir.NOTHING and least > len(cube.required) + 1:
            return self._with_distinct_names(cube, others)
        return self._members_of(cube, others, least, cube.most)

    def _members_of(
        self, cube: ObjectCube, others: ir.Expression, least: int, most: int | None
    ) -> ir.Members:
        names = [name for name, value in cube.named.items() if value != NEVER]
        any_order = self._any_order
        if names and not cube.ordered:
            any_order |= len(names) > 1 or others != ir.NOTHING
        return ir.Members(
            tuple([self._member(name, cube.named[name], any_order) for name in names]),
            frozenset([index for index, name in enumerate(names) if name in cube.required]),
            others,
            self._writer.layout.comma,
            least,
            most,
            any_order,
        )

    def _member(self, name: str, value: Node, any_order: bool) -> ir.Expression:
        """A named property; in any order by a rule, so that what follows it makes no difference."""
        member = self._members.get((name, value, any_order))
        if member is None:
            member = self._written(name, self._writer.value(value), any_order)
            self._members[name, value, any_order] = member
        return member

    def _written(self, name: str, value: ir.Expression, any_order: bool) -> ir.Expression:
        layout = self._writer.layout
        parts = self._writer.spelling.name(name, layout.colon)
        member = ir.Sequence((*parts, *layout.after_colon, value))
        return self._writer.add("member", member) if any_order else member

    def _others(
        self,
        cube: ObjectCube,
        region: Region = frozenset(),
        value: Node = (),
        class_: int | None = None,
    ) -> ir.Expression:
        """A property that is not named: its name in the region and class, its value satisfying."""
        options: list[ir.Expression] = []
        for own_region, own_value in cube.others:
            joined, values = overlap(own_region, region), both(own_value, value)
            if joined is None or values == NEVER:
                continue
            layout = self._writer.layout
            key = self._key(joined, tuple(cube.named), class_)
            colon = ir.Literal(layout.colon)
            options.append(
                ir.Sequence((key, colon, *layout.after_colon, self._writer.value(values)))
            )
        return options[0] if len(options) == 1 else ir.Choice(tuple(options))

    def _key(self, region: Region, named: tuple[str, ...], class_: int | None) -> ir.Expression:
        """The names of a region that are not among the named, in their quotation marks."""
        key = self._keys.get((region, named, class_))
        if key is None:
            facts = _facts(region)
            spelling = self._writer.spelling if class_ is None else CANONICAL
            among = [spelling.other_than(named)] if named else []
            if class_ is not None:
                among.append(of_class(class_))
            text = ir.Intersection((ANY_TEXT, *facts)) if facts else ANY_TEXT
            if among:
                key = self._writer.add("key", spelling.string(text, ir.Intersection(tuple(among))))
            else:
                key = self._writer.scalar(spelling.string(text))
            self._keys[region, named, class_] = key
        return key

    def _with_distinct_names(self, cube: ObjectCube, others: ir.Expression) -> ir.Expression:
        """Properties of which two or more may have to be such that are not named.

        Those could have the same name, so they are chosen from different classes of names: the
        first of them, as many as have to come, or in any order all.
        """
        least, most = cube.least, cube.most
        comma = self._writer.layout.comma
        if least - len(cube.named) > CLASSES:
            raise Unsupported(
                f"minProperties: more than {CLASSES} properties that are not named",
                keyword="minProperties",
            )
        self._writer.schemas.narrowed[_DISTINCT_NAMES] = None
        classes = tuple([self._others(cube, class_=number) for number in range(CLASSES)])
        if self._any_order:
            run = self._members_of(cube, ir.NOTHING, least, most)
            return replace(run, items=run.items + classes)
        more = None if most is None else most - least
        options: list[ir.Expression] = []
        for count in range(max(len(cube.required), least - CLASSES), least):
            missing = least - count
            distinct = ir.Members(
                classes, frozenset(), ir.NOTHING, comma, missing, missing, any_order=True
            )
            before = self._members_of(cube, ir.NOTHING, count, count)
            options.append(
                ir.sequence(
                    ir.sequence(before, comma) if count else ir.EMPTY,
                    distinct if missing > 1 else others,
                    ir.Repeat(ir.sequence(comma, others), 0, more),
                )
            )
        return ir.Choice((*options, *self._enough_named(cube, others, least, most)))

    def _enough_named(
        self, cube: ObjectCube, others: ir.Expression, least: int, most: int | None
    ) -> Iterable[ir.Expression]:
        """Enough properties that are named, then others: as many as there may be."""
        more = ir.sequence(self._writer.layout.comma, others)
        if most is None:
            yield ir.sequence(self._members_of(cube, ir.NOTHING, least, None), ir.Repeat(more))
            return
        top = min(most, len(cube.named))
        for count in range(least, min(top, least + _MAX_CASES)):
            run = self._members_of(cube, ir.NOTHING, count, count)
            yield ir.sequence(run, ir.Repeat(more, 0, most - count))
        yield self._members_of(cube, ir.NOTHING, least, most)


def _facts(region: Region) -> list[ir.Expression]:
    parts = sorted(region, key=lambda part: part[1].label)
    return [keys.expression if sign else keys.outside for sign, keys in parts]


def _are_apart(left: Region, right: Region) -> bool:
    """Whether certainly no name is in both regions."""
    joined = overlap(left, right)
    return joined is None or regular.is_empty(ir.Intersection((ANY_TEXT, *_facts(joined))))


def _covers(own: Node, value: Node) -> bool:
    """Whether what satisfies the first satisfies the second, on the face of it."""
    return both(own, value) == own
