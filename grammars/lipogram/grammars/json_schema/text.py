"""JSON text around and inside values: whitespace, and strings with their escapes.

A string is written in one way only: printable characters as they are, in UTF-8; the quotation
mark and the backslash after a backslash; control characters as \\b \\f \\n \\r \\t or \\u00xx with
lower-case digits. Escaping is therefore a homomorphism from texts to spellings, and a constraint
on the text carries over by replacing each set of characters, complements included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lipogram.grammars import ir
from lipogram.grammars.errors import GrammarError
from lipogram.grammars.json_schema.regular import ANY_TEXT

Whitespace = Literal["bounded", "spaced", "compact"]

_SHORT = {0x22: b'\\"', 0x5C: b"\\\\", 0x08: b"\\b", 0x0C: b"\\f", 0x0A: b"\\n", 0x0D: b"\\r",
          0x09: b"\\t"}  # fmt: skip
_SPELLINGS = {c: _SHORT.get(c, b"\\u%04x" % c) for c in [*range(0x20), 0x22, 0x5C]}
_PLAIN = ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0xD7FF), (0xE000, 0x10FFFF))
_QUOTE = ir.Literal(b'"')


@dataclass(frozen=True, slots=True)
class Layout:
    """What may stand between the parts of arrays and objects."""

    inside: ir.Expression
    comma: ir.Expression
    colon: ir.Expression


def layout(whitespace: Whitespace) -> Layout:
    """The layout of this name; GrammarError for any other."""
    if whitespace == "compact":
        return Layout(ir.EMPTY, ir.Literal(b","), ir.Literal(b":"))
    if whitespace == "spaced":
        return Layout(ir.EMPTY, ir.Literal(b", "), ir.Literal(b": "))
    if whitespace != "bounded":
        raise GrammarError(
            f"expected whitespace to be bounded, spaced or compact, found {whitespace!r}"
        )
    space = ir.Literal(b" ")
    line = ir.sequence(
        ir.Literal(b"\n"),
        ir.choice(ir.Repeat(space, 0, 32), ir.Repeat(ir.Literal(b"\t"), 1, 16)),
    )
    gap = ir.optional(ir.choice(space, line))
    return Layout(
        gap, ir.sequence(ir.Literal(b","), gap), ir.sequence(ir.Literal(b":"), ir.optional(space))
    )


def spelled(text: str) -> bytes:
    """The text as it stands between quotation marks."""
    return b"".join(_SPELLINGS.get(ord(c), c.encode()) for c in text)


@lru_cache(maxsize=1024)
def _characters(ranges: tuple[tuple[int, int], ...]) -> ir.Expression:
    escapes = tuple(
        spelling for point, spelling in _SPELLINGS.items()
        if any(low <= point <= high for low, high in ranges)
    )  # fmt: skip
    plain = ir.chars(
        (max(low, a), min(high, b))
        for low, high in ranges
        for a, b in _PLAIN
        if max(low, a) <= min(high, b)
    )
    if not escapes:
        return plain
    return ir.choice(plain, ir.Literals(escapes)) if plain != ir.NOTHING else ir.Literals(escapes)


def escape(expression: ir.Expression) -> ir.Expression:
    """The spellings of the texts that a regular expression denotes."""
    match expression:
        case ir.Literal(text):
            return ir.Literal(spelled(text.decode()))
        case ir.Literals(texts):
            return ir.Literals(tuple(spelled(text.decode()) for text in texts))
        case ir.Chars(ranges):
            return _characters(ranges)
        case ir.Sequence(items):
            return ir.sequence(*map(escape, items))
        case ir.Choice(options):
            return ir.choice(*map(escape, options))
        case ir.Repeat(item, minimum, maximum):
            return ir.Repeat(escape(item), minimum, maximum)
        case ir.Intersection(items):
            return ir.Intersection(tuple(map(escape, items)))
        case ir.Complement(item):
            return ir.Complement(escape(item))
        case _:
            raise AssertionError(expression)


_BODY = escape(ANY_TEXT)


def _within(expression: ir.Expression) -> bool:
    """Whether all members are certainly spellings of texts."""
    match expression:
        case ir.Complement():
            return False
        case ir.Sequence(items) | ir.Choice(items):
            return all(map(_within, items))
        case ir.Repeat(item):
            return _within(item)
        case ir.Intersection(items):
            return any(map(_within, items))
        case _:
            return True


def string(expression: ir.Expression) -> ir.Expression:
    """JSON strings whose text is a member of the regular expression."""
    if isinstance(expression, ir.Literals):
        return ir.Literals(tuple(b'"' + spelled(t.decode()) + b'"' for t in expression.texts))
    if isinstance(expression, ir.Literal):
        return ir.Literal(b'"' + spelled(expression.text.decode()) + b'"')
    body = escape(expression)
    if not _within(body):
        body = ir.Intersection((_BODY, body))
    return ir.sequence(_QUOTE, body, _QUOTE)
