"""Integers by their remainder: the multiples, or not, of some numbers, as digits."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import lcm

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.json_schema.magnitudes import DIGIT, concatenated, magnitudes, union
from lipogram.grammars.json_schema.numbers import NumberRange

MAX_MODULUS = 2_000
_MAX_ENDING = 3


class Remainders:
    """The digits of the integers whose remainder by some modulus is one of a set.

    Where the last few digits decide, that is a plain expression. Otherwise each remainder is a
    rule, what may follow digits with that remainder, added to the grammar's rules.
    """

    def __init__(self, part: NumberRange, rules: dict[str, ir.Expression]) -> None:
        moduli = [m.numerator for m in (part.multiple, *part.not_multiples) if m]
        self._modulus = lcm(*moduli)
        self._part = replace(part, low=None, high=None, excluded=frozenset())
        self._rules = rules
        self._name = f"remainder {self._modulus} {part.multiple} {sorted(part.not_multiples)}"

    def between(self, low: int, high: int | None, limit: int | None) -> ir.Expression:
        """The members from `low` (at least 0) to `high`, without a sign.

        `limit` is to the digits where there is no upper bound and the last few digits decide.
        Raises BudgetExceeded where the modulus is too large.
        """
        if self._modulus == 1:
            return magnitudes(low, high, limit) if self._accepts(0) else ir.NOTHING
        for length in range(1, _MAX_ENDING + 1):
            if 10**length % self._modulus == 0:
                return ir.Intersection((magnitudes(low, high, limit), self._by_ending(length)))
        if self._modulus > MAX_MODULUS:
            raise BudgetExceeded(f"multipleOf: {self._modulus} is above {MAX_MODULUS}")
        options: list[ir.Expression] = []
        if low == 0:
            options.append(ir.Literal(b"0") if self._accepts(0) else ir.NOTHING)
            low = 1
        if high is None or high >= low:
            options += self._by_length(str(low), None if high is None else str(high))
        return union(options)

    def _accepts(self, remainder: int) -> bool:
        return self._part.holds(Fraction(remainder))

    def _by_ending(self, length: int) -> ir.Expression:
        shorter = [str(n) for n in range(10 ** (length - 1)) if self._accepts(n)]
        endings = [str(n).rjust(length, "0") for n in range(10**length) if self._accepts(n)]
        return ir.choice(
            ir.Literals(tuple(text.encode() for text in shorter)),
            ir.sequence(ir.Repeat(DIGIT), ir.Literals(tuple(text.encode() for text in endings))),
        )

    def _by_length(self, low: str, high: str | None) -> list[ir.Expression]:
        if high is None:
            first = self._bounded(low, "9" * len(low), 0, True, False)
            longer = [
                concatenated(_digit(digit), self._at_least(len(low), digit % self._modulus))
                for digit in range(1, 10)
            ]
            return [first, *longer]
        if len(low) == len(high):
            return [self._bounded(low, high, 0, True, True)]
        between = [
            concatenated(_digit(digit), self._exactly(length - 1, digit % self._modulus))
            for length in range(len(low) + 1, len(high))
            for digit in range(1, 10)
        ]
        least = "1".ljust(len(high), "0")
        return [
            self._bounded(low, "9" * len(low), 0, True, False),
            *between,
            self._bounded(least, high, 0, True, True),
        ]

    def _bounded(
        self, low: str, high: str, remainder: int, on_low: bool, on_high: bool
    ) -> ir.Expression:
        """As many more digits as the texts have, between them where still on their edge."""
        if not low:
            return ir.EMPTY if self._accepts(remainder) else ir.NOTHING
        if not on_low and not on_high:
            return self._exactly(len(low), remainder)
        options: list[ir.Expression] = []
        start, stop = int(low[0]) if on_low else 0, int(high[0]) if on_high else 9
        for digit in range(start, stop + 1):
            following = (remainder * 10 + digit) % self._modulus
            edges = (on_low and digit == start, on_high and digit == stop)
            rest = self._bounded(low[1:], high[1:], following, *edges)
            options.append(concatenated(_digit(digit), rest))
        return union(options)

    def _exactly(self, count: int, remainder: int) -> ir.Expression:
        """So many more digits."""
        if count == 0:
            return ir.EMPTY if self._accepts(remainder) else ir.NOTHING
        name = f"{self._name} ={count} {remainder * 10**count % self._modulus}"
        if name not in self._rules:
            self._rules[name] = union(
                [
                    concatenated(_digit(d), self._exactly(count - 1, self._after(remainder, d)))
                    for d in range(10)
                ]
            )
        return ir.Reference(name)

    def _after(self, remainder: int, digit: int) -> int:
        return (remainder * 10 + digit) % self._modulus

    def _at_least(self, count: int, remainder: int) -> ir.Expression:
        """So many more digits, or more."""
        if count == 0:
            return self._any(remainder)
        name = f"{self._name} >{count} {remainder}"
        if name not in self._rules:
            self._rules[name] = union(
                [
                    concatenated(_digit(d), self._at_least(count - 1, self._after(remainder, d)))
                    for d in range(10)
                ]
            )
        return ir.Reference(name)

    def _any(self, remainder: int) -> ir.Expression:
        """Any number of further digits."""
        if f"{self._name} 0" not in self._rules:
            for start in range(self._modulus):
                follow = [
                    ir.sequence(_digit(d), ir.Reference(f"{self._name} {self._after(start, d)}"))
                    for d in range(10)
                ]
                end = [ir.EMPTY] if self._accepts(start) else []
                self._rules[f"{self._name} {start}"] = ir.choice(*end, *follow)
        return ir.Reference(f"{self._name} {remainder}")


def _digit(digit: int) -> ir.Expression:
    return ir.Literal(b"%d" % digit)
