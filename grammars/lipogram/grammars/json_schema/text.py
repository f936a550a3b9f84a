"""JSON text around and inside values: whitespace, and strings with their escapes.

A spelling replaces each character by a text, or by any of a set of texts, of which none begins
with another: a spelled string can be read in one way only. So a constraint on a string carries over
to its spellings by replacing each set of characters, complements included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lipogram.grammars import ir
from lipogram.grammars.errors import GrammarError
from lipogram.grammars.json_schema.regular import ANY_TEXT

Whitespace = Literal["bounded", "spaced", "compact"]
Escapes = Literal["canonical", "any"]
Ranges = Iterable[tuple[int, int]]

_SHORT = {0x22: '\\"', 0x5C: "\\\\", 0x08: "\\b", 0x0C: "\\f", 0x0A: "\\n", 0x0D: "\\r",
          0x09: "\\t"}  # fmt: skip
_SPELLINGS = {c: _SHORT.get(c, f"\\u{c:04x}") for c in [*range(0x20), 0x22, 0x5C]}
_PLAIN = ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0xD7FF), (0xE000, 0x10FFFF))
_QUOTE = ir.Literal(b'"')
_ESCAPE = ir.Literal(b"\\u")


@dataclass(frozen=True, slots=True)
class Layout:
    """What may stand between the parts of arrays and objects."""

    inside: ir.Expression
    comma: ir.Expression
    colon: bytes
    after_colon: tuple[ir.Expression, ...] = ()


_SPACE = ir.Literal(b" ")
_LINE = ir.sequence(
    ir.Literal(b"\n"),
    ir.choice(ir.Repeat(_SPACE, 0, 32), ir.Repeat(ir.Literal(b"\t"), 1, 16)),
)
_GAP = ir.optional(ir.choice(_SPACE, _LINE))
_LAYOUTS = {
    "compact": Layout(ir.EMPTY, ir.Literal(b","), b":"),
    "spaced": Layout(ir.EMPTY, ir.Literal(b", "), b": "),
    "bounded": Layout(
        _GAP, ir.sequence(ir.Literal(b","), _GAP), b":", (ir.optional(_SPACE),)
    ),
}  # fmt: skip


def layout(whitespace: Whitespace) -> Layout:
    """The layout of this name; GrammarError for any other."""
    if whitespace not in _LAYOUTS:
        raise GrammarError(
            f"expected whitespace to be bounded, spaced or compact, found {whitespace!r}"
        )
    return _LAYOUTS[whitespace]


@lru_cache(maxsize=4096)
def spelled(text: str) -> bytes:
    """The text as it stands between quotation marks, in its canonical spelling."""
    return text.translate(_SPELLINGS).encode()


class _Same:
    """An expression as the key of a cache: looked up as the object that it is, at no cost."""

    __slots__ = ("expression",)

    def __init__(self, expression: ir.Expression) -> None:
        self.expression = expression

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.expression is other.expression

    def __hash__(self) -> int:
        return id(self.expression)


class Spelling:
    """Strings in one way only.

    Printable characters as they are, in UTF-8; the quotation mark and the backslash after a
    backslash; control characters as \\b \\f \\n \\r \\t or \\u00xx with lower-case digits.
    """

    def __init__(self) -> None:
        # Formats, and the parts of patterns, are the same objects from one schema to the next.
        self._escaped = lru_cache(maxsize=1024)(lambda same: self._escape(same.expression))
        self._string = lru_cache(maxsize=1024)(lambda same: self._quoted(same.expression))
        self.name = lru_cache(maxsize=4096)(self._name)
        self._body = self._escape(ANY_TEXT)

    def string(
        self, expression: ir.Expression, among: ir.Expression | None = None
    ) -> ir.Expression:
        """JSON strings whose text is a member of the regular expression.

        With `among`, of these only those whose spelling within the quotation marks is in it.
        """
        if among is None:
            return self._string(_Same(expression))
        facts = [self._body, among]
        if expression is not ANY_TEXT:
            facts.insert(1, self._escaped(_Same(expression)))
        return ir.Sequence((_QUOTE, ir.Intersection(tuple(facts)), _QUOTE))

    def _quoted(self, expression: ir.Expression) -> ir.Expression:
        match expression:
            case ir.Literals(texts):
                return self._listed(texts)
            case ir.Literal(text):
                return self._listed((text,))
        body = self._escaped(_Same(expression))
        if not _within(expression):
            body = ir.Intersection((self._body, body))
        return ir.Sequence((_QUOTE, body, _QUOTE))

    def other_than(self, texts: Iterable[str]) -> ir.Expression:
        """Whatever spells none of these texts."""
        return ir.Complement(ir.Literals(tuple(map(spelled, texts))))

    def _listed(self, texts: tuple[bytes, ...]) -> ir.Expression:
        listed = [b'"%b"' % spelled(text.decode()) for text in texts]
        return ir.Literal(listed[0]) if len(listed) == 1 else ir.Literals(tuple(listed))

    def _name(self, text: str, colon: bytes) -> tuple[ir.Expression, ...]:
        """A property's name and the colon behind it, part by part."""
        return (ir.Literal(b'"%b"%b' % (spelled(text), colon)),)

    def text(self, text: str) -> ir.Expression:
        """The text as it stands between quotation marks."""
        return ir.Literal(spelled(text))

    def _texts(self, texts: tuple[bytes, ...]) -> ir.Expression:
        return ir.Literals(tuple(spelled(text.decode()) for text in texts))

    def _characters(self, ranges: tuple[tuple[int, int], ...]) -> ir.Expression:
        return _canonical_characters(ranges)

    def _escape(self, expression: ir.Expression) -> ir.Expression:
        """The spellings of an expression's members; what is shared within it stays shared."""
        done: dict[int, ir.Expression] = {}

        def escape(expression: ir.Expression) -> ir.Expression:
            found = done.get(id(expression))
            if found is None:
                found = done[id(expression)] = self._escape_with(expression, escape)
            return found

        return escape(expression)

    def _escape_with(
        self, expression: ir.Expression, escape: Callable[[ir.Expression], ir.Expression]
    ) -> ir.Expression:
        match expression:
            case ir.Chars(ranges):
                return self._characters(ranges)
            case ir.Literal(text):
                return self.text(text.decode())
            case ir.Literals(texts):
                return self._texts(texts)
            case ir.Sequence(items):
                return ir.sequence(*map(escape, items))
            case ir.Choice(options):
                return ir.Choice(tuple(map(escape, options)))
            case ir.Repeat(item, minimum, maximum):
                return ir.Repeat(escape(item), minimum, maximum)
            case ir.Intersection(items):
                return ir.Intersection(tuple([self._escaped(_Same(item)) for item in items]))
            case ir.Complement(item):
                return ir.Complement(escape(item))
            case _:
                raise AssertionError(expression)


class AnySpelling(Spelling):
    """Strings in every way that JSON allows; lone surrogates, which are no text, left out."""

    def _listed(self, texts: tuple[bytes, ...]) -> ir.Expression:
        return ir.sequence(_QUOTE, self._texts(texts), _QUOTE)

    def _name(self, text: str, colon: bytes) -> tuple[ir.Expression, ...]:
        return (_QUOTE, self.text(text), ir.Literal(b'"' + colon))

    def text(self, text: str) -> ir.Expression:
        return ir.Sequence(tuple(_any_characters(((ord(c), ord(c)),)) for c in text))

    def other_than(self, texts: Iterable[str]) -> ir.Expression:
        return ir.Complement(ir.Choice(tuple(map(self.text, texts))))

    def _texts(self, texts: tuple[bytes, ...]) -> ir.Expression:
        return ir.Choice(tuple(self.text(text.decode()) for text in texts))

    def _characters(self, ranges: tuple[tuple[int, int], ...]) -> ir.Expression:
        return _any_characters(ranges)


def _within(expression: ir.Expression) -> bool:
    """Whether all members are certainly texts."""
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


def _common(ranges: Ranges, others: Ranges) -> Iterator[tuple[int, int]]:
    for low, high in ranges:
        for a, b in others:
            if max(low, a) <= min(high, b):
                yield max(low, a), min(high, b)


@lru_cache(maxsize=1024)
def _canonical_characters(ranges: tuple[tuple[int, int], ...]) -> ir.Expression:
    lasts: dict[str, str] = {}  # by all before it: a state within strings has few ways to go on
    for point, text in _SPELLINGS.items():
        if any(low <= point <= high for low, high in ranges):
            lasts[text[:-1]] = lasts.get(text[:-1], "") + text[-1]
    escapes = [
        ir.sequence(ir.Literal(first.encode()), ir.one_of(last)) for first, last in lasts.items()
    ]
    plain = ir.chars(_common(ranges, _PLAIN))
    return ir.choice(*escapes) if plain == ir.NOTHING else ir.choice(plain, *escapes)


@lru_cache(maxsize=4096)
def _any_characters(ranges: tuple[tuple[int, int], ...]) -> ir.Expression:
    options: list[ir.Expression] = [
        ir.Literal(text.encode())
        for point, text in (_SHORT | {0x2F: "\\/"}).items()
        if any(low <= point <= high for low, high in ranges)
    ]
    options.append(ir.chars(_common(ranges, _PLAIN)))
    for low, high in _common(ranges, ((0, 0xD7FF), (0xE000, 0xFFFF))):
        options.append(ir.sequence(_ESCAPE, _hex(low, high, 4)))
    for low, high in _common(ranges, ((0x10000, 0x10FFFF),)):
        options += _pairs(low - 0x10000, high - 0x10000)
    return ir.choice(*(option for option in options if option != ir.NOTHING))


def _pairs(low: int, high: int) -> Iterator[ir.Expression]:
    """Surrogate pairs: ten bits each, the high ones first."""
    first, last = low >> 10, high >> 10
    for lead, stop in ((first, first), (first + 1, last - 1), (last, last)):
        start = low & 0x3FF if lead == first else 0
        end = high & 0x3FF if stop == last else 0x3FF
        if lead <= stop:
            yield ir.sequence(
                _ESCAPE, _hex(0xD800 + lead, 0xD800 + stop, 4),
                _ESCAPE, _hex(0xDC00 + start, 0xDC00 + end, 4),
            )  # fmt: skip
        if first == last:
            return


def _hex(low: int, high: int, digits: int) -> ir.Expression:
    """Numbers from low to high in so many hexadecimal digits of either case."""
    if not digits:
        return ir.EMPTY
    unit = 16 ** (digits - 1)
    options = []
    first, last = low // unit, high // unit
    for digit in range(first, last + 1):
        start = low % unit if digit == first else 0
        end = high % unit if digit == last else unit - 1
        if start == 0 and end == unit - 1:
            continue
        options.append(ir.sequence(_digits(digit, digit), _hex(start, end, digits - 1)))
    if low % unit:
        first += 1
    if high % unit < unit - 1:
        last -= 1
    if first <= last:
        options.append(ir.sequence(_digits(first, last), *[_digits(0, 15)] * (digits - 1)))
    return ir.choice(*options)


def _digits(low: int, high: int) -> ir.Expression:
    digits = "0123456789abcdefABCDEF"
    return ir.one_of("".join(c for c in digits if low <= int(c, 16) <= high))


CANONICAL = Spelling()
_SPELLING_OF = {"canonical": CANONICAL, "any": AnySpelling()}


def spelling(escapes: Escapes) -> Spelling:
    """The spelling of this name; GrammarError for any other."""
    if escapes not in _SPELLING_OF:
        raise GrammarError(f"expected escapes to be canonical or any, found {escapes!r}")
    return _SPELLING_OF[escapes]
