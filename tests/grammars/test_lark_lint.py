"""Warnings: each trap is shown by an example, and grammars that people use raise none."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from lipogram.grammars import compile, lark
from lipogram.grammars.dead_ends import dead_end

DATA = Path(__file__).parent.parent / "data" / "lark"
ANY = "/(.|\\n)*/"

# grammar: its warnings
TRAPS = {
    "two numbers": (
        "start: INT INT\nINT: /[0-9]+/",
        ('1:8: in "11" the INT before INT may be longer, up to "11"',),
    ),
    "names apart by ignored text": (
        'start: NAME NAME\nNAME: /[a-z]+/\n%ignore " "',
        ('1:8: in "aa" the NAME before NAME may be longer, up to "aa"',),
    ),
    "through an optional rule": (
        'start: INT sign? FLOAT\nsign: "-"\nINT: /[0-9]+/\nFLOAT: /[0-9]+\\.[0-9]+/',
        ('1:8: in "11.0" the INT before FLOAT may be longer, up to "11"',),
    ),
    "through an empty terminal": (
        'start: INT SPACE INT\nINT: /[0-9]+/\nSPACE: " "*',
        ('1:8: in "11" the INT before INT may be longer, up to "11"',),
    ),
    "in a repetition": (
        "start: (A)+\nA: /a+/",
        ('1:9: in "aa" the A before A may be longer, up to "aa"',),
    ),
    "by a template": (
        'start: pair{A, A} ";"\npair{x, y}: x y\nA: /a+/',
        ('1:13: in "aa" the A before A may be longer, up to "aa"',),
    ),
    "free text before its marker": (
        f'start: "<think>" {ANY} "</think>"',
        (
            f'1:18: {ANY} may itself hold the "</think>" that is to follow it; where the first '
            '"</think>" is meant to end it, write a rule [suffix="</think>"]',
        ),
    ),
    "keyword and name": (
        'start: ("if" | "unless") NAME\nNAME: /[a-z]+/\n%ignore " "',
        (
            '1:9: "if" may be followed by NAME without a space, as in "ifz", '
            "which begins a NAME too",
            '1:16: "unless" may be followed by NAME without a space, as in "unlessz", '
            "which begins a NAME too",
        ),
    ),
    "keywords": (
        'start: "not"i "in" | NAME\nNAME: /[a-z]+/\n%ignore " "',
        (
            '1:8: "not" may be followed by "in" without a space, as in "noti", '
            "which begins a NAME too",
        ),
    ),
    "characters apart": (
        'start: (LETTER | "_")* ";"\nLETTER: /[a-z]/\n%ignore " "',
        (
            "1:1: start repeats single characters, so ignored text may stand between them; "
            "write the repetition in a terminal",
        ),
    ),
    "empty terminal repeated": (
        'start: LINE* "."\nLINE: /[a-z]*/ | "!"',
        (
            "1:1: start repeats without limit what may be empty",
            '1:8: in "a" the LINE before LINE may be longer, up to "a"',
        ),
    ),
    "empty rule repeated": (
        'start: a+ "."\na: "x"? "y"?',
        ("1:1: start repeats without limit what may be empty",),
    ),
    "cycle": (
        'start: a "."\na: b\nb: "x" | a c\nc: "y"?',
        ("2:1: a may stand for itself alone, so its texts have endlessly many parses",),
    ),
    "unproductive": (
        'start: "x" | a\na: "(" a ")" | "b" a',
        ("2:1: a never comes to an end",),
    ),
    "looks ahead": (
        'start: IF NAME\nIF: /if(?![a-z])/\nNAME: /[a-z]+/',
        ('1:8: IF sees its own text only, so it may stand in "ifa"',),
    ),
    "looks behind": (
        'start: "x" B\nB: /(?<!x)b/',
        ('1:12: B sees its own text only, so it may stand in "xb"',),
    ),
    "captures": (
        'start: a\na[capture]: "x"',
        ("2:1: what a captures is not reported",),
    ),
    "empty stop": (
        'start: a "b"\na[stop=""]: /.*/',
        ("2:1: a may end anywhere, as its end is empty",),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("grammar", "warnings"), TRAPS.values(), ids=TRAPS)
def test_traps(grammar, warnings):
    assert lark.parse(grammar).report.warnings == warnings


QUOTED = re.compile(r'in "((?:[^"\\]|\\.)*)"')


@pytest.mark.parametrize(
    "name", ["two numbers", "through an optional rule", "through an empty terminal", "keywords"]
)
def test_examples_are_texts_of_the_grammar(name):
    grammar, warnings = TRAPS[name]
    (example,) = QUOTED.findall(warnings[0])
    assert compile(lark.parse(grammar)).is_live(example.encode())


POPULAR = {
    **{
        name: files("lipogram.grammars").joinpath("library", f"{name}.lark").read_text()
        for name in ("json", "arithmetic", "sql")
    },
    "apply_patch": (DATA / "apply_patch.lark").read_text(),
    "calculator": (DATA / "calculator.lark").read_text(),
    "query": (DATA / "query.lark").read_text(),
    "choice": 'start: "yes" | "no" | "maybe"',
    "timestamp": 'start: /[0-9]{4}/ "-" /[0-9]{2}/ ("-" /[0-9]{2}/)?',
    "csv": 'start: row (NL row)*\nrow: cell ("," cell)*\ncell: /[^,"\\n]+/ | STRING\n'
    'STRING: /"(""|[^"])*"/\nNL: /\\n/',
    "call": 'start: <|tool|> %json {"type": "object"} <|end|> | /[^<]*/',
    "words": 'start: WORD (" " WORD)* "."\nWORD: /[a-z]+/i',
    "look first": 'start: NAME " " NAME\nNAME: /(?!if\\b)[a-z]+/',
}


@pytest.mark.parametrize("name", POPULAR)
def test_popular_grammars_raise_no_false_alarm(name):
    assert lark.parse(POPULAR[name]).report.warnings == ()


def test_many_findings_are_told_in_few():
    words = " | ".join(f'"w{letter}"' for letter in "abcdefghij")
    grammar = lark.parse(f"start: ({words}) NAME\nNAME: /[a-z]+/")
    assert len(grammar.report.warnings) == 4
    assert grammar.report.warnings[-1].endswith("and 7 more such places")


class Table:
    """An automaton by hand: states to bytes to states; those in `complete` are complete."""

    def __init__(self, rows, complete):
        self.rows, self.complete = rows, complete

    def start(self):
        return 0

    def step(self, state, byte):
        return self.rows[state].get(byte)

    def next_bytes(self, state):
        return frozenset(self.rows[state])

    def is_complete(self, state):
        return state in self.complete


DEAD_ENDS = {
    "none": ({0: {97: 1}, 1: {}}, {1}, None),
    "all": ({0: {97: 0}}, set(), b""),
    "stuck": ({0: {97: 1, 98: 2}, 1: {}, 2: {}}, {1}, b"b"),
    "a loop": ({0: {97: 1}, 1: {97: 2, 98: 3}, 2: {97: 2}, 3: {}}, {3}, b"aa"),
    "a loop with a way out": ({0: {97: 1}, 1: {97: 1, 98: 2}, 2: {}}, {2}, None),
    "far away": ({i: {97: i + 1} for i in range(10_000)} | {10_000: {}}, set(), None),
}


@pytest.mark.parametrize(("rows", "complete", "text"), DEAD_ENDS.values(), ids=DEAD_ENDS)
def test_dead_ends(rows, complete, text):
    assert dead_end(Table(rows, complete)) == text
