"""GBNF grammars, held to an enumeration of their derivations and to other parsers."""

import itertools
import json
import random
import re
import time
from pathlib import Path

import pytest

from grammars.sampling import walk
from lipogram.grammars import BudgetExceeded, GrammarError, Unsupported, compile, gbnf, ir

DATA = Path(__file__).parent.parent / "data" / "gbnf"

# name: (grammar, an equal regex)
REGULAR = {
    "sequence": ('root ::= "ab" "c" | "a"', "abc|a"),
    "operators": ('root ::= "ab"* [c]+ "a"?', "(ab)*c+a?"),
    "counts": ('root ::= "a"{2} "b"{1,} [c]{0,2}', "aab+c{0,2}"),
    "blank counts": ('root ::= "a"{ 2 , 3 } "b"{1 ,}', "a{2,3}b+"),
    "stacked": ('root ::= "a"{2}* "b"+?', "(aa)*(b+)?"),
    "groups": ('root ::= ("a" | "b" "c")+ ("b" (  ) | )', "(a|bc)+b?"),
    "classes": (r"root ::= [a-b] [^a-b] [^c\n]", r"[ab][^ab][^c\n]"),
    "class signs": (r"root ::= [a-] [\-\]b] [^\]^] [[]", r"[a-][-\]b][^\]^]\["),
    "any": ("root ::= . .", r"[\s\S]{2}"),
    "escapes": (r'root ::= "\x61\u0062\U00000063\n\t\"\\\[\]"', r'abc\n\t"\\\[\]'),
    "rules": ("root ::= x Y-2 | Y_2\nx ::= [a]\nY-2 ::= [b] # b\nY_2 ::= [c]", "ab|c"),
    "lines": (
        '# first\nroot ::=\n  "a" | # b\n\n  "b" ( "c"\n # d\n "a"\n)\r\n\r\n | x\n\nx ::= "c"\n',
        "a|bca|c",
    ),
    "empty": ("root ::= | x\nx ::= |", ""),
    "right recursion": ('root ::= "a" root | "b"', "a*b"),
    "left recursion": ('root ::= root "a" | "b"', "ba*"),
}


@pytest.mark.parametrize(("grammar", "regex"), REGULAR.values(), ids=REGULAR)
def test_equals_a_regex(grammar, regex):
    automaton = compile(gbnf.parse(grammar))
    judge = re.compile(regex)
    for length in range(6):
        for letters in itertools.product('abc-]\n[^"'[: 3 if length > 3 else 9], repeat=length):
            text = "".join(letters)
            assert automaton.accepts(text.encode()) == bool(judge.fullmatch(text)), text
    for text in ('abc\n\t"\\[]', "é😀", "aabbcc", "bca"):
        assert automaton.accepts(text.encode()) == bool(judge.fullmatch(text)), text


Rules = dict[str, list[list[str]]]


def _random_rules(chance: random.Random) -> Rules:
    """Alternatives of symbols; lower case letters stand for themselves, upper case for rules."""
    names = "RXY"
    symbols = "ab" + names
    return {
        name: [
            [chance.choice(symbols) for _ in range(chance.choice((0, 1, 1, 2, 2, 3)))]
            for _ in range(chance.randrange(1, 4))
        ]
        for name in names
    }


def _members(rules: Rules, limit: int) -> set[str]:
    """All members of R up to a length: the least fixpoint, by enumeration of derivations."""
    members: dict[str, set[str]] = {name: set() for name in rules}
    while True:
        before = sum(map(len, members.values()))
        for name, options in rules.items():
            for option in options:
                texts = {""}
                for symbol in option:
                    tails = members.get(symbol, {symbol})
                    texts = {a + b for a in texts for b in tails if len(a + b) <= limit}
                members[name] |= texts
        if sum(map(len, members.values())) == before:
            return members["R"]


def test_random_grammars_equal_their_derivations():
    chance = random.Random(5)
    limit = 5
    texts = ["".join(t) for n in range(limit + 1) for t in itertools.product("ab", repeat=n)]
    used = 0
    for _ in range(150):
        rules = _random_rules(chance)
        expected = _members(rules, limit)
        if not expected:
            continue
        used += 1
        written = "\n".join(
            f"{name} ::= "
            + " | ".join(
                " ".join(f'"{s}"' if s.islower() else s for s in o) or '""' for o in options
            )
            for name, options in rules.items()
        )
        automaton = compile(gbnf.parse(written, root="R"))
        assert {text for text in texts if automaton.accepts(text.encode())} == expected, written
    assert used > 80


def _load(name: str):
    return compile(gbnf.parse((DATA / f"{name}.gbnf").read_text()))


C_TEXT = """int main(int n){int i = 0;while(i<=n){i = i+f(n, -2)*3;}
if(n==0){g ();}else{//done
}return i;/* * */}"""

EXAMPLES = {
    "c": (
        [C_TEXT.replace("}\nif", "}if"), "", "int f(){}float g(){}"],
        [C_TEXT, "int f()", "int f(){return;}", "f(){}", "int f(){i=1;}"],
    ),
    "english": (["Ab, c-d [e]!", "x\ny"], ["", " a", "a  b", "é", "a "]),
    "japanese": (["こんにちは、世界", "カナ 漢字"], ["", "a", "か  な", "カ\u3040"]),
    "arithmetic": (["1+2= 3\n", "a*(b-c)=x\n1=1\n"], ["1+2\n", "1+=2\n", "1=2"]),
    "list": (["- é x\n- b\n"], ["- a", "-a\n", "- a\u2028\n", "- \n"]),
    "chess": (["1. e4 e5\n", "1. e4 e5\n2. Nf3 O-O-O+\n"], ["1. e4\n", "1. e9 e5\n", "2. e4 e5\n"]),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    automaton = _load(name)
    members, others = EXAMPLES[name]
    texts = members + others
    assert [text for text in texts if automaton.accepts(text.encode())] == members


@pytest.mark.parametrize("name", ["json", "json_arr"])
def test_json_members_are_json(name):
    automaton = _load(name)
    chance = random.Random(2)
    for _ in range(60):
        json.loads(walk(automaton, chance, 30).decode())


def test_json_is_accepted():
    automaton, lines = _load("json"), _load("json_arr")
    document = {"a": [1, -2.5e3, True, None, {"é😀": '"\\\n'}], "b": {}, "c": []}
    assert automaton.accepts(json.dumps(document).encode())
    assert automaton.accepts(json.dumps(document, ensure_ascii=False).encode())
    assert not automaton.accepts(b'{"a": 01}')
    assert lines.accepts(f"[\n{json.dumps(document)},\n1]".encode())
    assert not lines.accepts(b"[1]")


# (grammar, line, column, part of the message)
ERRORS = {
    "empty text": ("", 1, 1, "expected a rule named 'root'"),
    "no root": ('a ::= "b"', 1, 1, "expected a rule named 'root'"),
    "definition": ('root := "b"', 1, 6, "expected \"::=\", found ':'"),
    "undefined": ('root ::= "a" foo\nfooo ::= "x"', 1, 14, "did you mean fooo?"),
    "defined twice": ('root ::= "a"\nroot ::= "b"', 2, 1, "found another at 1:1"),
    "open group": ('root ::= ("a"\n', 2, 1, 'expected ")" for the "(" at 1:10'),
    "closed group": ('root ::= "a")', 1, 13, "expected a symbol, found ')'"),
    "escape": (r'root ::= "\d"', 1, 11, "expected one of the escapes"),
    "surrogate": (r'root ::= "\ud800"', 1, 11, "expected a Unicode character"),
    "beyond Unicode": (r'root ::= "\U00110000"', 1, 11, "expected a Unicode character"),
    "range": ("root ::= [z-a]", 1, 11, "expected an increasing range, found z-a"),
    "no character": ("root ::= []", 1, 11, "expected a character"),
    "no other character": ("root ::= [^]", 1, 12, "expected a character"),
    "nothing to repeat": ("root ::= *", 1, 10, "expected a symbol to repeat"),
    "no least count": ('root ::= "a"{,3}', 1, 13, "expected a count such as"),
    "counts": ('root ::= "a"{3,2}', 1, 13, "expected an increasing range, found {3,2}"),
    "open string": ('root ::= "abc', 1, 14, "found end of text"),
    "open class": ("root ::= [abc", 1, 14, "found end of text"),
    "strange": ("root ::= %", 1, 10, "expected a symbol, found '%'"),
    "token ids": ("root ::= <[x]>", 1, 10, "expected token ids"),
    "rule's name": ('root ::= "a"\n"b"', 2, 1, "expected a rule's name"),
}


@pytest.mark.parametrize(("grammar", "line", "column", "message"), ERRORS.values(), ids=ERRORS)
def test_error(grammar, line, column, message):
    with pytest.raises(GrammarError) as caught:
        gbnf.parse(grammar)
    assert type(caught.value) is GrammarError
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


def test_special_tokens():
    automaton = compile(gbnf.parse("root ::= <think> [^<]* </think> | <[1000]> | <[7-8,12]>"))
    begin, end = ir.special("<think>").text, ir.special("</think>").text
    assert automaton.accepts(begin + b"so" + end)
    assert not automaton.is_live(b"<think>")
    tokens = [b"\xff[%d]\xff" % number for number in range(2000)]
    accepted = [number for number in range(2000) if automaton.accepts(tokens[number])]
    assert accepted == [7, 8, 12, 1000]


@pytest.mark.parametrize("token", ["!<think>", "!<[1000]>", "<[^5]>", "<[*]>"])
def test_tokens_by_exclusion_are_unsupported(token):
    with pytest.raises(Unsupported, match="tokens by exclusion") as caught:
        gbnf.parse(f'root ::= "a"\n  | {token} "b"')
    assert (caught.value.line, caught.value.column) == (2, 5)


def test_warnings():
    report = gbnf.parse(
        'root ::= "a" | d\nb ::= c\nc ::= "d"\nd ::= "(" d ")" | e e\ne ::= d'
    ).report
    assert report.warnings == (
        "2:1: b is never used",
        "4:1: d never comes to an end",
        "5:1: e never comes to an end",
    )


@pytest.mark.parametrize(
    "grammar",
    [
        'root ::= "' + "a" * 300_000 + '"',
        "root ::= " + "(" * 10_000,
        'root ::= "a"' + "*" * 100_000,
        'root ::= "a"{99999999}',
        "root ::= <[0-1000]>",
        'root ::= "a"{' + "9" * 10_000 + "}",
        "\n".join(f'r{i} ::= ""' for i in range(20_100)),
    ],
    ids=["text", "nesting", "repetitions", "count", "tokens", "digits", "rules"],
)
def test_budget(grammar):
    started = time.process_time()
    with pytest.raises(BudgetExceeded):
        gbnf.parse(grammar)
    assert time.process_time() - started < 3


def test_deep_nesting_is_exact():
    """Deep groups become rules of their own; here with a different character in each."""
    text = "".join(chr(0x4E00 + i) for i in range(490))
    opened = "".join(f'("{letter}" ' for letter in text)
    automaton = compile(gbnf.parse("root ::= " + opened + ")?" * 490))
    assert automaton.accepts(text.encode())
    assert automaton.accepts(text[:100].encode())
    assert not automaton.accepts((text[:100] + text[101:]).encode())
    assert not automaton.accepts((text + text[0]).encode())


def test_long_series_are_exact():
    letters = [chr(0x4E00 + i) for i in range(300)]
    automaton = compile(gbnf.parse("root ::= " + " ".join(f'"{x}"?' for x in letters)))
    assert automaton.accepts("".join(letters[::7]).encode())
    assert not automaton.accepts("".join([letters[9], letters[8]]).encode())
    assert not automaton.accepts("".join([letters[290], letters[100]]).encode())


LARGE = {
    "alternatives": ("root ::= " + " | ".join(f'"x{i}"' for i in range(20_000)), "x19999"),
    "chain": (
        "".join(f'r{i} ::= "a" r{i + 1}\n' for i in range(3_000)) + 'r3000 ::= ""\nroot ::= r0',
        "a" * 3_000,
    ),
    "nesting": ("root ::= " + "(" * 499 + '"a"' + " | [b])*" * 499, "abba"),
    "optionals": ("root ::= " + '"a"? ' * 5_000, "aaa"),
    "blanks": ('root ::= "a"' + " " * 100_000 + "\n#" * 50_000, "a"),
}


@pytest.mark.parametrize(("grammar", "member"), LARGE.values(), ids=LARGE)
def test_large(grammar, member):
    started = time.process_time()
    parsed = gbnf.parse(grammar)
    assert time.process_time() - started < 3  # under 1 on an idle core
    assert compile(parsed).is_live(member.encode())
