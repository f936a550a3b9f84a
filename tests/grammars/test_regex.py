"""Regular expressions mean what Python's `re` says, text by text."""

import itertools
import random
import re
import time

import pytest

from lipogram.grammars import (
    Budget,
    BudgetExceeded,
    EmptyLanguage,
    Grammar,
    GrammarError,
    Unsupported,
    compile,
    ir,
    regex,
)

TEXTS = [
    *map("".join, (t for n in range(5) for t in itertools.product("abc,", repeat=n))),
    *("foo", "foo b", "fooa", " foo", "foo\n", "a\nb", "a\n", "b\n", "\n", "a\na", "A", "aB", "AB"),
    *(
        '"a"',
        '"\\""',
        '"\\\\"',
        '"a\\"',
        '"',
        "é",
        "éa",
        "1",
        "a1",
        "٣",
        "\u2003",
        "😀",
        "\u017f",
        "\u212a",
    ),
]

PYTHON = [
    "abc", "a|b*", "(a|b){2,3}c?", "", "|a", "a|", "()", "a*?", "[^a-b]+", "[]a]", "[a-]", "[^]]",
    "^foo$", "^a|b$", "(^a|b$)", "a$", r"a\Z", r"\Aa", "a^b", "a$b", "(?:^|,)a", "(a|$)b?",
    "(^|a)(b|$)", "(?m)^a$\n^b$", "(?m)a$", "(?m)^b", "(?s).*a", ".", ".*", "(?!foo)[a-z]+",
    "(?!.*ab)[ab]*", "a(?=b)b", "a(?=b)", "a(?!b)", "(?=.*a)(?=.*b).{2,3}", "(?!a$)a*",
    r"(?=a|b\b)[ab,]*", "a*(?=b)b?", "(?!(?!a)b)[ab]*", "(?=a(?!b)).*", "(?:(?!ab)[a-c])+",
    "((?!ab).)*", "((?!ab).)*$", "((?=a|b).)*", "(?:a(?!b)|b){0,3}", "(?<=a)b", "a(?<=a)b|c",
    "(?<!a)b", ".*(?<!a)b", "(?<=^a)b|ab", "[ab]*(?<=ab)c*", ".*(?<=a)(?<!ba)",
    r'".*?(?<!\\)(\\\\)*?"', r"a(?<=a)(?=b)b", r"(?=a)a(?<=a)b", r"\bfoo\b.*", r".*\bab\b.*",
    r"a\b,\bb", r"\Bb\B|a", r"\b", r"\B,", r"a\B", r"(\ba|b)?c?", "(?i)aB", "(?i)[a-b]+",
    "(?i)[^a]", "(?i)k", "(?i)ſ", "(?i:a)b", "(?a)\\w", "(?x) a b # c", "(?x)[ ]a", r"\d", r"\D",
    r"\w+", r"\W", r"\s", r"\S", r"[\w,]+", r"[^\W]", r"\x61", r"\u0061", r"\U00000061", r"\141",
    r"\0|a", r"[\141]", r"\N{LATIN SMALL LETTER A}", r"\.", "a{2}", "a{,2}", "a{2,}", "a{",
    "a{x}", "a{1,2}?", "(?P<n>a)b", "(?#note)a", "(?:a|(b))c", "é", "[à-ÿ]", "😀", "(a*)*",
    "(a|b*)*", "(|a)+",
    r'"(?!"").*?(?<!\\)(\\\\)*?"', "a(?!c)b*(?<=a)c?b?", "a(?!c)b*(?<!a)c?b?", "a(?=b*)(?<=a)b",
    "a(?=b*)(?<!a)b|c", "[ab](?!c)b*(?<=[abc])a?", "[ab](?!c)b*(?<![abc])a?",
    "(a|bc)(?!b)a?(?<=[ac])", "ab?(?=[bc])c*(?<=[abc])b?",
    r"(?!foo\b)\w+", r"(?<![\w,])a(?!b)(?<=a)",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PYTHON)
@pytest.mark.parametrize("search", [False, True], ids=["whole", "search"])
def test_python_dialect_is_python(pattern, search):
    judge = re.compile(pattern).search if search else re.compile(pattern).fullmatch
    expected = {text for text in TEXTS if judge(text)}
    expression = regex.expression(pattern, dialect="python", search=search)
    try:
        automaton = compile(Grammar({"start": expression}, "start"))
    except EmptyLanguage:
        assert not expected
        return
    assert {text for text in TEXTS if automaton.accepts(text.encode())} == expected


@pytest.mark.parametrize("flags", ["", "i", "s", "m", "x", "is", "a", "ia"])
@pytest.mark.parametrize("pattern", ["a . b", "^A$", "[a-b] ,", r"\w", ".", "a\n^b", "K"])
def test_flags_are_pythons(pattern, flags):
    value = sum(getattr(re, flag.upper()) for flag in flags)
    judge = re.compile(pattern, value)
    expression = regex.expression(pattern, dialect="python", flags=frozenset(flags))
    try:
        automaton = compile(Grammar({"start": expression}, "start"))
    except EmptyLanguage:
        assert not any(map(judge.fullmatch, TEXTS))
        return
    for text in TEXTS:
        assert automaton.accepts(text.encode()) == bool(judge.fullmatch(text)), text


def test_ignoring_case_is_pythons_for_every_cased_character():
    cased = [chr(c) for c in range(0x1E944) if chr(c).lower() != chr(c) or chr(c).upper() != chr(c)]
    text = "".join(cased)
    for first in cased[::7]:
        expression = regex.expression(first, dialect="python", flags=frozenset("i"))
        expected = set(re.findall(re.escape(first), text, re.IGNORECASE))
        ranges = getattr(expression, "ranges", ((ord(first), ord(first)),))
        found = {c for c in cased if any(low <= ord(c) <= high for low, high in ranges)}
        assert found == expected, first


RUST = [
    ("[[:alpha:]]+", ["ab"], ["a1", "é"]),
    ("[[:^digit:]x]", ["a", "x"], ["1"]),
    ("[a-z&&[^b]]", ["a", "c"], ["b", "&"]),
    ("[a-z--[b]]", ["a"], ["b", "-"]),
    ("[ab~~bc]", ["a", "c"], ["b"]),
    (r"\pL+", ["é"], ["1"]),
    (r"\p{Lu}\P{Lu}", ["Aa"], ["AA"]),
    (r"\p{^Lu}", ["a"], ["A"]),
    (r"\x{1F600}", ["😀"], ["a"]),
    (r"\u{61}", ["a"], []),
    (r"\d", ["٣"], ["a"]),
    (r"a\z", ["a"], ["a\n"]),
    ("a$", ["a"], ["a\n"]),
    ("(?<n>a)", ["a"], []),
    ("(?U)a+", ["aa"], [""]),
    (r"(?i)i", ["I"], ["\u0131", "\u0130"]),
]
ECMA = [
    (r"\d", ["1"], ["٣"]),
    (r"\w", ["a", "_"], ["é"]),
    (r"\W", ["é"], ["a"]),
    (r"\s", ["\ufeff", "\u2029"], ["\x85", "\x1c"]),
    (".", ["\x85", "😀"], ["\n", "\r", "\u2028"]),
    ("a$", ["a"], ["a\n"]),
    ("[]", [], ["", "a"]),
    ("[^]", ["\n"], [""]),
    (r"\cJ", ["\n"], []),
    (r"\0", ["\0"], []),
    (r"\u{1F600}", ["😀"], []),
    (r"\uD83D\uDE00", ["😀"], []),
    (r"[\uD83D\uDE00]", ["😀"], []),
    (r"\uD83D", [], ["\ufffd"]),
    (r"\p{Letter}", ["é"], ["1"]),
    (r"\p{gc=Nd}", ["٣"], ["a"]),
    (r"\P{L}", ["1"], ["é"]),
    (r"\p{ASCII}", ["a"], ["é"]),
    (r"\-\/\_", ["-/_"], []),
    ("a{", ["a{"], []),
    ("]", ["]"], []),
    ("(?<name>a)", ["a"], []),
    ("(?i:k)", ["K"], ["\u212a"]),
    (r"[\b]", ["\b"], []),
    (r"[\w-a]", ["-", "z"], ["é"]),
    ("(a|b($|,))*$", ["", "a", "ab", "b,b", "b,a"], ["ba", "b,c"]),
    ("(a$|,)+", ["a", ",a", ",,"], ["a,", ""]),
]


@pytest.mark.parametrize(
    ("dialect", "pattern", "accepted", "refused"),
    [("rust", *row) for row in RUST] + [("ecma", *row) for row in ECMA],
)
def test_other_dialects(dialect, pattern, accepted, refused):
    try:
        automaton = compile(regex.parse(pattern, dialect=dialect))
    except EmptyLanguage:
        assert not accepted
        return
    assert [t for t in accepted if not automaton.accepts(t.encode())] == []
    assert [t for t in refused if automaton.accepts(t.encode())] == []


@pytest.mark.parametrize(
    ("dialect", "pattern", "error", "column"),
    [
        ("python", "a(b", GrammarError, 2),
        ("python", "a)", GrammarError, 2),
        ("python", "*a", GrammarError, 1),
        ("python", "a**", GrammarError, 3),
        ("python", "[a", GrammarError, 1),
        ("python", "[b-a]", GrammarError, 2),
        ("python", "a\\", GrammarError, 3),
        ("python", r"\q", GrammarError, 1),
        ("python", "a{3,2}", GrammarError, 2),
        ("python", r"a\x1", GrammarError, 2),
        ("python", "a(?i)b", GrammarError, 2),
        ("python", "(?z)", GrammarError, 1),
        ("python", r"(a)\1", Unsupported, 4),
        ("python", "(?P<n>a)(?P=n)", Unsupported, 9),
        ("python", "(?>a)", Unsupported, 1),
        ("python", "a++", Unsupported, 2),
        ("python", "(a)(?(1)b|c)", Unsupported, 4),
        ("python", r"(a|\bb)+", Unsupported, 1),
        ("ecma", r"\Z", GrammarError, 1),
        ("ecma", r"\a", GrammarError, 1),
        ("ecma", r"(?<n>a)\k<n>", Unsupported, 8),
        ("ecma", r"\p{Script=Greek}", Unsupported, 1),
        ("rust", "(?=a)", GrammarError, 1),
        ("rust", "a{x", GrammarError, 2),
        ("rust", "[[:foo:]]", GrammarError, 2),
        ("python", "a\ud800", GrammarError, 2),
    ],
)
def test_errors_say_where(dialect, pattern, error, column):
    with pytest.raises(error) as caught:
        regex.parse(pattern, dialect=dialect)
    assert (caught.value.line, caught.value.column) == (1, column)


@pytest.mark.parametrize(
    "pattern",
    [
        "a{0,100000}{0,100000}",
        "(a{0,100000}){0,100000}",
        "(" * 100_000,
        "(" * 10_000 + ")" * 10_000,
        "a" * 70_000,
        "a{99999999999}",
        "(?=a)" * 1_000,
        "(a|$)?" * 30,
        "[" * 10_000,
    ],
    ids=lambda pattern: pattern[:24],
)
@pytest.mark.parametrize("dialect", ["python", "ecma", "rust"])
def test_no_pattern_takes_long_to_refuse(pattern, dialect):
    start = time.process_time()
    with pytest.raises(GrammarError):
        regex.parse(pattern, dialect=dialect)
    assert time.process_time() - start < 2


def test_large_counts_cost_nothing_until_visited():
    start = time.process_time()
    automaton = compile(regex.parse("[a-z]{3,1000000}"))
    assert automaton.accepts(b"abc" * 5)
    assert not automaton.accepts(b"ab")
    assert time.process_time() - start < 2


def test_nested_counts_beyond_the_budget_say_so():
    with pytest.raises(BudgetExceeded):
        regex.parse("((a{1000}){1000}){2}")


def test_unicode_is_matched_by_character():
    automaton = compile(regex.parse("[^a]{2}"))
    assert automaton.accepts("é😀".encode())
    assert not automaton.accepts("é".encode())
    assert not automaton.accepts(b"\xff\xff")
    assert not automaton.accepts(b"\xed\xa0\x80b")


def test_a_shortest_member_may_begin_with_any_character():
    for code in range(0x7F):
        automaton = compile(Grammar({"start": ir.chars([(code, code + 1)])}, "start"))
        assert ord(automaton.shortest(automaton.start())) in (code, code + 1)


def test_an_automaton_that_was_stopped_finds_out_nothing_new():
    automaton = compile(regex.parse("[ab]*a[ab]{12}"), budget=Budget(max_states=100))
    start = automaton.start()
    assert automaton.shortest(start) == b"a" * 13
    assert not automaton.is_worn
    text = bytes(random.Random(0).choices(b"ab", k=500))
    with pytest.raises(BudgetExceeded, match="100 states") as stopped:
        automaton.accepts(text)
    assert automaton.walk(start, text[:3]) is not None  # known
    for ask in (automaton.shortest, automaton.forced, automaton.shortest_length):
        with pytest.raises(BudgetExceeded, match=str(stopped.value)):
            ask(start)
    assert automaton.is_worn
