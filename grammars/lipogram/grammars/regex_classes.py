"""Sets of characters: the named classes of each regex dialect, and case folding.

Tables come from Python's own `unicodedata`, so they follow the running interpreter's Unicode
version. The first use of a Unicode class scans the assigned planes (about 0.1 s), once.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache

Ranges = tuple[tuple[int, int], ...]

EVERY: Ranges = ((0, 0xD7FF), (0xE000, 0x10FFFF))
ASCII_DIGIT: Ranges = ((0x30, 0x39),)
ASCII_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
ASCII_SPACE: Ranges = ((0x09, 0x0D), (0x20, 0x20))
ECMA_SPACE: Ranges = (
    (0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip
WHITE_SPACE: Ranges = (
    (0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000),
)  # fmt: skip
POSIX: dict[str, Ranges] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "digit": ASCII_DIGIT,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ASCII_SPACE,
    "upper": ((0x41, 0x5A),),
    "word": ASCII_WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
_CATEGORY_NAMES = {
    "letter": "L", "cased_letter": "LC", "uppercase_letter": "Lu", "lowercase_letter": "Ll",
    "titlecase_letter": "Lt", "modifier_letter": "Lm", "other_letter": "Lo", "mark": "M",
    "combining_mark": "M", "nonspacing_mark": "Mn", "spacing_mark": "Mc", "enclosing_mark": "Me",
    "number": "N", "decimal_number": "Nd", "digit": "Nd", "letter_number": "Nl",
    "other_number": "No", "punctuation": "P", "punct": "P", "connector_punctuation": "Pc",
    "dash_punctuation": "Pd", "open_punctuation": "Ps", "close_punctuation": "Pe",
    "initial_punctuation": "Pi", "final_punctuation": "Pf", "other_punctuation": "Po",
    "symbol": "S", "math_symbol": "Sm", "currency_symbol": "Sc", "modifier_symbol": "Sk",
    "other_symbol": "So", "separator": "Z", "space_separator": "Zs", "line_separator": "Zl",
    "paragraph_separator": "Zp", "other": "C", "control": "Cc", "cntrl": "Cc", "format": "Cf",
    "private_use": "Co", "unassigned": "Cn",
}  # fmt: skip
_SCANNED = (range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0xF0000))


def union(*sets: Iterable[tuple[int, int]]) -> Ranges:
    """Members of any of the sets: sorted, merged, without surrogates."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(r for ranges in sets for r in ranges):
        for low, high in ((start, min(end, 0xD7FF)), (max(start, 0xE000), end)):
            if low > high:
                continue
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
    return tuple(merged)


def negate(ranges: Ranges) -> Ranges:
    """Every scalar value that is not a member."""
    gaps: list[tuple[int, int]] = []
    position = 0
    for low, high in union(ranges):
        if low > position:
            gaps.append((position, low - 1))
        position = high + 1
    if position <= 0x10FFFF:
        gaps.append((position, 0x10FFFF))
    return union(gaps)


def intersect(left: Ranges, right: Ranges) -> Ranges:
    """Members of both sets."""
    return negate(union(negate(left), negate(right)))


def contains(ranges: Ranges, point: int) -> bool:
    """Whether the sorted ranges have this code point."""
    index = bisect_right(ranges, (point, 0x110000)) - 1
    return index >= 0 and ranges[index][0] <= point <= ranges[index][1]


def _matching(test: Callable[[str], bool]) -> Ranges:
    return union((c, c) for plane in _SCANNED for c in plane if test(chr(c)))


@lru_cache(maxsize=1)
def _categories() -> dict[str, Ranges]:
    runs: dict[str, list[tuple[int, int]]] = {}
    for plane in _SCANNED:
        start, current = plane.start, unicodedata.category(chr(plane.start))
        for point in plane:
            category = unicodedata.category(chr(point))
            if category != current:
                runs.setdefault(current, []).append((start, point - 1))
                start, current = point, category
        runs.setdefault(current, []).append((start, plane.stop - 1))
    runs.setdefault("Cn", []).append((0x40000, 0xDFFFF))
    for plane_start in (0xF0000, 0x100000):
        runs.setdefault("Co", []).append((plane_start, plane_start + 0xFFFD))
        runs["Cn"].append((plane_start + 0xFFFE, plane_start + 0xFFFF))
    return {name: union(ranges) for name, ranges in runs.items()}


@lru_cache(maxsize=128)
def category(name: str) -> Ranges | None:
    """The general category, or group of categories, of this short or long name; None: no such."""
    wanted = _CATEGORY_NAMES.get(name.lower().replace(" ", "_").replace("-", "_"), name)
    wanted = wanted[:1].upper() + wanted[1:].lower()
    if wanted == "Lc":
        return union(*(_categories()[part] for part in ("Lu", "Ll", "Lt")))
    found = [r for key, r in _categories().items() if key == wanted or key[0] == wanted]
    return union(*found) if found else None


@lru_cache(maxsize=8)
def python_word() -> Ranges:
    """`\\w` of Python: alphanumeric as `str.isalnum` says, and the underscore."""
    return union(_matching(str.isalnum), ((0x5F, 0x5F),))


@lru_cache(maxsize=8)
def python_space() -> Ranges:
    """`\\s` of Python: as `str.isspace` says."""
    return _matching(str.isspace)


@lru_cache(maxsize=8)
def rust_word() -> Ranges:
    """`\\w` of Rust's regex crate: alphabetic, marks, decimal digits, connectors, joiners."""
    parts = [category(name) or () for name in ("L", "M", "Nd", "Nl", "Pc")]
    circled = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
    return union(*parts, circled, ((0x200C, 0x200D),))


@lru_cache(maxsize=1)
def _case_variants() -> tuple[list[int], dict[int, frozenset[int]]]:
    """Sorted cased code points, and for each the set it is equal to when case is ignored."""
    groups: dict[int, set[int]] = {}
    for plane in (range(0x3000), range(0xA640, 0xD7A4), range(0xFB00, 0x1EA00)):
        for point in plane:
            character = chr(point)
            forms = (character.lower(), character.upper(), character.title())
            linked = {point, *(ord(form) for form in forms if len(form) == 1)}
            if len(linked) > 1:
                for member in list(linked):
                    linked |= groups.get(member, set())
                for member in linked:
                    groups[member] = linked
    for extra in ((0x69, 0x130), (0x390, 0x1FD3), (0x3B0, 0x1FE3), (0xFB05, 0xFB06)):
        linked = set().union(*(groups.get(member, {member}) for member in extra))
        for member in linked:
            groups[member] = linked
    return sorted(groups), {point: frozenset(group) for point, group in groups.items()}


def ignore_case(ranges: Ranges, *, dotless: bool, ascii_only: bool) -> Ranges:
    """The set closed under simple case variants.

    `dotless`: the dotted and dotless i count as i (Python). `ascii_only`: only A-Z and a-z have
    variants, and only among themselves.
    """
    points, variants = _case_variants()
    extra: list[tuple[int, int]] = []
    for low, high in ranges:
        for point in points[bisect_right(points, low - 1) : bisect_right(points, high)]:
            for variant in variants[point]:
                if ascii_only and (variant > 0x7F or point > 0x7F):
                    continue
                if not dotless and {variant, point} & {0x130, 0x131}:
                    continue
                extra.append((variant, variant))
    return union(ranges, extra)
