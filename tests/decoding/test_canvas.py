"""Canvases: what is refused, holes of any text, munched lexemes, special tokens, long documents."""

from __future__ import annotations

import itertools
import json
import pickle
import random
import threading

import numpy as np
import pytest

from lipogram.decoding import (
    Canvas,
    Hole,
    HolesTooSmall,
    TokenRejected,
    Unfillable,
    UnsupportedJob,
    Vocabulary,
)
from lipogram.grammars import Automaton, BudgetExceeded, choice, compile, ir, json_schema, regex

BYTES = [b"", *(bytes([byte]) for byte in range(256))]
WORDS = [b'":', b'",', b'"}', b'": ', b"true", b"12", b"ab", b', "', b"false"]
VOCABULARY = Vocabulary.from_tokens([*BYTES, *WORDS], eos_ids=(0,))


A, B = ir.Reference("a"), ir.Reference("b")


def munched(start: ir.Expression) -> ir.Grammar:
    """Lexemes a: a+, and b: ab."""
    rules = {"s": start, "a": ir.Repeat(ir.Literal(b"a"), 1), "b": ir.Literal(b"ab")}
    return ir.Grammar(rules, "s", lexemes=frozenset("ab"))


def token(text: bytes) -> int:
    return VOCABULARY.tokens.index(text)


def test_holes_say_what_is_wrong_with_them() -> None:
    with pytest.raises(ValueError, match="both"):
        Hole(max_tokens=1, exact_tokens=1)
    with pytest.raises(ValueError, match="-1"):
        Hole(max_tokens=-1)
    automaton = compile(regex.parse("a{3,5}b"))
    with pytest.raises(HolesTooSmall, match="at most 3") as small:
        Canvas(automaton, VOCABULARY, [Hole(max_tokens=2), b"b"])
    assert small.value.wanted_tokens == 3
    assert pickle.loads(pickle.dumps(small.value)).wanted_tokens == 3
    with pytest.raises(Unfillable, match="whatever is between"):
        Canvas(automaton, VOCABULARY, [b"x", Hole(max_tokens=9)])
    middle = compile(munched(ir.Repeat(ir.choice(A, B), 1))).between(b"ab", b"ab")
    with pytest.raises(UnsupportedJob, match="as parts"):
        Canvas(middle, VOCABULARY, [Hole(max_tokens=2)])


def test_a_token_that_does_not_fit_is_rejected() -> None:
    canvas = Canvas(compile(choice.parse(["cat", "dog"])), VOCABULARY, [Hole(exact_tokens=3)])
    with pytest.raises(TokenRejected, match="slot 1"):
        canvas.commit(1, token(b"x"))
    canvas.commit(1, token(b"o"))
    assert canvas.text() == b"dog"
    assert canvas.committed == (None, token(b"o"), None)
    assert canvas.commit_all([(0, token(b"c")), (2, token(b"g"))]) == [(2, token(b"g"))]


def test_an_end_of_text_leaves_the_rest_of_a_hole_empty() -> None:
    canvas = Canvas(compile(regex.parse("a*b?")), VOCABULARY, [Hole(max_tokens=4)])
    canvas.commit(2, 0)
    assert canvas.committed == (None, None, -1, None)
    assert canvas.check(3, token(b"a")) == "reject"
    assert canvas.check(1, token(b"b")) == "accept"
    out = np.empty(-(-len(VOCABULARY) // 32), np.int32)
    canvas.mask(3, out)
    assert out[0] == 1
    assert not out[1:].any()


def test_a_hole_without_a_number_is_any_text() -> None:
    automaton = compile(json_schema.parse({"type": "object"}))
    parts = [b'{"a": ', Hole(), b', "b": ', Hole(exact_tokens=1), b"}"]
    canvas = Canvas(automaton, VOCABULARY, parts)
    assert json.loads(canvas.text())
    assert canvas.check(0, token(b"true")) == "accept"
    assert canvas.check(0, token(b"x")) == "reject"
    canvas.commit(0, token(b"12"))
    assert json.loads(canvas.text())["b"] == 12


def test_munched_lexemes_are_respected_across_holes() -> None:
    automaton = compile(munched(ir.Repeat(ir.choice(A, B), 1)))
    texts = [b"", b"a", b"b", b"ab"]
    vocabulary = Vocabulary.from_tokens(texts, eos_ids=(0,))
    for parts in (
        [Hole(exact_tokens=2), b"b"],
        [b"a", Hole(max_tokens=2), b"a", Hole(max_tokens=1)],
    ):
        sizes = [part.slots for part in parts if isinstance(part, Hole)]
        found = set()
        for filling in itertools.product((-1, 1, 2, 3), repeat=sum(sizes)):
            waiting = iter(filling)
            text, is_well = b"", True
            for part in parts:
                if isinstance(part, bytes):
                    text += part
                    continue
                own = [next(waiting) for _ in range(part.slots)]
                filled = [each for each in own if each != -1]
                is_well &= own[: len(filled)] == filled
                is_well &= part.exact_tokens is None or len(filled) == part.slots
                text += b"".join(texts[each] for each in filled)
            if is_well and automaton.accepts(text):
                found.add(filling)
        canvas = Canvas(automaton, vocabulary, parts)
        for slot, each in itertools.product(range(len(canvas)), (-1, 1, 2, 3)):
            expected = "accept" if any(filling[slot] == each for filling in found) else "reject"
            assert canvas.check(slot, each) == expected, (parts, slot, each)


def test_special_tokens_fit_where_the_grammar_has_them() -> None:
    grammar = ir.Grammar({"s": ir.sequence(ir.Literal(b"a"), ir.special("<end>"))}, "s")
    vocabulary = Vocabulary.from_tokens([b"a", b"", b"b"], specials={"<end>": 1})
    canvas = Canvas(compile(grammar), vocabulary, [Hole(exact_tokens=2)])
    assert [canvas.check(1, each) for each in range(3)] == ["reject", "accept", "reject"]
    assert canvas.witness() == [0, 1]


def test_new_memory_keeps_what_was_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    automaton = compile(regex.parse("(ab|cd)*e"))
    monkeypatch.setattr(Automaton, "is_worn", True)
    canvas = Canvas(automaton, VOCABULARY, [Hole(exact_tokens=5)])
    canvas.commit(2, token(b"c"))
    canvas.commit(0, token(b"a"))
    assert canvas.text() == b"abcde"


@pytest.mark.parametrize("seed", range(6))
def test_every_legal_walk_over_a_form_ends_in_a_member(seed: int) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": "integer"},
            "ok": {"enum": [True]},
        },
        "required": ["name", "age", "ok"],
        "additionalProperties": False,
    }
    automaton = compile(json_schema.parse(schema))
    parts = [
        b'{"name": "',
        Hole(exact_tokens=6),
        b'": ',
        Hole(max_tokens=4),
        b', "ok',
        Hole(max_tokens=5),
    ]
    rng = random.Random(seed)
    canvas = Canvas(automaton, VOCABULARY, parts)
    for slot in rng.sample(range(len(canvas)), len(canvas)):
        options = [canvas.witness()[slot], *rng.choices(range(1, len(VOCABULARY)), k=6), -1]
        fitting = [each for each in options if canvas.check(slot, each) == "accept"]
        canvas.commit(slot, rng.choice(fitting))
        value = json.loads(canvas.text().decode(errors="replace"))
        assert set(value) == {"name", "age", "ok"}
        assert automaton.accepts(canvas.text())
    assert canvas.statistics.unknown == 0


def test_questions_that_take_too_long_leave_the_automaton_as_good_as_new() -> None:
    automaton = compile(regex.parse("([ab]{3}|[bc]{4}x|a(b|c)*c)*"))
    parts = [b"ab", Hole(max_tokens=9), b"x", Hole(exact_tokens=3)]
    canvas = Canvas(automaton, VOCABULARY, parts)
    own = canvas._decisions.steps.masker.automaton
    wanted = [(slot, 1 + byte) for slot in range(12) for byte in b"abcx"]
    stopped = 0
    for units in range(1, 400, 3):  # so that it is another place where each is stopped
        canvas._max_check_s = units / 100_000_000
        before = canvas.statistics.unknown
        canvas.check(*wanted[units % len(wanted)])
        stopped += canvas.statistics.unknown - before
    assert stopped > 20
    assert canvas._decisions.steps.masker.automaton is own
    canvas._max_check_s = 1.0
    other = Canvas(compile(automaton.grammar), VOCABULARY, parts)
    assert [canvas.check(*each) for each in wanted] == [other.check(*each) for each in wanted]
    for slot in range(12):
        out, expected = np.zeros((2, -(-len(VOCABULARY) // 32)), np.int32)
        canvas.mask(slot, out)
        other.mask(slot, expected)
        assert (out == expected).all()


def test_without_work_left_nothing_is_decided_and_nothing_breaks() -> None:
    canvas = Canvas(compile(regex.parse("(ab|ba)*")), VOCABULARY, [Hole(max_tokens=4)])
    scores = {slot: np.zeros(len(VOCABULARY)) for slot in range(4)}
    canvas._max_check_s = 0.0
    with pytest.raises(BudgetExceeded):
        canvas.most_likely(scores)
    assert canvas.check(0, token(b"b")) == "unknown"
    canvas._max_check_s = 1.0
    assert canvas.check(0, token(b"b")) == "accept"
    canvas.most_likely(scores)


def test_masks_and_canvases_of_one_grammar_do_not_wait_for_each_other() -> None:
    automaton = compile(regex.parse("([ab]{3}|[bc]{4}x)*"))
    canvas = Canvas(automaton, VOCABULARY, [b"ab", Hole(max_tokens=9)])
    steps = canvas._decisions.steps
    state = steps.masker.start()

    def take_steps() -> None:
        for _ in range(3000):
            steps.working.left_s = 1.0
            steps.outcomes(state)

    def make_masks() -> None:
        for _ in range(3000):
            steps.masker._made(state)

    threads = [threading.Thread(target=each, daemon=True) for each in (take_steps, make_masks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
