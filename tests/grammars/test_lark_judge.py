"""Lark grammars accept what the lark package's exhaustive Earley parser accepts, and what an
enumeration of derivations finds.

Texts are derived at random from lark's own reading of the grammar, then mutated. The grammars
keep clear of what lark decides differently on purpose (docs/grammars/lark.md): empty terminals,
and regexes whose first match is not their longest.
"""

import itertools
import random
import re

import pytest
from lark import Lark
from lark.exceptions import LarkError
from lark.grammar import NonTerminal

from lipogram.grammars import EmptyLanguage, compile, lark

TEXTS_PER_GRAMMAR = 120
MAX_TEXT = 14

# name: (grammar, the characters of texts)
GRAMMARS = {
    "sequence": ('start: "a" "b" | "a" "c"', "abc"),
    "operators": ('start: "a"? ("b" | "c")* "d"+', "abcd"),
    "counts": ('start: "a"~2 "b"~1..3 ("c" "d")~0..2', "abcd"),
    "maybe": ('start: ["a"] ["b" ["c"]] "d"', "abcd"),
    "left recursion": ('start: sum\nsum: sum "+" "n" | "n"', "+n"),
    "right recursion": ('start: "n" "+" start | "n"', "+n"),
    "centre recursion": ('start: "a" start "b" |', "ab"),
    "ambiguous": ('start: start start | "a" | "b"', "ab"),
    "hidden left recursion": ('start: e start "x" | "y"\ne: | "a"', "axy"),
    "mutual recursion": ('start: "a" b | "x"\nb: "b" start | "y" start "z"', "abxyz"),
    "alternatives": ('?start: a -> one\n  | b // two\n\n  | "c"\n!a: "a"\nb.2: "b" a?', "abc"),
    "ranges": ('start: "a".."c" D\nD: "0".."2"', "abc0123"),
    "case": ('start: "ab"i "c" | T\nT: "x"i "y"', "aAbBcxXyY"),
    "regex flags": ("start: /ab+/i /[^x]/s", "aAbBx\n"),
    "escapes": (r'start: "\"" "\\" /\// | "\n" "\u0061" "\x62"', '"\\/\nab'),
    "terminals": ('start: A B\nA: "a" | C "a"\nB: /b+/ ("x" | C)?\nC: "c"~1..2', "abcx"),
    "overlap": ("start: W W\nW: /[ab]+/", "ab"),
    "keyword": ('start: NAME "if" NAME\nNAME: /[fix]+/', "ifx"),
    "shifts": ('start: "x" (">" ">" "y" | ">>" "z")', "xyz>"),
    "three lexemes": ("start: (A | B | C)+\nA: /aaa/\nB: /a+b+z/\nC: /b+x/", "abxz"),
    "templates": (
        'start: _list{item, ","} | pair{"k", pair{"v", "w"}}\n'
        '_list{x, s}: x (s x)*\npair{a, b}: a ":" b\nitem: "a" | "(" start ")"',
        "a,()kvw:",
    ),
    "recursive template": ('start: nest{"a"}\nnest{x}: x | "(" nest{x} ")"', "a()"),
    "imports": (
        "start: INT | N | WORD INT\n%import common.INT\n%import common (WORD)\n"
        "%import common.SIGNED_NUMBER -> N",
        "ab12.+-e",
    ),
    "override": ('start: A B\nA: "a"\nB: "b"\n%override A: "x" | "y"\n%extend B: "c"', "abcxy"),
    "extended rule": ('start: a "z"\na: "a"\n%extend a: "b" a', "abz"),
    "ignore": ('start: "a" b* "c"?\nb: "b" | "(" start ")"\n%ignore " "', "abc() "),
    "ignore nullable": ('start: a? b? "c"?\na: "a" a?\nb: ("b" "b"?)*\n%ignore / +/', "abc "),
    "ignore two": ('start: "a"+ "b"~0..2\n%ignore " "\n%ignore "#" /x/', "ab #x"),
    "ignore inside": ('start: T+ "b"\nT: "a" " "? "a"\n%ignore " "', "ab "),
    "ignore recursion": (
        'start: sum\nsum: [sum "+"] t\nt: "n" | "(" sum ")"\n%ignore " "',
        "+n() ",
    ),
    "ignore template": ('start: s{"a"} s{"b"}\ns{x}: (x ",")* x?\n%ignore " "', "ab, "),
}


class Deriver:
    """Random texts of a grammar, by the rules that lark compiled it to."""

    def __init__(self, judge: Lark, alphabet: str, chance: random.Random) -> None:
        self.chance = chance
        self.rules: dict[str, list[list[object]]] = {}
        for rule in judge.rules:
            self.rules.setdefault(rule.origin.name, []).append(rule.expansion)
        self.samples = {t.name: _samples(t.pattern, alphabet) for t in judge.terminals}
        self.ignored = [text for name in judge.ignore_tokens for text in self.samples[name]]
        self.lengths = self._shortest()

    def _shortest(self) -> dict[str, int]:
        lengths = dict.fromkeys(self.rules, 10**6)
        for _ in self.rules:
            for name, expansions in self.rules.items():
                lengths[name] = min(self._length(e, lengths) for e in expansions)
        return lengths

    def _length(self, expansion: list[object], lengths: dict[str, int]) -> int:
        return 1 + sum(lengths[s.name] for s in expansion if isinstance(s, NonTerminal))

    def text(self, name: str = "start", budget: int = 8) -> str:
        if self.ignored and self.chance.random() < 0.1:
            return self.chance.choice(self.ignored) + self.text(name, budget)
        expansions = self.rules[name]
        fitting = [e for e in expansions if self._length(e, self.lengths) <= budget]
        expansion = self.chance.choice(
            fitting or [min(expansions, key=lambda e: self._length(e, self.lengths))]
        )
        pieces = []
        for symbol in expansion:
            if isinstance(symbol, NonTerminal):
                pieces.append(self.text(symbol.name, budget - len(expansion)))
            else:
                pieces.append(self.chance.choice(self.samples[symbol.name]))
            if self.ignored and self.chance.random() < 0.2:
                pieces.append(self.chance.choice(self.ignored))
        return "".join(pieces)


def _samples(pattern, alphabet: str) -> list[str]:
    lengths = range(1, 4 if len(alphabet) < 7 else 3)
    short = ("".join(p) for n in lengths for p in itertools.product(alphabet, repeat=n))
    regex = re.compile(pattern.to_regexp())
    found = [text for text in short if regex.fullmatch(text)]
    return found or [pattern.value]


def _mutated(text: str, alphabet: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    kind = chance.randrange(4)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + chance.choice(alphabet) + text[at:]
    if kind == 2:
        return text[:at] + chance.choice(alphabet) + text[at + 1 :]
    other = chance.randrange(len(text) + 1)
    return text[: min(at, other)] + text[min(at, other) :] * 2


def texts(name: str, count: int) -> tuple[Lark, set[str]]:
    grammar, alphabet = GRAMMARS[name]
    chance = random.Random(name)
    judge = Lark(grammar, parser="earley", lexer="dynamic_complete", ambiguity="resolve")
    deriver = Deriver(judge, alphabet, chance)
    found = {""}
    for _ in range(count):
        text = deriver.text()[:MAX_TEXT]
        found.add(text)
        for _ in range(chance.randrange(1, 3)):
            text = _mutated(text, alphabet, chance)[:MAX_TEXT]
            found.add(text)
    return judge, found


def is_accepted(judge: Lark, text: str) -> bool:
    try:
        judge.parse(text)
    except LarkError:
        return False
    return True


@pytest.mark.parametrize("name", GRAMMARS)
def test_accepts_what_lark_accepts(name):
    judge, candidates = texts(name, TEXTS_PER_GRAMMAR // 2)
    loose = compile(
        lark.parse(GRAMMARS[name][0], allow_initial_skip=True, allow_trailing_skip=True)
    )
    verdicts = {text: is_accepted(judge, text) for text in candidates}
    assert {text: loose.accepts(text.encode()) for text in candidates} == verdicts
    assert len(set(verdicts.values())) == 2, "both verdicts are tested"


@pytest.mark.parametrize("name", [name for name in GRAMMARS if name.startswith("ignore")])
def test_ignored_text_is_inside_only(name):
    judge, candidates = texts(name, TEXTS_PER_GRAMMAR // 2)
    automaton = compile(lark.parse(GRAMMARS[name][0]))
    for text in candidates:
        is_inside = text.strip(" ") == text and not re.search("^#x|#x$", text)
        assert automaton.accepts(text.encode()) == (is_inside and is_accepted(judge, text)), text


def _random_rules(chance: random.Random) -> dict[str, list[list[str]]]:
    """Alternatives of symbols: a rule's name, or a string in quotes."""
    symbols = ['"a"', '"b"', "start", "x", "y"]
    return {
        name: [
            [chance.choice(symbols) for _ in range(chance.choice((0, 1, 1, 2, 2, 3)))]
            for _ in range(chance.randrange(1, 4))
        ]
        for name in ("start", "x", "y")
    }


def _members(rules: dict[str, list[list[str]]], limit: int) -> set[str]:
    """The start rule's members up to a length: a least fixpoint, by enumeration."""
    members: dict[str, set[str]] = {name: set() for name in rules}
    while True:
        before = sum(map(len, members.values()))
        for name, options in rules.items():
            for option in options:
                found = {""}
                for symbol in option:
                    tails = members.get(symbol, {symbol.strip('"')})
                    found = {a + b for a in found for b in tails if len(a + b) <= limit}
                members[name] |= found
        if sum(map(len, members.values())) == before:
            return members["start"]


@pytest.mark.parametrize("seed", range(80))
def test_random_grammars_equal_their_derivations(seed):
    """Whatever is left- or right-recursive, nullable or ambiguous, with ignored text or without."""
    rules = _random_rules(random.Random(seed))
    limit = 5
    members = _members(rules, limit)
    written = "\n".join(
        f"{name}: {' | '.join(map(' '.join, options))}" for name, options in rules.items()
    )
    if not members:
        with pytest.raises(EmptyLanguage):
            compile(lark.parse(written))
        return
    plain = compile(lark.parse(written))
    spaced = compile(lark.parse(written + '\n%ignore "_"'))
    for length in range(limit + 1):
        for letters in itertools.product("ab_", repeat=length):
            text = "".join(letters)
            assert plain.accepts(text.encode()) == (text in members), text
            is_member = text.replace("_", "") in members and text.strip("_") == text
            assert spaced.accepts(text.encode()) == is_member, text
