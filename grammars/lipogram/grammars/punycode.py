"""Labels of host names in Punycode (RFC 3492): those of one or two characters beyond ASCII.

Punycode writes how far each character is from the one before, by code point and by place, in
digits whose weights depend on the numbers before them. Whatever is told from few such numbers is a
finite automaton; all of it is one only by the length of labels, and far too large.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache

from lipogram.grammars import ir

Span = tuple[int, int]

_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"
_BASE, _LEAST, _MOST, _SKEW, _DAMP, _FIRST_BIAS = 36, 1, 26, 38, 700, 72
_FIRST_POINT = 0x80
_MAX_BASIC = 8  # letters and digits around one character beyond ASCII
_CHUNKS = 6  # parts of a span of first characters: after any of one the second may be as far

# Letters that may stand in any order, by blocks without a gap.
_LATIN = ((0xDF, 0xF6), (0xF8, 0xFF))
_GREEK, _CYRILLIC, _HEBREW = (0x3AC, 0x3CE), (0x430, 0x45F), (0x5D0, 0x5EA)
_ARABIC, _MORE_ARABIC, _SIGNS = (0x620, 0x63F), (0x641, 0x64A), (0x6FA, 0x6FF)
_HIRAGANA, _KATAKANA, _HAN, _HANGUL = (
    (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFC), (0xAC00, 0xD7A3)
)  # fmt: skip
_EXTENDED_DIGITS = (0x6F0, 0x6F9)
_MIDDLE_DOT, _KERAIA, _KATAKANA_DOT = "\xb7", "\u0375", "\u30fb"


def _limit(bias: int, place: int) -> int:
    """Digits below are the last ones of a number."""
    return min(max(_BASE * (place + 1) - bias, _LEAST), _MOST)


@lru_cache(maxsize=4096)
def _numbers(bias: int, low: int, high: int, place: int = 0) -> ir.Expression:
    """The numbers from low to high, in digits from this place on, the least significant first."""
    limit = _limit(bias, place)
    options: list[ir.Expression] = []
    if low < limit:
        options.append(ir.one_of(_DIGITS[low : min(high + 1, limit)]))
    if high >= limit:
        radix = _BASE - limit
        rests: dict[Span, str] = {}
        for digit in range(limit, _BASE):
            rest = (max(-((digit - low) // radix), 0), (high - digit) // radix)
            rests[rest] = rests.get(rest, "") + _DIGITS[digit]
        options += [
            ir.sequence(ir.one_of(digits), _numbers(bias, least, most, place + 1))
            for (least, most), digits in rests.items()
            if least <= most
        ]
    return ir.choice(*options)


def _rounded(bias: int, high: int, place: int = 0) -> int:
    """A number not much less, up to which only the most significant digit is bounded."""
    limit = _limit(bias, place)
    if high < _BASE:
        return min(high, limit - 1) if high < _BASE - 1 else high
    radix = _BASE - limit
    return _BASE - 1 + radix * _rounded(bias, (high - _BASE + 1) // radix, place + 1)


def _bias_after(number: int) -> int:
    """The bias of the second number."""
    share = 2 * (number // _DAMP)  # below 455 for whatever is in the basic plane
    return (_BASE - _LEAST + 1) * share // (share + _SKEW)


def _among_basic() -> Iterator[ir.Expression]:
    """Labels of ASCII letters and digits with one character among them."""
    hyphen = ir.Literal(b"-")
    for count in range(1, _MAX_BASIC + 1):
        places = count + 1
        suffixes = [
            _numbers(
                _FIRST_BIAS,
                (low - _FIRST_POINT) * places,
                (high + 1 - _FIRST_POINT) * places - 1,
            )
            for low, high in _LATIN
        ]
        yield ir.Sequence((_basic(count), hyphen, ir.Choice(tuple(suffixes))))
        for before in range(count - 1):
            after = count - 2 - before
            dotted = ("l" * (before + 1) + _MIDDLE_DOT + "l" * (after + 1)).encode("punycode")
            suffix = ir.Literal(dotted[count:])
            yield ir.Sequence((_basic(before), ir.Literal(b"ll"), _basic(after), suffix))


@cache
def _basic(count: int) -> ir.Expression:
    return ir.Repeat(ir.one_of(_DIGITS), count, count)


def _chunks(span: Span, size: int) -> Iterator[Span]:
    """Parts of a span, none of them larger, each of characters after which the bias is the same."""
    start, last = span
    while start <= last:
        end = min(start + size - 1, last)
        while _bias_after(end - _FIRST_POINT) != _bias_after(start - _FIRST_POINT):
            end -= 1
        yield start, end
        start = end + 1


def _pairs(first: Span, second: Span) -> Iterator[ir.Expression]:
    """Labels of a character of each span in either order, the first one's not above the other's.

    Where the spans are the same, labels of one character too.
    """
    least = min(last + 1 - start for start, last in (first, second))
    for low, high in _chunks(first, -(-least // _CHUNKS)):
        bias = _bias_after(low - _FIRST_POINT)
        nearest = max(2 * (second[0] - low) - 1, 0)
        farthest = _rounded(bias, 2 * (second[1] - high))
        start = _numbers(_FIRST_BIAS, low - _FIRST_POINT, high - _FIRST_POINT)
        other = _numbers(bias, nearest, farthest)
        yield ir.Sequence((start, ir.optional(other) if first == second else other))


def _of(span: Span) -> str:
    return "".join(map(chr, range(span[0], span[1] + 1)))


def _listed(*labels: str) -> ir.Expression:
    return ir.Literals(tuple(label.encode("punycode") for label in labels))


@lru_cache(maxsize=1)
def letters() -> ir.Expression:
    """What follows `xn--` in labels of one or two letters from left to right."""
    spans = (*_LATIN, _GREEK, _CYRILLIC, _HIRAGANA, _KATAKANA, _HAN, _HANGUL)
    return ir.Choice(tuple(pair for span in spans for pair in _pairs(span, span)))


@lru_cache(maxsize=1)
def from_left() -> ir.Expression:
    """The same in labels that need not begin or end with a letter."""
    dot = ord(_KATAKANA_DOT)
    kana = _of(_HIRAGANA) + _of(_KATAKANA)
    return ir.Choice(
        (
            *_among_basic(),
            _listed(
                *(_KERAIA + letter for letter in _of(_GREEK)),
                *(_KATAKANA_DOT + letter for letter in kana),
                *(letter + _KATAKANA_DOT for letter in kana),
                *(digit + other for digit in _of(_EXTENDED_DIGITS) for other in "0123456789"),
            ),
            *_pairs((dot, dot), _HAN),
        )
    )


@lru_cache(maxsize=1)
def from_right() -> ir.Expression:
    """What follows `xn--` in labels of one or two letters from right to left."""
    same = (_HEBREW, _ARABIC, _MORE_ARABIC, _SIGNS)
    spans = [*((span, span) for span in same), (_ARABIC, _MORE_ARABIC)]
    geresh = _listed(*(letter + mark for letter in _of(_HEBREW) for mark in "\u05f3\u05f4"))
    return ir.Choice((*(pair for first, second in spans for pair in _pairs(first, second)), geresh))
