"""Patterns of real schemas, as JSON Schema searches with them, against Python's `re`.

The patterns are ECMAScript's. What it reads differently is written in Python's words for the
judge; what has no such words is left out and counted. Texts are members and others drawn from the
compiled language, their mutations, and strings of the pattern's own characters. A sample is run;
LIPOGRAM_FULL=1 runs all patterns.
"""

import os
import random
import re
import time
import warnings
from collections import Counter

import pytest

from conformance import datasets
from grammars.sampling import walk
from lipogram.grammars import EmptyLanguage, Grammar, GrammarError, compile, ir, regex

SAMPLE = 150
TEXTS = (20, 90)  # of one pattern, at least: in a sample, in a full run
MAX_COMPILE_S = 1.0
ANY_TEXT = ir.Repeat(ir.ANY_CHAR)
SPACES = r"\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

TOKEN = re.compile(
    r"(?P<code>\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2})|\\(?P<escape>[\s\S])|(?P<group>\(\?<(?![=!]))"
    r"|(?P<empty>\[\^?\])|(?P<open>\[\^?)|(?P<close>\])|(?P<count>\{,)|(?P<other>[\s\S])"
)


class Untranslatable(Exception):
    """Python's `re` has no words for it."""


def in_python(pattern):
    """The pattern with the same meaning for `re` under its ASCII flag."""
    pieces, in_class = [], False
    for token in TOKEN.finditer(pattern):
        match token.lastgroup:
            case "escape":
                pieces.append(_escape(token["escape"], in_class))
            case "code" if token[0][:4].lower() in (r"\ud8", r"\ud9", r"\uda", r"\udb"):
                raise Untranslatable("surrogates")
            case "empty" if not in_class:
                raise Untranslatable("empty class")
            case "count" if not in_class:
                raise Untranslatable("literal brace")
            case "group" if not in_class:
                pieces.append("(?P<")
            case _ if token[0] == "$" and not in_class:
                pieces.append(r"\Z")
            case _ if token[0] == "." and not in_class:
                pieces.append(r"[^\n\r\u2028\u2029]")
            case _ if in_class and token[0] in ("[", "&", "~", "|"):
                pieces.append("\\" + token[0])
            case kind:
                in_class = kind == "open" or (in_class and kind != "close")
                pieces.append(token[0])
    return "".join(pieces)


def _escape(letter, in_class):
    if letter == "s":
        return SPACES if in_class else f"[{SPACES}]"
    if letter == "S" and not in_class:
        return f"[^{SPACES}]"
    if letter in "pPSkKcuxAZzNaUG":
        raise Untranslatable(f"\\{letter}")
    if letter in "/-" or not letter.isalnum():
        return re.escape(letter)
    return "\\" + letter


def _drawn(expression, chooser, count):
    """Texts from the language and from its complement."""
    outside = ir.Intersection((ANY_TEXT, ir.Complement(expression)))
    for side in (expression, outside):
        try:
            automaton = compile(Grammar({"start": side}, "start"))
        except EmptyLanguage:
            continue
        yield automaton.shortest(automaton.start()).decode()
        for _ in range(count):
            yield walk(automaton, chooser, 16).decode()


def _mutated(text, letters, chooser):
    at = chooser.randrange(len(text) + 1)
    return text[:at] + chooser.choice(letters) * chooser.randrange(2) + text[at + 1 :]


def _texts(pattern, expression, chooser, count):
    letters = sorted({*pattern, *"a0 -\n"})
    texts = set(_drawn(expression, chooser, count // 4))
    texts |= {_mutated(text, letters, chooser) for text in sorted(texts)}
    while len(texts) < count:
        texts.add("".join(chooser.choices(letters, k=chooser.randrange(12))))
    return sorted(texts)


def _compiled(pattern, slow):
    started = time.thread_time()
    try:
        expression = regex.expression(pattern, dialect="ecma", search=True)
        return expression, compile(Grammar({"start": expression}, "start"))
    finally:
        if (seconds := time.thread_time() - started) > MAX_COMPILE_S:
            slow.append((pattern, seconds))


def test_real_patterns():
    """All are compiled, and judged by a few texts or many."""
    patterns = datasets.real_patterns()
    chooser = random.Random(7)
    is_full = bool(os.environ.get("LIPOGRAM_FULL"))
    judged = set(patterns if is_full else chooser.sample(patterns, SAMPLE))
    counts, slow, wrong, left_out = Counter(), [], [], Counter()
    for pattern in patterns:
        try:
            expression, automaton = _compiled(pattern, slow)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                judge = re.compile(in_python(pattern), re.ASCII)
        except (GrammarError, re.error, Untranslatable) as error:
            left_out[f"{type(error).__name__}: {error}"] += 1
            continue
        counts["patterns"] += 1
        count = TEXTS[is_full] if pattern in judged else 0
        for text in _texts(pattern, expression, chooser, count) if count else ():
            member = bool(judge.search(text))
            counts["texts"] += 1
            counts["members"] += member
            if automaton.accepts(text.encode()) != member:
                wrong.append((pattern, text, member))
    print(dict(counts), dict(left_out))
    assert wrong == []
    assert slow == []
    assert counts["patterns"] >= 0.99 * len(patterns), left_out
    assert counts["texts"] >= TEXTS[is_full] * 0.99 * len(judged)
    assert counts["members"] > counts["texts"] / 4


@pytest.mark.parametrize(
    ("pattern", "member", "other"),
    [
        ("[ab]*a[ab]{12}", "bba" * 20, "b" * 20),
        ("(a{1,50}){1,50}", "a" * 2500, "a" * 2501),
        ("[\u00a0-\U0010ffff]+", "é😀", "éa"),
    ],
)
def test_hard_patterns_take_a_tenth_of_a_second(pattern, member, other):
    regex.parse("warm")
    started = time.thread_time()
    automaton = compile(regex.parse(pattern))
    assert automaton.accepts(member.encode())
    assert not automaton.accepts(other.encode())
    assert time.thread_time() - started < 0.1
