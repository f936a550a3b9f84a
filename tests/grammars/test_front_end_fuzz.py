"""Grammar texts with random changes: each is read, or refused with where; never anything else."""

import random
import time
from importlib.resources import files
from pathlib import Path

import lark as lark_package
import pytest

from lipogram.grammars import GrammarError, gbnf, lark, regex

DATA = Path(__file__).parent.parent / "data"
MAX_S = 1.0  # of processor time; a few milliseconds are usual
CASES = 700

LARK = [
    *(path.read_text() for path in sorted((DATA / "lark").glob("*.lark"))),
    *(
        files("lipogram.grammars").joinpath("library", f"{n}.lark").read_text()
        for n in ("sql", "json")
    ),
    (Path(lark_package.__file__).parent / "grammars" / "lark.lark").read_text(),
    r"""start: t{"a", B} <|x|> <[1-3]> | %json {"type": "string"} \
 | u // c
t{x, y}: x~2..3 y{1,}
u[stop="x"]: /a*?(?!b)/i
B: ~"a" & /.{3}/s | "a".."z" "\u0041"
%ignore / /
%import common (INT, WS)
%import common.WORD -> W
%lipogram {"reserved": "W", "munch": ["W"]}
%override B: "b"i
%extend u: /b/
%llguidance {"no_forcing": true}
""",
]
GBNF = [path.read_text() for path in sorted((DATA / "gbnf").glob("*.gbnf"))]
GBNF.append(
    'root ::= <think> x{2,3} [^\\n\\x41-\\u0042]* | "\\U0001F600" # c\nx ::= (. | x "y")+\n'
)
PATTERNS = [
    r"^(?=.*[A-Z])(?!.*\s)[\w.-]{8,64}$",
    r"(?i)(?P<year>\d{4})-(?:0[1-9]|1[0-2])\b(?<![^\W_])",
    r"[\u00a0-\U0010ffff&&[^\]a-z]]+?\p{Lu}{2,}|\x{1F600}\/|\cA|(?#note)a*+|(?>b)\1",
    r"((?!ab)[a-c])*\.(a{1,50}){1,50}$|\N{BULLET}|\141(?x: a # b)",
]
PIECES = [
    *"()[]{}|?*+~&^$.,:\\/\"'<>%#=-!@\n\t \x00é😀\ud800",
    *[
        "::",
        "->",
        "..",
        "{3}",
        "~2..1",
        "(?=",
        "(?<!",
        "[^",
        "%ignore",
        "<|",
        "|>",
        "::=",
        "!<a>",
        "<[*]>",
        "\\u",
        "\\p{",
        "a{9,1}",
        "[stop=",
    ],
    *("%json {", "{0,1000000}", "~" * 60, "(" * 60, "a" * 300),
]


def _mutated(text, chance):
    for _ in range(chance.choice((1, 1, 2, 4))):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 0, 1, 1, 5, 40)))
        other = chance.randrange(len(text) + 1)
        new = chance.choice([chance.choice(PIECES), "", text[other : other + chance.randrange(60)]])
        text = text[:start] + new + text[end:]
    return text


def _parse(parse, text, **options):
    """How it went; an error has its place, in the text."""
    started = time.thread_time()
    try:
        parse(text, **options)
    except GrammarError as error:
        outcome, line, column = type(error).__name__, error.line, error.column
    else:
        outcome, line, column = "read", 1, 1
    assert time.thread_time() - started < MAX_S
    assert line in range(1, text.count("\n") + 2)
    assert column in range(1, len(text) + 2)
    return outcome


@pytest.mark.parametrize(
    ("parse", "texts", "options"),
    [
        (lark.parse, LARK, [{}, {}, {"lexing": "greedy"}, {"start": "value", "max_skip": 2}]),
        (gbnf.parse, GBNF, [{}]),
        (regex.parse, PATTERNS, [{"dialect": "python"}, {"dialect": "ecma"}, {"dialect": "rust"}]),
    ],
    ids=["lark", "gbnf", "regex"],
)
def test_changed_texts(parse, texts, options):
    chance = random.Random(1)
    outcomes = set()
    for number in range(CASES):
        text = _mutated(texts[number % len(texts)], chance)
        try:
            outcomes.add(_parse(parse, text, **chance.choice(options)))
        except Exception as error:
            raise AssertionError(text) from error
    assert {"read", "GrammarError", "Unsupported"} <= outcomes
