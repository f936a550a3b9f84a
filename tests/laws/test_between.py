"""What fits between a prefix and a suffix is what filtering all members by the two says."""

from __future__ import annotations

import itertools
import pickle
import random
import time
from collections.abc import Iterator

import pytest

from grammars.sampling import walk
from grammars.test_lark_lexing import overlapping_terminals
from grammars.test_members import random_members, written_out
from laws.generator import LETTERS, cases, large_grammar
from laws.munch import Munch
from laws.oracle import ALPHABET, Language, Oracle, random_grammar
from laws.recogniser import Recogniser
from laws.test_masks import allowed
from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, BudgetExceeded, compile, ir, json_schema, lark
from lipogram.grammars.completion import completion
from lipogram.grammars.errors import NoMiddle, PrefixMismatch, SuffixMismatch

LIMIT = 8
EOS = 0


def cuts(rng: random.Random, members: Language) -> Iterator[tuple[bytes, bytes]]:
    """Both ends of members, of two different members, and ends that need not be anybody's."""
    texts = sorted(members)
    for _ in range(3):
        text = rng.choice(texts)
        begin, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        other = rng.choice(texts)
        yield text[:begin], text[end:]
        yield text[:begin], other[rng.randint(0, len(other)) :]
    yield bytes(rng.choices(ALPHABET, k=2)), bytes(rng.choices(ALPHABET, k=2))


def middles(members: Language, prefix: bytes, suffix: bytes) -> Language:
    """By the definition."""
    around = len(prefix) + len(suffix)
    return frozenset(
        text[len(prefix) : len(text) - len(suffix)]
        for text in members
        if len(text) >= around and text.startswith(prefix) and text.endswith(suffix)
    )


def check(automaton: Automaton, members: Language, prefix: bytes, suffix: bytes) -> str:
    """One triple, among members of at most LIMIT bytes; what came of it."""
    expected = middles(members, prefix, suffix)
    try:
        middle = automaton.between(prefix, suffix)
    except NoMiddle as error:
        assert not expected
        return check_refusal(error, automaton, members, prefix, suffix)
    check_states(middle, automaton, expected, prefix, suffix)
    return "fits"


def check_refusal(
    error: NoMiddle, automaton: Automaton, members: Language, prefix: bytes, suffix: bytes
) -> str:
    """Which of the two does not fit, and how much of it does."""
    fits = error.fitting_bytes
    if isinstance(error, PrefixMismatch):
        assert not any(text.startswith(prefix) for text in members)
        assert automaton.is_live(prefix[:fits])
        assert not automaton.is_live(prefix[: fits + 1])
        return "prefix"
    assert automaton.is_live(prefix)
    if isinstance(error, SuffixMismatch):
        assert not any(text.endswith(suffix) for text in members)
        automaton.between(b"", suffix[len(suffix) - fits :])
        with pytest.raises(SuffixMismatch):
            automaton.between(b"", suffix[len(suffix) - fits - 1 :])
        return "suffix"
    automaton.between(b"", suffix)
    automaton.between(prefix[:fits], suffix)
    with pytest.raises(NoMiddle):
        automaton.between(prefix[: fits + 1], suffix)
    return "neither"


def check_states(
    middle: Automaton, automaton: Automaton, expected: Language, prefix: bytes, suffix: bytes
) -> None:
    """Every text that leaves all of it in LIMIT bytes, what may come next, and completions."""
    room = LIMIT - len(prefix) - len(suffix)
    todo = [(b"", middle.start())] if room >= 0 else []
    while todo:
        text, state = todo.pop()
        assert middle.is_complete(state) == (text in expected), text
        shortest = middle.shortest(state)
        assert len(shortest) == middle.shortest_length(state)
        assert automaton.accepts(prefix + text + shortest + suffix), text
        lengths = [len(found) - len(text) for found in expected if found.startswith(text)]
        assert not lengths or len(shortest) == min(lengths), text
        assert lengths or len(text + shortest) > room, text
        following = middle.next_bytes(state)
        assert following >= {
            found[len(text)] for found in expected if found.startswith(text) and found != text
        }, text
        if len(text) < room:
            for byte in following:
                successor = middle.step(state, byte)
                assert successor is not None
                todo.append((text + bytes([byte]), successor))


@pytest.mark.parametrize("block", cases(4))
def test_middles_are_the_members_with_both_ends(block: int) -> None:
    outcomes = []
    for seed in range(20 * block, 20 * block + 20):
        grammar = random_grammar(seed)
        members = Oracle(grammar, LIMIT).members
        if not members:
            continue
        automaton = compile(grammar)
        for prefix, suffix in cuts(random.Random(seed), members):
            outcomes.append(check(automaton, members, prefix, suffix))
    assert outcomes.count("fits") > 20
    assert len(set(outcomes)) > 2


@pytest.mark.parametrize("block", cases(3))
def test_runs_of_members_are_cut_anywhere(block: int) -> None:
    outcomes = []
    a, b = ir.Literal(b"a"), ir.Literal(b"b")
    shared = {"dead": ir.Sequence((a, ir.Reference("dead"))), "maybe": ir.optional(b)}
    for seed in range(15 * block, 15 * block + 15):
        run = random_members(seed)
        shared["nested"] = ir.Sequence((a, ir.choice(b, ir.Reference("start"))))
        frame = ir.choice(a, b) if seed % 3 else ir.EMPTY
        plain = {"start": ir.Sequence((ir.Reference("[] 0"), frame)), **written_out(run)}
        members = Oracle(ir.Grammar({**plain, **shared}, "start"), LIMIT).members
        if not members:
            continue
        automaton = compile(ir.Grammar({"start": ir.Sequence((run, frame)), **shared}, "start"))
        for prefix, suffix in cuts(random.Random(seed), members):
            outcomes.append(check(automaton, members, prefix, suffix))
    assert outcomes.count("fits") > 20


@pytest.mark.parametrize("block", cases(2))
def test_munch_reaches_across_both_ends(block: int) -> None:
    outcomes = []
    for seed in range(10 * block, 10 * block + 10):
        rng = random.Random(seed)
        text = overlapping_terminals(rng)
        grammar = lark.parse(text, lexing="greedy")
        judge = Munch(grammar)
        letters = "ab " if "%ignore" in text else "ab"
        texts = (
            "".join(t).encode() for n in range(7) for t in itertools.product(letters, repeat=n)
        )
        members = frozenset(text for text in texts if judge.verdict(text) == "member")
        if not members:
            continue
        automaton = compile(grammar)
        for prefix, suffix in cuts(rng, members):
            outcomes.append(check_munched(automaton, members, prefix, suffix))
    assert outcomes.count("fits") > 20
    assert "none" in outcomes


def check_munched(automaton: Automaton, members: Language, prefix: bytes, suffix: bytes) -> str:
    """One triple, among members of at most 6 bytes; what came of it."""
    expected = middles(members, prefix, suffix)
    try:
        middle = automaton.between(prefix, suffix)
    except NoMiddle:
        assert not expected
        return "none"
    vocabulary = Vocabulary.from_tokens([b"", b"a", b"b", b" "], eos_ids=(EOS,))
    masker = Masker(pickle.loads(pickle.dumps(middle)), vocabulary)
    todo = [(b"", middle.start(), masker.start())] if len(prefix + suffix) <= 6 else []
    while todo:
        text, state, read = todo.pop()
        assert middle.is_complete(state) == (text in expected), text
        if any(other.startswith(text) for other in expected):
            found = completion(middle, state)
            assert found is not None
            assert text + found in expected, text
        following = {other[len(text)] for other in expected if other[: len(text)] == text < other}
        assert following <= middle.next_bytes(state), text
        assert allowed(masker, read) == ({0} if text in expected else set()) | {
            1 + b"ab ".index(byte) for byte in middle.next_bytes(state)
        }
        if len(prefix + text + suffix) < 6:
            for byte in middle.next_bytes(state):
                stepped = middle.step(state, byte), masker.step(read, 1 + b"ab ".index(byte))
                assert None not in stepped
                todo.append((text + bytes([byte]), *stepped))
    return "fits"


def test_masks_allow_what_begins_a_middle_and_end_it_where_it_is_complete() -> None:
    for seed in range(20):
        grammar = random_grammar(seed)
        members = Oracle(grammar, LIMIT).members
        if not members:
            continue
        rng = random.Random(seed)
        texts = sorted(members)
        tokens = [b"", *{bytes(rng.choices(ALPHABET, k=rng.randint(1, 3))) for _ in range(12)}]
        vocabulary = Vocabulary.from_tokens(tokens, eos_ids=(EOS,))
        text = rng.choice(texts)
        begin, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        middle = compile(grammar).between(text[:begin], text[end:])
        masker = Masker(middle, vocabulary)
        state: int | None = masker.start()
        for byte in text[begin:end]:
            assert state is not None
            expected = {
                token
                for token, spelled in enumerate(tokens)
                if spelled and middle.walk(state, spelled) is not None
            }
            expected |= {EOS} if middle.is_complete(state) else set()
            assert allowed(masker, state) == expected
            state = middle.step(state, byte)
        assert state is not None
        assert EOS in allowed(masker, state)


def test_middles_travel_and_nest() -> None:
    automaton = compile(ir.Grammar({"start": ir.Repeat(ir.Choice((
        ir.Literal(b"a"), ir.Sequence((ir.Literal(b"("), ir.Reference("start"), ir.Literal(b")"))),
    )))}, "start"))  # fmt: skip
    middle = automaton.between(b"a(", b"a))")
    assert middle.accepts(b"(a")
    assert not middle.accepts(b"a")
    sent = pickle.loads(pickle.dumps(middle))
    assert sent.accepts(b"(a")
    assert not sent.accepts(b"a")
    assert sent.between(b"(", b"a").accepts(b"()")
    assert len(sent) > 0
    with pytest.raises(SuffixMismatch):
        compile(ir.Grammar({"start": ir.Literal(b"abc")}, "start")).between(b"a", b"").between(
            b"", b"abc"
        )


def test_errors_say_what_does_not_fit() -> None:
    automaton = compile(ir.Grammar({"start": ir.Literals((b"abcd", b"xbce"))}, "start"))
    with pytest.raises(PrefixMismatch, match="first 2 of 3 bytes") as refused:
        automaton.between(b"abx", b"?")
    assert refused.value.fitting_bytes == 2
    with pytest.raises(SuffixMismatch, match="last 2 of 3 bytes") as refused:
        automaton.between(b"a", b"?cd")
    assert refused.value.fitting_bytes == 2
    with pytest.raises(NoMiddle, match="first 0 of 2 bytes") as missed:
        automaton.between(b"ab", b"e")
    assert type(missed.value) is NoMiddle
    assert missed.value.fitting_bytes == 0
    assert pickle.loads(pickle.dumps(missed.value)).fitting_bytes == 0


@pytest.mark.parametrize("block", cases(2))
def test_middles_of_large_grammars_are_what_a_recogniser_says(block: int) -> None:
    """Counts up to 40, characters of up to four bytes, patterns cut down by patterns."""
    verdicts = []
    for seed in range(20 * block, 20 * block + 20):
        rng, grammar = random.Random(seed), large_grammar(seed)
        judge = Recogniser(grammar)
        if judge.start() is None:
            continue
        automaton = compile(grammar)
        text = walk(automaton, rng, 20)
        begin, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        middle = automaton.between(text[:begin], text[end:])
        assert middle.accepts(text[begin:end])
        for _ in range(6):
            other = bytearray(text[begin:end])
            place = rng.randint(0, len(other))
            other[place : place + rng.randint(0, 1)] = rng.choice(LETTERS).encode()
            chart = judge.walk(judge.start(), text[:begin] + other + text[end:])
            is_member = chart is not None and judge.is_complete(chart)
            assert middle.accepts(bytes(other)) == is_member, (seed, text, begin, end, other)
            verdicts.append(is_member)
    assert set(verdicts) == {True, False}


def test_special_tokens_are_not_text() -> None:
    call = ir.Sequence((ir.special("call"), ir.Repeat(ir.one_of("ab")), ir.special("end")))
    automaton = compile(ir.Grammar({"start": ir.Repeat(ir.choice(call, ir.one_of("xy")))}, "start"))
    middle = automaton.between(b"x", b"y")
    assert middle.accepts(b"\xffcall\xffab\xffend\xff")
    with pytest.raises(PrefixMismatch, match="special") as refused:
        automaton.between(b"x\xffcall\xff", b"")
    assert refused.value.fitting_bytes == 1
    with pytest.raises(SuffixMismatch, match="special") as refused_suffix:
        automaton.between(b"", b"\xffend\xffxy")
    assert refused_suffix.value.fitting_bytes == 2


def test_long_and_deep_ends_are_read_within_budgets() -> None:
    automaton = compile(json_schema.parse({}))
    rows = b", ".join(b'{"id": %d, "name": "user %d"}' % (n, n) for n in range(30_000))
    assert len(rows) > 1_000_000
    begin = time.thread_time()
    middle = automaton.between(b'[{"id": ', b'"}, ' + rows + b"]")
    assert time.thread_time() - begin < 5
    assert middle.accepts(b'0, "name": "')
    assert not middle.accepts(b"0")
    assert automaton.between(b"[" + rows, b", 1]").accepts(b", 2")
    assert automaton.between(b"[" * 1000, b"]" * 1000).accepts(b"1, [2]")
    with pytest.raises(BudgetExceeded):
        automaton.between(b"[" * 200_000, b"]" * 200_000)
