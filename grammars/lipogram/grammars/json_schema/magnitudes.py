"""Ranges of integers of at least 0, as digits without leading zeros."""

from __future__ import annotations

from collections.abc import Iterable

from lipogram.grammars import ir

DIGIT = ir.one_of("0123456789")
FIRST_DIGIT = ir.one_of("123456789")


def any_digits(count: int) -> ir.Expression:
    """So many digits."""
    return ir.Repeat(DIGIT, count, count) if count else ir.EMPTY


def digit_from(low: int, high: int) -> ir.Expression:
    """One digit between the bounds."""
    if low > high:
        return ir.NOTHING
    return ir.chars([(0x30 + low, 0x30 + high)])


def concatenated(*items: ir.Expression) -> ir.Expression:
    """One after the other; NOTHING where any is."""
    return ir.NOTHING if ir.NOTHING in items else ir.sequence(*items)


def _from(text: str) -> ir.Expression:
    """As many digits as the text has, not below it."""
    options: list[ir.Expression] = [ir.Literal(text.encode())]
    for index, digit in enumerate(text):
        options.append(
            concatenated(
                ir.Literal(text[:index].encode()),
                digit_from(int(digit) + 1, 9),
                any_digits(len(text) - index - 1),
            )
        )
    return union(options)


def _to(text: str, first: int) -> ir.Expression:
    """As many digits as the text has, not above it, the first at least `first`."""
    options: list[ir.Expression] = [ir.Literal(text.encode())]
    for index, digit in enumerate(text):
        options.append(
            concatenated(
                ir.Literal(text[:index].encode()),
                digit_from(first if index == 0 else 0, int(digit) - 1),
                any_digits(len(text) - index - 1),
            )
        )
    return union(options)


def union(options: Iterable[ir.Expression]) -> ir.Expression:
    """Any of the options that are not NOTHING."""
    return ir.choice(*(option for option in options if option != ir.NOTHING))


def _between(low: str, high: str) -> ir.Expression:
    """Digits of one length between two texts of that length."""
    if low == high:
        return ir.Literal(low.encode())
    same = next(i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a != b)
    a, b = int(low[same]), int(high[same])
    options = [
        concatenated(ir.Literal(low[same].encode()), _from(low[same + 1 :])),
        concatenated(digit_from(a + 1, b - 1), any_digits(len(low) - same - 1)),
        concatenated(ir.Literal(high[same].encode()), _to(high[same + 1 :], 0)),
    ]
    return concatenated(ir.Literal(low[:same].encode()), union(options))


def magnitudes(low: int, high: int | None, limit: int | None) -> ir.Expression:
    """The integers from `low` (at least 0) to `high`, without leading zeros.

    Where there is no upper bound, at most `limit` digits, but as many as `low` has.
    """
    if high is not None and low > high:
        return ir.NOTHING
    options: list[ir.Expression] = []
    if low == 0:
        options.append(ir.Literal(b"0"))
        low = 1
        if high == 0:
            return options[0]
    text = str(low)
    if high is None:
        options.append(_from(text))
        more = None if limit is None else max(limit - 1, len(text))
        options.append(ir.sequence(FIRST_DIGIT, ir.Repeat(DIGIT, len(text), more)))
        return ir.choice(*options)
    last = str(high)
    if len(text) == len(last):
        return union([*options, _between(text, last)])
    options.append(_from(text))
    if len(last) - len(text) > 1:
        options.append(ir.sequence(FIRST_DIGIT, ir.Repeat(DIGIT, len(text), len(last) - 2)))
    options.append(_to(last, 1))
    return union(options)
