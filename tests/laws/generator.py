"""Random grammars as people write them, large where engines count; and vocabularies to match.

Few letters, so that texts, keywords, names and strings overlap; characters of one to four bytes;
counts up to 40; tokens of up to 12 characters that begin and end anywhere, inside characters too.
"""

from __future__ import annotations

import os
import random

from lipogram.grammars import ir

LETTERS = 'ab01" ,(+é中😀'
_CLASSES = ("a", "ab", "ab01", "abé", "aé中😀", "中😀", '01", ', "é")
_ANY_BUT_QUOTE = ir.chars([(0x20, 0x21), (0x23, 0x10FFFF)])
_AB = ir.one_of("ab")


def cases(count: int) -> range:
    """So many numbers, times LIPOGRAM_LAW_SCALE (1 unless set): the seeds of a law's cases."""
    return range(count * int(os.environ.get("LIPOGRAM_LAW_SCALE", "1")))


class Generator:
    """Random expressions over LETTERS, which may refer to the rules named."""

    def __init__(self, rng: random.Random, rules: list[str]) -> None:
        self.rng = rng
        self.rules = rules

    def one_class(self) -> ir.Expression:
        if self.rng.random() < 0.3:
            return _ANY_BUT_QUOTE if self.rng.random() < 0.7 else ir.ANY_CHAR
        return ir.one_of(self.rng.choice(_CLASSES))

    def text(self, longest: int, letters: str = "ab") -> ir.Literal:
        length = self.rng.randint(1, longest)
        return ir.Literal("".join(self.rng.choices(letters, k=length)).encode())

    def counted(self, item: ir.Expression, most: int) -> ir.Repeat:
        low = self.rng.choice((0, 0, 1, self.rng.randint(0, most)))
        high = self.rng.choice((None, low, self.rng.randint(low, most), most))
        return ir.Repeat(item, low, high)

    def string(self) -> ir.Expression:
        """Quoted, with a counted body; sometimes with escapes."""
        character = self.one_class() if self.rng.random() < 0.4 else _ANY_BUT_QUOTE
        if self.rng.random() < 0.3:
            character = ir.choice(character, ir.sequence(ir.Literal(b"+"), ir.one_of('"+')))
        quote = ir.Literal(b'"')
        return ir.sequence(quote, self.counted(character, 40), quote)

    def name(self) -> ir.Expression:
        """A name, then what may also begin like one: a keyword, an operator, a list."""
        name = ir.sequence(_AB, self.counted(ir.one_of("ab01"), 12))
        keyword = ir.Literals(tuple(self.text(4).text for _ in range(3)))
        operator = ir.choice(ir.Literal(b"+"), ir.Literal(b"++"), self.text(2, "+ ,"))
        space = ir.Repeat(ir.one_of(" "), self.rng.randint(0, 1), self.rng.choice((None, 2)))
        tail = self.rng.choice((keyword, operator, ir.sequence(space, keyword), space))
        return ir.sequence(name, tail, ir.optional(name))

    def pattern(self, depth: int) -> ir.Expression:
        """A regular expression over a and b, and what a search would put around it."""
        kind = self.rng.choice("ctsrt" if depth else "ct")
        if kind == "c":
            return self.counted(ir.one_of(self.rng.choice(("a", "b", "ab"))), 3)
        if kind == "t":
            return self.text(3)
        if kind == "r":
            return self.counted(self.pattern(depth - 1), 3)
        both = self.pattern(depth - 1), self.pattern(depth - 1)
        return ir.sequence(*both) if kind == "s" else ir.choice(*both)

    def restricted(self) -> ir.Expression:
        """A counted class cut down by a pattern, by the absence of one, or by both."""
        character = self.rng.choice((_AB, self.one_class(), _ANY_BUT_QUOTE))
        anything = ir.Repeat(ir.ANY_CHAR)
        found = ir.sequence(anything, self.pattern(1), anything)
        absent = ir.Complement(ir.sequence(anything, self.text(3), anything))
        whole = ir.Repeat(_AB, self.rng.randint(0, 3)), self.pattern(2)
        count = self.counted(character, self.rng.choice((6, 20, 40)))
        sides = self.rng.choice(((found,), (absent,), (found, absent), (absent, ir.choice(*whole))))
        body = ir.intersection(count, *sides)
        quote = ir.Literal(b'"')
        return ir.sequence(quote, body, quote) if self.rng.random() < 0.5 else body

    def expression(self, depth: int) -> ir.Expression:
        leaves = (
            self.string,
            self.name,
            self.restricted,
            lambda: self.text(12, "aab"),
            lambda: self.text(4, LETTERS),
            lambda: self.counted(self.one_class(), 40),
            lambda: self.counted(self.text(3), 12),
            lambda: ir.Bytes(
                sum(1 << byte for byte in set(self.rng.choices(LETTERS.encode(), k=4)))
            ),
            lambda: ir.Literals(tuple(self.text(8).text for _ in range(6))),
        )
        if not depth or self.rng.random() < 0.3:
            return self.rng.choice(leaves)()
        items = [self.expression(depth - 1) for _ in range(self.rng.randint(2, 3))]
        rule = ir.Reference(self.rng.choice(self.rules))
        forms = (
            lambda: ir.sequence(*items),
            lambda: ir.choice(*items),
            lambda: ir.choice(ir.EMPTY, *items),
            lambda: self.counted(items[0], 4),
            lambda: ir.sequence(items[0], ir.Repeat(ir.sequence(ir.Literal(b","), items[1]))),
            lambda: ir.choice(items[0], ir.sequence(ir.Literal(b"("), rule, ir.Literal(b","))),
            lambda: ir.choice(items[0], ir.sequence(rule, ir.Literal(b"+"), items[1])),
            lambda: ir.choice(items[0], ir.sequence(items[1], rule)),
            lambda: ir.sequence(ir.optional(rule), items[0], ir.optional(rule)),
        )
        return self.rng.choice(forms)()


def large_grammar(seed: int) -> ir.Grammar:
    """One to three rules."""
    rng = random.Random(f"grammar {seed}")
    rules = [f"r{index}" for index in range(rng.randint(1, 3))]
    generator = Generator(rng, rules)
    return ir.Grammar({rule: generator.expression(rng.randint(0, 2)) for rule in rules}, "r0")


def crowded_tokens(seed: int, count: int) -> list[bytes]:
    """About `count` tokens made of few letters: long runs, cut characters, doubles, strangers."""
    rng = random.Random(f"tokens {seed}")
    tokens = [letter.encode() for letter in LETTERS]
    tokens += [bytes([byte]) for byte in sorted(set(LETTERS.encode())) if rng.random() < 0.8]
    tokens += [b"", b"\xff", b"zz", b"azz", b'"zz"', b"\xc3\xc3", b"a" * 12, b"ab" * 6]
    while len(tokens) < count:
        letters = rng.choice(("a", "ab", "ab01", "aé", "中", "😀a", 'ab"', '", ', LETTERS))
        text = "".join(rng.choices(letters, k=rng.randint(1, 12))).encode()
        if rng.random() < 0.25:
            begin = rng.randrange(len(text))
            text = text[begin : rng.randint(begin + 1, len(text))]
        tokens.append(text)
    rng.shuffle(tokens)
    return [b"", *tokens]  # the first is for the end of the text
