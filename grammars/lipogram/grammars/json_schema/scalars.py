"""Keywords about types, constants and numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lipogram.grammars import ir
from lipogram.grammars.json_schema.algebra import (
    join,
    meet,
)
from lipogram.grammars.json_schema.numbers import (
    EVERY_NUMBER,
    INTEGERS,
    NumberRange,
    NumberSet,
    exact,
)
from lipogram.grammars.json_schema.places import Place, brief, escaped
from lipogram.grammars.json_schema.regular import ANY_TEXT
from lipogram.grammars.json_schema.shapes import (
    ANY,
    ANY_TEXTS,
    ANYTHING,
    EVERY_KEY,
    NEVER,
    NONE,
    ArrayCube,
    KeySet,
    ObjectCube,
    Shape,
    Texts,
    node,
    only_arrays,
    only_numbers,
    only_objects,
    texts_of,
)

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas

_KINDS: dict[str, Shape] = {
    "null": Shape(null=True),
    "boolean": Shape(booleans=ANY.booleans),
    "integer": Shape(numbers=INTEGERS),
    "number": Shape(numbers=EVERY_NUMBER),
    "string": Shape(strings=ANY_TEXTS),
    "array": Shape(arrays=ANY.arrays),
    "object": Shape(objects=ANY.objects),
}


def count(place: Place, keyword: str) -> int:
    """The keyword's value, which has to be a whole number of at least 0."""
    value = place.value[keyword]
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | Decimal)
        or value < 0
        or value != int(value)
    ):
        raise place.error("a whole number of at least 0", keyword)
    return int(value)


def number(place: Place, keyword: str) -> Fraction:
    """The keyword's value, which has to be a number."""
    value = place.value[keyword]
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise place.error("a number", keyword)
    return exact(value)


def _type(schemas: Schemas, place: Place, sign: bool) -> Shape:
    value = place.value["type"]
    if isinstance(value, str) and value in _KINDS:
        return _kinds((value,), sign)
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name in _KINDS for name in names):
        raise place.error("one or more of " + ", ".join(_KINDS), "type")
    return _kinds(tuple(names), sign)


@lru_cache(maxsize=256)
def _kinds(names: tuple[str, ...], sign: bool) -> Shape:
    if sign:
        return join(_KINDS[name] for name in dict.fromkeys(names))
    left = [name for name in _KINDS if name not in (*names, "integer", "number")]
    shape = join(_KINDS[name] for name in left)
    if "number" in names:
        return shape
    numbers = NumberSet(ranges=(NumberRange(False),)) if "integer" in names else EVERY_NUMBER
    return join((shape, Shape(numbers=numbers)))


def _enum(schemas: Schemas, place: Place, sign: bool) -> Shape:
    values = place.value["enum"]
    if not isinstance(values, list):
        raise place.error("a list of values", "enum")
    return _constants(schemas, place, "enum", values, sign)


def _const(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _constants(schemas, place, "const", [place.value["const"]], sign)


def _constants(
    schemas: Schemas, place: Place, keyword: str, values: list[Any], sign: bool
) -> Shape:
    """Exactly, or all but, these values; True is not 1, but 1.0 is."""
    booleans = frozenset(v for v in values if isinstance(v, bool))
    strings = [v for v in values if isinstance(v, str)]
    numbers = frozenset(
        exact(v) for v in values if isinstance(v, int | float | Decimal) and not isinstance(v, bool)
    )
    parts = [
        _members(schemas, place, f"{keyword}/{index}", value)
        for index, value in enumerate(values)
        if isinstance(value, list | dict)
    ]
    if sign:
        arrays = tuple(_exact_array(part) for part in parts if isinstance(part, tuple))
        objects = tuple(_exact_object(part) for part in parts if isinstance(part, dict))
        return Shape(
            None in values, booleans, NumberSet(numbers), texts_of(strings), arrays, objects
        )
    others = Texts(ir.Complement(texts_of(strings).expression)) if strings else ANY_TEXTS
    if strings:
        others = Texts(ir.Intersection((ANY_TEXT, others.expression)))
    rest = Shape(
        None not in values,
        ANY.booleans - booleans,
        NumberSet.without(numbers) if numbers else EVERY_NUMBER,
        others,
        ANY.arrays,
        ANY.objects,
    )
    for part in parts:
        other = _other_arrays(part) if isinstance(part, tuple) else _other_objects(part)
        rest = meet(rest, other)
    return rest


_Members = tuple[Place, ...] | dict[str, Place]


def _members(schemas: Schemas, place: Place, where: str, value: Any) -> _Members:
    """A schema for each member of a constant array or object."""
    invent = schemas.document.invent
    if isinstance(value, list):
        return tuple(
            invent(place, f"{where}/{index}", {"const": item}) for index, item in enumerate(value)
        )
    return {
        name: invent(place, f"{where}/{escaped(name)}", {"const": item})
        for name, item in value.items()
    }


def _exact_array(items: tuple[Place, ...]) -> ArrayCube:
    prefix = tuple(node(True, item) for item in items)
    return ArrayCube(prefix, NEVER, len(prefix), len(prefix))


def _exact_object(members: dict[str, Place]) -> ObjectCube:
    named = {name: node(True, member) for name, member in members.items()}
    return ObjectCube(named, ((EVERY_KEY, NEVER),), dict.fromkeys(named), ordered=True)


def _other_arrays(items: tuple[Place, ...]) -> Shape:
    cubes = [ArrayCube(least=len(items) + 1)]
    if items:
        cubes.append(ArrayCube(most=len(items) - 1))
    for index, item in enumerate(items):
        cubes.append(ArrayCube(((),) * index + (node(False, item),), least=index + 1))
    return only_arrays(*cubes)


def _other_objects(members: dict[str, Place]) -> Shape:
    names = named_keys(members)
    free = dict.fromkeys(members, ANYTHING)
    cubes = [ObjectCube(free, witnesses=((frozenset({(False, names)}), ANYTHING),))]
    for name, member in members.items():
        cubes.append(ObjectCube({name: NEVER}))
        cubes.append(ObjectCube({name: node(False, member)}, required={name: None}))
    return only_objects(*cubes)


def named_keys(names: Iterable[str]) -> KeySet:
    """The set of exactly these property names."""
    found = tuple(names)
    label = "names " + brief(sorted(found)) + str(hash(found))
    return KeySet(label, ir.Literals(tuple(name.encode() for name in found)))


def _numeric(numbers: NumberSet, sign: bool) -> Shape:
    return only_numbers(numbers) if sign else Shape(numbers=numbers)


def _bound(schemas: Schemas, place: Place, sign: bool, keyword: str, exclusive: str) -> Shape:
    """`minimum` or `maximum`, with the boolean that makes it exclusive in draft 4."""
    limit = number(place, keyword)
    flag = place.value.get(exclusive)
    strict = flag is True
    return _numeric(_beyond(limit, strict, keyword == "minimum", sign), sign)


def _beyond(limit: Fraction, strict: bool, lower: bool, sign: bool) -> NumberSet:
    if lower == sign:
        return NumberSet.within(low=limit, low_open=strict if sign else not strict)
    return NumberSet.within(high=limit, high_open=strict if sign else not strict)


def _minimum(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _bound(schemas, place, sign, "minimum", "exclusiveMinimum")


def _maximum(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _bound(schemas, place, sign, "maximum", "exclusiveMaximum")


def _exclusive(place: Place, sign: bool, keyword: str) -> Shape:
    if isinstance(place.value[keyword], bool) and place.draft in (0, 4):
        return ANY if sign else NONE
    if place.draft == 4:
        raise place.error("a boolean, as draft 4 has it", keyword)
    limit = number(place, keyword)
    return _numeric(_beyond(limit, True, keyword == "exclusiveMinimum", sign), sign)


def _exclusive_minimum(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _exclusive(place, sign, "exclusiveMinimum")


def _exclusive_maximum(schemas: Schemas, place: Place, sign: bool) -> Shape:
    return _exclusive(place, sign, "exclusiveMaximum")


def _multiple_of(schemas: Schemas, place: Place, sign: bool) -> Shape:
    of = number(place, "multipleOf")
    if of <= 0:
        raise place.error("a number above 0", "multipleOf")
    return _numeric(NumberSet.multiples(of, negated=not sign), sign)


HANDLERS: dict[str, Callable[[Schemas, Place, bool], Shape]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _minimum,
    "maximum": _maximum,
    "exclusiveMinimum": _exclusive_minimum,
    "exclusiveMaximum": _exclusive_maximum,
    "multipleOf": _multiple_of,
}
