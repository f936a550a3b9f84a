"""Inputs that are small and ask for much, and a process in which each goes off on its own.

Run as a program it reads names of bombs and answers each with one line of JSON: what came of it,
and at what cost. Every bomb gets a fork of this warmed-up process, under limits that it cannot
catch.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import string
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from lipogram.decoding import Masker, Vocabulary
from lipogram.grammars import EmptyLanguage, Error, choice, compile, gbnf, json_schema, lark, regex

MEMORY_BYTES = 200 << 20
KILLED_AFTER_S = 3  # of CPU time; the test's own limit is stricter
STEPS = 12
_ALONE_S = 0.006
PARSERS = {
    "json_schema": json_schema.parse,
    "regex": regex.parse,
    "ecma": lambda pattern: regex.parse(pattern, dialect="ecma"),
    "lark": lark.parse,
    "gbnf": gbnf.parse,
    "choice": choice.parse,
}


@dataclass(frozen=True)
class Bomb:
    """`make` gives the input. If it compiles, `member` belongs to it and `stranger` does not."""

    kind: str
    make: Callable[[], Any]
    member: bytes | None = None
    stranger: bytes | None = None
    is_empty: bool = False


def _nested(depth: int, wrap: Callable[[Any], Any], core: Any) -> Any:
    for _ in range(depth):
        core = wrap(core)
    return core


def _schema(make: Callable[[], Any], *texts: bytes, is_empty: bool = False) -> Bomb:
    return Bomb("json_schema", make, *texts, is_empty=is_empty)


def _regex(pattern: str, *texts: bytes, is_empty: bool = False) -> Bomb:
    return Bomb("regex", lambda: pattern, *texts, is_empty=is_empty)


def _lark(text: str, *texts: bytes, is_empty: bool = False) -> Bomb:
    return Bomb("lark", lambda: text, *texts, is_empty=is_empty)


def _gbnf(text: str, *texts: bytes, is_empty: bool = False) -> Bomb:
    return Bomb("gbnf", lambda: text, *texts, is_empty=is_empty)


def _refs(count: int, body: Callable[[dict[str, str]], Any], last: Any) -> dict[str, Any]:
    """Definitions, each of which uses the next."""
    defs = {f"d{i}": body({"$ref": f"#/$defs/d{i + 1}"}) for i in range(count)}
    return {"$defs": defs | {f"d{count}": last}, "$ref": "#/$defs/d0"}


def _rules(count: int, body: str, last: str, sign: str = ":", first: str = "start") -> str:
    """Rules, each of which uses the next: `body` says how, with N for its name."""
    names = [first, *(f"r{i}" for i in range(1, count + 1))]
    lines = [f"{a} {sign} {body.replace('N', b)}" for a, b in pairwise(names)]
    return "\n".join([*lines, f"{names[-1]} {sign} {last}"])


def _backward(text: str) -> str:
    return "\n".join(reversed(text.split("\n")))


WORDS = [f"word{i * i}" for i in range(20_000)]
LETTERS = string.ascii_lowercase
QUOTED = " | ".join(f'"{word}"' for word in WORDS[:15_000])

SCHEMAS = {
    **{
        f"arrays {depth} deep": _schema(
            lambda depth=depth: _nested(depth, lambda s: {"type": "array", "items": s}, True),
            b"[]",
            b"{",
        )
        for depth in (150, 2_000, 20_000)
    },
    "objects 3,000 deep": _schema(
        lambda: _nested(
            3000, lambda s: {"type": "object", "properties": {"a": s}, "required": ["a"]}, {}
        )
    ),
    "allOf 3,000 deep": _schema(
        lambda: _nested(3000, lambda s: {"allOf": [s]}, {"type": "null"}), b"null", b"1"
    ),
    "anyOf 3,000 deep": _schema(
        lambda: _nested(3000, lambda s: {"anyOf": [s, {"type": "null"}]}, {"const": 1}), b"1", b"2"
    ),
    "not 100 deep": _schema(
        lambda: _nested(100, lambda s: {"not": s}, {"type": "null"}), b"null", b"1"
    ),
    "not 3,001 deep": _schema(
        lambda: _nested(3001, lambda s: {"not": s}, {"type": "null"}), b"1", b"null"
    ),
    "if 200 deep": _schema(
        lambda: _nested(
            200, lambda s: {"if": {"minimum": 5}, "then": s, "else": {"type": "integer"}}, {}
        )
    ),
    "a constant 20,000 deep": _schema(lambda: {"const": _nested(20_000, lambda v: [v], 1)}),
    "allOf of 30 anyOfs": _schema(
        lambda: {
            "type": "object",
            "allOf": [
                {"anyOf": [{"required": [f"a{i}"]}, {"required": [f"b{i}"]}]} for i in range(30)
            ],
        }
    ),
    "allOf of 30 oneOfs of values": _schema(
        lambda: {
            "allOf": [
                {"oneOf": [{"minimum": i, "type": "integer"}, {"maxLength": i, "type": "string"}]}
                for i in range(30)
            ]
        }
    ),
    "oneOf of 40 overlapping objects": _schema(
        lambda: {
            "oneOf": [
                {"type": "object", "properties": {f"p{i}": {"type": "integer"}}} for i in range(40)
            ]
        }
    ),
    "oneOf of 200 overlapping strings": _schema(
        lambda: {
            "oneOf": [
                {"type": "string", "pattern": f"{a}.*{i}"} for i in range(20) for a in LETTERS[:10]
            ]
        }
    ),
    "oneOf of 100 ranges": _schema(
        lambda: {
            "oneOf": [{"type": "integer", "minimum": i, "maximum": i + 50} for i in range(100)]
        }
    ),
    "anyOf of anyOfs": _schema(
        lambda: _nested(
            14, lambda s: {"anyOf": [s, {"type": "object", "properties": {"a": s}}]}, {"const": 1}
        )
    ),
    "10^9 items at least": _schema(lambda: {"type": "array", "minItems": 10**9}),
    "10^9 items at most": _schema(lambda: {"type": "array", "maxItems": 10**9}, b"[1]", b"{"),
    "10^9 characters at least": _schema(lambda: {"type": "string", "minLength": 10**9}),
    "10^9 characters at most": _schema(
        lambda: {"type": "string", "maxLength": 10**9}, b'"' + b"a" * 99 + b'"', b"1"
    ),
    "10^9 properties at least": _schema(lambda: {"type": "object", "minProperties": 10**9}),
    "10^9 contained": _schema(
        lambda: {"type": "array", "contains": {"const": 1}, "minContains": 10**9}
    ),
    "10^9 unique items": _schema(
        lambda: {
            "type": "array",
            "uniqueItems": True,
            "maxItems": 10**9,
            "items": {"enum": [*range(100)]},
        }
    ),
    "large counts of large counts": _schema(
        lambda: _nested(
            20, lambda s: {"type": "array", "items": s, "minItems": 1, "maxItems": 10**6}, {}
        )
    ),
    "an enum of 20,000 strings": _schema(lambda: {"enum": WORDS}, b'"word4"', b'"word5"'),
    "an enum of 20,000 numbers": _schema(lambda: {"enum": [*range(0, 60_000, 3)]}, b"33", b"34"),
    "an enum of 20,000 objects": _schema(
        lambda: {"enum": [{"id": i, "name": word} for i, word in enumerate(WORDS)]},
        b'{"id": 2, "name": "word4"}',
        b'{"id": 2, "name": "word5"}',
    ),
    "two enums of 20,000": _schema(
        lambda: {"allOf": [{"enum": WORDS}, {"enum": WORDS[5:]}]}, b'"word25"', b'"word4"'
    ),
    "not in 20,000": _schema(
        lambda: {"type": "string", "not": {"enum": WORDS}}, b'"word5"', b'"word4"'
    ),
    "5,000 properties": _schema(
        lambda: {"type": "object", "properties": {w: {"type": "integer"} for w in WORDS[:5000]}},
        b'{"word4": 1}',
        b'{"word4": "',
    ),
    "10,000 required": _schema(lambda: {"type": "object", "required": WORDS[:10_000]}),
    "1,000 properties times 100 patterns": _schema(
        lambda: {
            "type": "object",
            "properties": {w: {"type": "integer"} for w in WORDS[:1000]},
            "patternProperties": {f"{i}.*{i % 7}": {"minimum": i} for i in range(100)},
            "additionalProperties": False,
        }
    ),
    "30 overlapping patternProperties": _schema(
        lambda: {
            "type": "object",
            "patternProperties": {f"{a}.*{b}": {} for a in "abcde" for b in "uvwxyz"},
            "additionalProperties": {"type": "null"},
        }
    ),
    "500 patternProperties": _schema(
        lambda: {"type": "object", "patternProperties": {f"^{w}": {} for w in WORDS[:500]}}
    ),
    "any of 30 unevaluated": _schema(
        lambda: {
            "type": "object",
            "anyOf": [
                {"properties": {f"p{i}": {"const": i}}, "required": [f"p{i}"]} for i in range(30)
            ],
            "unevaluatedProperties": False,
        }
    ),
    "a chain of 200 dependentRequired": _schema(
        lambda: {
            "type": "object",
            "properties": {f"p{i}": {} for i in range(201)},
            "dependentRequired": {f"p{i}": [f"p{i + 1}"] for i in range(200)},
            "additionalProperties": False,
        }
    ),
    "40 dependentSchemas": _schema(
        lambda: {
            "type": "object",
            "dependentSchemas": {f"p{i}": {"required": [f"q{i}"]} for i in range(40)},
        }
    ),
    "a reference to itself": _schema(lambda: {"$ref": "#"}),
    "a circle of references": _schema(
        lambda: {
            "$defs": {f"d{i}": {"$ref": f"#/$defs/d{(i + 1) % 50}"} for i in range(50)},
            "$ref": "#/$defs/d0",
        }
    ),
    "all of itself": _schema(lambda: {"allOf": [{"$ref": "#"}, {"type": "object"}]}),
    "not itself": _schema(lambda: {"not": {"$ref": "#"}}),
    "an object that needs another": _schema(
        lambda: {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        is_empty=True,
    ),
    "a chain of 3,000 references": _schema(
        lambda: _refs(3000, lambda n: n, {"type": "null"}), b"null", b"1"
    ),
    "a chain of 3,000 optional objects": _schema(
        lambda: _refs(3000, lambda n: {"type": "object", "properties": {"a": n}}, True), b"{}", b"1"
    ),
    "allOf doubled 60 times": _schema(
        lambda: _refs(60, lambda n: {"allOf": [n, n]}, {"type": "null"}), b"null", b"1"
    ),
    "anyOf doubled 60 times": _schema(
        lambda: _refs(60, lambda n: {"anyOf": [n, n]}, {"type": "null"}), b"null", b"1"
    ),
    "oneOf doubled 60 times": _schema(
        lambda: _refs(60, lambda n: {"oneOf": [n, {"not": n}]}, {"type": "null"})
    ),
    "required properties doubled 60 times": _schema(
        lambda: _refs(
            60,
            lambda n: {"type": "object", "properties": {"a": n, "b": n}, "required": ["a", "b"]},
            {"type": "null"},
        )
    ),
    "numbers beyond all bounds": _schema(
        lambda: {"type": "number", "minimum": -(10**400), "maximum": 10**400, "multipleOf": 7**60}
    ),
    "a multiple of a billionth": _schema(
        lambda: {"type": "number", "minimum": 0, "maximum": 10**12, "multipleOf": 1e-9}
    ),
    "multiples of a large prime": _schema(
        lambda: {"type": "integer", "multipleOf": 1_000_003}, b"1000003", b"x"
    ),
    "a pattern within 10,000 characters": _schema(
        lambda: {"type": "string", "pattern": "^(.*a){20}$", "maxLength": 10_000}
    ),
    "20 patterns at once": _schema(
        lambda: {"type": "string", "allOf": [{"pattern": f"{a}.*{a}"} for a in LETTERS[:20]]}
    ),
    "a description of 5 MB": _schema(
        lambda: {"type": "null", "description": "x" * 5_000_000}, b"null", b"1"
    ),
}

PATTERNS = {
    "10,000 groups": _regex("(" * 10_000 + "a" + ")" * 10_000, b"a", b"b"),
    "400 groups": _regex("(" * 400 + "a" + ")" * 400, b"a", b"b"),
    "300 stars": _regex("(?:" * 300 + "a" + ")*" * 300, b"aa", b"b"),
    "counts of counts": _regex("(?:a{0,100000}){0,100000}", b"a" * 50, b"b"),
    "counts of counts of counts": _regex("(?:(?:a{1,99}b?){2,99}c?){3,999}", b"a" * 50, b"b"),
    "a count of two counts": _regex("(?:a{0,1000}b{0,1000}){0,1000}", b"abba" * 9, b"c"),
    "fifty of fifty": _regex("(?:a{1,50}){1,50}", b"a" * 60, b"b"),
    "10^9 of one": _regex("x{1000000000}"),
    "10^30 of one": _regex("x{0,1" + "0" * 30 + "}"),
    "twelve after an a": _regex("[ab]*a[ab]{12}", b"a" * 40, b"ba"),
    "forty after an a": _regex("[ab]*a[ab]{40}", b"ba" * 60, b"ba"),
    "thousand after an a": _regex("[ab]*a[ab]{1000}", b"ba" * 600, b"ba"),
    "ambiguous alternation": _regex("(?:a|a|aa)*b", b"a" * 50 + b"b", b"a" * 50),
    "stars of stars": _regex("(?:(?:a*)*b*)*c", b"aab" * 20 + b"c", b"aab" * 20),
    "overlapping plusses": _regex("(?:x+x+)+y", b"x" * 60 + b"y", b"x" * 60),
    "a hundred may be, a hundred must": _regex("(?:a?){100}a{100}", b"a" * 150, b"a" * 99),
    "nested optionals": _regex("(?:a" * 400 + ")?" * 400, b"a" * 30, b"b"),
    "5,000 optionals": _regex("a?" * 5000, b"a" * 30, b"b"),
    "300 times anything": _regex("(?:.*)" * 300 + "b", b"aab", b"aa"),
    "30 words anywhere": _regex("".join(f"(?:.*{w})" for w in WORDS[:30])),
    "a union of 5,000": _regex("|".join(w + "[0-9]" for w in WORDS[:5000]), b"word41", b"word5x"),
    "a union of 1,000 searches": _regex(
        "|".join(f".*{w}.*" for w in WORDS[:1000]), b"-word4", b"x"
    ),
    "almost all characters": _regex("[\u00a0-\U0010ffff]+", "é😀".encode(), b"a"),
    "letters of all scripts, counted": Bomb(
        "ecma", lambda: r"^(?:\p{L}{0,1000}\p{N}{0,1000}[^\p{P}]){0,1000}$", b"", None
    ),
    "100 classes of all scripts": _regex("".join(r"[\w-]+[^\W\d]*" for _ in range(100))),
    "folded classes": _regex("(?i)" + "[a-zà-ÿα-ω\u0400-\u04ff]+k" * 100),
    "26 lookaheads": _regex("".join(f"(?=.*{a})" for a in LETTERS) + ".*", LETTERS.encode(), b"a"),
    "26 negative lookaheads": _regex("".join(f"(?!.*{a}{a})" for a in LETTERS) + ".*", b"ab"),
    "500 lookaheads": _regex("".join(f"(?=.*{w})" for w in WORDS[:500]) + ".*"),
    "300 nested lookaheads": _regex("(?=a" * 300 + ")" * 300 + "a*"),
    "a lookahead in a loop": _regex("(?:(?=[ab]*a[ab]{9})(?!b{7})[ab])*c?", b""),
    "a far lookahead": _regex("(?=.{100000}).*"),
    "lookbehinds": _regex("".join(f"{a}?(?<!{a}{a})" for a in LETTERS) + "x*", b"abc"),
    "word boundaries": _regex(r"(?:\b\w*\b\W*){0,500}", b"ab cd"),
    "a shortest member of 10^9": _regex("(?=(?:a{997})*$)(?=(?:a{991})*$)(?=(?:a{983})*$)a+"),
    "contradicting lookaheads": _regex("(?=(?:aa)*$)(?=a(?:aa)*$)a*", is_empty=True),
    "nothing but a dead end": _regex("a(?!)|b(?!)", is_empty=True),
}

CONTEXT_FREE = {
    "lark: 10,000 brackets": _lark("start: " + "(" * 10_000 + '"a"' + ")" * 10_000),
    "lark: 400 brackets": _lark("start: " + "(" * 400 + '"a"' + ")" * 400, b"a", b"b"),
    "lark: 400 optional brackets": _lark("start: " + '["a" ' * 400 + "]" * 400, b"aa", b"b"),
    "lark: 15,000 literals": _lark("start: " + QUOTED, b"word4", b"word5"),
    "lark: counts of counts": _lark('start: (("a"~0..1000)~0..1000)~0..1000', b"a" * 50, b"b"),
    "lark: 10^6 of one": _lark('start: "a"~1000000'),
    "lark: a chain of 3,000": _lark(_rules(3000, "N", '"a"'), b"a", b"b"),
    "lark: the chain backward": _lark(_backward(_rules(3000, "N", '"a"')), b"a", b"b"),
    "lark: 3,000 on the left": _lark(_rules(3000, 'N "b"', '"a"'), None, b"b"),
    "lark: 3,000 on the right": _lark(_rules(3000, '"b" N', '"a"'), None, b"a"),
    "lark: 3,000 that may be empty": _lark(_rules(3000, '"b"? N', '"a"'), b"bba", b"ab"),
    "lark: 3,000 recursive": _lark(_rules(3000, 'N "b" | N N', '"a"')),
    "lark: 300 recursive on the left": _lark(_rules(300, 'N | N "b"', '"a"'), b"ab", b"b"),
    "lark: doubled 60 times": _lark(_rules(60, "N N", '"a"')),
    "lark: doubled 60 times, optional": _lark(_rules(60, "N N", '"a"?'), b"a" * 40, b"b"),
    "lark: ambiguous": _lark('start: start start | start start start | "a"', b"a" * 60, b"b"),
    "lark: ambiguous and empty": _lark('start: start start start | "a" |', b"a" * 60, b"b"),
    "lark: ambiguous pairs": _lark(
        'start: x x\nx: y y | "a"\ny: x x | start | "aa"', b"a" * 62, b"b"
    ),
    "lark: palindromes": _lark('start: "a" start "a" | "b" start "b" |', b"ab" * 20 + b"ba" * 20),
    "lark: hidden left recursion": _lark('start: e start "x" | "y"\ne: e e |', b"yxxx", b"x"),
    "lark: only itself": _lark("start: start", is_empty=True),
    "lark: a circle of 3,000": _lark(_rules(3000, "N", "start"), is_empty=True),
    "lark: templates without end": _lark('start: t{"a"}\nt{x}: x | t{p{x}}\np{x}: "b" x'),
    "lark: templates doubled": _lark(
        'start: t0{A}\nA: "a"\n'
        + "\n".join(f"t{i}{{x}}: t{i + 1}{{p{{x}}}}" for i in range(40))
        + "\nt40{x}: x\np{x}: x x"
    ),
    "lark: 300 kinds of space": _lark(
        'start: "a" "b" "c"\n' + "\n".join(f"%ignore /w{i} +/" for i in range(300)), b"abc", b"x"
    ),
    "lark: 1,000 overlapping terminals": _lark(
        "start: ("
        + " | ".join(f"T{i}" for i in range(1000))
        + ")+\n"
        + "\n".join(f"T{i}: /[a-z]{{1,{i + 1}}}{i % 10}/" for i in range(1000)),
        b"abc1",
        b"-",
    ),
    "lark: a terminal of 60 doublings": _lark(
        "start: T0\n" + "\n".join(f"T{i}: T{i + 1} T{i + 1}" for i in range(60)) + '\nT60: "a"'
    ),
    "lark: a literal of 200 kB": _lark(f'start: "{"ab" * 100_000}"', None, b"b"),
    "gbnf: 10,000 parentheses": _gbnf("root ::= " + "(" * 10_000 + '"a"' + ")" * 10_000),
    "gbnf: 400 parentheses": _gbnf("root ::= " + "(" * 400 + '"a"' + ")" * 400, b"a", b"b"),
    "gbnf: 400 stars": _gbnf("root ::= " + "(" * 400 + '"a"' + ")*" * 400, b"aa", b"b"),
    "gbnf: 15,000 literals": _gbnf("root ::= " + QUOTED, b"word4", b"word5"),
    "gbnf: counts of counts": _gbnf('root ::= (("a"{0,9999} "b"?){0,9999}){0,9999}', b"aab", b"c"),
    "gbnf: a count of what may be empty": _gbnf('root ::= ("a"?){5,100000}', b"a" * 40, b"b"),
    "gbnf: a chain of 3,000": _gbnf(_rules(3000, "N", '"a"', "::=", "root"), b"a", b"b"),
    "gbnf: 3,000 on the left": _gbnf(_rules(3000, 'N "b"', '"a"', "::=", "root"), None, b"b"),
    "gbnf: ambiguous": _gbnf('root ::= root root | root | "a"', b"a" * 60, b"b"),
    "gbnf: nothing": _gbnf('root ::= "a" root', is_empty=True),
    "choice: 20,000": Bomb("choice", lambda: WORDS, b"word4", b"word5"),
    "choice: 200,000": Bomb("choice", lambda: [f"{i:x}" for i in range(200_000)], b"fade", b"x"),
    "choice: one of 10 MB": Bomb("choice", lambda: ["ab" * 5_000_000], None, b"b"),
    "choice: 1,000 with one beginning": Bomb(
        "choice", lambda: ["a" * i + "b" for i in range(1000)], b"aaab", b"c"
    ),
}

BOMBS = SCHEMAS | PATTERNS | CONTEXT_FREE


def vocabulary() -> Vocabulary:
    """All bytes, and 20,000 tokens such as a model has."""
    rng = random.Random(0)
    printable = string.printable
    tokens = {bytes([byte]) for byte in range(256)}
    while len(tokens) < 20_000:
        letters = rng.choice((LETTERS, LETTERS, "ab", "a", "word0123456789", "éàα中", printable))
        space = rng.choice(("", " ", '"'))
        tokens.add((space + "".join(rng.choices(letters, k=rng.randint(1, 10)))).encode())
    return Vocabulary.from_tokens([b"", *sorted(tokens)], eos_ids=(0,))


class Stages(dict[str, Any]):
    """What came of a bomb so far, and the seconds of CPU time that each stage took."""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        begin = time.process_time()
        try:
            yield
        finally:
            self[stage] = round(time.process_time() - begin, 4)


def go_off(bomb: Bomb, tokens: Vocabulary) -> Stages:
    """Parse and compile, then read a few bytes and fill two masks."""
    source, result = bomb.make(), Stages(outcome="answered")
    try:
        with result.timed("parse"):
            grammar = PARSERS[bomb.kind](source)
        with result.timed("compile"):
            automaton = compile(grammar)
        with result.timed("use"):
            _use(bomb, Masker(automaton, tokens))
    except EmptyLanguage:
        result["outcome"] = "empty"
    except Error as error:
        result["outcome"] = f"refused: {type(error).__name__}"
    except BaseException as error:
        result["outcome"] = f"failed: {type(error).__name__}: {str(error)[:200]}"
    return result


def _use(bomb: Bomb, masker: Masker) -> None:
    automaton, out = masker.automaton, np.empty(-(-len(masker.vocabulary) // 32), np.int32)
    assert not bomb.is_empty, "compiled, but there is no member"
    state = automaton.start()
    masker.fill(state, out)
    for number in range(STEPS):
        following = sorted(automaton.next_bytes(state))
        if not following:
            break
        successor = automaton.step(state, following[number * 7 % len(following)])
        assert successor is not None
        state = successor
    masker.fill(state, out)
    automaton.forced(state)
    if bomb.member is not None:
        assert automaton.accepts(bomb.member), bomb.member
    if bomb.stranger is not None:
        assert not automaton.accepts(bomb.stranger), bomb.stranger


def _resident_bytes() -> tuple[int, int]:
    with open("/proc/self/statm") as file:
        size, resident = file.read().split()[:2]
    return int(size) * resource.getpagesize(), int(resident) * resource.getpagesize()


def _slowness() -> float:
    """CPU time of a fixed piece of work, as a multiple of what it takes on a core left alone.

    Who shares a core's caches and pipelines doubles the CPU time of all.
    """
    times_s = []
    for _ in range(5):
        begun_s = time.process_time()
        assert len({str(number): (number, number) for number in range(20_000)}) == 20_000
        times_s.append(time.process_time() - begun_s)
    return max(1.0, sorted(times_s)[2] / _ALONE_S)


def _in_child(name: str, tokens: Vocabulary, write: int) -> None:
    size, resident = _resident_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (KILLED_AFTER_S,) * 2)
    result = go_off(BOMBS[name], tokens)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    result["memory_bytes"] = peak - resident
    result["slowness"] = _slowness()
    os.write(write, json.dumps(result).encode())


def main() -> None:
    tokens = vocabulary()
    warm = (("json_schema", {"type": "object"}), ("regex", "(?=a)a|b{1,3}"), ("ecma", "a"))
    warm += (("lark", 'start: "a" | "b" start'), ("gbnf", 'root ::= "a"'), ("choice", ["a", "b"]))
    for kind, source in warm:
        go_off(Bomb(kind, lambda source=source: source), tokens)
    gc.freeze()
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            _in_child(line.strip(), tokens, write)
            os._exit(0)
        os.close(write)
        with open(read, "rb") as pipe:
            answer = pipe.read()
        _, status = os.waitpid(child, 0)
        died = {"outcome": f"failed: died of signal {os.WTERMSIG(status)}"}
        print(answer.decode() or json.dumps(died), flush=True)


if __name__ == "__main__":
    main()
