"""Writing sets of numbers down: decimal digits, as expressions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

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
from lipogram.grammars.json_schema.multiples import Multiples, places
from lipogram.grammars.json_schema.numbers import NumberRange, NumberSet
from lipogram.grammars.json_schema.remainders import Remainders

MAX_LISTED = 1_000
MANY_DIGITS = 30

_MINUS = ir.Literal(b"-")
_POINT = ir.Literal(b".")
_EXPONENT = ir.choice(
    ir.Repeat(DIGIT, 1, 2),
    ir.sequence(ir.one_of("01"), DIGIT, DIGIT),
    ir.sequence(ir.Literal(b"2"), ir.one_of("01234567"), DIGIT),
)


@dataclass(frozen=True, slots=True)
class DigitLimits:
    """How many digits a number without bounds may have; None: any number of them.

    `significant` limits numbers with a fraction where not every number will do, so that reading
    them as binary floating point can never move them across a bound. `zeros` is how many may
    follow the point of a whole number where no other number may have one: none, for many readers
    take 1.0 for no integer, whatever JSON Schema says.
    """

    integer: int | None = 20
    fraction: int | None = 17
    significant: int | None = 15
    zeros: int | None = 0


def _at_most(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(limit - spent, 0)


def _decimal(value: Fraction) -> str:
    """The shortest decimal spelling of a number that has one."""
    scale = 0
    while (value * 10**scale).denominator > 1:
        scale += 1
    digits = str(abs(value * 10**scale).numerator).rjust(scale + 1, "0")
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"-{text}" if value < 0 else text


class NumberWriter:
    """Writes number sets as expressions; automata of remainders become rules of the grammar."""

    def __init__(self, limits: DigitLimits, rules: dict[str, ir.Expression]) -> None:
        self._limits = limits
        self._rules = rules
        self.narrowed = False

    def write(self, numbers: NumberSet) -> ir.Expression:
        """All spellings of the members, in plain decimals unless every number is a member.

        An integer may be written with a point and zeros only where numbers with a fraction are
        members too.
        """
        known = _without_rules(numbers, self._limits)
        if known is None:
            return self._write(numbers)
        expression, narrowed = known
        self.narrowed |= narrowed
        return expression

    def _write(self, numbers: NumberSet) -> ir.Expression:
        if set(numbers.ranges) >= {NumberRange(True), NumberRange(False)}:
            return self._every()
        has_fractions = any(not part.integral for part in numbers.ranges) or any(
            point.denominator > 1 for point in numbers.points
        )
        integers: list[ir.Expression] = []
        fractions: list[ir.Expression] = []
        limits = self._limits
        if has_fractions:
            limits = replace(limits, integer=limits.significant)
        for part in numbers.ranges:
            if part.integral:
                integers.append(self._integers(part, limits))
            else:
                fractions.append(self._fractions(part))
        spelled = [_decimal(point) for point in sorted(numbers.points)]
        for text in spelled:
            (fractions if "." in text else integers).append(ir.Literal(text.encode()))
        whole = union(integers)
        zeros = 15 if has_fractions else self._limits.zeros
        if zeros != 0 and whole != ir.NOTHING:
            point = ir.sequence(_POINT, ir.Repeat(ir.Literal(b"0"), 1, zeros))
            whole = ir.sequence(whole, ir.optional(point))
        return union([whole, *fractions])

    def _every(self) -> ir.Expression:
        limits = self._limits
        self.narrowed |= limits.integer is not None or limits.fraction is not None
        whole = ir.choice(
            ir.Literal(b"0"),
            ir.sequence(FIRST_DIGIT, ir.Repeat(DIGIT, 0, _at_most(limits.integer, 1))),
        )
        fraction = ir.sequence(_POINT, ir.Repeat(DIGIT, 1, limits.fraction))
        exponent = ir.sequence(ir.one_of("eE"), ir.optional(ir.one_of("+-")), _EXPONENT)
        return ir.sequence(ir.optional(_MINUS), whole, ir.optional(fraction), ir.optional(exponent))

    def _integers(self, part: NumberRange, limits: DigitLimits) -> ir.Expression:
        low = None if part.low is None else int(part.low)
        high = None if part.high is None else int(part.high)
        inside = sorted(
            int(x) for x in part.excluded
            if x.denominator == 1 and (low is None or x >= low) and (high is None or x <= high)
        )  # fmt: skip
        options: list[ir.Expression] = []
        for excluded in inside:
            options.append(self._interval(part, low, excluded - 1, limits))
            low = excluded + 1
        options.append(self._interval(part, low, high, limits))
        return union(options)

    def _interval(
        self, part: NumberRange, low: int | None, high: int | None, limits: DigitLimits
    ) -> ir.Expression:
        if low is not None and high is not None:
            if low > high:
                return ir.NOTHING
            step = max(int(part.multiple), 1)
            if (high - low) // step <= MAX_LISTED and (step > 1 or part.not_multiples):
                first = -(-low // step) * step
                found = [x for x in range(first, high + 1, step) if part.holds(Fraction(x))]
                texts = tuple(str(x).encode() for x in found)
                return ir.Literals(texts) if texts else ir.NOTHING
        else:
            self.narrowed |= limits.integer is not None
        options: list[ir.Expression] = []
        if low is None or low < 0:
            top = None if low is None else -low
            below = self._magnitude(part, max(1, -high if high is not None else 1), top, limits)
            options.append(concatenated(_MINUS, below))
        if high is None or high >= 0:
            options.append(self._magnitude(part, max(0, low or 0), high, limits))
        return union(options)

    def _magnitude(
        self, part: NumberRange, low: int, high: int | None, limits: DigitLimits
    ) -> ir.Expression:
        if high is not None and low > high:
            return ir.NOTHING
        if part.multiple <= 1 and not part.not_multiples:
            return magnitudes(low, high, limits.integer)
        return self._remainders(part).between(low, high, limits.integer)

    def _remainders(self, part: NumberRange) -> Remainders:
        return Remainders(part, self._rules)

    def _fractions(self, part: NumberRange) -> ir.Expression:
        """Numbers with a fraction, and a fraction that is not zero."""
        self.narrowed |= self._limits.fraction is not None
        if part.multiple and not all(map(_is_by_ending, (part.multiple, *part.not_multiples))):
            self.narrowed = True
            return Multiples(part, self._limits.significant or MANY_DIGITS, self._rules).write()
        digits = ir.Repeat(DIGIT)
        facts: list[ir.Expression] = [
            ir.sequence(
                ir.optional(_MINUS), magnitudes(0, None, None), _POINT, digits, FIRST_DIGIT, digits
            )
        ]
        if self._limits.significant is None:
            limit = self._limits.fraction
            facts.append(
                ir.sequence(
                    ir.optional(_MINUS),
                    magnitudes(0, None, self._limits.integer),
                    _POINT,
                    ir.Repeat(DIGIT, 1, limit),
                )
            )
        else:
            length = self._limits.significant + 1
            facts.append(
                ir.sequence(ir.optional(_MINUS), ir.Repeat(ir.one_of("0123456789."), 3, length))
            )
        if part.low is not None:
            facts.append(_above(part.low, part.low_open))
        if part.high is not None:
            facts.append(_below(part.high, part.high_open))
        if part.multiple:
            facts.append(_fraction_multiples(part.multiple))
        facts += [
            ir.Complement(_fraction_multiples(other))
            for other in part.not_multiples
            if other.denominator > 1
        ]
        for value in part.excluded:
            if value.denominator > 1:
                text = ir.Literal(_decimal(value).encode())
                facts.append(ir.Complement(ir.sequence(text, ir.Repeat(ir.Literal(b"0")))))
        return ir.Intersection(tuple(facts))


@lru_cache(maxsize=512)
def _without_rules(numbers: NumberSet, limits: DigitLimits) -> tuple[ir.Expression, bool] | None:
    """How numbers are written, and whether that narrows them; None where it takes rules."""
    rules: dict[str, ir.Expression] = {}
    writer = NumberWriter(limits, rules)
    expression = writer._write(numbers)
    return None if rules else (expression, writer.narrowed)


def _signed(value: Fraction, open_: bool, *, above: bool) -> ir.Expression:
    """Numbers with a fraction on one side of a bound, by sign and magnitude."""
    digits = ir.sequence(magnitudes(0, None, None), _POINT, ir.Repeat(DIGIT, 1))
    same_sign = (value >= 0) == above
    if same_sign:
        beyond = _larger(abs(value), open_)
        return beyond if above else ir.sequence(_MINUS, beyond)
    nearer = _smaller(abs(value), open_)
    if above:
        return ir.choice(digits, concatenated(_MINUS, nearer))
    return union([ir.sequence(_MINUS, digits), nearer])


def _above(low: Fraction, open_: bool) -> ir.Expression:
    return _signed(low, open_, above=True)


def _below(high: Fraction, open_: bool) -> ir.Expression:
    if high == 0:
        digits = ir.sequence(magnitudes(0, None, None), _POINT, ir.Repeat(DIGIT, 1))
        return ir.sequence(_MINUS, digits)
    return _signed(high, open_, above=False)


def _larger(value: Fraction, open_: bool) -> ir.Expression:
    whole, _, fraction = _decimal(value).partition(".")
    digits = ir.Repeat(DIGIT, 1)
    options = [ir.sequence(magnitudes(int(whole) + 1, None, None), _POINT, digits)]
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
    options.append(ir.sequence(ir.Literal(whole.encode()), _POINT, union(tail)))
    return ir.choice(*options)


def _smaller(value: Fraction, open_: bool) -> ir.Expression:
    whole, _, fraction = _decimal(value).partition(".")
    options: list[ir.Expression] = []
    if int(whole):
        below = magnitudes(0, int(whole) - 1, None)
        options.append(ir.sequence(below, _POINT, ir.Repeat(DIGIT, 1)))
    tail: list[ir.Expression] = []
    for index, digit in enumerate(fraction):
        same = ir.Literal(fraction[:index].encode())
        if index:
            tail.append(same)
        tail.append(concatenated(same, digit_from(0, int(digit) - 1), ir.Repeat(DIGIT)))
    if fraction and not open_:
        tail.append(ir.sequence(ir.Literal(fraction.encode()), ir.Repeat(ir.Literal(b"0"))))
    if tail:
        options.append(concatenated(ir.Literal(whole.encode()), _POINT, union(tail)))
    return union(options)


def _is_by_ending(of: Fraction) -> bool:
    """Whether the last few digits decide if a decimal is a multiple."""
    unit = of.numerator if of.denominator == 1 else int(of * 10 ** places(of))
    return any(10**count % unit == 0 for count in range(places(of) + 1))


def _fraction_multiples(of: Fraction) -> ir.Expression:
    """Decimals that are multiples of a fraction of which only the last digits matter."""
    count = places(of)
    unit = int(of * 10**count)
    suffix = 0
    while 10**suffix % unit:
        suffix += 1
        if suffix > count:
            raise Unsupported(
                f"multipleOf: {_decimal(of)} is not compiled for numbers with a fraction",
                keyword="multipleOf",
            )
    if 10**suffix // unit > MAX_LISTED:
        raise BudgetExceeded(f"multipleOf: {_decimal(of)} takes too many cases")
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
    whole = ir.sequence(ir.optional(_MINUS), magnitudes(0, None, None))
    return ir.sequence(whole, _POINT, ir.choice(*options))
