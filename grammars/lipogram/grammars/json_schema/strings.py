"""Keywords about strings."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lipogram.grammars import formats, ir, regex
from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported
from lipogram.grammars.json_schema.places import Place, brief, escaped
from lipogram.grammars.json_schema.regular import ANY_TEXT
from lipogram.grammars.json_schema.scalars import count
from lipogram.grammars.json_schema.shapes import ANY, NONE, Shape, Texts, only_strings

if TYPE_CHECKING:
    from lipogram.grammars.json_schema.schemas import Schemas

_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"


def _textual(expression: ir.Expression, sign: bool) -> Shape:
    if sign:
        return only_strings(Texts(expression))
    outside = Texts(ir.Intersection((ANY_TEXT, ir.Complement(expression))))
    return Shape(strings=outside)


def _min_length(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "minLength")
    if sign:
        return _textual(ir.Repeat(ir.ANY_CHAR, limit), True)
    return Shape(strings=Texts(ir.Repeat(ir.ANY_CHAR, 0, limit - 1))) if limit else NONE


def _max_length(schemas: Schemas, place: Place, sign: bool) -> Shape:
    limit = count(place, "maxLength")
    if sign:
        return _textual(ir.Repeat(ir.ANY_CHAR, 0, limit), True)
    return Shape(strings=Texts(ir.Repeat(ir.ANY_CHAR, limit + 1)))


def search(place: Place, keyword: str, pattern: Any) -> ir.Expression:
    """The texts in which an ECMA pattern matches somewhere; errors point at the keyword."""
    if not isinstance(pattern, str):
        raise place.error("a regular expression", keyword)
    try:
        return _searched(pattern)
    except (Unsupported, BudgetExceeded) as error:
        pointer = f"{place.pointer}/{escaped(keyword)}"
        raise type(error)(
            f"{keyword}: {error.message} (column {error.column})", pointer=pointer, keyword=keyword
        ) from error
    except GrammarError as error:
        raise GrammarError(
            f"expected a regular expression: {error.message} (column {error.column})",
            pointer=f"{place.pointer}/{escaped(keyword)}", keyword=keyword,
        ) from error  # fmt: skip


@lru_cache(maxsize=1024)
def _searched(pattern: str) -> ir.Expression:
    return regex.expression(pattern, dialect="ecma", search=True)


@lru_cache(maxsize=1024)
def possible_matches(pattern: str) -> ir.Expression:
    """The texts that a validator may take for matches of a pattern, which is a valid one.

    Many validators stand on Python's `re`, for which `$` holds before a last line break, `.`
    takes a carriage return, and `\\d` takes any digit. Where a pattern must not match, neither
    reading may.
    """
    found = _searched(pattern)
    try:
        return ir.choice(found, regex.expression(pattern, dialect="python", search=True))
    except (GrammarError, BudgetExceeded):
        return found


DIFFERING = "texts are left out that only some regular expression engines take for matches"


def _pattern(schemas: Schemas, place: Place, sign: bool) -> Shape:
    pattern = place.value["pattern"]
    expression = search(place, "pattern", pattern)
    if sign:
        return _textual(expression, True)
    possible = possible_matches(pattern)
    if possible != expression:
        schemas.narrow(place, "pattern", DIFFERING)
    return _textual(possible, False)


def _format(schemas: Schemas, place: Place, sign: bool) -> Shape:
    name = place.value["format"]
    if not isinstance(name, str):
        raise place.error("the name of a format", "format")
    if schemas.formats == "annotations":
        return ANY if sign else NONE
    found = formats.find(name)
    if found is None:
        schemas.warn(place, "format", f"the format {brief(name)} is not checked")
        return ANY if sign else NONE
    if not found.exact:
        schemas.narrow(place, "format", f"rare texts of the format {name} are left out")
    return _textual(found.inside if sign else found.outside, sign)


def _content(schemas: Schemas, place: Place, sign: bool) -> Shape:
    """`contentEncoding` and `contentMediaType`, which only draft 7 lets restrict the values."""
    if place.draft != 7:
        return ANY if sign else NONE
    if place.value.get("contentMediaType") == "application/json":
        place.refuse("contentMediaType", "JSON within a string is not compiled")
    if place.value.get("contentEncoding") != "base64":
        schemas.warn(place, "contentEncoding", "not checked")
        return ANY if sign else NONE
    return _textual(regex.expression(_BASE64, dialect="ecma"), sign)


HANDLERS: dict[str, Callable[[Schemas, Place, bool], Shape]] = {
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "format": _format,
    "contentEncoding": _content,
    "contentMediaType": _content,
}
