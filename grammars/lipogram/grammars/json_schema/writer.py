"""From shapes to rules: JSON text of the values that a node accepts."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.json_schema.digits import DigitLimits, NumberWriter
from lipogram.grammars.json_schema.numbers import NumberSet
from lipogram.grammars.json_schema.regular import ANY_TEXT
from lipogram.grammars.json_schema.schemas import Schemas
from lipogram.grammars.json_schema.shapes import (
    NEVER,
    NO_TEXTS,
    ArrayCube,
    Contains,
    Node,
    ObjectCube,
    Region,
    Shape,
    both,
    in_region,
    texts_of,
)
from lipogram.grammars.json_schema.text import Layout, spelled, string

MAX_RULES = 60_000
MAX_COUNTER_STATES = 3_000
MAX_UNIQUE_VALUES = 8
MAX_VARIANTS = 500
_CHAINED = 8
_MANY_NAMES = 64
_ONE_WITNESS = (
    ": where an object must violate a schema by a property that is not named, it has just one such"
)


class Writer:
    """Writes nodes as rules, each once. Scalars stand where they are used, without a rule."""

    def __init__(self, schemas: Schemas, layout: Layout, limits: DigitLimits) -> None:
        self._schemas = schemas
        self._layout = layout
        self.rules: dict[str, ir.Expression] = {}
        self.numbers = NumberWriter(limits, self.rules)
        self._scalars: dict[ir.Expression, ir.Expression] = {}
        self._written: dict[Node, ir.Expression] = {}
        self._pending: list[tuple[str, Shape]] = []
        self._cubes = 0
        self._variants = 0

    def write(self, root: Node) -> None:
        """Fills `rules`, from `start` on, with all that the root leads to."""
        self.rules["start"] = ir.NOTHING
        self.rules["start"] = self.value(root)
        while self._pending:
            name, shape = self._pending.pop()
            self.rules[name] = self._shape(shape)
            if len(self.rules) > MAX_RULES:
                raise BudgetExceeded(f"the schema takes more than {MAX_RULES} rules", pointer="")

    def value(self, of: Node) -> ir.Expression:
        """What stands for a value that satisfies the node."""
        if of not in self._written:
            shape = self._schemas.shape(of)
            if shape.arrays or shape.objects:
                name = f"value {len(self._written)}"
                self._written[of] = ir.Reference(name)
                self._pending.append((name, shape))
            else:
                self._written[of] = self._scalar(self._shape(shape))
        return self._written[of]

    def _scalar(self, expression: ir.Expression) -> ir.Expression:
        """One rule for all places that have the same expression, so that they share its states."""
        if isinstance(expression, ir.Literal) or expression == ir.NOTHING:
            return expression
        if expression not in self._scalars:
            self._scalars[expression] = self._rule("scalar", expression)
        return self._scalars[expression]

    def _shape(self, shape: Shape) -> ir.Expression:
        options: list[ir.Expression] = []
        options.extend(self._object(cube) for cube in shape.objects)
        options.extend(self._array(cube) for cube in shape.arrays)
        if shape.strings != NO_TEXTS:
            options.append(string(shape.strings.expression))
        if shape.numbers != NumberSet():
            options.append(self.numbers.write(shape.numbers))
        words = [b"true" if value else b"false" for value in sorted(shape.booleans, reverse=True)]
        options.extend(map(ir.Literal, words + [b"null"] * shape.null))
        return ir.choice(*(option for option in options if option != ir.NOTHING))

    def _enclosed(self, opening: bytes, inner: ir.Expression, closing: bytes) -> ir.Expression:
        gap = self._layout.inside
        return ir.sequence(ir.Literal(opening), gap, inner, gap, ir.Literal(closing))

    def _hollow(self, opening: bytes, closing: bytes) -> ir.Expression:
        return ir.sequence(ir.Literal(opening), self._layout.inside, ir.Literal(closing))

    # Arrays

    def _array(self, cube: ArrayCube) -> ir.Expression:
        if cube.unique and (cube.most is None or cube.most > 1):
            return self._unique_array(cube)
        if cube.contains:
            return self._counted_array(cube)
        options: list[ir.Expression] = []
        if cube.least == 0:
            options.append(self._hollow(b"[", b"]"))
        if cube.most != 0:
            options.append(self._enclosed(b"[", self._items(cube), b"]"))
        return ir.choice(*options)

    def _items(self, cube: ArrayCube) -> ir.Expression:
        """At least one item, as many as the cube asks for."""
        comma = self._layout.comma
        most = cube.most
        length = len(cube.prefix) if most is None else min(most, len(cube.prefix))
        least = max(cube.least, 1)
        tail: ir.Expression = ir.EMPTY
        if most is None or most > length:
            used = max(length, 1)
            tail = ir.Repeat(
                ir.sequence(comma, self.value(cube.rest)),
                max(least - used, 0),
                None if most is None else most - used,
            )
        if not length:
            return ir.sequence(self.value(cube.rest), tail)
        items = [self.value(item) for item in cube.prefix[:length]]
        for index in range(length - 1, least - 1, -1):
            tail = ir.optional(ir.sequence(comma, items[index], tail))
            if (length - index) % _CHAINED == 0:
                tail = self._rule("items", tail)
        fixed = [items[0]]
        for item in items[1:least]:
            fixed += [comma, item]
        return ir.sequence(*fixed, tail)

    def _rule(self, what: str, body: ir.Expression) -> ir.Expression:
        self._cubes += 1
        name = f"{what} {self._cubes}"
        self.rules[name] = body
        return ir.Reference(name)

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
        self._cubes += 1
        name = f"counted {self._cubes}"
        for counts in product(*(range(top + 1) for top in tops)):
            for index in range(last + 1):
                self.rules[f"{name} {index} {counts}"] = self._counted(
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
            gap = self._layout.inside
            closing = ir.sequence(gap, ir.Literal(b"]"))
            options.append(self._hollow(b"[", b"]") if index == 0 else closing)
        if cube.most is None or index < cube.most:
            before = self._layout.comma
            if index == 0:
                before = ir.sequence(ir.Literal(b"["), self._layout.inside)
            for item, following in _next_items(cube, index, counts):
                rest = f"{name} {min(index + 1, last)} {following}"
                options.append(ir.sequence(before, self.value(item), ir.Reference(rest)))
        return ir.choice(*options)

    def _unique_array(self, cube: ArrayCube) -> ir.Expression:
        """Items of a small finite set: one rule for each set of those that are left."""
        shape = self._schemas.shape(cube.rest)
        values = _listed(shape)
        if values is None or cube.prefix or cube.contains or len(values) > MAX_UNIQUE_VALUES:
            raise Unsupported(
                f"uniqueItems: compiled only for items of at most {MAX_UNIQUE_VALUES} known values",
                keyword="uniqueItems",
            )
        self._cubes += 1
        name = f"unique {self._cubes}"
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
                        comma = self._layout.comma if used else ir.EMPTY
                        options.append(ir.sequence(comma, self._shape(value), rest))
            self.rules[f"{name} {used}"] = ir.choice(*options)
        return self._enclosed(b"[", ir.Reference(f"{name} 0"), b"]")

    # Objects

    def _object(self, cube: ObjectCube) -> ir.Expression:
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
            options.append(self._hollow(b"{", b"}"))
        inner = self._some_members(named, cube, member)
        if inner != ir.NOTHING:
            options.append(self._enclosed(b"{", inner, b"}"))
        return ir.choice(*options)

    def _others(self, cube: ObjectCube) -> list[tuple[Region, Node]]:
        return [(region, value) for region, value in cube.others if value != NEVER]

    def _member(self, name: str, value: Node) -> ir.Expression:
        key = ir.Literal(b'"' + spelled(name) + b'"')
        return ir.sequence(key, self._layout.colon, self.value(value))

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
                facts.append(keys.expression if sign else ir.Complement(keys.expression))
            if cube.named:
                names = tuple(name.encode() for name in cube.named)
                facts.append(ir.Complement(ir.Literals(names)))
            key = self._scalar(
                string(ir.Intersection(tuple(facts)) if len(facts) > 1 else ANY_TEXT)
            )
            options.append(ir.sequence(key, self._layout.colon, self.value(values)))
        return ir.choice(*options)

    def _some_members(
        self, named: dict[str, Node], cube: ObjectCube, other: ir.Expression
    ) -> ir.Expression:
        """At least one property: the named ones in order, then any number of others."""
        comma = self._layout.comma
        names = list(named)
        members = [self._member(name, named[name]) for name in names]
        if len(members) > _MANY_NAMES:
            members = [self._rule("member", member) for member in members]
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
                rest = self._rule("rest", ir.sequence(after[index], rest))
        return ir.choice(*reversed(options))

    def _counted_object(self, cube: ObjectCube, named: dict[str, Node]) -> ir.Expression:
        """One rule for each property in order and each number of properties so far.

        A name may be repeated among properties that are not named, so no more than one of those
        is sure to be distinct.
        """
        other = self._members(cube)
        top = max(cube.least, cube.most if cube.most is not None else 0) + 1
        names = list(named)
        if (len(names) + 1) * (top + 1) > MAX_COUNTER_STATES * 4:
            raise BudgetExceeded("minProperties or maxProperties: too many states", pointer="")
        if other != ir.NOTHING and cube.least > len(cube.required) + 1:
            raise Unsupported(
                "minProperties: more properties than are named; two could have the same name",
                keyword="minProperties",
            )
        self._cubes += 1
        name = f"counted {self._cubes}"
        comma = self._layout.comma
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
                self.rules[f"{name} {index} {count}"] = ir.choice(
                    *(option for option in body if option != ir.NOTHING)
                )
        return self._enclosed(b"{", ir.Reference(f"{name} 0 0"), b"}")

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
        item = ir.sequence(self._layout.comma, other)
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
                self._object(
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
        self._schemas.narrowed[_ONE_WITNESS] = None
        before = []
        for name, item in named.items():
            member = ir.sequence(self._member(name, item), self._layout.comma)
            before.append(member if name in cube.required else ir.optional(member))
        return self._enclosed(b"{", ir.sequence(*before, witness), b"}")


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
