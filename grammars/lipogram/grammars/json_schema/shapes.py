"""Sets of JSON values in a normal form that is closed under union and intersection.

A Shape is a union by kind: null, booleans, numbers, strings, arrays, objects. Strings are regular
languages. Numbers, arrays and objects are unions of *cubes*, each a conjunction of simple facts.
What a cube says of a child is a Node: a conjunction of signed schemas, looked into only later, so
that recursive schemas have finite shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.json_schema import regular
from lipogram.grammars.json_schema.document import OF_NO_DRAFT, Place
from lipogram.grammars.json_schema.numbers import EVERY_NUMBER, NO_NUMBERS, NumberSet

Signed = tuple[bool, Place]
Node = tuple[Signed, ...]

ANYTHING: Node = ()
NEVER: Node = ((True, Place(False, OF_NO_DRAFT)),)
MAX_CASES = 1_000
Cube = TypeVar("Cube")
Kind = TypeVar("Kind")


def both(left: Node, right: Node) -> Node:
    """What satisfies both nodes; NEVER where they contradict each other on the face of it."""
    if not right or left == right:
        return left
    if not left:
        return right
    if left == NEVER or right == NEVER:
        return NEVER
    merged = dict.fromkeys(left + right)
    if any((not sign, place) in merged for sign, place in merged):
        return NEVER
    return tuple(merged)


def node(sign: bool, place: Place) -> Node:
    """The values that satisfy, or (sign False) do not satisfy, the schema at a place."""
    if isinstance(place.value, bool):
        return ANYTHING if place.value == sign else NEVER
    if not place.value:
        return ANYTHING if sign else NEVER
    return ((sign, place),)


@dataclass(frozen=True, slots=True)
class KeySet:
    """A regular set of property names; equal labels mean equal sets.

    `possible` is a larger set, where validators differ on what the members are.
    """

    label: str
    expression: ir.Expression = field(compare=False)
    possible: ir.Expression | None = field(default=None, compare=False)

    @property
    def outside(self) -> ir.Expression:
        """The names that are certainly not members."""
        return ir.Complement(self.possible or self.expression)

    def holds(self, name: str) -> bool:
        """Whether the name is a member."""
        return regular.holds(self.expression, name)


Region = frozenset[tuple[bool, KeySet]]
EVERY_KEY: Region = frozenset()


def in_region(region: Region, name: str) -> bool:
    """Whether the name is in every positive and in no negative set of the region."""
    return all(keys.holds(name) == sign for sign, keys in region)


def overlap(left: Region, right: Region) -> Region | None:
    """The intersection; None where it is empty on the face of it."""
    joined = left | right
    return None if any((not sign, keys) in joined for sign, keys in joined) else joined


def regions_without(part: Region, away: Region) -> list[Region]:
    """Disjoint regions that make up what is in `part` and not in `away`."""
    pieces: list[Region] = []
    for sign, keys in sorted(away - part, key=lambda signed: signed[1].label):
        if (not sign, keys) in part:
            return [*pieces, part]
        pieces.append(part | {(not sign, keys)})
        part |= {(sign, keys)}
    return pieces if not any((not sign, keys) in part for sign, keys in away) else [part]


@dataclass(frozen=True, slots=True, eq=False)
class Contains:
    """From index `start` on, at least `least` and at most `most` items satisfy `item`.

    Where it `evaluates`, those that do are evaluated for unevaluatedItems.
    """

    item: Node
    least: int = 1
    most: int | None = None
    start: int = 0
    evaluates: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ArrayCube:
    """Arrays by position; `seen` leading items (None: all) are evaluated for unevaluatedItems."""

    prefix: tuple[Node, ...] = ()
    rest: Node = ANYTHING
    least: int = 0
    most: int | None = None
    contains: tuple[Contains, ...] = ()
    unique: bool = False
    seen: int | None = 0

    def at(self, index: int) -> Node:
        """What the item at the index has to satisfy."""
        return self.prefix[index] if index < len(self.prefix) else self.rest


PLAIN_OTHERS: tuple[tuple[Region, Node], ...] = ((EVERY_KEY, ANYTHING),)


@dataclass(frozen=True, slots=True, eq=False)
class ObjectCube:
    """Objects by name.

    `named` is in the order of generation. `others` partitions all other names. Each witness asks
    for at least one property that is not named, in its region, whose value satisfies the node.
    """

    named: dict[str, Node] = field(default_factory=dict)
    others: tuple[tuple[Region, Node], ...] = PLAIN_OTHERS
    required: dict[str, None] = field(default_factory=dict)
    least: int = 0
    most: int | None = None
    witnesses: tuple[tuple[Region, Node], ...] = ()
    seen_names: frozenset[str] = frozenset()
    seen_regions: frozenset[Region] = frozenset()

    def at(self, name: str) -> Node:
        """What the value of the property has to satisfy."""
        found = self.named.get(name)
        if found is not None:
            return found
        return next((node for region, node in self.others if in_region(region, name)), NEVER)


@dataclass(frozen=True, slots=True)
class Texts:
    """A set of strings: an expression over unescaped text, or the members themselves."""

    expression: ir.Expression
    members: tuple[str, ...] | None = None


def texts_of(members: Iterable[str]) -> Texts:
    """Exactly these strings."""
    found = tuple(dict.fromkeys(members))
    if not found:
        return NO_TEXTS
    return Texts(ir.Literals(tuple(m.encode() for m in found)), found)


ANY_TEXTS = Texts(regular.ANY_TEXT)
NO_TEXTS = Texts(ir.Literals(()), ())


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A set of JSON values."""

    null: bool = False
    booleans: frozenset[bool] = frozenset()
    numbers: NumberSet = NO_NUMBERS
    strings: Texts = NO_TEXTS
    arrays: tuple[ArrayCube, ...] = ()
    objects: tuple[ObjectCube, ...] = ()


NONE = Shape()
ANY = Shape(True, frozenset((False, True)), EVERY_NUMBER, ANY_TEXTS, (ArrayCube(),),
            (ObjectCube(),))  # fmt: skip


def only_numbers(numbers: NumberSet) -> Shape:
    """All values but other numbers."""
    return Shape(True, ANY.booleans, numbers, ANY_TEXTS, ANY.arrays, ANY.objects)


def only_strings(strings: Texts) -> Shape:
    """All values but other strings."""
    return Shape(True, ANY.booleans, EVERY_NUMBER, strings, ANY.arrays, ANY.objects)


def only_arrays(*arrays: ArrayCube) -> Shape:
    """All values but other arrays."""
    return Shape(True, ANY.booleans, EVERY_NUMBER, ANY_TEXTS, arrays, ANY.objects)


def only_objects(*objects: ObjectCube) -> Shape:
    """All values but other objects."""
    return Shape(True, ANY.booleans, EVERY_NUMBER, ANY_TEXTS, ANY.arrays, objects)


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
    left: tuple[Cube, ...], right: tuple[Cube, ...], combine: Callable[[Cube, Cube], Cube | None]
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


def least_of(left: int | None, right: int | None) -> int | None:
    """The stricter of two upper limits; None: no limit."""
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)


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
    least, most = max(left.least, right.least), least_of(left.most, right.most)
    for index, item in enumerate(prefix):
        if item == NEVER:
            most = least_of(most, index)
            break
    rest = both(left.rest, right.rest)
    if rest == NEVER:
        most = least_of(most, length)
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
    return _products(left, right, _meet_objects)


def _meet_objects(left: ObjectCube, right: ObjectCube) -> ObjectCube | None:
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
    least, most = max(left.least, right.least), least_of(left.most, right.most)
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
