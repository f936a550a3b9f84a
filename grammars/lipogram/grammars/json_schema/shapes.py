"""Sets of JSON values in a normal form that is closed under union and intersection.

A Shape is a union by kind: null, booleans, numbers, strings, arrays, objects. Strings are regular
languages. Numbers, arrays and objects are unions of *cubes*, each a conjunction of simple facts.
What a cube says of a child is a Node: a conjunction of signed schemas, looked into only later, so
that recursive schemas have finite shapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from lipogram.grammars import ir
from lipogram.grammars.immutable import immutable
from lipogram.grammars.json_schema import regular
from lipogram.grammars.json_schema.numbers import EVERY_NUMBER, NumberSet
from lipogram.grammars.json_schema.places import OF_NO_DRAFT, Place

Signed = tuple[bool, Place]
Node = tuple[Signed, ...]

ANYTHING: Node = ()
NEVER: Node = ((True, Place(False, OF_NO_DRAFT)),)


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


@immutable()
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


@immutable(eq=False)
class Contains:
    """From index `start` on, at least `least` and at most `most` items satisfy `item`.

    Where it `evaluates`, those that do are evaluated for unevaluatedItems.
    """

    item: Node
    least: int = 1
    most: int | None = None
    start: int = 0
    evaluates: bool = False


@immutable(eq=False)
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


@immutable(eq=False)
class ObjectCube:
    """Objects by name.

    `named` is in the order of generation, which matters if `ordered`: where a schema lists several
    names. `others` partitions all other names. Each witness asks for at least one property that is
    not named, in its region, whose value satisfies the node.
    """

    named: dict[str, Node] = field(default_factory=dict)
    others: tuple[tuple[Region, Node], ...] = PLAIN_OTHERS
    required: dict[str, None] = field(default_factory=dict)
    least: int = 0
    most: int | None = None
    witnesses: tuple[tuple[Region, Node], ...] = ()
    seen_names: frozenset[str] = frozenset()
    seen_regions: frozenset[Region] = frozenset()
    ordered: bool = False

    def at(self, name: str) -> Node:
        """What the value of the property has to satisfy."""
        found = self.named.get(name)
        if found is not None:
            return found
        return next((node for region, node in self.others if in_region(region, name)), NEVER)


@immutable()
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
NO_NUMBERS = NumberSet()


@immutable(eq=False)
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
