"""Masks where engines take short cuts: counts, loops over classes, long tokens, cut characters.

The judge is a recogniser that reads every token byte by byte (laws.recogniser), which enumeration
judges first; then large vocabularies, where reading token by token judges the mask.
"""

import random

import numpy as np
import pytest

from laws.generator import LETTERS, cases, crowded_tokens, large_grammar
from laws.oracle import ALPHABET, Oracle, random_grammar
from laws.recogniser import Recogniser, utf8_spans
from laws.test_masks import LIMIT, allowed
from lipogram.decoding import masking
from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import EmptyLanguage, compile, ir, json_schema, lark

EOS = 0
PER_BLOCK = 10
MASKS = 6
TOKENS = 300


@pytest.mark.parametrize("block", cases(4))
def test_the_recogniser_is_what_enumeration_says(block: int) -> None:
    rng = random.Random(block)
    for seed in range(25 * block, 25 * block + 25):
        grammar = random_grammar(seed)
        oracle, recogniser = Oracle(grammar, LIMIT), Recogniser(grammar)
        texts = {bytes(rng.choices(ALPHABET, k=rng.randint(0, LIMIT))) for _ in range(40)}
        for text in texts | set(rng.sample(sorted(oracle.prefixes), min(40, len(oracle.prefixes)))):
            chart = recogniser.walk(recogniser.start(), text)
            assert (chart is not None) == (text in oracle.prefixes), (seed, text)
            complete = chart is not None and recogniser.is_complete(chart)
            assert complete == (text in oracle.members), (seed, text)


def test_the_recogniser_spells_characters_as_python_does() -> None:
    rng = random.Random(0)
    edges = [0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF]
    for _ in range(200):
        low, high = sorted(rng.choice(edges) + rng.randint(-3, 3) for _ in range(2))
        low, high = max(low, 0), min(high, 0x10FFFF)
        spans = list(utf8_spans(low, high))
        for code in (e + d for e in edges for d in range(-4, 5)):
            if 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
                text = chr(code).encode()
                spelled = any(
                    len(span) == len(text)
                    and all(mask >> byte & 1 for mask, byte in zip(span, text, strict=True))
                    for span in spans
                )
                assert spelled == (low <= code <= high), (low, high, code)


@pytest.mark.parametrize("block", cases(8))
def test_masks_equal_a_recogniser_on_large_grammars(block: int) -> None:
    for seed in range(PER_BLOCK * block, PER_BLOCK * block + PER_BLOCK):
        grammar = large_grammar(seed)
        recogniser = Recogniser(grammar)
        chart = recogniser.start()
        if chart is None:
            with pytest.raises(EmptyLanguage):
                compile(grammar)
            continue
        tokens = crowded_tokens(seed, TOKENS)
        masker = Masker(compile(grammar), Vocabulary.from_tokens(tokens, eos_ids=(EOS,)))
        rng, state, text = random.Random(seed), masker.start(), b""
        for _ in range(MASKS):
            live = recogniser.live(chart, {token for token in tokens if token})
            expected = {index for index, token in enumerate(tokens) if token in live}
            if recogniser.is_complete(chart):
                expected.add(EOS)
            assert allowed(masker, state) == expected, (seed, text)
            assert masker.is_complete(state) == (EOS in expected), (seed, text)
            for token_id in rng.sample(range(len(tokens)), 20):
                assert (masker.step(state, token_id) is not None) == (token_id in expected)
            spoken = sorted(expected - {EOS})
            if not spoken:
                break
            # Long tokens go deep into counts, short ones meet what begins there.
            chosen = max(rng.sample(spoken, min(2, len(spoken))), key=lambda i: len(tokens[i]))
            text += tokens[chosen]
            state, chart = masker.step(state, chosen), recogniser.walk(chart, tokens[chosen])
            assert state is not None
            assert chart is not None


@pytest.mark.parametrize("block", cases(3))
def test_completions_of_large_grammars_are_members(block: int) -> None:
    for seed in range(PER_BLOCK * block, PER_BLOCK * block + PER_BLOCK):
        grammar = large_grammar(seed)
        recogniser = Recogniser(grammar)
        chart, rng = recogniser.start(), random.Random(seed)
        if chart is None:
            continue
        automaton = compile(grammar)
        state = automaton.start()
        for _ in range(30):
            shortest, forced = automaton.shortest(state), automaton.forced(state)
            assert automaton.shortest_length(state) == len(shortest)
            ended = recogniser.walk(chart, shortest)
            assert ended is not None, (seed, shortest)
            assert recogniser.is_complete(ended), (seed, shortest)
            assert shortest[: len(forced)] == forced
            following = {b for b in range(256) if recogniser.step(chart, b) is not None}
            assert automaton.next_bytes(state) == following, seed
            assert bool(forced) == (len(following) == 1 and not recogniser.is_complete(chart))
            if not following:
                break
            byte = rng.choice(sorted(following & set(LETTERS.encode()) or following))
            state, chart = automaton.step(state, byte), recogniser.step(chart, byte)
            assert state is not None
            assert chart is not None


SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "minLength": 2, "maxLength": 30},
        "b": {"type": "string", "pattern": "^[ab]{3,20}$"},
        "ab": {"type": "array", "items": {"enum": ["a", "ab", "abab", 1, 10, None]}},
        "ba": {"type": "integer", "minimum": -10, "maximum": 1011},
    },
}
SUMS = r"""
start: sum
sum: product (("+" | "-") product)*
product: atom ("*" atom)*
atom: NAME | NUMBER | STRING | "(" sum ("," sum)* ")"
NAME: /[ab_][ab01_]*/
NUMBER: /[0-9]+/
STRING: /"[^"\\]{0,20}"/
%ignore /[ \n]+/
"""
# With a dash 20 letters must follow: a limit may be felt that is beyond the length of a token.
LIMITED = {"type": "string", "pattern": "^[ab]+(-c{20})?$", "maxLength": 36}
TEXTS = {
    "limit": (lambda: json_schema.parse(LIMITED), b'"abbaabababbaab-' + 20 * b"c" + b'"'),
    "limit, met": (lambda: json_schema.parse(LIMITED), b'"' + 9 * b"abba" + b'"'),
    "schema": (
        lambda: json_schema.parse(SCHEMA),
        b'{"a": "ab\xc3\xa9ab\\nabab", "b": "abbaabab", "ab": ["abab", 10, 1], "ba": 1010}',
    ),
    "sums": (lambda: lark.parse(SUMS), b'(ab01 + a*(10,b), "ab\xe4\xb8\xadab", a)*ab_0 + "b"'),
}


@pytest.mark.parametrize("name", TEXTS)
def test_masks_of_large_vocabularies_equal_reading_token_by_token(name: str) -> None:
    parse, text = TEXTS[name]
    rng = random.Random(name)
    letters = "".join(sorted(set(text.decode()))) + "ab01"
    pieces = [text[i : i + rng.randint(1, 12)] for i in range(len(text)) for _ in range(4)]
    random_ones = [
        "".join(rng.choices(rng.choice((letters, "ab", '",: ')), k=rng.randint(1, 12))).encode()
        for _ in range(1300)
    ]
    tokens = [b"", *pieces, *random_ones, *crowded_tokens(0, 400)]
    masker = Masker(compile(parse()), Vocabulary.from_tokens(tokens, eos_ids=(EOS,)))
    automaton, state = masker.automaton, masker.start()
    for position in range(len(text) + 1):
        expected = {i for i, t in enumerate(tokens) if t and _survives(automaton, state, t)}
        if automaton.is_complete(state):
            expected.add(EOS)
        assert allowed(masker, state) == expected, text[:position]
        if position < len(text):
            following = automaton.step(state, text[position])
            assert following is not None, text[:position]
            state = following
    assert automaton.is_complete(state)


def _survives(automaton, state: int, text: bytes) -> bool:
    here: int | None = state
    for byte in text:
        here = automaton.step(here, byte)
        if here is None:
            return False
    return True


def test_every_end_of_text_is_allowed_and_padding_never_is() -> None:
    tokens = [b"", b"a", b"aa", b"a", b"", b"b"] + [b"c"] * 30
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=(0, 4))
    masker = Masker(compile(ir.Grammar({"s": ir.Repeat(ir.Literal(b"a"), 1, 2)}, "s")), vocabulary)
    out = np.full(2, -1, np.int32)
    masker.fill(masker.start(), out)
    assert out.tolist() == [0b1110, 0]
    state = masker.step(masker.start(), 3)
    assert state is not None
    assert allowed(masker, state) == {0, 1, 3, 4}
    assert masker.step(state, 4) == state
    end = masker.step(state, 1)
    assert end is not None
    assert allowed(masker, end) == {0, 4}


@pytest.mark.skipif(not hasattr(masking, "fill_batch"), reason="masks are filled one by one")
def test_a_batch_of_masks_is_the_masks_of_its_members() -> None:
    tokens = crowded_tokens(0, 200)
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=(EOS,))
    requests = []
    for seed in range(40):
        try:
            masker = Masker(compile(large_grammar(seed)), vocabulary)
        except EmptyLanguage:
            continue
        state, rng = masker.start(), random.Random(seed)
        for _ in range(3):
            requests.append((masker, state))
            spoken = sorted(allowed(masker, state) - {EOS})
            if spoken:
                state = masker.step(state, rng.choice(spoken)) or state
    out = np.full((len(requests), -(-len(tokens) // 32)), -1, np.int32)
    masking.fill_batch(requests, out)
    alone = np.empty(out.shape[1], np.int32)
    for row, (masker, state) in zip(out, requests, strict=True):
        masker.fill(state, alone)
        assert row.tolist() == alone.tolist()
