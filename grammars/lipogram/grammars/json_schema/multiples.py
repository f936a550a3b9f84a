"""Numbers with a fraction that are multiples of a decimal, by remainders of scaled integers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor, lcm

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.json_schema.magnitudes import concatenated, union
from lipogram.grammars.json_schema.numbers import NumberRange

MAX_STATES = 10_000
_ZEROS = ir.Repeat(ir.Literal(b"0"))


def places(value: Fraction) -> int:
    """How many digits after the point a decimal has."""
    count = 0
    while (value * 10**count).denominator > 1:
        count += 1
    return count


class Multiples:
    """The members of a range of multiples of a decimal that are no integers, as digits.

    A multiple has no more places than the decimal; scaled by as many it is an integer, and its
    remainder decides. A state is how many of its digits are left, the remainder so far, and
    whether some digit after the point is not zero. `digits` limits how many there are in all.
    Raises BudgetExceeded where that takes too many states.
    """

    def __init__(self, part: NumberRange, digits: int, rules: dict[str, ir.Expression]) -> None:
        decimals = [part.multiple, *part.not_multiples]
        self._places = max(map(places, decimals))
        self._scale = 10**self._places
        self._modulus = lcm(*(int(decimal * self._scale) for decimal in decimals))
        self._part = part
        self._free = replace(part, low=None, high=None, excluded=frozenset(), integral=False)
        self._digits = max(digits, self._places + 1)
        self._rules = rules
        self._name = f"multiple {part.multiple} {sorted(part.not_multiples)} {self._digits}"
        if self._modulus * self._digits > MAX_STATES:
            raise BudgetExceeded(f"multipleOf: {float(part.multiple)} takes too many states")

    def write(self) -> ir.Expression:
        """All members."""
        return union([concatenated(ir.Literal(b"-"), self._side(-1)), self._side(1)])

    def _side(self, sign: int) -> ir.Expression:
        """The members of one sign, without it."""
        low, high = self._bounds(sign)
        gaps = sorted(
            int(abs(point) * self._scale) for point in self._part.excluded
            if point * sign > 0 and (point * self._scale).denominator == 1
        )  # fmt: skip
        options: list[ir.Expression] = []
        for gap in [*gaps, high + 1]:
            options += self._by_length(low, min(gap - 1, high))
            low = max(low, gap + 1)
        return union(options)

    def _bounds(self, sign: int) -> tuple[int, int]:
        part = self._part
        least, least_open, most, most_open = part.low, part.low_open, part.high, part.high_open
        if sign < 0:
            least, most = (None if b is None else -b for b in (most, least))
            least_open, most_open = most_open, least_open
        low, high = 1, 10**self._digits - 1
        if least is not None:
            scaled = least * self._scale
            low = max(low, floor(scaled) + 1 if least_open else ceil(scaled))
        if most is not None:
            scaled = most * self._scale
            high = min(high, ceil(scaled) - 1 if most_open else floor(scaled))
        return low, high

    def _by_length(self, low: int, high: int) -> list[ir.Expression]:
        found: list[ir.Expression] = []
        shortest = self._places + 1
        for length in range(shortest, len(str(max(high, 1)).rjust(shortest, "0")) + 1):
            first = max(low, 1 if length == shortest else 10 ** (length - 1))
            last = min(high, 10**length - 1)
            if first <= last:
                texts = (str(first).rjust(length, "0"), str(last).rjust(length, "0"))
                found.append(self._between(*texts, 0, (True, True), False))
        return found

    def _between(
        self, low: str, high: str, remainder: int, edges: tuple[bool, bool], fraction: bool
    ) -> ir.Expression:
        """As many more digits as the texts have, between them where still on their edge."""
        left = len(low)
        if left == 0 or edges == (False, False):
            return self._after(left, remainder, fraction)
        options = [self._end(left, remainder, fraction)] if not edges[0] or not int(low) else []
        start, stop = int(low[0]) if edges[0] else 0, int(high[0]) if edges[1] else 9
        for digit in range(start, stop + 1):
            following = (edges[0] and digit == start, edges[1] and digit == stop)
            rest = self._between(
                low[1:], high[1:], self._next(remainder, digit), following,
                fraction or (left <= self._places and digit > 0),
            )  # fmt: skip
            options.append(concatenated(self._digit(left, digit), rest))
        return union(options)

    def _next(self, remainder: int, digit: int) -> int:
        return (remainder * 10 + digit) % self._modulus

    def _digit(self, left: int, digit: int) -> ir.Expression:
        """A digit, after the point where that comes next."""
        return ir.Literal(b".%d" % digit if left == self._places else b"%d" % digit)

    def _end(self, left: int, remainder: int, fraction: bool) -> ir.Expression:
        """The end, where the digits that are left may as well be zeros, or unwritten."""
        whole = Fraction(remainder * 10**left % self._modulus, self._scale)
        if left >= self._places or not fraction:
            return ir.NOTHING
        # Only the remainder is known here: any number with it and with a fraction will do.
        for turn in range(self._scale):
            if (value := whole + Fraction(turn * self._modulus, self._scale)).denominator > 1:
                return ir.EMPTY if self._free.holds(value) else ir.NOTHING
        return ir.NOTHING

    def _after(self, left: int, remainder: int, fraction: bool) -> ir.Expression:
        """Any digits, so many."""
        end = self._end(left, remainder, fraction)
        if left == 0:
            return concatenated(end, _ZEROS)
        name = f"{self._name} {left} {remainder} {fraction}"
        if name not in self._rules:
            self._rules[name] = ir.NOTHING
            self._rules[name] = union(
                [
                    end,
                    *(
                        concatenated(
                            self._digit(left, digit),
                            self._after(
                                left - 1, self._next(remainder, digit),
                                fraction or (left <= self._places and digit > 0),
                            ),
                        )
                        for digit in range(10)
                    ),
                ]
            )  # fmt: skip
        return ir.Reference(name)
