"""Filters on how a text is divided into lexemes: greedy lexing, munch, reserved words.

The verdicts in GREEDY are llguidance 1.9.1's, recorded from a run over single-byte tokens. The
judge of all other texts is laws/munch.py, which runs all parses of a text side by side.
"""

import itertools
import random

import pytest

from laws.generator import cases
from laws.munch import Munch
from laws.test_masks import allowed
from lipogram.decoding import Masker, Vocabulary
from lipogram.grammars import BudgetExceeded, GrammarError, Unsupported, compile, ir, lark

# grammar: {text: verdict}
GREEDY = {
    'start: "a" /[a-z]*/ "b"': {"ab": "member", "aab": "begun", "abb": "begun"},
    'start: NAME "if"\nNAME: /[a-z]+/': {"xif": "begun"},
    "start: INT INT\nINT: /[0-9]+/": {"12": "begun"},
    'start: INT INT\nINT: /[0-9]+/\n%ignore " "': {
        "12": "begun",
        "1 2": "member",
        "1  2": "member",
        " 1 2": "no",
    },
    'start: "<t>" /.+/ "</t>"': {"<t>h</t>": "begun"},
    'start: "<t>" /[^<]+/ "</t>"': {"<t>h</t>": "member"},
    'start: "if" NAME\nNAME: /[a-z]+/\n%ignore " "': {"if x": "member", "ifx": "member"},
    'start: NAME "=" NAME | "if" NAME\nNAME: /[a-z]+/': {
        "ifx=y": "member",
        "if=x": "member",
        "ifx": "begun",
    },
    'start: "x" (">" ">" "y" | ">>" "z")': {"x>>y": "no", "x>>z": "member"},
    'start: "x" (">" ">" "y" | ">>" "z")\n%ignore " "': {"x> >y": "member", "x>>y": "no"},
    "start: A B\nA: /a|ab/\nB: /b|c/": {"ab": "begun", "abb": "member", "ac": "member"},
    "start: (A | B | C)+\nA: /aaa/\nB: /a+b+z/\nC: /b+x/": {
        "aaabbx": "no",
        "aaa": "member",
        "aaabbz": "member",
    },
    "start: A? B\nA: /a*/\nB: /ab*/": {"a": "member", "aa": "begun", "aab": "no", "b": "no"},
    'start: ("a" | "ab") ("b" | "c")': {"ab": "begun", "abb": "member", "abc": "member"},
    "start: W+\nW: /a|bb/": {"abb": "member", "ab": "begun"},
    'start: (W ";")*\nW: /[a-z]*/': {";;": "member", ";a;": "member", "a": "begun"},
    'start: NAME "." NAME | FLOAT\nNAME: /[a-z0-9]+/\nFLOAT: /[0-9]+\\.[0-9]+/': {
        "1.2": "member",
        "1.b": "no",
    },
    'start: A "x" | B "y"\nA: /a+/\nB: /ab?/': {"aax": "member", "ay": "member", "aay": "no"},
}


@pytest.mark.parametrize(("grammar", "verdicts"), GREEDY.items(), ids=GREEDY)
def test_greedy_is_what_llguidance_does(grammar, verdicts):
    munch = Munch(lark.parse(grammar, lexing="greedy"))
    assert {text: munch.verdict(text.encode()) for text in verdicts} == verdicts


@pytest.mark.parametrize(("grammar", "verdicts"), GREEDY.items(), ids=GREEDY)
def test_greedy_texts_are_accepted(grammar, verdicts):
    automaton = compile(lark.parse(grammar, lexing="greedy"))
    for text, verdict in verdicts.items():
        assert automaton.accepts(text.encode()) == (verdict == "member"), text


def overlapping_terminals(chance):
    """Terminals that overlap in every way, without left recursion, with ignored text or not."""
    symbols = ['"a"', '"b"', '"ab"', *"ABCD"]
    names = ["start", "x", "y"]
    lines = []
    for index, name in enumerate(names):
        options = []
        for _ in range(chance.randint(1, 3)):
            chosen = [
                chance.choice(
                    names[index + 1 :] if chance.random() < 0.3 and index < 2 else symbols
                )
                + chance.choice(["", "", "", "", "?", "*", "+"])
                for _ in range(chance.choice((1, 1, 2, 2, 3)))
            ]
            options.append(" ".join(chosen + [name] * (chance.random() < 0.15)))
        lines.append(f"{name}: {' | '.join(options)} | {chance.choice(symbols)}")
    extra = chance.choice(["(ab)+", "a|bb", "a*", "[ab]*b"])
    lines.append(f"A: /a+/\nB: /ab*/\nC: /[ab]/\nD: /{extra}/")
    return "\n".join(lines) + ('\n%ignore " "' if chance.random() < 0.3 else "")


@pytest.mark.parametrize("seed", range(60))
def testoverlapping_terminalss_are_munched(seed):
    chance = random.Random(seed)
    text = overlapping_terminals(chance)
    munched = frozenset(chance.sample("ABCD", 2))
    options = chance.choice([{"lexing": "greedy"}, {"munch": munched}])
    grammar = lark.parse(text, **options)
    judge, automaton = Munch(grammar), compile(grammar)
    for length in range(6):
        for letters in itertools.product("ab " if "%ignore" in text else "ab", repeat=length):
            member = "".join(letters).encode()
            assert automaton.accepts(member) == (judge.verdict(member) == "member"), member


def test_masks_are_munched():
    tokens = ["".join(t) for n in (1, 2, 3, 4) for t in itertools.product("ab ", repeat=n)]
    vocabulary = Vocabulary.from_tokens([b"", *(t.encode() for t in tokens)], eos_ids=(0,))
    for seed in cases(20):
        chance = random.Random(seed)
        grammar = lark.parse(overlapping_terminals(chance), lexing="greedy")
        masker = Masker(compile(grammar), vocabulary)
        state, judge, text = masker.start(), Munch(grammar), b""
        for _ in range(3):
            going = {i for i in range(1, len(tokens) + 1)
                     if judge.verdict(text + vocabulary.tokens[i]) != "no"}  # fmt: skip
            assert allowed(masker, state) - {0} == going, (seed, text)
            if not going:
                break
            token = chance.choice(sorted(going))
            state, text = masker.step(state, token), text + vocabulary.tokens[token]


def test_greedy_is_a_subset():
    """What is munched is a member without munch, too."""
    kept = 0
    for seed in range(40):
        text = overlapping_terminals(random.Random(seed))
        judge, exact = Munch(lark.parse(text, lexing="greedy")), compile(lark.parse(text))
        for letters in itertools.product("ab", repeat=4):
            member = "".join(letters).encode()
            if judge.verdict(member) == "member":
                kept += 1
                assert exact.accepts(member), (text, member)
    assert kept > 50


MUNCHED = """
start: NAME "if" | NAME (" " NAME)* "!"
NAME: /[a-z]+/
{}
"""


def test_munch_is_for_the_named_terminals():
    judge = Munch(lark.parse(MUNCHED.format(""), munch=frozenset({"NAME"})))
    assert judge.verdict(b"xif") == "begun"
    assert judge.verdict(b"xif ab!") == "member"
    assert compile(lark.parse(MUNCHED.format(""))).accepts(b"xif")


def test_lexemes_are_named():
    assert not lark.parse(MUNCHED.format("")).lexemes
    munched = lark.parse(MUNCHED.format(""), munch=frozenset({"NAME"}))
    greedy = lark.parse(MUNCHED.format(""), lexing="greedy")
    assert len(munched.lexemes) == 1
    assert len(greedy.lexemes) == 4  # NAME, "if", " ", "!"
    for grammar in (munched, greedy):
        for name in grammar.lexemes:
            assert not isinstance(grammar.rules[name], ir.Reference)


KEYWORDS = """
start: "if" NAME " " CALL | NAME "=" (NAME | BOOLEAN | "nil"i)
CALL: NAME "()"
NAME: /[a-z_]+/
BOOLEAN: "true" | "false"
{}
"""


@pytest.mark.parametrize(
    ("directive", "options"),
    [("", {"reserved": "NAME"}), ('%lipogram {"reserved": "NAME"}', {})],
    ids=["argument", "directive"],
)
def test_reserved_words(directive, options):
    automaton = compile(lark.parse(KEYWORDS.format(directive), **options))
    for word in ("if", "true", "false", "nil"):
        assert not automaton.accepts(f"{word}=x".encode()), word
        assert automaton.accepts(f"{word}_=x".encode()), word
    assert automaton.accepts(b"x=true")
    assert automaton.accepts(b"x=NIL")
    assert not automaton.accepts(b"x=if")
    assert automaton.accepts(b"ifx if()")  # CALL is another terminal
    assert compile(lark.parse(KEYWORDS.format(""))).accepts(b"if=x")


def test_nothing_to_reserve_is_reported():
    grammar = lark.parse('start: NAME ":"\nNAME: /[a-z]+/', reserved="NAME")
    assert grammar.report.warnings == ("2:1: no text of a rule is a NAME, so none is reserved",)


def test_the_text_may_choose():
    directive = '%lipogram {"munch": ["NAME"], "allow_initial_skip": true, "max_skip": 2}\n'
    text = directive + 'start: NAME ":"\nNAME: /[a-z]+/\n%ignore " "'
    grammar = lark.parse(text)
    assert grammar.lexemes
    assert not grammar.report.exact
    assert compile(grammar).accepts(b"  x:")
    assert lark.parse(text.replace('"munch": ["NAME"]', '"lexing": "greedy"')).lexemes > set()


# (grammar, options, line, column, message)
WRONG = {
    "no terminal": ('start: "a"', {"munch": frozenset({"A"})}, 1, 1, "found 'A'"),
    "a rule": ('start: "a"', {"reserved": "start"}, 1, 1, "found 'start'"),
    "lexing": ('start: "a"', {"lexing": "fast"}, 1, 1, "exact or greedy, found 'fast'"),
    "skip": ('start: "a"', {"max_skip": -1}, 1, 1, "max_skip of at least 0"),
    "in the text": ('start: "a"\n%lipogram {"reserved": "A"}', {}, 2, 11, "found 'A'"),
    "value": ('start: "a"\n%lipogram {"munch": "A"}', {}, 2, 11, "another value of munch"),
}


@pytest.mark.parametrize(
    ("grammar", "options", "line", "column", "message"), WRONG.values(), ids=WRONG
)
def test_wrong_options(grammar, options, line, column, message):
    with pytest.raises(GrammarError) as caught:
        lark.parse(grammar, **options)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)


def test_unknown_options_are_refused():
    with pytest.raises(Unsupported, match="the option 'word' of %lipogram"):
        lark.parse('start: "a"\n%lipogram {"word": "A"}')


def test_what_cannot_be_munched_is_refused():
    with pytest.raises(Unsupported, match="nor in munched terminals"):
        lark.parse('start: %regex {"substring_chars": "ab"}', lexing="greedy")
    doubling = "".join(f"C{i}: C{i + 1} C{i + 1}\n" for i in range(40))
    with pytest.raises(BudgetExceeded):
        lark.parse(f'start: C0\n{doubling}C40: "x"', lexing="greedy")


@pytest.mark.parametrize(
    ("grammar", "warning"),
    [
        ("start: INT INT\nINT: /[0-9]+/", "1:1: no text can be finished, as lexemes are munched"),
        (
            'start: "x" NAME "if" | "y"\nNAME: /[a-z]+/',
            "1:1: a text that begins with 'x' can never be finished, as lexemes are munched",
        ),
    ],
)
def test_dead_ends_are_reported(grammar, warning):
    assert warning in lark.parse(grammar, lexing="greedy").report.warnings


def test_greedy_without_dead_ends_has_no_such_warning():
    grammar = 'start: (NAME "=" INT ";")+\nNAME: /[a-z]+/\nINT: /[0-9]+/\n%ignore " "'
    assert lark.parse(grammar, lexing="greedy").report.warnings == ()
