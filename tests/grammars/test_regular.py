"""What is plain about regular expressions is what the engine finds."""

from __future__ import annotations

import itertools
import pickle
import random

from lipogram.grammars import Automaton, compile, ir
from lipogram.grammars.errors import EmptyLanguage
from lipogram.grammars.json_schema import regular

_LEAVES: tuple[ir.Expression, ...] = (
    ir.Literal(b"ab"), ir.Literal("é".encode()), ir.Chars(((97, 99),)), ir.ANY_CHAR,
    ir.Literals((b"x", b"yz")), ir.Literals(()), ir.EMPTY, ir.NOTHING, ir.Chars(((0x80, 0x7FF),)),
)  # fmt: skip
_TEXTS = ("", "ab", "abab", "aé", "x", "yzab", "abc", "cab", "éé")


def _expression(rng: random.Random, depth: int) -> ir.Expression:
    kind = rng.randrange(5) if depth else 0
    if kind == 0:
        return rng.choice(_LEAVES)
    if kind == 1:
        return ir.Sequence(tuple(_expression(rng, depth - 1) for _ in range(rng.randint(1, 3))))
    if kind == 2:
        return ir.Choice(tuple(_expression(rng, depth - 1) for _ in range(rng.randint(0, 3))))
    least = rng.randint(0, 4)
    most = rng.choice([None, least, least + 2])
    if kind == 3:
        return ir.Repeat(_expression(rng, depth - 1), least, most)
    length = ir.Repeat(ir.ANY_CHAR, least, most)
    return ir.Intersection(
        (length, *(_expression(rng, depth - 1) for _ in range(rng.randint(1, 2))))
    )


def _compiled(expression: ir.Expression) -> Automaton | None:
    try:
        return compile(ir.Grammar({"start": expression}, "start"))
    except EmptyLanguage:
        return None


def test_emptiness_and_members_are_those_of_the_engine() -> None:
    rng = random.Random(0)
    empty = 0
    for _ in range(1_500):
        expression = _expression(rng, 3)
        automaton = _compiled(expression)
        empty += automaton is None
        assert regular.is_empty(expression) == (automaton is None), expression
        for text in _TEXTS:
            is_member = automaton is not None and automaton.accepts(text.encode())
            assert regular.holds(expression, text) == is_member, (expression, text)
    assert 200 < empty < 1_300


def test_expressions_are_told_apart_and_pickled_without_what_a_process_remembers() -> None:
    rng = random.Random(1)
    expressions = [_expression(rng, 3) for _ in range(300)]
    for one, other in itertools.pairwise(expressions):
        assert (one == other) == (repr(one) == repr(other))
        hash(one)
        _compiled(one)
        copy = pickle.loads(pickle.dumps(one))
        assert copy == one
        assert copy._hash is None
        assert copy.code is None
