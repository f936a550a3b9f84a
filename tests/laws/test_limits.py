"""Masks of intersections whose counts have limits that some tokens feel and others do not.

The judge reads byte by byte with a set of places for each part (laws.recogniser) and looks for a
completion, breadth first, of what it has come to.
"""

import random
from collections.abc import Hashable

import pytest

from laws.generator import cases
from laws.recogniser import Product
from laws.test_masks import allowed
from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import EmptyLanguage, compile, ir

EOS = 0
LETTERS = "ab+"
PER_BLOCK = 6
MASKS = 6
MOST_STATES = 4_000


class TooLarge(Exception):
    """A completion is too far to be found, or it takes too much to show that there is none."""


class Judge:
    """What may still become a member of an expression."""

    def __init__(self, expression: ir.Expression) -> None:
        self.product = Product(expression)
        self.start = self.product.start
        self.known: dict[Hashable, bool] = {}

    def step(self, state: Hashable, byte: int) -> Hashable:
        some = next(mask for mask in self.product.classes if mask >> byte & 1)
        return self.product.step(state, some)

    def is_live(self, start: Hashable) -> bool:
        """Whether a member can be come to, by the letters of all expressions here."""
        seen, pending = {start}, [start]
        for state in pending:
            if self.known.get(state) or self.product.accepts(state):
                self.known[start] = True
                return True
            if len(seen) > MOST_STATES:
                raise TooLarge
            for letter in LETTERS + '"':
                successor = self.step(state, ord(letter))
                if successor not in seen and self.known.get(successor) is not False:
                    seen.add(successor)
                    pending.append(successor)
        self.known.update(dict.fromkeys(seen, False))
        return False

    def live(self, state: Hashable, text: bytes) -> bool:
        for byte in text:
            state = self.step(state, byte)
        return self.is_live(state)


def _limited(rng: random.Random) -> tuple[ir.Expression, ir.Expression]:
    """Pieces of limited length, so many of them, with something left out, of limited length.

    As it is, and as one intersection: the same where there are no quotes around it.
    """
    letters = ir.one_of(rng.choice(("a", "ab", LETTERS)))
    piece = ir.sequence(ir.Repeat(letters, 1, rng.randint(26, 60)), ir.Literal(b"+"))
    pieces = ir.Repeat(piece, rng.randint(0, 1), rng.choice((None, 3, rng.randint(26, 50))))
    tail = ir.Repeat(ir.one_of("ab"), rng.randint(0, 3), rng.choice((None, 30)))
    length = ir.Repeat(ir.one_of(LETTERS), rng.choice((0, 0, 4, 28)), rng.randint(30, 150))
    anything = ir.Repeat(ir.ANY_CHAR)
    barred: list[ir.Expression] = []
    if rng.random() < 0.6:
        text = rng.choice((b"bb", b"++", b"+b", b"a" * 20))
        barred.append(ir.sequence(anything, ir.Literal(text), anything))
    if rng.random() < 0.3:
        barred.append(ir.Repeat(ir.one_of("a"), 0, rng.randint(0, 40)))
    quote = ir.Literal(b'"') if rng.random() < 0.5 else ir.EMPTY

    def common(around: ir.Expression) -> ir.Expression:
        parts = [ir.sequence(around, part, around) for part in (ir.sequence(pieces, tail), length)]
        parts += [ir.Complement(ir.sequence(around, part, around)) for part in barred]
        return ir.Intersection(tuple(parts))

    return ir.sequence(quote, common(ir.EMPTY), quote), common(quote)


def _tokens(rng: random.Random) -> list[bytes]:
    tokens = [b"", b'"', b'",', *(letter.encode() for letter in LETTERS)]
    for length in (*range(2, 12), *range(20, 76, 3)):
        for letters in ("a", "b", "ab", "aaaaaaaaaaa+", "aaab+"):
            text = "".join(rng.choices(letters, k=length))
            tokens += [text.encode(), f'{text}"'.encode(), f'"{text}'.encode()]
    return tokens


@pytest.mark.parametrize("block", cases(5))
def test_masks_are_what_a_search_for_completions_says(block: int) -> None:
    judged = 0
    for seed in range(PER_BLOCK * block, PER_BLOCK * block + PER_BLOCK):
        rng = random.Random(seed)
        expression, alike = _limited(rng)
        judge = Judge(alike)
        try:
            masker = Masker(
                compile(ir.Grammar({"s": expression}, "s")),
                Vocabulary.from_tokens(tokens := _tokens(rng), eos_ids=(EOS,)),
            )
        except EmptyLanguage:
            assert not judge.is_live(judge.start)
            continue
        state, place = masker.start(), judge.start
        for _ in range(MASKS):
            try:
                expected = {i for i, t in enumerate(tokens) if t and judge.live(place, t)}
            except TooLarge:
                break
            if judge.product.accepts(place):
                expected.add(EOS)
            assert allowed(masker, state) == expected, seed
            judged += 1
            spoken = sorted(expected - {EOS})
            if not spoken:
                break
            chosen = rng.choice(spoken)
            following = masker.step(state, chosen)
            assert following is not None
            state = following
            for byte in tokens[chosen]:
                place = judge.step(place, byte)
    assert judged > PER_BLOCK
