"""Sets of numbers, closed under union and intersection."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, gcd

from lipogram.grammars.immutable import immutable


def exact(value: int | float | Decimal) -> Fraction:
    """The number as it is written: 0.1 is one tenth."""
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


@immutable()
class NumberRange:
    """The integers, or the numbers that are not, between bounds (None: no bound).

    A bound is outside the range where it is `open`. Members are multiples of `multiple` (0: no
    matter), of none of `not_multiples`, and none of `excluded`.
    """

    integral: bool
    low: Fraction | None = None
    low_open: bool = False
    high: Fraction | None = None
    high_open: bool = False
    multiple: Fraction = Fraction(0)
    not_multiples: frozenset[Fraction] = frozenset()
    excluded: frozenset[Fraction] = frozenset()

    @property
    def is_every(self) -> bool:
        """Whether nothing is asked for."""
        return self == NumberRange(self.integral)

    def holds(self, value: Fraction) -> bool:
        """Whether the number is a member."""
        return (
            (value.denominator == 1) == self.integral
            and (self.low is None or value > self.low or (value == self.low and not self.low_open))
            and (
                self.high is None
                or value < self.high
                or (value == self.high and not self.high_open)
            )
            and (not self.multiple or (value / self.multiple).denominator == 1)
            and all((value / other).denominator != 1 for other in self.not_multiples)
            and value not in self.excluded
        )

    def meet(self, other: NumberRange) -> NumberRange | None:
        """The numbers of both ranges; None where it is clear that there are none."""
        if self.integral != other.integral:
            return None
        low, low_open = self.low, self.low_open
        if other.low is not None and (low is None or (other.low, other.low_open) > (low, low_open)):
            low, low_open = other.low, other.low_open
        high, high_open = self.high, self.high_open
        if other.high is not None and (
            high is None or (other.high, not other.high_open) < (high, not high_open)
        ):
            high, high_open = other.high, other.high_open
        return NumberRange(
            self.integral, low, low_open, high, high_open,
            _common_multiple(self.multiple, other.multiple),
            self.not_multiples | other.not_multiples,
            self.excluded | other.excluded,
        ).normal()  # fmt: skip

    def normal(self) -> NumberRange | None:
        """The same range with closed integer bounds where integral; None if clearly empty."""
        low, high = self.low, self.high
        if self.multiple and any(_divides(other, self.multiple) for other in self.not_multiples):
            return None
        if self.integral:
            if low is not None:
                low = Fraction(floor(low) + 1 if self.low_open else ceil(low))
            if high is not None:
                high = Fraction(ceil(high) - 1 if self.high_open else floor(high))
            if low is not None and high is not None and low > high:
                return None
            multiple = Fraction(self.multiple.numerator)
            return replace(
                self, low=low, low_open=False, high=high, high_open=False, multiple=multiple,
                not_multiples=_needed(multiple, self.not_multiples),
            )  # fmt: skip
        if low is not None and high is not None and low >= high:
            point = low == high and low.denominator > 1
            if not point or self.low_open or self.high_open:
                return None
        if self.multiple and self.multiple.denominator == 1:
            return None
        return self


def _divides(divisor: Fraction, number: Fraction) -> bool:
    return (number / divisor).denominator == 1


def _needed(multiple: Fraction, others: frozenset[Fraction]) -> frozenset[Fraction]:
    """Those of the numbers of which a multiple of the first may be no multiple, for no other."""
    common = {other: _common_multiple(multiple, other) for other in others}
    return frozenset(
        other
        for other, own in common.items()
        if not any(_divides(less, own) and (less < own or one < other)
                   for one, less in common.items() if one != other)
    )  # fmt: skip


def _common_multiple(left: Fraction, right: Fraction) -> Fraction:
    if not left or not right:
        return left or right
    numerator = left.numerator * right.numerator // gcd(left.numerator, right.numerator)
    return Fraction(numerator, gcd(left.denominator, right.denominator))


@immutable()
class NumberSet:
    """A union of single numbers and of ranges."""

    points: frozenset[Fraction] = frozenset()
    ranges: tuple[NumberRange, ...] = ()

    @classmethod
    def within(
        cls,
        low: Fraction | None = None,
        high: Fraction | None = None,
        *,
        low_open: bool = False,
        high_open: bool = False,
    ) -> NumberSet:
        """All numbers between the bounds."""
        both = (NumberRange(i, low, low_open, high, high_open).normal() for i in (True, False))
        return cls(ranges=tuple(part for part in both if part))

    @classmethod
    def multiples(cls, of: Fraction, *, negated: bool = False) -> NumberSet:
        """All multiples of a number, or all numbers that are not."""
        if negated:
            none = frozenset({of})
            return cls(ranges=tuple(NumberRange(i, not_multiples=none) for i in (True, False)))
        both = (NumberRange(i, multiple=of).normal() for i in (True, False))
        return cls(ranges=tuple(part for part in both if part))

    @classmethod
    def without(cls, points: frozenset[Fraction]) -> NumberSet:
        """All numbers but these."""
        return cls(ranges=tuple(NumberRange(i, excluded=points) for i in (True, False)))

    def holds(self, value: Fraction) -> bool:
        """Whether the number is a member."""
        return value in self.points or any(part.holds(value) for part in self.ranges)

    def meet(self, other: NumberSet) -> NumberSet:
        """The numbers of both sets."""
        points = {p for p in self.points if other.holds(p)}
        points |= {p for p in other.points if self.holds(p)}
        ranges = (a.meet(b) for a in self.ranges for b in other.ranges)
        return NumberSet(frozenset(points), tuple(dict.fromkeys(r for r in ranges if r)))

    def join(self, other: NumberSet) -> NumberSet:
        """The numbers of either set."""
        if not self.ranges and not self.points:
            return other
        if self == EVERY_NUMBER or other == EVERY_NUMBER:
            return EVERY_NUMBER
        ranges = dict.fromkeys(self.ranges + other.ranges)
        for integral in (True, False):
            whole = NumberRange(integral)
            if whole in ranges:
                ranges = {r: None for r in ranges if r.integral != integral or r == whole}
        return NumberSet(self.points | other.points, tuple(ranges))


INTEGERS = NumberSet(ranges=(NumberRange(True),))
EVERY_NUMBER = NumberSet(ranges=(NumberRange(True), NumberRange(False)))
