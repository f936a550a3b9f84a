"""Random patterns, grammars and schemas, against implementations that share nothing with lipogram.

Patterns: Python's re and interegular (on what it reads as everybody does: no anchors, lookaround
or Unicode classes). Lark grammars: the lark package's Earley parser over every split of a text.
"""

import itertools
import random
import re

import pytest
from interegular import parse_pattern
from lark import Lark
from lark.exceptions import LarkError

from grammars.sampling import walk
from laws.generator import cases
from lipogram.grammars import EmptyLanguage, Grammar, compile, ir, lark, regex

PER_BLOCK = 15
SHORT_TEXTS = [
    "".join(letters) for length in range(6) for letters in itertools.product("abc", repeat=length)
]


def random_pattern(rng: random.Random, depth: int) -> str:
    """A pattern over a, b and c: classes, groups, alternatives, nested counts."""
    kind = rng.choice("lc" if depth == 0 else "lcsssarrr")
    if kind == "l":
        return "".join(rng.choices("abc", k=rng.randint(1, 3)))
    if kind == "c":
        return rng.choice(("[ab]", "[^a]", "[a-c]", "[bc]", "[^bc]"))
    parts = [random_pattern(rng, depth - 1) for _ in range(rng.randint(2, 3))]
    if kind == "s":
        return "".join(parts)
    if kind == "a":
        return f"({'|'.join(parts)}{rng.choice(('', '|'))})"
    low, more = rng.randint(0, 2), 9 if depth == 1 else 1
    count = rng.choice(("*", "+", "?", f"{{{low}}}", f"{{{low},}}", f"{{{low},{low + more}}}"))
    return f"({parts[0]}){count}"


def short_pattern(rng: random.Random) -> str:
    """One that interegular determinises soon."""
    return next(p for p in iter(lambda: random_pattern(rng, 2), "") if len(p) <= 30)


@pytest.mark.parametrize("block", cases(6))
def test_random_patterns_match_what_re_and_interegular_match(block: int) -> None:
    for seed in range(PER_BLOCK * block, PER_BLOCK * block + PER_BLOCK):
        rng = random.Random(seed)
        pattern = short_pattern(rng)
        expression = regex.expression(pattern, dialect="python")
        automaton, judge = compile(Grammar({"s": expression}, "s")), re.compile(pattern)
        machine = parse_pattern(pattern).to_fsm()
        texts = rng.sample(SHORT_TEXTS, 60) + [walk(automaton, rng, 30).decode() for _ in range(5)]
        for text in texts:
            expected = machine.accepts(text)
            if len(text) < 6:  # beyond, re backtracks for ever
                assert expected == bool(judge.fullmatch(text)), "the judges differ"
            assert automaton.accepts(text.encode()) == expected, (seed, pattern, text)


@pytest.mark.parametrize("block", cases(4))
def test_random_patterns_combine_as_interegular_combines_them(block: int) -> None:
    """Intersection and complement: what both match, what only the first does."""
    anything = ir.Repeat(ir.ANY_CHAR)
    for seed in range(PER_BLOCK * block, PER_BLOCK * block + PER_BLOCK):
        rng = random.Random(f"pair {seed}")
        patterns = [short_pattern(rng) for _ in range(2)]
        left, right = (parse_pattern(pattern).to_fsm() for pattern in patterns)
        first, second = (regex.expression(pattern, dialect="python") for pattern in patterns)
        for body, judge in (
            (ir.Intersection((first, second)), left & right),
            (ir.Intersection((first, ir.Complement(second))), left - right),
            (ir.Intersection((anything, ir.Complement(first))), left.everythingbut()),
        ):
            try:
                automaton = compile(Grammar({"s": body}, "s"))
            except EmptyLanguage:
                assert judge.empty(), (seed, patterns)
                continue
            texts = rng.sample(SHORT_TEXTS, 60)
            texts += [walk(automaton, rng, 20).decode() for _ in range(3)]
            for text in texts:
                assert automaton.accepts(text.encode()) == judge.accepts(text), (patterns, text)


def random_lark(rng: random.Random) -> str:
    """Rules over a, b and c: recursive on every side, nullable, ambiguous, with terminals."""
    names = ["start", "x", "y"][: rng.randint(1, 3)]

    def body(depth: int) -> str:
        kind = rng.choice("ltn" if depth == 0 else "ltnssaaor")
        if kind == "l":
            return f'"{"".join(rng.choices("abc", k=rng.randint(1, 2)))}"'
        if kind == "t":
            return rng.choice(("A", "B", "AB"))
        if kind == "n":
            return rng.choice(names)
        parts = [body(depth - 1) for _ in range(2)]
        if kind == "s":
            return " ".join(parts)
        if kind == "a":
            return f"({' | '.join(parts)})"
        low = rng.randint(0, 2)
        return f"({parts[0]})" + (rng.choice("?*+") if kind == "o" else f"~{low}..{low + 2}")

    rules = [f"{name}: {body(2)} | {body(1)}" for name in names]
    return "\n".join([*rules, "A: /a+/", 'B: "b" | "cb"', "AB: /[ab]/"])


@pytest.mark.parametrize("block", cases(6))
def test_random_lark_grammars_accept_what_lark_accepts(block: int) -> None:
    judged = 0
    for seed in range(PER_BLOCK * block, PER_BLOCK * block + PER_BLOCK):
        rng = random.Random(f"lark {seed}")
        text = random_lark(rng)
        judge = Lark(text, parser="earley", lexer="dynamic_complete")
        try:
            automaton = compile(lark.parse(text))
        except EmptyLanguage:
            automaton = None
        members = [] if automaton is None else [walk(automaton, rng, 8).decode() for _ in range(4)]
        for candidate in rng.sample(SHORT_TEXTS, 40) + [m for m in members if len(m) < 16]:
            try:
                judge.parse(candidate)
                expected = True
            except LarkError:
                expected = False
            found = automaton is not None and automaton.accepts(candidate.encode())
            assert found == expected, (seed, text, candidate)
            judged += expected
    assert judged > PER_BLOCK
