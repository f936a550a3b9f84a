"""Writing sets of numbers down: decimal digits, as expressions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from lipogram.grammars import ir
from lipogram.grammars.json_schema.decimals import (
    MAX_LISTED,
    MINUS,
    POINT,
    above,
    below,
    is_by_ending,
    multiples_by_ending,
    spelled,
)
from lipogram.grammars.json_schema.magnitudes import (
    DIGIT,
    FIRST_DIGIT,
    concatenated,
    magnitudes,
    union,
)
from lipogram.grammars.json_schema.multiples import Multiples
from lipogram.grammars.json_schema.numbers import NumberRange, NumberSet
from lipogram.grammars.json_schema.remainders import Remainders

MANY_DIGITS = 30

_EXPONENT = ir.choice(
    ir.Repeat(DIGIT, 1, 2),
    ir.sequence(ir.one_of("01"), DIGIT, DIGIT),
    ir.sequence(ir.Literal(b"2"), ir.one_of("01234567"), DIGIT),
)
# Integers of one digit and zeros, as far as binary floating point goes.
_ROUND = ir.sequence(
    ir.optional(MINUS),
    ir.choice(
        ir.sequence(
            FIRST_DIGIT, ir.one_of("eE"), ir.optional(ir.Literal(b"+")),
            ir.choice(
                ir.Repeat(DIGIT, 1, 2),
                ir.sequence(ir.one_of("012"), DIGIT, DIGIT),
                ir.sequence(ir.Literal(b"30"), ir.one_of("01234567")),
            ),
        ),
        ir.sequence(
            ir.Literal(b"1"), ir.one_of("eE"), ir.optional(ir.Literal(b"+")), ir.Literal(b"308")
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DigitLimits:
    """How many digits a number without bounds may have; None: any number of them.

    `significant` limits numbers with a fraction where not every number will do, so that reading
    them as binary floating point can never move them across a bound. `zeros` is how many may
    follow the point of a whole number where no other number may have one: none, for many readers
    take 1.0 for no integer, whatever JSON Schema says; with any number of them, one digit may have
    an exponent instead where every integer is a member.
    """

    integer: int | None = 20
    fraction: int | None = 17
    significant: int | None = 15
    zeros: int | None = 0


def _at_most(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(limit - spent, 0)


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
        for point in sorted(numbers.points):
            text = spelled(point)
            (fractions if "." in text else integers).append(ir.Literal(text.encode()))
        whole = union(integers)
        zeros = 15 if has_fractions else self._limits.zeros
        if zeros != 0 and whole != ir.NOTHING:
            dotted = ir.sequence(POINT, ir.Repeat(ir.Literal(b"0"), 1, zeros))
            whole = ir.sequence(whole, ir.optional(dotted))
        if zeros is None and any(map(_is_every_integer, numbers.ranges)):
            whole = ir.choice(whole, _ROUND)
        return union([whole, *fractions])

    def _every(self) -> ir.Expression:
        limits = self._limits
        self.narrowed |= limits.integer is not None or limits.fraction is not None
        whole = ir.choice(
            ir.Literal(b"0"),
            ir.sequence(FIRST_DIGIT, ir.Repeat(DIGIT, 0, _at_most(limits.integer, 1))),
        )
        fraction = ir.sequence(POINT, ir.Repeat(DIGIT, 1, limits.fraction))
        exponent = ir.sequence(ir.one_of("eE"), ir.optional(ir.one_of("+-")), _EXPONENT)
        return ir.sequence(ir.optional(MINUS), whole, ir.optional(fraction), ir.optional(exponent))

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
            options.append(concatenated(MINUS, below))
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
        if part.multiple and not all(map(is_by_ending, (part.multiple, *part.not_multiples))):
            self.narrowed = True
            return Multiples(part, self._limits.significant or MANY_DIGITS, self._rules).write()
        digits = ir.Repeat(DIGIT)
        facts: list[ir.Expression] = [
            ir.sequence(
                ir.optional(MINUS), magnitudes(0, None, None), POINT, digits, FIRST_DIGIT, digits
            )
        ]
        if self._limits.significant is None:
            limit = self._limits.fraction
            facts.append(
                ir.sequence(
                    ir.optional(MINUS),
                    magnitudes(0, None, self._limits.integer),
                    POINT,
                    ir.Repeat(DIGIT, 1, limit),
                )
            )
        else:
            length = self._limits.significant + 1
            facts.append(
                ir.sequence(ir.optional(MINUS), ir.Repeat(ir.one_of("0123456789."), 3, length))
            )
        if part.low is not None:
            facts.append(above(part.low, part.low_open))
        if part.high is not None:
            facts.append(below(part.high, part.high_open))
        if part.multiple:
            facts.append(multiples_by_ending(part.multiple))
        facts += [
            ir.Complement(multiples_by_ending(other))
            for other in part.not_multiples
            if other.denominator > 1
        ]
        for value in part.excluded:
            if value.denominator > 1:
                text = ir.Literal(spelled(value).encode())
                facts.append(ir.Complement(ir.sequence(text, ir.Repeat(ir.Literal(b"0")))))
        return ir.Intersection(tuple(facts))


def _is_every_integer(part: NumberRange) -> bool:
    return part.integral and part.multiple <= 1 and replace(part, multiple=Fraction(0)).is_every


@lru_cache(maxsize=512)
def _without_rules(numbers: NumberSet, limits: DigitLimits) -> tuple[ir.Expression, bool] | None:
    """How numbers are written, and whether that narrows them; None where it takes rules."""
    rules: dict[str, ir.Expression] = {}
    writer = NumberWriter(limits, rules)
    expression = writer._write(numbers)
    return None if rules else (expression, writer.narrowed)
