"""Patterns that people wrote, against engines that people use: Python's re, node, interegular.

Members and non-members are drawn from the compiled language and from its complement, then judged.
"""

import json
import random
import re
import shutil
import subprocess

import pytest
from interegular import parse_pattern

from conformance import datasets
from grammars.sampling import walk
from lipogram.grammars import EmptyLanguage, Grammar, GrammarError, compile, ir, regex
from lipogram.grammars.regex_lowering import lower
from lipogram.grammars.regex_parser import read

PATTERNS = 120
TEXTS = 5
ANY_TEXT = ir.Repeat(ir.ANY_CHAR)


def _drawn(expression, chooser):
    """Texts in the language, and texts outside of it."""
    outside = ir.Intersection((ANY_TEXT, ir.Complement(expression)))
    for side, member in ((expression, True), (outside, False)):
        try:
            automaton = compile(Grammar({"start": side}, "start"))
        except EmptyLanguage:
            continue
        yield automaton.shortest(automaton.start()).decode(), member
        for _ in range(TEXTS):
            yield walk(automaton, chooser, 20).decode(), member


def _cases(dialect):
    patterns = datasets.real_patterns()
    chooser = random.Random(dialect)
    for pattern in chooser.sample(patterns, min(PATTERNS, len(patterns))):
        try:
            expression = regex.expression(pattern, dialect=dialect, search=True)
        except GrammarError:
            continue
        for text, member in _drawn(expression, chooser):
            yield pattern, text, member


def test_python():
    judged = 0
    for pattern, text, member in _cases("python"):
        assert bool(re.search(pattern, text)) == member, (pattern, text)
        judged += 1
    assert judged > PATTERNS * TEXTS


NODE = """
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(([pattern, text]) => {
  try { return new RegExp(pattern, "u").test(text); } catch { return null; }
})));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_node():
    cases = list(_cases("ecma"))
    run = subprocess.run(
        ["node", "-e", NODE],
        input=json.dumps([case[:2] for case in cases]),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    verdicts = json.loads(run.stdout)
    wrong = [
        case
        for case, verdict in zip(cases, verdicts, strict=True)
        if verdict is not None and verdict != case[2]
    ]
    assert wrong == []
    assert sum(verdict is not None for verdict in verdicts) > len(cases) / 2


# What interegular reads as everybody does: no anchors, lookaround or Unicode classes.
SAFE = [
    "(a|b)*abb",
    "[a-c]{2,4}x?",
    "(ab|c)+d*",
    "a(b|c){0,3}a",
    "[^ab]{1,2}",
    "(a?b?){2}c",
    "x*y+z?",
]


@pytest.mark.parametrize("pattern", SAFE)
def test_interegular(pattern):
    judge = parse_pattern(pattern).to_fsm()
    chooser = random.Random(pattern)
    for text, member in _drawn(regex.expression(pattern, dialect="python"), chooser):
        assert judge.accepts(text) == member, text


def test_limits_that_a_length_makes_superfluous_are_those_that_re_has() -> None:
    rng = random.Random(3)

    def piece() -> str:
        item = rng.choice(("a", "[ab]", ".", "(?:a|bb)", "(?:ab)?"))
        counted = (
            f"(?:{item}){{{rng.randint(0, 2)},{rng.randint(2, 4)}}}{rng.choice(('', 'b', '-'))}"
        )
        return f"(?:{counted}){{{rng.randint(0, 2)},{rng.randint(2, 5)}}}"

    freed = 0
    for _ in range(300):
        pieces = "".join(piece() for _ in range(rng.randint(1, 3)))
        pattern = f"(?=.{{{rng.randint(0, 3)},{rng.randint(3, 9)}}}$){pieces}"
        expression = regex.expression(pattern, dialect="ecma")
        lowered = lower(read(pattern, "ecma", frozenset()), search=False)
        freed += expression != lowered
        try:
            automaton = compile(ir.Grammar({"start": expression}, "start"))
        except EmptyLanguage:
            automaton = None
        for _ in range(40):
            text = "".join(rng.choices("ab-", k=rng.randint(0, 11)))
            is_member = automaton is not None and automaton.accepts(text.encode())
            assert is_member == bool(re.fullmatch(pattern, text)), (pattern, text)
    assert freed > 100
