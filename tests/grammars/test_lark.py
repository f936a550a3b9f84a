"""What Lark grammars mean: constructs that lark itself cannot judge, and those it decides apart."""

import ast
import itertools
import json
import re
import threading
from pathlib import Path

import lark as lark_package
import pytest
from lark import Lark

from lipogram.grammars import Unsupported, compile, ir, json_schema, lark

DATA = Path(__file__).parent.parent / "data" / "lark"


def accepts(grammar: str, text: str, **options) -> bool:
    return compile(lark.parse(grammar, **options)).accepts(text.encode())


# (grammar, members, others)
MEANINGS = {
    "empty terminal": ('start: "a" /[a-z]*/ "b"', ["ab", "aab", "abb"], ["a", "b"]),
    "empty string": ('start: "" "a" ""', ["a"], [""]),
    "free text before a marker": (
        'start: "<think>" /(.|\\n)*/ "</think>"',
        ["<think></think>", "<think>hi\n</thin</think>", "<think></think></think>"],
        ["<think>hi", "</think>"],
    ),
    "longest alternative": ("start: A B\nA: /a|ab/\nB: /b|c/", ["ab", "abb", "abc"], ["a"]),
    "counts in braces": (
        'start: "a"{2} "b"{1,2} "c"{,1} "d"{2,}',
        ["aabdd", "aabbcdddd"],
        ["abdd", "aabbbdd", "aabccdd", "aabd"],
    ),
    "code points": ('start: "é".."î" /./ "😀"', ["éx😀", "ëあ😀"], ["zx😀", "é\n😀"]),
    "surrogate pair": (r'start: "\ud83d\ude00" "\U0001F600"', ["😀😀"], ["😀"]),
    "and, not": (
        'start: NAME "!"\nNAME: /[a-z]+/ & ~("if" | "in") & ~/x.*/ | "0"',
        ["i!", "iff!", "0!"],
        ["if!", "in!", "xy!", "!"],
    ),
    "not binds tighter than +": ('start: A\nA: ~"a"+ & /[ab]*/', ["", "b", "aa", "ba"], ["a"]),
    "double not": ('start: A\nA: ~~"a"', ["a"], ["", "b"]),
    "not is text": ('start: A\nA: ~"a"', ["", "b", "é", "aa"], ["a"]),
    "lazy": (
        'start: head "=" INT\nhead[lazy]: /.*/ "<f"\n%import common.INT',
        ["x<f=1", "<f=23"],
        ["<f<f=1", "x=1"],
    ),
    "suffix": ('start: t "b"*\nt[suffix="</"]: /[^b]*/', ["a</", "</bb"], ["a</a</", "b</"]),
    "suffix by name": ('start: t\nt[suffix=END]: /.*/\nEND: ";" | "."', ["a;", "."], ["a;.", "a"]),
    "suffix until the end": ('start: t "!"\nt[suffix=""]: /.*/', ["!", "a!", "!!"], ["a"]),
    "stop": ('start: t "</" "b"\nt[stop="</"]: /.*/', ["</b", "a<</b"], ["a</</b", "a</"]),
    "stop that overlaps itself": (
        'start: t "."\nt[stop="aa"]: /[ab]*/',
        [".", "b.", "ab.", "abab."],
        ["a.", "aa.", "ba.", "baab."],
    ),
    "stops": (
        'start: t\nt[stop=END]: /[a-z]*/\nEND: "ab" | "bc" | "abc"',
        ["", "b", "xb", "a", "xa"],
        ["ab", "bc", "xbcx"],
    ),
    "stop at a character": ('start: t ";"\nt[stop=/[;,]/]: /.*/', ["ab;", ";"], ["a,b;", "a;;"]),
    "stop until the end": ('start: t "!"\nt[stop=""]: /.*/', ["!", "a!", "!!"], ["a"]),
    "captures": ('start: a+\na[capture="x"]: "a" b\nb[capture]: "b"', ["ab", "abab"], ["a"]),
    "substring of chunks": (
        'start: "<" %regex {"substring_chunks": ["abc", "de", "fg"]} ">"',
        ["<>", "<abc>", "<de>", "<abcde>", "<defg>", "<abcdefg>"],
        ["<ab>", "<cde>", "<abcfg>"],
    ),
    "substring of words": (
        'start: S\nS: %regex {"substring_words": "foo bar.  baz"}',
        ["foo bar", ".  baz", ""],
        ["fo", ". baz", "foobar"],
    ),
    "substring of characters": (
        'start: %regex {"substring_chars": "ab\\u00e9"}',
        ["a", "bé", "abé"],
        ["aé"],
    ),
    "json": (
        'start: "<call>" %json {"type": "object", "properties": {"a": {"const": 1}},'
        ' "required": ["a"], "additionalProperties": false} "</call>" | x\n'
        'x: %json {\n  "enum": ["}", "#//"]\n}  // and so on',
        ['<call>{"a":1}</call>', '"}"', '"#//"'],
        ['<call>{"a":2}</call>', '"x"', "<call></call>"],
    ),
    "llguidance options": (
        '%llguidance {"allow_initial_skip": true}\nstart: "a"\n%ignore " "',
        ["a", "  a"],
        ["a "],
    ),
    "comments": (
        'start: a "//" /#|\\/\\// # "x"\n  // | "y"\n  | "z"\n# end\na: "#" // done',
        ["#//#", "#////", "z"],
        ["y", "x", "#//x"],
    ),
    "lines": (
        'start: ("a"\n  "b") [\n"c"\n] \\\n  "d"\r\n\r\n\n  | "e"',
        ["abd", "abcd", "e"],
        ["ab"],
    ),
    "bar first": ('start:\n  | "a"', ["", "a"], ["aa"]),
    "hyphens": ('start: two-words->one\ntwo-words: "a" A-B\nA-B: "b"', ["ab"], ["a"]),
    "regex flags": ("start: /a b # c/xi /./s", ["AB\n", "abx"], ["a b", "ab"]),
}


@pytest.mark.parametrize(("grammar", "members", "others"), MEANINGS.values(), ids=MEANINGS)
def test_meaning(grammar, members, others):
    automaton = compile(lark.parse(grammar))
    assert [text for text in members + others if automaton.accepts(text.encode())] == members


STOPS = [("a",), ("aa",), ("aba",), ("ab", "b"), ("ab", "ba"), ("aab", "aba"), ("abb", "bba", "a")]


@pytest.mark.parametrize("body", ["[ab]*", "(ab)*a?", "b*a*"])
@pytest.mark.parametrize("stops", STOPS)
def test_stop_is_where_the_first_one_ends(stops, body):
    """By reading on, for each text, until some stop ends a text that the body matched before it."""
    written = " | ".join(f'"{stop}"' for stop in stops)
    automaton = compile(lark.parse(f"start[stop=END]: /{body}/\nEND: {written}"))
    members = set()
    for length in range(9):
        for letters in itertools.product("ab", repeat=length):
            text = "".join(letters)
            for end in range(length + 1):
                before = {text[: end - len(s)] for s in stops if text[:end].endswith(s)}
                if found := {b for b in before if re.fullmatch(body, b)}:
                    members |= found
                    break
    for length in range(6):
        for letters in itertools.product("ab", repeat=length):
            text = "".join(letters)
            assert automaton.accepts(text.encode()) == (text in members), text


TOKENS = """
start: <think> /[^<]*/ </think> "a" | <[7,9-10]> | x{<|end|>} // a comment after </think>
x{token}: token "!" %json {"const": 1} token
"""


def test_special_tokens():
    automaton = compile(lark.parse(TOKENS))
    think, end = ir.special("<think>").text, ir.special("</think>").text
    assert automaton.accepts(think + b"hm" + end + b"a")
    assert not automaton.accepts(b"<think>hm</think>a")
    assert not automaton.is_live(b"<")
    for number in (7, 9, 10):
        assert automaton.accepts(ir.special(f"[{number}]").text)
    assert not automaton.is_live(ir.special("[8]").text)
    mark = ir.special("<|end|>").text
    assert automaton.accepts(mark + b"!1" + mark)


def test_no_text_is_a_special_token():
    """Not even one that a complement or a free text matches."""
    automaton = compile(lark.parse('start: A <end>\nA: ~"a"'))
    assert automaton.accepts(b"<end>" + ir.special("<end>").text)
    assert not automaton.accepts(ir.special("<end>").text * 2)


def test_not_excludes_invalid_utf8():
    assert not compile(lark.parse('start: A\nA: ~"a"')).is_live(b"\xff")


PATCH = """*** Begin Patch
*** Add File: a b.txt
+one
+
*** Update File: c.py
*** Move to: d.py
@@ def f():
-x
+
 y
*** End of File
*** Delete File: e
*** End Patch"""


def test_patch_grammar():
    """Its lines may be empty, so lark refuses it; its last newline is optional."""
    automaton = compile(lark.parse((DATA / "apply_patch.lark").read_text()))
    assert automaton.accepts(PATCH.encode())
    assert automaton.accepts(PATCH.encode() + b"\n")
    assert not automaton.accepts(PATCH.encode() + b"\n\n")
    assert not automaton.accepts(PATCH.replace("+\n", "\n").encode())
    assert automaton.is_live(PATCH[:60].encode())


CALLS = """
start: (call "=" /[0-9]+/ ";")* TEXT
call[lazy]: ANY "<call"
TEXT: ANY {restriction}
ANY: /(.|\\n)*/
"""


def test_lazy_rules_do_not_bind_other_terminals():
    """So the report warns, and what is meant can be written."""
    grammar = lark.parse(CALLS.format(restriction=""))
    assert compile(grammar).accepts(b"a<call=1;b<call?")
    assert grammar.report.warnings == (
        "3:1: call ends at its first match, but there is no lexer: "
        "other terminals may run past that text",
    )
    strict = compile(lark.parse(CALLS.format(restriction='& ~(ANY "<call" ANY)')))
    assert strict.accepts(b"a<call=1;b<cal")
    assert not strict.is_live(b"a<call=1;b<call?")


@pytest.mark.parametrize(
    ("initial", "trailing", "members"),
    [
        (False, False, ["a b"]),
        (True, False, ["a b", " a b", "  a  b"]),
        (False, True, ["a b", "a b ", " "]),
        (True, True, ["a b", " a b", "a b ", "  a  b", " "]),
    ],
)
def test_ignored_text_at_the_ends(initial, trailing, members):
    grammar = 'start: ["a" "b"]\n%ignore / /'
    options = {"allow_initial_skip": initial, "allow_trailing_skip": trailing}
    texts = ["a b", " a b", "a b ", "  a  b", " "]
    assert [text for text in texts if accepts(grammar, text, **options)] == members


@pytest.mark.parametrize("ignored", ["", '\n%ignore " "'])
def test_long_series_are_exact(ignored):
    letters = [chr(0x4E00 + i) for i in range(100)]
    grammar = "start: " + " ".join(f'"{x}"?' for x in letters) + ignored
    automaton = compile(lark.parse(grammar))
    space = " " if ignored else ""
    assert automaton.accepts(space.join(letters[5::7]).encode())
    assert automaton.accepts("".join(letters[50:]).encode())
    assert not automaton.accepts(" ".join(["", *letters[50:]]).encode())
    assert not automaton.accepts("".join([letters[9], letters[8]]).encode())
    assert not automaton.accepts("".join([letters[90], letters[40]]).encode())


def test_max_skip_narrows():
    text = 'start: "a" "b"\n%ignore /[ \\n]+/\n%ignore /#.*\\n/'
    grammar = lark.parse(text, max_skip=3)
    automaton = compile(grammar)
    assert not grammar.report.exact
    assert lark.parse(text).report.exact
    assert automaton.accepts(b"a   b")
    assert automaton.accepts(b"a#x\nb")
    assert not automaton.accepts(b"a    b")
    assert not automaton.accepts(b"a #x\nb")


def test_ignored_text_is_not_inside_terminals_or_json():
    assert not accepts('start: T "c"\nT: "a" "b"\n%ignore "_"', "a_bc")
    grammar = 'start: "x" %json {"const": [1, 2]} "y"\n%ignore "_"'
    inner = compile(json_schema.parse({"const": [1, 2]}))
    json_text = inner.shortest(inner.start()).decode()
    assert accepts(grammar, f"x_{json_text}__y")
    assert not accepts(grammar, f"x{json_text[0]}_{json_text[1:]}y")


def test_json_keeps_its_report():
    schema = {"type": "string", "format": "date-time"}
    alone = json_schema.parse(schema).report
    report = lark.parse(f'start: "a" | %json {json.dumps(schema)}').report
    assert report.narrowed == tuple(f"1:20: in %json, {entry}" for entry in alone.narrowed)
    assert not report.exact


def test_importing_twice():
    assert accepts("start: INT\n%import common.INT\n%import common (INT, WS)", "12")


def test_another_start():
    assert accepts('start: "a"\nother: start "b"', "ab", start="other")


def test_warnings():
    grammar = lark.parse('start:\n  | "a"\nunused: X\nX: "b"\nY: "c"\n%ignore Y')
    assert grammar.report.warnings == (
        '1:1: start may be empty, because "|" comes first in it',
        "3:1: unused is never used",
        "4:1: X is never used",
    )


COMMON = [
    *("DIGIT", "HEXDIGIT", "INT", "SIGNED_INT", "DECIMAL", "FLOAT", "SIGNED_FLOAT", "NUMBER"),
    *("SIGNED_NUMBER", "ESCAPED_STRING", "LCASE_LETTER", "UCASE_LETTER", "LETTER", "WORD", "CNAME"),
    *("WS_INLINE", "WS", "CR", "LF", "NEWLINE", "SH_COMMENT", "CPP_COMMENT", "C_COMMENT"),
    *("SQL_COMMENT", "_EXP"),
]
BY_HAND = {"ESCAPED_STRING": r'"(?:[^"\\\n]|\\.)*"', "C_COMMENT": r"/\*(?:(?!\*/)[\s\S])*\*/"}
ALPHABETS = {"ESCAPED_STRING": '"\\a\n', "C_COMMENT": "/*a\n"}


@pytest.mark.parametrize("name", COMMON)
def test_common_terminals_are_what_lark_has(name):
    """By lark's own regexes, except for two whose lazy repetition means more than a language."""
    imported = f"start: {name}\n%import common.{name}"
    automaton = compile(lark.parse(imported))
    (terminal,) = Lark(imported, parser="lalr").terminals
    judge = re.compile(BY_HAND.get(name) or terminal.pattern.to_regexp())
    alphabet = ALPHABETS.get(name, "1a_E.+-/# \n\r\tZ")
    for length in range(6 if len(alphabet) < 5 else 4):
        for letters in itertools.product(alphabet, repeat=length):
            text = "".join(letters)
            assert automaton.accepts(text.encode()) == bool(judge.fullmatch(text)), text


# A terminal T in pieces, and the characters of texts.
JOINED = {
    "lookbehind": ('T: "\\"" INNER "\\""\nINNER: /.*?/ /(?<!\\\\)(\\\\\\\\)*?/', '"\\a'),
    "lookahead": ('T: /a*/ /(?!ab)/ B\nB: "ab" | "b"~1..2 | "a"', "ab"),
    "boundary": ('T: W (/\\b/ "," W)~0..3\nW: /[a,]/ | /b\\b/', "ab,"),
    "start": ('T: ("a" | /^b/)~1..3', "ab"),
    "end": ('T: (A | "b"i)~1..3\nA: /a$/ | "c".."c"', "abBc"),
}


@pytest.mark.parametrize(("terminals", "alphabet"), JOINED.values(), ids=JOINED)
def test_pieces_of_a_terminal_see_each_other(terminals, alphabet):
    """By the one regex that lark makes of a terminal."""
    grammar = f"start: T\n{terminals}"
    automaton = compile(lark.parse(grammar))
    (terminal,) = Lark(grammar, parser="lalr").terminals
    judge = re.compile(terminal.pattern.to_regexp())
    for length in range(7):
        for letters in itertools.product(alphabet, repeat=length):
            text = "".join(letters)
            assert automaton.accepts(text.encode()) == bool(judge.fullmatch(text)), text


BUNDLED = Path(lark_package.__file__).parent / "grammars"


def test_python_grammar_of_lark():
    """Its indents have no text; with texts for them, all else is read as it is."""
    text = (BUNDLED / "python.lark").read_text()
    with pytest.raises(Unsupported, match="%declare") as caught:
        lark.parse(text, start="file_input")
    assert text.splitlines()[caught.value.line - 1] == "%declare _INDENT _DEDENT"
    indents = '_INDENT: "{INDENT}"\n_DEDENT: "{DEDENT}"'
    automaton = compile(
        lark.parse(text.replace("%declare _INDENT _DEDENT", indents), start="file_input")
    )
    for line in PYTHON_LINES:
        try:
            ast.parse(line)
        except SyntaxError:
            assert not automaton.accepts(line.encode()), line
        else:
            assert automaton.accepts(line.encode()), line
    assert automaton.accepts(b"if x:\n {INDENT}y = 1\n {DEDENT}z = 2\n")


PYTHON_LINES = [
    *(
        "x = 1\n",
        "x = = 1\n",
        "x: int = f(1, *a, **b)[2:3].c\n",
        "x = f(1,, 2)\n",
        "import a.b as c\n",
    ),
    *("s = 'it\\'s' + \"\\\"\" # it's\n", "s = r'\\'\n", "s = rb\"x\" b''\n"),
    *(
        's = """a\n"b"""\n',
        "lambda a, b=1: [i for i in a if i]\n",
        "x = 0x1F_00 + 1e5j\n",
    ),
    *("return\n", "del x, y\n", "assert x, 'm'\n", "x = (yield)\n", "x = y if z\n"),
    "x = 1; y = 2;\n",
]


def test_lark_grammar_of_lark():
    """It reads grammars: itself, the others in its folder, and ours."""
    text = (BUNDLED / "lark.lark").read_text()
    options = {"allow_initial_skip": True, "allow_trailing_skip": True}
    automaton = compile(lark.parse(text, **options))
    for path in [*BUNDLED.glob("*.lark"), *DATA.parents[2].glob("grammars/**/library/*.lark")]:
        grammar = path.read_text()
        if "{" not in re.sub(r'"[^"\n]*"|/[^/\n]*/|#.*|//.*', "", grammar):  # {n,m} is not lark's
            assert automaton.accepts(grammar.encode()), path.name
    for wrong in ("start: (a\n", "start a\n", "%import\n", 'a: "b\n'):
        assert not automaton.accepts(wrong.encode()), wrong


def test_threads_share_the_parser():
    grammars: dict[int, bool] = {}

    def run(number: int) -> None:
        grammar = f'start: "x{number}" a\na: %json {{"const": {number}}}'
        grammars[number] = accepts(grammar, f"x{number}{number}")

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert grammars == dict.fromkeys(range(8), True)
