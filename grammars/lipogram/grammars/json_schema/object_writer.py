"""JSON text of objects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.json_schema.regular import ANY_TEXT
from lipogram.grammars.json_schema.shapes import (
    NEVER,
    Node,
    ObjectCube,
    Region,
    both,
    in_region,
)
from lipogram.grammars.json_schema.text import spelled, string

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.writer import Writer

MAX_COUNTER_STATES = 12_000
MAX_VARIANTS = 500
_MANY_NAMES = 64
_ONE_WITNESS = (
    "everywhere: where an object must violate a schema by a property that is not named,"
    " it has just one such"
)


class ObjectWriter:
    """Writes object cubes for a writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._variants = 0

    def write(self, cube: ObjectCube) -> ir.Expression:
        """The objects of the cube."""
        if any(cube.at(name) == NEVER for name in cube.required):
            return ir.NOTHING
        named = {name: value for name, value in cube.named.items() if value != NEVER}
        if cube.most is not None and cube.most >= len(named) and not self._others(cube):
            cube = replace(cube, most=None)
        required = sum(name in named for name in cube.required)
        if cube.witnesses:
            return self._with_witness(cube, named)
        if cube.most is not None or cube.least > max(required, 1):
            return self._counted_object(cube, named)
        member = self._members(cube)
        least = 1 if cube.least and not required else 0
        options: list[ir.Expression] = []
        if not least and not required:
            options.append(self._writer.hollow(b"{", b"}"))
        inner = self._some_members(named, cube, member)
        if inner != ir.NOTHING:
            options.append(self._writer.enclosed(b"{", inner, b"}"))
        return ir.choice(*options)

    def _others(self, cube: ObjectCube) -> list[tuple[Region, Node]]:
        return [(region, value) for region, value in cube.others if value != NEVER]

    def _member(self, name: str, value: Node) -> ir.Expression:
        key = ir.Literal(b'"' + spelled(name) + b'"')
        return ir.sequence(key, self._writer.layout.colon, self._writer.value(value))

    def _members(
        self, cube: ObjectCube, region: Region = frozenset(), value: Node = ()
    ) -> ir.Expression:
        """A property that is not named, whose name is in the region and value satisfies."""
        options: list[ir.Expression] = []
        for own_region, own_value in self._others(cube):
            joined, values = own_region | region, both(own_value, value)
            if values == NEVER or any((not sign, keys) in joined for sign, keys in joined):
                continue
            facts: list[ir.Expression] = [ANY_TEXT]
            for sign, keys in sorted(joined, key=lambda part: part[1].label):
                facts.append(keys.expression if sign else keys.outside)
            if cube.named:
                names = tuple(name.encode() for name in cube.named)
                facts.append(ir.Complement(ir.Literals(names)))
            key = self._writer.scalar(
                string(ir.Intersection(tuple(facts)) if len(facts) > 1 else ANY_TEXT)
            )
            options.append(ir.sequence(key, self._writer.layout.colon, self._writer.value(values)))
        return ir.choice(*options)

    def _some_members(
        self, named: dict[str, Node], cube: ObjectCube, other: ir.Expression
    ) -> ir.Expression:
        """At least one property: the named ones in order, then any number of others."""
        comma = self._writer.layout.comma
        names = list(named)
        members = [self._member(name, named[name]) for name in names]
        if len(members) > _MANY_NAMES:
            members = [self._writer.add("member", member) for member in members]
        others: list[ir.Expression] = []
        if other != ir.NOTHING:
            others.append(ir.Repeat(ir.sequence(comma, other)))
        first = next((i for i, name in enumerate(names) if name in cube.required), None)
        after: list[ir.Expression] = []
        for name, member in zip(names, members, strict=True):
            item = ir.sequence(comma, member)
            after.append(item if name in cube.required else ir.optional(item))
        if first is not None:
            before = [ir.optional(ir.sequence(member, comma)) for member in members[:first]]
            return ir.sequence(*before, members[first], *after[first + 1 :], *others)
        # No property is required, so any may be the first; rest holds what may follow each.
        options: list[ir.Expression] = []
        if other != ir.NOTHING:
            options.append(ir.sequence(other, *others))
        rest: ir.Expression = ir.sequence(*others)
        for index in range(len(names) - 1, -1, -1):
            options.append(ir.sequence(members[index], rest))
            if index:
                rest = self._writer.add("rest", ir.sequence(after[index], rest))
        return ir.choice(*reversed(options))

    def _counted_object(self, cube: ObjectCube, named: dict[str, Node]) -> ir.Expression:
        """One rule for each property in order and each number of properties so far.

        A name may be repeated among properties that are not named, so no more than one of those
        is sure to be distinct.
        """
        other = self._members(cube)
        top = max(cube.least, cube.most if cube.most is not None else 0) + 1
        names = list(named)
        if (len(names) + 1) * (top + 1) > MAX_COUNTER_STATES:
            raise BudgetExceeded("minProperties or maxProperties: too many states", pointer="")
        if other != ir.NOTHING and cube.least > len(cube.required) + 1:
            raise Unsupported(
                "minProperties: more properties than are named; two could have the same name",
                keyword="minProperties",
            )
        name = self._writer.fresh("counted")
        comma = self._writer.layout.comma
        for count in range(top + 1):
            for index in range(len(names) + 1):
                body: list[ir.Expression] = []
                if index == len(names):
                    body.append(self._uncounted(cube, other, count))
                else:
                    key = names[index]
                    following = f"{name} {index + 1} {min(count + 1, top)}"
                    if cube.most is None or count < cube.most:
                        member = self._member(key, named[key])
                        before = comma if count else ir.EMPTY
                        body.append(ir.sequence(before, member, ir.Reference(following)))
                    if key not in cube.required:
                        body.append(ir.Reference(f"{name} {index + 1} {count}"))
                self._writer.rules[f"{name} {index} {count}"] = ir.choice(
                    *(option for option in body if option != ir.NOTHING)
                )
        return self._writer.enclosed(b"{", ir.Reference(f"{name} 0 0"), b"}")

    def _uncounted(self, cube: ObjectCube, other: ir.Expression, count: int) -> ir.Expression:
        """The properties that are not named, after so many that are."""
        most = None if cube.most is None else cube.most - count
        if most is not None and most < 0:
            return ir.NOTHING
        short = max(cube.least - count, 0)
        if short > 1 or (short and other == ir.NOTHING):
            return ir.NOTHING
        if other == ir.NOTHING or most == 0:
            return ir.EMPTY if not short else ir.NOTHING
        item = ir.sequence(self._writer.layout.comma, other)
        if count:
            return ir.Repeat(item, short, most)
        some = ir.sequence(other, ir.Repeat(item, 0, None if most is None else most - 1))
        return some if short else ir.optional(some)

    def _with_witness(self, cube: ObjectCube, named: dict[str, Node]) -> ir.Expression:
        """An object in which some property, named or not, is the witness that is asked for."""
        (region, value), *rest = cube.witnesses
        self._variants += 1
        if self._variants > MAX_VARIANTS:
            raise BudgetExceeded(f"not: more than {MAX_VARIANTS} cases", keyword="not")
        options: list[ir.Expression] = []
        for name, own in named.items():
            values = both(own, value)
            if values == NEVER or not in_region(region, name):
                continue
            options.append(
                self.write(
                    replace(
                        cube,
                        named=cube.named | {name: values},
                        required=cube.required | {name: None},
                        witnesses=tuple(rest),
                    )
                )
            )
        options.append(self._unnamed_witness(cube, named))
        return ir.choice(*(option for option in options if option != ir.NOTHING))

    def _unnamed_witness(self, cube: ObjectCube, named: dict[str, Node]) -> ir.Expression:
        """An object with exactly one property that is not named: the witness, of all asked for."""
        if cube.most is not None or cube.least > len(cube.required) + 1:
            raise Unsupported("not: next to minProperties or maxProperties", keyword="not")
        region, value = cube.witnesses[0]
        for other_region, other_value in cube.witnesses[1:]:
            region, value = region | other_region, both(value, other_value)
        witness = self._members(cube, region, value)
        if witness == ir.NOTHING:
            return ir.NOTHING
        self._writer.schemas.narrowed[_ONE_WITNESS] = None
        before = []
        for name, item in named.items():
            member = ir.sequence(self._member(name, item), self._writer.layout.comma)
            before.append(member if name in cube.required else ir.optional(member))
        return self._writer.enclosed(b"{", ir.sequence(*before, witness), b"}")
