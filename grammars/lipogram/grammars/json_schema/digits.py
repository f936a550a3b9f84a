"""Writing sets of numbers down: decimal digits, as expressions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.json_schema.numbers import NumberRange, NumberSet

MAX_LISTED = 1_000
MAX_DIGIT_STATES = 20_000

DIGIT = ir.one_of("0123456789")
_FIRST = ir.one_of("123456789")
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

    `significant` limits numbers with a fraction that have bounds, so that reading them as binary
    floating point can never move them across a bound.
    """

    integer: int | None = 20
    fraction: int | None = 17
    significant: int | None = 15


def _at_most(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(limit - spent, 0)


def _any_digits(count: int) -> ir.Expression:
    return ir.Repeat(DIGIT, count, count) if count else ir.EMPTY


def _digit(low: int, high: int) -> ir.Expression:
    if low > high:
        return ir.NOTHING
    return ir.chars([(0x30 + low, 0x30 + high)])


def _join(*items: ir.Expression) -> ir.Expression:
    return ir.NOTHING if ir.NOTHING in items else ir.sequence(*items)


def _from(text: str) -> ir.Expression:
    """As many digits as the text has, not below it."""
    options: list[ir.Expression] = [ir.Literal(text.encode())]
    for index, digit in enumerate(text):
        options.append(
            _join(
                ir.Literal(text[:index].encode()),
                _digit(int(digit) + 1, 9),
                _any_digits(len(text) - index - 1),
            )
        )
    return _union(options)


def _to(text: str, first: int) -> ir.Expression:
    """As many digits as the text has, not above it, the first at least `first`."""
    options: list[ir.Expression] = [ir.Literal(text.encode())]
    for index, digit in enumerate(text):
        options.append(
            _join(
                ir.Literal(text[:index].encode()),
                _digit(first if index == 0 else 0, int(digit) - 1),
                _any_digits(len(text) - index - 1),
            )
        )
    return _union(options)


def _union(options: list[ir.Expression]) -> ir.Expression:
    return ir.choice(*(option for option in options if option != ir.NOTHING))


def _between(low: str, high: str) -> ir.Expression:
    """Digits of one length between two texts of that length."""
    if low == high:
        return ir.Literal(low.encode())
    same = next(i for i, (a, b) in enumerate(zip(low, high, strict=True)) if a != b)
    a, b = int(low[same]), int(high[same])
    options = [
        _join(ir.Literal(low[same].encode()), _from(low[same + 1 :])),
        _join(_digit(a + 1, b - 1), _any_digits(len(low) - same - 1)),
        _join(ir.Literal(high[same].encode()), _to(high[same + 1 :], 0)),
    ]
    return _join(ir.Literal(low[:same].encode()), _union(options))


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
        options.append(ir.sequence(_FIRST, ir.Repeat(DIGIT, len(text), more)))
        return ir.choice(*options)
    last = str(high)
    if len(text) == len(last):
        return _union([*options, _between(text, last)])
    options.append(_from(text))
    if len(last) - len(text) > 1:
        options.append(ir.sequence(_FIRST, ir.Repeat(DIGIT, len(text), len(last) - 2)))
    options.append(_to(last, 1))
    return _union(options)


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
        if set(numbers.ranges) >= {NumberRange(True), NumberRange(False)}:
            return self._every()
        has_fractions = any(not part.integral for part in numbers.ranges) or any(
            point.denominator > 1 for point in numbers.points
        )
        zeros = ir.optional(ir.sequence(_POINT, ir.Repeat(ir.Literal(b"0"), 1, 15)))
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
        whole = _union(integers)
        if has_fractions and whole != ir.NOTHING:
            whole = ir.sequence(whole, zeros)
        return _union([whole, *fractions])

    def _every(self) -> ir.Expression:
        limits = self._limits
        self.narrowed |= limits.integer is not None or limits.fraction is not None
        whole = ir.choice(
            ir.Literal(b"0"), ir.sequence(_FIRST, ir.Repeat(DIGIT, 0, _at_most(limits.integer, 1)))
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
        return _union(options)

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
            options.append(_join(_MINUS, below))
        if high is None or high >= 0:
            options.append(self._magnitude(part, max(0, low or 0), high, limits))
        return _union(options)

    def _magnitude(
        self, part: NumberRange, low: int, high: int | None, limits: DigitLimits
    ) -> ir.Expression:
        if high is not None and low > high:
            return ir.NOTHING
        if part.multiple <= 1 and not part.not_multiples:
            return magnitudes(low, high, limits.integer)
        return _Remainders(part, self._rules, limits.integer).between(low, high)

    def _fractions(self, part: NumberRange) -> ir.Expression:
        """Numbers with a fraction, and a fraction that is not zero."""
        self.narrowed |= self._limits.fraction is not None
        digits = ir.Repeat(DIGIT)
        facts: list[ir.Expression] = [
            ir.sequence(
                ir.optional(_MINUS), magnitudes(0, None, None), _POINT, digits, _FIRST, digits
            )
        ]
        if part.is_every or self._limits.significant is None:
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
        for other in part.not_multiples:
            if other.denominator > 1:
                facts.append(ir.Complement(_fraction_multiples(other)))
        for value in part.excluded:
            if value.denominator > 1:
                text = ir.Literal(_decimal(value).encode())
                facts.append(ir.Complement(ir.sequence(text, ir.Repeat(ir.Literal(b"0")))))
        return ir.Intersection(tuple(facts))


def _signed(value: Fraction, open_: bool, *, above: bool) -> ir.Expression:
    """Numbers with a fraction on one side of a bound, by sign and magnitude."""
    digits = ir.sequence(magnitudes(0, None, None), _POINT, ir.Repeat(DIGIT, 1))
    same_sign = (value >= 0) == above
    if same_sign:
        beyond = _larger(abs(value), open_)
        return beyond if above else ir.sequence(_MINUS, beyond)
    nearer = _smaller(abs(value), open_)
    if above:
        return ir.choice(digits, _join(_MINUS, nearer))
    return _union([ir.sequence(_MINUS, digits), nearer])


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
        tail.append(_join(same, _digit(int(digit) + 1, 9), ir.Repeat(DIGIT)))
    rest = ir.Repeat(DIGIT)
    if open_ and fraction:
        rest_open = ir.sequence(rest, _FIRST, rest)
        tail.append(ir.sequence(ir.Literal(fraction.encode()), rest_open))
    else:
        tail.append(ir.sequence(ir.Literal(fraction.encode()), rest))
    options.append(ir.sequence(ir.Literal(whole.encode()), _POINT, _union(tail)))
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
        tail.append(_join(same, _digit(0, int(digit) - 1), ir.Repeat(DIGIT)))
    if fraction and not open_:
        tail.append(ir.sequence(ir.Literal(fraction.encode()), ir.Repeat(ir.Literal(b"0"))))
    if tail:
        options.append(_join(ir.Literal(whole.encode()), _POINT, _union(tail)))
    return _union(options)


def _fraction_multiples(of: Fraction) -> ir.Expression:
    """Decimals that are multiples of a fraction of which only the last digits matter."""
    places = len(_decimal(of).partition(".")[2])
    unit = int(of * 10**places)
    suffix = 0
    while 10**suffix % unit:
        suffix += 1
        if suffix > places:
            raise Unsupported(
                f"multipleOf: {_decimal(of)} is not compiled for numbers with a fraction",
                keyword="multipleOf",
            )
    if 10**suffix // unit > MAX_LISTED:
        raise BudgetExceeded(f"multipleOf: {_decimal(of)} takes too many cases")
    endings = ir.Literals(
        tuple(str(n).rjust(suffix, "0").encode() for n in range(0, 10**suffix, unit))
    )
    options: list[ir.Expression] = []
    for length in range(1, places + 1):
        missing = places - length
        if missing >= suffix:
            options.append(_any_digits(length))
        elif suffix:
            kept = suffix - missing
            shorter = tuple(t[:kept] for t in endings.texts if t.endswith(b"0" * missing))
            options.append(_join(_any_digits(length - kept), ir.Literals(shorter)))
    full = _join(_any_digits(places - suffix), endings if suffix else ir.EMPTY)
    options.append(ir.sequence(full, ir.Repeat(ir.Literal(b"0"))))
    whole = ir.sequence(ir.optional(_MINUS), magnitudes(0, None, None))
    return ir.sequence(whole, _POINT, ir.choice(*options))


class _Remainders:
    """Digit strings by their remainder: one rule for so many more digits after such a remainder."""

    def __init__(
        self, part: NumberRange, rules: dict[str, ir.Expression], limit: int | None
    ) -> None:
        moduli = [int(m.numerator) for m in (part.multiple, *part.not_multiples) if m]
        self._modulus = lcm(*moduli)
        self._part = replace(part, low=None, high=None, excluded=frozenset())
        self._rules = rules
        self._limit = limit or 20
        self._name = f"digits {self._modulus} {sorted(map(str, part.not_multiples))}"

    def between(self, low: int, high: int | None) -> ir.Expression:
        """The members from `low` (at least 0) to `high`, without a sign."""
        options: list[ir.Expression] = []
        if low == 0:
            if self._part.holds(Fraction(0)):
                options.append(ir.Literal(b"0"))
            low = 1
        if high is not None and high < low:
            return _union(options)
        first, last = str(low), str(high) if high is not None else ""
        longest = len(last) if high is not None else max(self._limit, len(first))
        for length in range(len(first), longest + 1):
            floor_ = first if length == len(first) else "1" + "0" * (length - 1)
            ceiling = last if length == len(last) else "9" * length
            options.append(self._bounded(floor_, ceiling, 0, True, True))
        return _union(options)

    def _bounded(
        self, low: str, high: str, remainder: int, on_low: bool, on_high: bool
    ) -> ir.Expression:
        if not low:
            return ir.EMPTY if self._accepts(remainder) else ir.NOTHING
        if not on_low and not on_high:
            return self._free(len(low), remainder)
        options: list[ir.Expression] = []
        start = int(low[0]) if on_low else 0
        stop = int(high[0]) if on_high else 9
        for digit in range(start, stop + 1):
            rest = self._bounded(
                low[1:], high[1:], (remainder * 10 + digit) % self._modulus,
                on_low and digit == start, on_high and digit == stop,
            )  # fmt: skip
            options.append(_join(ir.Literal(b"%d" % digit), rest))
        return _union(options)

    def _accepts(self, remainder: int) -> bool:
        return self._part.holds(Fraction(remainder))

    def _free(self, count: int, remainder: int) -> ir.Expression:
        name = f"{self._name} {count} {remainder * 10**count % self._modulus}"
        if count == 0:
            return ir.EMPTY if self._accepts(remainder) else ir.NOTHING
        if name not in self._rules:
            if len(self._rules) > MAX_DIGIT_STATES:
                raise BudgetExceeded(f"multipleOf: {self._modulus} takes too many states")
            self._rules[name] = ir.NOTHING
            options = [
                _join(
                    ir.Literal(b"%d" % digit),
                    self._free(count - 1, (remainder * 10 + digit) % self._modulus),
                )
                for digit in range(10)
            ]
            self._rules[name] = _union(options)
        return ir.NOTHING if self._rules[name] == ir.NOTHING else ir.Reference(name)
