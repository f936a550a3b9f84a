"""Numbers with a point, by their digits."""

from __future__ import annotations

from fractions import Fraction

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.json_schema.magnitudes import (
    DIGIT,
    FIRST_DIGIT,
    any_digits,
    concatenated,
    digit_from,
    magnitudes,
    union,
)
from lipogram.grammars.json_schema.multiples import places

MAX_LISTED = 1_000
MINUS = ir.Literal(b"-")
POINT = ir.Literal(b".")


def spelled(value: Fraction) -> str:
    """The shortest decimal spelling of a number that has one."""
    scale = 0
    while (value * 10**scale).denominator > 1:
        scale += 1
    digits = str(abs(value * 10**scale).numerator).rjust(scale + 1, "0")
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"-{text}" if value < 0 else text


def _signed(value: Fraction, open_: bool, *, above: bool) -> ir.Expression:
    """Numbers with a fraction on one side of a bound, by sign and magnitude."""
    digits = ir.sequence(magnitudes(0, None, None), POINT, ir.Repeat(DIGIT, 1))
    same_sign = (value >= 0) == above
    if same_sign:
        beyond = _larger(abs(value), open_)
        return beyond if above else ir.sequence(MINUS, beyond)
    nearer = _smaller(abs(value), open_)
    if above:
        return ir.choice(digits, concatenated(MINUS, nearer))
    return union([ir.sequence(MINUS, digits), nearer])


def above(low: Fraction, open_: bool) -> ir.Expression:
    """Numbers with a fraction above a bound, or at it if not `open_`."""
    return _signed(low, open_, above=True)


def below(high: Fraction, open_: bool) -> ir.Expression:
    """Numbers with a fraction below a bound, or at it if not `open_`."""
    if high == 0:
        digits = ir.sequence(magnitudes(0, None, None), POINT, ir.Repeat(DIGIT, 1))
        return ir.sequence(MINUS, digits)
    return _signed(high, open_, above=False)


def _larger(value: Fraction, open_: bool) -> ir.Expression:
    whole, _, fraction = spelled(value).partition(".")
    digits = ir.Repeat(DIGIT, 1)
    options = [ir.sequence(magnitudes(int(whole) + 1, None, None), POINT, digits)]
    tail: list[ir.Expression] = []
    for index, digit in enumerate(fraction):
        same = ir.Literal(fraction[:index].encode())
        tail.append(concatenated(same, digit_from(int(digit) + 1, 9), ir.Repeat(DIGIT)))
    rest = ir.Repeat(DIGIT)
    if open_ and fraction:
        rest_open = ir.sequence(rest, FIRST_DIGIT, rest)
        tail.append(ir.sequence(ir.Literal(fraction.encode()), rest_open))
    else:
        tail.append(ir.sequence(ir.Literal(fraction.encode()), rest))
    options.append(ir.sequence(ir.Literal(whole.encode()), POINT, union(tail)))
    return ir.choice(*options)


def _smaller(value: Fraction, open_: bool) -> ir.Expression:
    whole, _, fraction = spelled(value).partition(".")
    options: list[ir.Expression] = []
    if int(whole):
        below = magnitudes(0, int(whole) - 1, None)
        options.append(ir.sequence(below, POINT, ir.Repeat(DIGIT, 1)))
    tail: list[ir.Expression] = []
    for index, digit in enumerate(fraction):
        same = ir.Literal(fraction[:index].encode())
        if index:
            tail.append(same)
        tail.append(concatenated(same, digit_from(0, int(digit) - 1), ir.Repeat(DIGIT)))
    if fraction and not open_:
        tail.append(ir.sequence(ir.Literal(fraction.encode()), ir.Repeat(ir.Literal(b"0"))))
    if tail:
        options.append(concatenated(ir.Literal(whole.encode()), POINT, union(tail)))
    return union(options)


def is_by_ending(of: Fraction) -> bool:
    """Whether the last few digits decide if a decimal is a multiple."""
    unit = of.numerator if of.denominator == 1 else int(of * 10 ** places(of))
    return any(10**count % unit == 0 for count in range(places(of) + 1))


def multiples_by_ending(of: Fraction) -> ir.Expression:
    """Decimals that are multiples of a fraction of which only the last digits matter."""
    count = places(of)
    unit = int(of * 10**count)
    suffix = 0
    while 10**suffix % unit:
        suffix += 1
        if suffix > count:
            raise Unsupported(
                f"multipleOf: {spelled(of)} is not compiled for numbers with a fraction",
                keyword="multipleOf",
            )
    if 10**suffix // unit > MAX_LISTED:
        raise BudgetExceeded(f"multipleOf: {spelled(of)} takes too many cases")
    ends = range(0, 10**suffix, unit)
    endings = ir.Literals(tuple(str(n).rjust(suffix, "0").encode() for n in ends))
    options: list[ir.Expression] = []
    for length in range(1, count + 1):
        missing = count - length
        if missing >= suffix:
            options.append(any_digits(length))
        elif suffix:
            kept = suffix - missing
            shorter = tuple(t[:kept] for t in endings.texts if t.endswith(b"0" * missing))
            options.append(concatenated(any_digits(length - kept), ir.Literals(shorter)))
    full = concatenated(any_digits(count - suffix), endings if suffix else ir.EMPTY)
    options.append(ir.sequence(full, ir.Repeat(ir.Literal(b"0"))))
    whole = ir.sequence(ir.optional(MINUS), magnitudes(0, None, None))
    return ir.sequence(whole, POINT, ir.choice(*options))
