"""Canvases in which much is to be filled: what is found far from a witness."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from benchmarks.programs import GRAMMAR, program

from lipogram.decoding import Canvas, Hole, Vocabulary
from lipogram.grammars import Automaton, compile, json_schema, lark, regex

WORDS = [b"int", b" char", b"while", b"return", b" total", b'":', b'","', b" {\n", b");\n", b"//"]
VOCABULARY = Vocabulary.from_tokens(
    [b"", *[bytes([byte]) for byte in range(256)], *WORDS], eos_ids=(0,)
)
FORM = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "description": {"type": "string"},
        "done": {"type": "boolean"},
    },
    "required": ["name", "description", "done"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def programs() -> Automaton:
    return compile(lark.parse(GRAMMAR))


def with_holes(rng: random.Random, text: bytes, holes: int, room: int) -> list[bytes | Hole]:
    """A text of which some parts are left out, with slots for one byte each and some more."""
    cuts = sorted(rng.sample(range(len(text)), 2 * holes))
    parts: list[bytes | Hole] = [text[: cuts[0]]]
    for begin, end, after in zip(cuts[::2], cuts[1::2], [*cuts[2::2], len(text)], strict=True):
        size = min(end - begin, 60)
        parts.append(Hole(max_tokens=size + room) if room else Hole(exact_tokens=size))
        parts.append(text[begin + size : after])
    return parts


@pytest.mark.parametrize("room", [0, 5])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_fits_a_program_leaves_a_program(
    programs: Automaton, seed: int, room: int
) -> None:
    rng = random.Random(seed)
    parts = with_holes(rng, program(rng, 900).encode(), 4, room)
    canvas = Canvas(programs, VOCABULARY, parts)
    accepted = 0
    for slot in rng.sample(range(len(canvas)), min(24, len(canvas))):
        tokens = rng.sample(range(1, len(VOCABULARY)), 6)
        fitting = [token for token in tokens if canvas.check(slot, token) == "accept"]
        accepted += len(fitting)
        if fitting:
            canvas.commit(slot, fitting[0])
            assert canvas.committed[slot] == fitting[0]
        assert programs.accepts(canvas.text())
    assert accepted


def test_a_long_hole_in_a_program_is_filled_within_its_memory(programs: Automaton) -> None:
    text = program(random.Random(3), 2200).encode()
    parts = [text[:300], Hole(max_tokens=200), text[700:1500], Hole(exact_tokens=90), text[1700:]]
    canvas = Canvas(programs, VOCABULARY, parts)
    assert programs.accepts(canvas.text())
    assert len(canvas.witness()) == 290
    assert -1 not in canvas.witness()[200:]


def test_names_are_spelled_by_tokens_of_several_bytes() -> None:
    words = [b'"name"', b'"description"', b"description", b": ", b", ", b"false", b"}"]
    vocabulary = Vocabulary.from_tokens(
        [b"", *[bytes([byte]) for byte in range(256)], *words], eos_ids=(0,)
    )
    automaton = compile(json_schema.parse(FORM))
    parts = [b'{"name": "x"', Hole(exact_tokens=16), b"true}"]
    canvas = Canvas(automaton, vocabulary, parts)  # bytes alone are too many
    assert automaton.accepts(canvas.text())
    assert canvas.check(1, 1 + ord("z")) == "reject"


def test_a_byte_that_no_token_is_alone_may_stand_in_other_slots() -> None:
    vocabulary = Vocabulary.from_tokens([b"", b"a", "é".encode(), "ü".encode()], eos_ids=(0,))
    automaton = compile(regex.parse("éé(a|ü)a{6}|üüüa{6}"))
    canvas = Canvas(automaton, vocabulary, [Hole(exact_tokens=9)])
    fillings = [(2, 2, 1), (2, 2, 3), (3, 3, 3)]
    for slot, token in itertools.product(range(3), range(1, 4)):
        is_fitting = any(filling[slot] == token for filling in fillings)
        assert canvas.check(slot, token) == ("accept" if is_fitting else "reject"), (slot, token)


def test_a_run_goes_on_in_a_hole_that_touches_it() -> None:
    texts = [b"", b"a", b"b", b"c", b"d", b"ab", b"cd", b"x", b"y"]
    vocabulary = Vocabulary.from_tokens(texts, eos_ids=(0,))
    automaton = compile(regex.parse("[ab]{8}x|[cd]{8}y"))
    canvas = Canvas(automaton, vocabulary, [Hole(exact_tokens=4), Hole(exact_tokens=1)])
    assert [canvas.check(4, token) for token in (7, 8)] == ["accept", "accept"]
    assert [canvas.check(4, token) for token in (1, 3, 6)] == ["reject", "reject", "reject"]


@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("between", [b"a", b" a", b"b", b"a "])
def test_tokens_asked_in_turn_do_not_hide_each_other(between: bytes, last: int) -> None:
    """Runs with a text between them: what is asked first must not decide what comes later."""
    rng = random.Random(last)
    texts = [b"", b"a", b"b", b" ", b";", b"a;"]
    vocabulary = Vocabulary.from_tokens(texts, eos_ids=(0,))
    automaton = compile(lark.parse('start: item+\nitem: name " "* name ";"\nname: /[ab]/+\n'))
    canvas = Canvas(automaton, vocabulary, [Hole(exact_tokens=4), between, Hole(exact_tokens=last)])
    slots = len(canvas)
    fillings = []
    for tokens in itertools.product(range(1, len(texts)), repeat=slots):
        written = [texts[token] for token in tokens]
        if automaton.accepts(b"".join([*written[:4], between, *written[4:]])):
            fillings.append(tokens)
    for _ in range(3):
        asked = [(slot, token) for slot in range(slots) for token in range(1, len(texts))]
        rng.shuffle(asked)
        for slot, token in asked:
            is_fitting = any(tokens[slot] == token for tokens in fillings)
            expected = "accept" if is_fitting else "reject"
            assert canvas.check(slot, token) == expected, (slot, token, canvas.committed)
        slot = rng.randrange(slots)
        token = rng.choice(fillings)[slot]
        canvas.commit(slot, token)
        fillings = [tokens for tokens in fillings if tokens[slot] == token]


ALIKE = [bytes([letter]) for letter in b"ABCDEFGHIJKLMNOPSTUVWXY"]  # lead to the same behind "rs"
FITTING = [b"y", b"z"]


@pytest.mark.parametrize("first", [0, 11, len(ALIKE)])
@pytest.mark.parametrize(
    ("pattern", "parts", "slot"),
    [
        ("(p[qQ]y|t[uU]z|rs[A-Y])end", [Hole(), Hole(exact_tokens=2), b"end"], 1),
        ("(p[qQ]mmmy|t[uU]mmmz|rsmmm[A-Y])end", [Hole(exact_tokens=5), b"end"], 4),
    ],
)
def test_what_is_known_of_one_token_is_not_said_of_those_alike(
    pattern: str, parts: list[bytes | Hole], slot: int, first: int
) -> None:
    """By all fillings only those fit whose rest can be spelled: no token ends with an r or s."""
    known = [*ALIKE[:first], *FITTING, *ALIKE[first:]]
    tokens = [b"", b"pq", b"tu", b"m", *known, *[b"#%d" % number for number in range(40)]]
    automaton, vocabulary = (
        compile(regex.parse(pattern)),
        Vocabulary.from_tokens(tokens, eos_ids=(0,)),
    )
    expected = {tokens.index(text) for text in FITTING}
    for asked in ([], [ALIKE[0], b"z"], [b"y", ALIKE[-1]]):
        canvas = Canvas(automaton, vocabulary, parts)
        for text in asked:
            assert canvas.check(slot, tokens.index(text)) in (
                "accept" if text in FITTING else "reject",
                "unknown",
            )
        for _ in range(2):
            out = np.empty(-(-len(tokens) // 32), np.int32)
            unknown = canvas.statistics.unknown
            canvas.mask(slot, out)
            found = {t for t in range(len(tokens)) if int(out[t >> 5]) >> (t & 31) & 1}
            assert found <= expected
            assert found == expected or canvas.statistics.unknown > unknown


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("1(bb|cc|aa)", [Hole(), Hole(exact_tokens=2)]),
        ("(bb12|cc34|aa56)", [Hole(exact_tokens=2), Hole()]),
    ],
)
def test_a_gap_leaves_the_bytes_to_slots_that_need_them(
    pattern: str, parts: list[bytes | Hole]
) -> None:
    canvas = Canvas(compile(regex.parse(pattern)), VOCABULARY, parts)
    for slot, letter in itertools.product(range(2), b"abcd"):
        expected = "accept" if letter in b"abc" else "reject"
        assert canvas.check(slot, VOCABULARY.tokens.index(bytes([letter]))) == expected


def test_a_slot_is_left_empty_only_where_a_gap_allows_it() -> None:
    automaton = compile(regex.parse("(xaab|aac+)"))
    canvas = Canvas(automaton, VOCABULARY, [Hole(max_tokens=1), b"aa", Hole()])
    for token in (-1, VOCABULARY.tokens.index(b"x")):
        assert canvas.check(0, token) == "accept"
        canvas.commit(0, token)
        assert canvas.witness() == [token]
        assert automaton.accepts(canvas.text())
        canvas.remask(0)


def test_programs_are_filled_where_any_text_may_come(programs: Automaton) -> None:
    rng = random.Random(0)
    text = program(rng, 500).encode()
    cuts = sorted(rng.sample(range(len(text)), 4))
    parts = [text[: cuts[0]], Hole(), text[cuts[1] : cuts[2]], Hole(), text[cuts[3] :]]
    canvas = Canvas(programs, VOCABULARY, parts)
    assert programs.accepts(canvas.text())
    assert canvas.text().startswith(text[: cuts[0]])
    assert canvas.text().endswith(text[cuts[3] :])
