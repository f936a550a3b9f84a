"""What a grammar means, by enumeration: every member and every live prefix up to a length.

Nothing of the engine is used. Languages are plain sets of byte strings, computed as least
fixpoints of the definition; the live prefixes of a grammar are the members of its prefix grammar.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

from lipogram.grammars import ir

Language = frozenset[bytes]
ALPHABET = b"ab\xc3\xa9"
E_ACUTE = 0xE9  # two bytes in UTF-8: C3 A9


def concatenate(left: Language, right: Language, limit: int) -> Language:
    return frozenset(x + y for x in left for y in right if len(x) + len(y) <= limit)


class Oracle:
    """Members and live prefixes of at most `limit` bytes, of a grammar over ALPHABET."""

    def __init__(self, grammar: ir.Grammar, limit: int) -> None:
        self.grammar = grammar
        self.limit = limit
        self._regular: dict[int, tuple[Language, Language]] = {}
        self.productive = self._fixpoint(False, self._is_productive)
        self._members = self._fixpoint(frozenset(), self._language)
        self._prefixes = self._fixpoint(frozenset(), self._prefix_language)
        self.members: Language = self._members[grammar.start]
        self.prefixes: Language = self._prefixes[grammar.start]

    def _fixpoint(self, bottom, evaluate) -> dict:
        values = dict.fromkeys(self.grammar.rules, bottom)
        while True:
            self._values = values
            new = {name: evaluate(body) for name, body in self.grammar.rules.items()}
            if new == values:
                return values
            values = new

    def _is_productive(self, e: ir.Expression) -> bool:
        match e:
            case ir.Reference(rule):
                return self._values[rule]
            case ir.Sequence(items):
                return all(map(self._is_productive, items))
            case ir.Choice(options):
                return any(map(self._is_productive, options))
            case ir.Repeat(item, minimum):
                return not minimum or self._is_productive(item)
            case ir.Intersection() | ir.Complement():
                return bool(self._boolean(e)[0])
            case ir.Literals(texts):
                return bool(texts)
            case ir.Bytes(mask):
                return bool(mask)
        return True

    def _language(self, e: ir.Expression) -> Language:
        match e:
            case ir.Literal(text):
                return frozenset([text] if len(text) <= self.limit else [])
            case ir.Literals(texts):
                return frozenset(t for t in texts if len(t) <= self.limit)
            case ir.Bytes(mask):
                return frozenset(bytes([b]) for b in range(256) if mask >> b & 1)
            case ir.Chars(ranges):
                return frozenset(chr(c).encode() for lo, hi in ranges for c in range(lo, hi + 1))
            case ir.Sequence(items):
                return self._fold(items, self._language)
            case ir.Choice(options):
                return frozenset().union(*map(self._language, options))
            case ir.Repeat(item, minimum, maximum):
                return self._power(self._language(item), minimum, maximum)
            case ir.Reference(rule):
                return self._members[rule] if hasattr(self, "_members") else self._values[rule]
            case ir.Intersection() | ir.Complement():
                return frozenset(t for t in self._boolean(e)[0] if len(t) <= self.limit)
        raise AssertionError(e)

    def _fold(self, items, evaluate: Callable[[ir.Expression], Language]) -> Language:
        result = frozenset([b""])
        for item in items:
            result = concatenate(result, evaluate(item), self.limit)
        return result

    def _power(self, item: Language, minimum: int, maximum: int | None) -> Language:
        power, result, count = frozenset([b""]), frozenset(), 0
        while maximum is None or count <= maximum:
            if count >= minimum:
                if power <= result:
                    break
                result |= power
            elif not power:
                break
            power = concatenate(power, item, self.limit)
            count += 1
        return result

    def _prefix_language(self, e: ir.Expression) -> Language:
        """Prefixes (of at most `limit` bytes) of members, given that what follows can be filled."""
        match e:
            case ir.Literal() | ir.Literals() | ir.Bytes() | ir.Chars():
                texts = self._language_unbounded(e)
                return frozenset(t[:n] for t in texts for n in range(min(len(t), self.limit) + 1))
            case ir.Sequence(items):
                if not all(self._settled(item) for item in items):
                    return frozenset()
                result: Language = frozenset([b""])
                for index, item in enumerate(items):
                    head = self._fold(items[:index], self._language)
                    result |= concatenate(head, self._prefix_language(item), self.limit)
                return result
            case ir.Choice(options):
                return frozenset().union(*map(self._prefix_language, options))
            case ir.Repeat(item, minimum, maximum):
                if not self._settled(item):
                    return frozenset([b""]) if not minimum else frozenset()
                if maximum == 0:
                    return frozenset([b""])
                last = None if maximum is None else maximum - 1
                head = self._power(self._language(item), 0, last)
                more = concatenate(head, self._prefix_language(item), self.limit)
                return more | frozenset([b""])
            case ir.Reference(rule):
                return self._values[rule] if self.productive[rule] else frozenset()
            case ir.Intersection() | ir.Complement():
                return self._boolean(e)[1]
        raise AssertionError(e)

    def _language_unbounded(self, e: ir.Expression) -> Language:
        limit, self.limit = self.limit, 99
        try:
            return self._language(e)
        finally:
            self.limit = limit

    def _settled(self, e: ir.Expression) -> bool:
        values, self._values = self._values, self.productive
        try:
            return self._is_productive(e)
        finally:
            self._values = values

    def _boolean(self, e: ir.Expression) -> tuple[Language, Language]:
        """Members and live prefixes; completions are looked for a few bytes further."""
        if id(e) not in self._regular:
            limit, self.limit = self.limit, self.limit + 4
            universe = [
                bytes(t) for n in range(self.limit + 1) for t in itertools.product(b"ab", repeat=n)
            ]
            members = frozenset(t for t in universe if self._contains(e, t))
            self.limit = limit
            prefixes = frozenset(t[:n] for t in members for n in range(min(len(t), limit) + 1))
            self._regular[id(e)] = members, prefixes
        return self._regular[id(e)]

    def _contains(self, e: ir.Expression, text: bytes) -> bool:
        match e:
            case ir.Intersection(items):
                return all(self._contains(item, text) for item in items)
            case ir.Complement(item):
                return not self._contains(item, text)
        return text in self._cached_language(e)

    def _cached_language(self, e: ir.Expression) -> Language:
        key = (id(e), self.limit)
        cache = self.__dict__.setdefault("_languages", {})
        if key not in cache:
            cache[key] = self._language(e)
        return cache[key]


AB = (1 << ord("a")) | (1 << ord("b"))


def random_regular(rng: random.Random, depth: int) -> ir.Expression:
    """A small regular expression over a and b."""
    kind = rng.choice("lbr" if depth <= 0 else "lbssccrr")
    match kind:
        case "l":
            return ir.Literal(bytes(rng.choices(b"ab", k=rng.randint(0, 2))))
        case "b":
            return ir.Bytes(rng.choice([AB, 1 << ord("a"), 1 << ord("b")]))
        case "s":
            return ir.Sequence(tuple(random_regular(rng, depth - 1) for _ in range(2)))
        case "c":
            return ir.Choice(tuple(random_regular(rng, depth - 1) for _ in range(2)))
    minimum = rng.randint(0, 2)
    return ir.Repeat(
        ir.Bytes(AB) if depth <= 0 else random_regular(rng, depth - 1),
        minimum,
        rng.choice([None, minimum, minimum + 1]),
    )


def random_expression(rng: random.Random, depth: int, rules: list[str]) -> ir.Expression:
    """Any expression: nullable, ambiguous, left-recursive, with characters of two bytes."""
    kind = rng.choice("llxcR" if depth <= 0 else "lxssssccrRRRbt")
    match kind:
        case "l":
            return ir.Literal(bytes(rng.choices(b"ab", k=rng.randint(0, 3))))
        case "x":
            return ir.Chars(((ord("b"), ord("b")), (E_ACUTE, E_ACUTE)))
        case "t":
            texts = {bytes(rng.choices(b"ab", k=rng.randint(0, 3))) for _ in range(3)}
            return ir.Literals(tuple(texts))
        case "s":
            count = rng.randint(2, 3)
            return ir.Sequence(
                tuple(random_expression(rng, depth - 1, rules) for _ in range(count))
            )
        case "c":
            count = rng.randint(0 if rng.random() < 0.1 else 1, 3)
            return ir.Choice(tuple(random_expression(rng, depth - 1, rules) for _ in range(count)))
        case "r":
            minimum = rng.randint(0, 2)
            maximum = rng.choice([None, minimum, minimum + 2])
            return ir.Repeat(random_expression(rng, depth - 1, rules), minimum, maximum)
        case "b":
            left, right = random_regular(rng, 2), random_regular(rng, 1)
            anything = ir.Repeat(ir.Bytes(AB))
            return ir.Intersection((left, anything, ir.Complement(right)))
    return ir.Reference(rng.choice(rules))


def random_grammar(seed: int) -> ir.Grammar:
    rng = random.Random(seed)
    rules = [f"r{index}" for index in range(rng.randint(1, 4))]
    bodies = {rule: random_expression(rng, rng.randint(1, 3), rules) for rule in rules}
    return ir.Grammar(bodies, "r0")


def random_tokens(seed: int, members: Language) -> list[bytes]:
    """Tokens that straddle whatever the members' parts are, and halves of characters."""
    rng = random.Random(seed)
    tokens = {bytes([byte]) for byte in ALPHABET if rng.random() < 0.9}
    texts = sorted(text for text in members if text)
    for _ in range(8):
        if texts:
            text = rng.choice(texts)
            start = rng.randrange(len(text))
            tokens.add(text[start : start + rng.randint(1, 3)])
        tokens.add(bytes(rng.choices(ALPHABET, k=rng.randint(1, 3))))
    return [b"", *sorted(tokens)]
