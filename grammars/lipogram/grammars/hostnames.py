"""Host names: ASCII ones (RFC 1034), and internationalised ones (RFC 5890 to 5893).

The rules for labels beyond ASCII are derived from Python's Unicode database, as RFC 5892 derives
them. Three of them are narrowed to what is regular: normal form C to texts that are in it on the
face of it, the length of a label in Punycode to a bound that certainly keeps it, and the
joiners to letters right next to them. Nor are two hyphens or marks in a row taken there.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from lipogram.grammars import ir, punycode
from lipogram.grammars.regex import expression

_EDGE = "[A-Za-z0-9]"
_LABEL = rf"{_EDGE}(?:[A-Za-z0-9-]{{0,61}}{_EDGE})?"
WITH_A_LABELS = rf"{_LABEL}(?:\.{_LABEL})*"


def _plain(first: str) -> str:
    """Labels that begin so, with no hyphens in third and fourth place: those are A-labels."""
    return (
        rf"(?:{first}(?:[A-Za-z0-9-]?{_EDGE})?"
        rf"|{first}[A-Za-z0-9-](?:{_EDGE}[A-Za-z0-9-]|[A-Za-z0-9-]{_EDGE})"
        rf"[A-Za-z0-9-]{{0,58}}{_EDGE}|{first}[A-Za-z0-9-]{{2}}{_EDGE})"
    )


_PLAIN_LABEL = _plain(_EDGE)
PLAIN = rf"{_PLAIN_LABEL}(?:\.{_PLAIN_LABEL})*"

_A_LABEL = ir.Literal(b"xn--")
_SEPARATORS = ".\u3002\uff0e\uff61"
_MAX_LENGTH = 253
_ALLOWED = frozenset(map(ord, "\xdf\u03c2\u06fd\u06fe\u0f0b\u3007"))
_DISALLOWED = frozenset(map(ord, "\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b"))
_ARABIC_DIGITS, _EXTENDED_DIGITS = range(0x660, 0x66A), range(0x6F0, 0x6FA)
# Ignorable, musical and old Hangul characters, whatever their category.
_IGNORED = (
    (0x34F, 0x34F), (0x115F, 0x11FF), (0x1100, 0x115E), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x20D0, 0x20FF), (0x3164, 0x3164), (0xA960, 0xA97C), (0xD7B0, 0xD7FB), (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0), (0x1D100, 0x1D24F), (0xE0000, 0xE0FFF),
)  # fmt: skip
_CATEGORIES = frozenset(("Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"))
# A label in Punycode has at most 63 letters: 9 characters take at most 6 each. Those of one
# block of 128 take 5 and then, with 128 * 22 steps to divide, 2 each and 1 more per 286 steps.
_ANY_LENGTH, _BLOCK_LENGTH, _MAX_LABELS = 9, 21, 4
_BLOCKS = (0x80, 0x380, 0x400, 0x580, 0x600, 0x900, 0xE00, 0x3040)
_VIRAMA = 9


def _stable(point: int) -> bool:
    folded = unicodedata.normalize("NFKC", chr(point)).casefold()
    return chr(point) == unicodedata.normalize("NFKC", folded)


def _allowed(point: int, character: str, category: str) -> bool:
    return point in _ALLOWED or (
        category in _CATEGORIES
        and point not in _DISALLOWED
        and point not in _ARABIC_DIGITS
        and point not in _EXTENDED_DIGITS
        and unicodedata.is_normalized("NFC", character)
        and not any(low <= point <= high for low, high in _IGNORED)
        and _stable(point)
    )


@lru_cache(maxsize=1)
def _points() -> dict[str, list[int]]:
    """The code points that RFC 5892 allows anywhere and that leave a text in normal form C.

    They are listed by direction. Hangul and Chinese are taken in whole blocks, all alike.
    """
    composing = set()
    found: dict[str, list[int]] = {}
    for point in (*range(0x80, 0x3400), *range(0xA000, 0xAC00), *range(0xD7A4, 0x20000)):
        character = chr(point)
        parts = unicodedata.decomposition(character).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            composing.add(int(parts[1], 16))
        if _allowed(point, character, unicodedata.category(character)):
            found.setdefault(unicodedata.bidirectional(character), []).append(point)
    for direction, points in found.items():
        found[direction] = [point for point in points if point not in composing]
    found["L"] = [*range(ord("a"), ord("z") + 1), *found["L"], *range(0x4E00, 0x9FFD),
                  *range(0xAC00, 0xD7A4)]  # fmt: skip
    found["EN"] = [*range(ord("0"), ord("9") + 1), *_EXTENDED_DIGITS, *found.get("EN", ())]
    found["AN"] = [*_ARABIC_DIGITS, *found.get("AN", ())]
    return found


def _chars(points: Iterable[int]) -> ir.Expression:
    """One of the characters; runs of them are found first, for there may be many."""
    runs: list[tuple[int, int]] = []
    for point in sorted(points):
        if runs and point == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], point)
        else:
            runs.append((point, point))
    return ir.chars(runs)


@lru_cache(maxsize=8)
def _named(*prefixes: str) -> frozenset[int]:
    """The allowed code points whose script is surely one of those that names begin with."""
    return frozenset(
        point
        for points in _points().values()
        for point in points
        if unicodedata.name(chr(point), "").startswith(prefixes)
    )


@lru_cache(maxsize=2)
def _joining(form: str) -> frozenset[int]:
    """The letters that have this presentation form, for which they join."""
    found = set()
    for point in range(0xFB50, 0xFF00):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and parts[0] == f"<{form}>":
            found.add(int(parts[1], 16))
    return frozenset(found)


def union(*options: ir.Expression) -> ir.Expression:
    return ir.choice(*(option for option in options if option != ir.NOTHING))


def concatenated(*items: ir.Expression) -> ir.Expression:
    return ir.NOTHING if ir.NOTHING in items else ir.sequence(*items)


def _lengths() -> ir.Expression:
    blocks = [
        ir.Repeat(ir.chars([(0, 0x7F), (start, start + 0x7F)]), 1, _BLOCK_LENGTH)
        for start in _BLOCKS
    ]
    return ir.choice(ir.Repeat(ir.ANY_CHAR, 1, _ANY_LENGTH), *blocks)


class _Alphabet:
    """The characters of labels whose directions are some of Unicode's, by the part they play."""

    def __init__(self, *directions: str) -> None:
        self._directions = directions
        points = {point for name in directions for point in _points().get(name, ())}
        marks = {p for p in points if unicodedata.category(chr(p)).startswith("M")}
        self._letters = points - marks
        self._ordered = {p for p in marks if unicodedata.combining(chr(p))}
        self._spacing = marks - self._ordered

    def starting(self, *directions: str) -> ir.Expression:
        """A letter or digit of one of the directions, with what can be tied to it."""
        points = _points()
        own = {p for name in directions for p in points.get(name, ()) if p in self._letters}
        return union(_chars(own), *self._tied(own))

    def _tied(self, own: set[int]) -> Iterator[ir.Expression]:
        """Letters with the characters that RFC 5892, appendix A, allows next to them only."""
        middle_dot, keraia, joiner = (ir.Literal(c.encode()) for c in "\xb7\u0375\u200c")
        letter = ir.Literal(b"l")
        if ord("l") in own:
            yield ir.sequence(letter, ir.Repeat(ir.sequence(middle_dot, letter), 1))
        yield concatenated(keraia, _chars(own & _named("GREEK ")))
        yield concatenated(_chars(own & _named("HEBREW ")), ir.one_of("\u05f3\u05f4"))
        medial, final = _chars(own & _joining("medial")), _chars(own & _joining("final"))
        more = ir.Repeat(concatenated(medial, joiner))
        yield concatenated(medial, joiner, more, final)

    def marks(self, *, last: bool = False) -> ir.Expression:
        """What may follow a character: combining marks, and joiners after a virama.

        No joiner is the last character: it has no direction to end a label with.
        """
        viramas = [p for p in self._ordered if unicodedata.combining(chr(p)) == _VIRAMA]
        joined = concatenated(_chars(viramas), ir.one_of("\u200c\u200d"))
        joined = ir.NOTHING if last else joined
        # No two marks of a combining class in a row: those are in order whatever they are.
        mark = ir.optional(union(_chars(self._ordered), joined))
        return ir.sequence(mark, ir.Repeat(concatenated(_chars(self._spacing), mark)))

    def label(self, first: tuple[str, ...], last: tuple[str, ...]) -> ir.Expression:
        """Labels by the directions of their first and last letters; no two hyphens in a row."""
        hyphens = ir.optional(ir.Literal(b"-"))
        inner = ir.sequence(hyphens, self.starting(*self._directions), self.marks())
        end = ir.sequence(hyphens, self.starting(*last), self.marks(last=True))
        both = [direction for direction in first if direction in last]
        alone = ir.sequence(self.starting(*both), self.marks(last=True))
        several = ir.sequence(self.starting(*first), self.marks(), ir.Repeat(inner), end)
        return ir.choice(alone, several)

    def with_dot(self) -> ir.Expression:
        """Labels with a katakana middle dot, and some kana or Chinese character."""
        unit = ir.sequence(
            union(self.starting(*self._directions), ir.one_of("\u30fb")), self.marks()
        )
        local = _chars(_named("HIRAGANA ", "KATAKANA LETTER", "CJK UNIFIED"))
        return ir.sequence(ir.Repeat(unit), local, self.marks(), ir.Repeat(unit))


def _forms() -> tuple[ir.Expression, ir.Expression]:
    """Labels without right-to-left characters, and labels that keep RFC 5893 in any company."""
    left, neutral = ("L", "EN", "ES", "ET", "CS", "ON"), ("ES", "ET", "CS", "ON", "NSM", "BN")
    plain = _Alphabet(*left, "NSM", "BN")
    options = [
        _Alphabet("R", "AL", digits, *neutral).label(("R", "AL"), ("R", "AL", digits))
        for digits in ("AN", "EN")
    ]
    options.append(plain.label(("L",), ("L", "EN")))
    lengths = _lengths()
    return (
        ir.Intersection((ir.choice(plain.label(left, left), plain.with_dot()), lengths)),
        ir.Intersection((ir.choice(*options), lengths)),
    )


def _names(label: ir.Expression, separators: str, most: int | None = None) -> ir.Expression:
    more = ir.sequence(ir.one_of(separators), label)
    return ir.sequence(label, ir.Repeat(more, 0, None if most is None else most - 1))


def _ascii(separators: str) -> ir.Expression:
    """Names of plain labels and A-labels; next to right-to-left ones no label begins with a digit.

    That is what RFC 5893 asks for. Which A-labels there are is for `punycode` to say.
    """
    letters, left, right = punycode.letters(), punycode.from_left(), punycode.from_right()
    alone = ir.Choice((_pattern(_PLAIN_LABEL), ir.Sequence((_A_LABEL, ir.Choice((letters, left))))))
    mixed = ir.Choice(
        (_pattern(_plain("[A-Za-z]")), ir.Sequence((_A_LABEL, ir.Choice((letters, right)))))
    )
    names = ir.Choice((_names(alone, separators), _names(mixed, separators)))
    return ir.Intersection((names, ir.Repeat(ir.ANY_CHAR, 1, _MAX_LENGTH)))


def ascii_only() -> ir.Expression:
    """Host names as they stand in the domain name system."""
    return _ascii(".")


def international() -> ir.Expression:
    """Host names with labels in Unicode."""
    names = [_names(label, _SEPARATORS, _MAX_LABELS) for label in _forms()]
    return ir.choice(_ascii(_SEPARATORS), *names)


def _pattern(text: str) -> ir.Expression:
    return expression(text, dialect="ecma")
