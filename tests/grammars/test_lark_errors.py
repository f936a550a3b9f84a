"""A Lark grammar that cannot be used is refused with where, what was expected and what found."""

import time

import pytest

from lipogram.grammars import BudgetExceeded, GrammarError, Unsupported, compile, lark

# (grammar, line, column, part of the message)
ERRORS = {
    "no colon": ('start "a"', 1, 7, 'expected ".", ":", "[" or "{", found \'"a"\''),
    "open group": ('start: ("a"\n', 2, 1, 'expected ")", found end of text'),
    "closed group": ('start: "a")', 1, 11, "found ')'"),
    "open string": ('start: "a\nb: "c"', 1, 8, "found a string that does not end"),
    "open regex": ("start: /a", 1, 8, "found '/'"),
    "operator": ('start: "a" +*', 1, 13, "found '*'"),
    "line break": ('start: "a"\n  "b"', 2, 3, "expected a definition or a statement"),
    "escape": (r'start: "a\d"', 1, 10, r"expected one of the escapes"),
    "surrogate": (r'start: "\ud800"', 1, 8, "unpaired surrogate"),
    "range": ('start: "b".."a"', 1, 8, "range of two characters in order"),
    "range of words": ('start: "ab".."c"', 1, 8, "range of two characters in order"),
    "count": ('start: "a"~3..2', 1, 11, "expected an increasing range, found ~3..2"),
    "regex": ('start: "a"\n  | /x(/', 2, None, "in this regex: "),
    "json": ('start: %json {"a" 1}', 1, 19, "expected JSON"),
    "undefined rule": ('start: "a" othr\nother: "b"', 1, 12, "did you mean other?"),
    "undefined terminal": ("start: A", 1, 8, "expected a defined terminal, found A"),
    "undefined in a terminal": ('start: "a"\nA: B', 2, 4, "expected a defined terminal, found B"),
    "undefined unused": ('start: "a"\nb: c', 2, 4, "expected a defined rule, found c"),
    "defined twice": ('start: a\na: "x"\na: "y"', 3, 1, "found another at 2:1"),
    "no start": ('a: "x"', 1, 1, "expected a rule named 'start'"),
    "empty text": ("", 1, 1, "expected a rule named 'start'"),
    "recursive terminal": (
        'start: A\nA: "(" B ")"\nB: "x" | A',
        3,
        10,
        "no recursion in terminals",
    ),
    "rule in a terminal": ('start: A\nA: b\nb: "x"', 2, 4, "terminals only in the terminal A"),
    "rule ignored": ('start: "a"\nb: "x"\n%ignore b', 3, 9, "terminals only in %ignore"),
    "arity": ('start: t{"a"}\nt{x, y}: x y', 1, 8, "expected 2 arguments of t, found 1"),
    "bare template": ("start: t\nt{x}: x", 1, 8, "expected 1 arguments of t, found 0"),
    "not a template": ('start: a{"x"}\na: "b"', 1, 8, "expected 0 arguments of a, found 1"),
    "applied parameter": ('start: t{"a"}\nt{x}: x{"b"}', 2, 7, "no arguments of the parameter x"),
    "parameters alike": ('start: t{"a", "b"}\nt{x, x}: x', 2, 3, "different parameters"),
    "not in common": ("start: A\n%import common.A", 2, 9, "expected a terminal of common"),
    "token ids": ("start: <[5-]>", 1, 8, "expected token ids"),
    "token range": ("start: <[5-3]>", 1, 8, "expected an increasing range, found 5-3"),
    "capture": ('start[capture=5]: "a"', 1, 15, "expected a string as capture"),
    "extends nothing": ('start: "a"\n%extend b: "c"', 2, 9, "an earlier definition of b"),
}

UNSUPPORTED = {
    "declared": ('start: "a" B\n%declare B', 2, 1, "%declare"),
    "module": ("start: X\n%import python.X", 2, 9, "only %import common"),
    "file": ("start: X\n%import .mine.X", 2, 10, "only %import common"),
    "token by exclusion": ('start: "a" <[^5]>', 1, 12, "tokens by exclusion"),
    "any token": ("start: <[*]>", 1, 8, "tokens by exclusion"),
    "token in a terminal": ("start: A\nA: <|end|>", 2, 4, "special tokens are supported in rules"),
    "token ignored": ('start: "a"\n%ignore <|end|>', 2, 9, "special tokens are supported in rules"),
    "parametric rule": ('start: a::0\na::_ : "x"', 1, 9, "name::parameter"),
    "subgrammar": ("start: @other", 1, 8, "grammars by name"),
    "stop of a pattern": ('start: "a" b\nb[stop=/x+/]: /.*/', 2, 1, "in the stop of b"),
    "two ends": ('start[stop="x", suffix="y"]: /.*/', 1, 1, "attribute stop of start"),
    "lazy value": ('start[lazy="x"]: /.*/', 1, 1, "attribute lazy of start"),
    "max_tokens": ("start[max_tokens=3]: /.*/", 1, 1, "attribute max_tokens"),
    "temperature": ("start[temperature=0.5]: /.*/", 1, 1, "attribute temperature"),
    "unknown attribute": ("start[greedy]: /.*/", 1, 1, "attribute greedy"),
    "lazy terminal": ('start: A\nA[lazy]: "a"', 2, 1, "on rules only"),
    "template of terminals": ('start: A{"x"}\nA{x}: "a"', 2, 1, "on rules only"),
    "and in a rule": ('start: "a" & "b"', 1, 12, "in terminals only"),
    "not in a rule": ('start: ~"a"', 1, 8, "in terminals only"),
    "json in a terminal": ("start: A\nA: %json {}", 2, 10, "%json is not supported in a terminal"),
    "back-reference": (r"start: /(a)\1/", 1, None, "in this regex: "),
    "assertion among pieces": ('start: T\nT: ("a" | /^b/)+', 2, 11, "the terminal with this piece"),
    "not beside a lookbehind": (
        'start: T\nT: ~"a" /(?<!b)/ "c"',
        2,
        9,
        "beside a regex that looks",
    ),
    "locale": ("start: /a/l", 1, None, "in this regex: "),
    "structured regex": ('start: %regex {"type": "number"}', 1, 15, "expected one of substring_"),
    "option": ('%llguidance {"lazy": true}\nstart: "a"', 1, 13, "the option 'lazy'"),
}


@pytest.mark.parametrize(("grammar", "line", "column", "message"), ERRORS.values(), ids=ERRORS)
def test_error(grammar, line, column, message):
    with pytest.raises(GrammarError) as caught:
        lark.parse(grammar)
    error = caught.value
    assert type(error) is GrammarError
    assert message in error.message
    assert (error.line, column and error.column) == (line, column)


@pytest.mark.parametrize(
    ("grammar", "line", "column", "message"), UNSUPPORTED.values(), ids=UNSUPPORTED
)
def test_unsupported(grammar, line, column, message):
    with pytest.raises(Unsupported) as caught:
        lark.parse(grammar)
    assert message in caught.value.message
    assert (caught.value.line, column and caught.value.column) == (line, column)


def test_a_caret_shows_where():
    with pytest.raises(GrammarError) as caught:
        lark.parse('start: a\na: "x"\n\tb c')
    assert caught.value.message.endswith("found 'c'\n  \tb c\n  \t  ^")


def test_json_errors_keep_their_pointer():
    with pytest.raises(GrammarError) as caught:
        lark.parse('start: "a"\n  | %json {"type": "colour"}')
    assert caught.value.pointer == "/type"
    assert (caught.value.line, caught.value.column) == (2, 11)


DEEP = 10_000
OVER_BUDGET = {
    "text": 'start: "' + "a" * 300_000 + '"',
    "nesting": "start: " + "(" * DEEP + '"a"' + ")" * DEEP,
    "open brackets": "start: " + "[" * DEEP,
    "json": "start: %json " + '{"a":' * DEEP + "1" + "}" * DEEP,
    "count": 'start: "a"~99999999',
    "digits": 'start: "a"{' + "9" * 10_000 + "}",
    "definitions": "\n".join(f"r{i}:" for i in range(20_100)) + "\nstart: r1",
    "token ids": "start: <[0-1000]>",
    "growing template": 'start: t{"x"}\nt{x}: "a" | t{u{x, x}}\nu{x, y}: x',
    "nested below not": "start: A\nA: ~" + "(" * 400 + '"a"' + ' | "b")*' * 400,
    "doubled beside a lookahead": 'start: T60\nT0: /a(?!b)/ "c"\n'
    + "".join(f"T{i + 1}: T{i} T{i}\n" for i in range(60)),
    "doubled below and": "start: A\nA: B & B\nB: C0\n"
    + "".join(f"C{i}: C{i + 1} C{i + 1}\n" for i in range(40))
    + 'C40: "x"',
}


@pytest.mark.parametrize("grammar", OVER_BUDGET.values(), ids=OVER_BUDGET)
def test_budget(grammar):
    started = time.process_time()
    with pytest.raises(BudgetExceeded):
        lark.parse(grammar)
    assert time.process_time() - started < 5


def _chain(kind: str, length: int) -> str:
    links = "".join(f'{kind}{i}: "a" {kind}{i + 1}\n' for i in range(length))
    return f'start: {kind}0\n{links}{kind}{length}: "b"'


LARGE = {
    "alternatives": ("start: " + " | ".join(f'"x{i}"' for i in range(20_000)), "x19999"),
    "chain of rules": (_chain("r", 3_000), "a" * 3_000 + "b"),
    "chain of terminals": (_chain("R", 3_000), "a" * 3_000 + "b"),
    "optionals": ("start: " + '"a"? ' * 2_000 + '\n%ignore " "', "a  a"),
    "nullable chain": (
        "start: "
        + "|".join(f'r{i}"x"' for i in range(3_000))
        + "\nr0:\n"
        + "".join(f"r{i + 1}: r{i}\n" for i in range(3_000))
        + '%ignore " "',
        "x",
    ),
    "not of not": ("start: A\nA: " + "~" * 10_000 + '"a"', "a"),
    "comments": ('start: "a"' + "\n# c" * 20_000, "a"),
}


@pytest.mark.parametrize(("grammar", "member"), LARGE.values(), ids=LARGE)
def test_large(grammar, member):
    started = time.process_time()
    parsed = lark.parse(grammar)
    assert time.process_time() - started < 3  # under 1 on an idle core
    automaton = compile(parsed)
    assert automaton.is_live(member.encode())


@pytest.mark.parametrize("rule", ["start: ", "start: A\nA: "])
def test_deep_nesting_is_exact(rule):
    """Deep groups become rules of their own; here with a different character in each."""
    letters = [chr(0x4E00 + i) for i in range(490)]
    opened = "".join(f'("{letter}" ' for letter in letters)
    automaton = compile(lark.parse(rule + opened + ")?" * 490))
    text = "".join(letters)
    assert automaton.accepts(text.encode())
    assert automaton.accepts(text[:100].encode())
    assert not automaton.accepts((text[:100] + text[101:]).encode())
    assert not automaton.accepts((text + text[0]).encode())


@pytest.mark.parametrize(
    "grammar",
    [
        'start: "' + r"\"" * 100_000,
        "start: /" + "\\" * 200_000,
        "start: a{1" + " " * 200_000,
        'start: "a"' + "\n#" * 100_000 + "\n/",
        "start: " + "~" * 200_000,
        'start: "a" <' + "a" * 200_000,
        "%json" * 50_000,
    ],
    ids=["quotes", "backslashes", "blanks", "comments", "nots", "token", "blocks"],
)
def test_nothing_takes_quadratic_time(grammar):
    started = time.process_time()
    with pytest.raises(GrammarError):
        lark.parse(grammar)
    assert time.process_time() - started < 5
