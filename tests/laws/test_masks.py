"""A mask is exactly what enumeration says: a token is allowed iff some member goes on with it."""

import random
import re
import time
from collections.abc import Iterator

import numpy as np
import pytest

from laws.generator import cases
from laws.oracle import ALPHABET, Oracle, random_grammar, random_tokens
from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, Budget, BudgetExceeded, EmptyLanguage, compile, ir

LIMIT = 6
EOS = 0


def allowed(masker: Masker, state: int) -> set[int]:
    out = np.empty(-(-len(masker.vocabulary) // 32), np.int32)
    masker.fill(state, out)
    bits = np.unpackbits(out.view(np.uint8), bitorder="little")
    return set(np.flatnonzero(bits).tolist())


def check_bytes(automaton: Automaton, oracle: Oracle) -> None:
    """Every live prefix, its next bytes and its completions, by enumeration."""
    for prefix in sorted(oracle.prefixes):
        state = automaton.walk(automaton.start(), prefix)
        assert state is not None, prefix
        assert automaton.is_complete(state) == (prefix in oracle.members), prefix
        following = automaton.next_bytes(state)
        assert following or automaton.is_complete(state), prefix
        if len(prefix) < LIMIT:
            expected = {p[-1] for p in oracle.prefixes if p[:-1] == prefix and p}
            assert following == expected, prefix
        check_completions(automaton, oracle, prefix, state)


def check_completions(automaton: Automaton, oracle: Oracle, prefix: bytes, state: int) -> None:
    shortest = automaton.shortest(state)
    assert len(shortest) == automaton.shortest_length(state)
    assert automaton.accepts(prefix + shortest), prefix
    lengths = [len(m) - len(prefix) for m in oracle.members if m.startswith(prefix)]
    if lengths:
        assert len(shortest) == min(lengths), prefix
    else:
        assert len(prefix + shortest) > LIMIT, prefix
    forced = automaton.forced(state)
    members = [m for m in oracle.members if m.startswith(prefix)]
    assert all(m.startswith(prefix + forced) for m in members), prefix
    if not automaton.is_complete(state) and len(automaton.next_bytes(state)) > 1:
        assert forced == b""


@pytest.mark.parametrize("block", cases(30))
def test_masks_equal_brute_force_on_random_grammars(block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        grammar = random_grammar(seed)
        oracle = Oracle(grammar, LIMIT)
        if not oracle.productive[grammar.start]:
            with pytest.raises(EmptyLanguage):
                compile(grammar)
            continue
        automaton = compile(grammar)
        check_bytes(automaton, oracle)
        tokens = random_tokens(seed, oracle.members)
        masker = Masker(automaton, Vocabulary.from_tokens(tokens, eos_ids=(EOS,)))
        longest = max(map(len, tokens))
        for prefix in sorted(p for p in oracle.prefixes if len(p) + longest <= LIMIT):
            state = automaton.walk(automaton.start(), prefix)
            assert state is not None
            expected = {i for i, t in enumerate(tokens) if t and prefix + t in oracle.prefixes}
            if prefix in oracle.members:
                expected.add(EOS)
            assert allowed(masker, state) == expected, (seed, prefix)
            for token_id in range(1, len(tokens)):
                assert (masker.step(state, token_id) is not None) == (token_id in expected)


def test_dead_prefixes_are_dead() -> None:
    rng = random.Random(5)
    for seed in cases(40):
        grammar = random_grammar(seed)
        oracle = Oracle(grammar, LIMIT)
        if not oracle.productive[grammar.start]:
            continue
        automaton = compile(grammar)
        for _ in range(100):
            text = bytes(rng.choices(ALPHABET, k=rng.randint(0, LIMIT)))
            assert automaton.is_live(text) == (text in oracle.prefixes)
            assert automaton.accepts(text) == (text in oracle.members)


def test_the_order_of_tokens_does_not_matter() -> None:
    grammar = ir.Grammar({"s": ir.Repeat(ir.Literals((b"ab", b"b", b"aab")))}, "s")
    automaton = compile(grammar)
    tokens = [b"", b"a", b"b", b"ab", b"ba", b"aa", b"aab"]
    straight = Masker(automaton, Vocabulary.from_tokens(tokens, eos_ids=(0,)))
    turned = Masker(automaton, Vocabulary.from_tokens(tokens[::-1], eos_ids=(6,)))
    for prefix in (b"", b"a", b"aa", b"ab"):
        state = automaton.walk(automaton.start(), prefix)
        assert state is not None
        assert allowed(straight, state) == {6 - i for i in allowed(turned, state)}


def test_right_recursion_is_a_loop_and_left_recursion_too() -> None:
    a = ir.Literal(b"a")
    right = ir.Grammar({"x": ir.Choice((ir.EMPTY, ir.Sequence((a, ir.Reference("x")))))}, "x")
    left = ir.Grammar({"x": ir.Choice((ir.EMPTY, ir.Sequence((ir.Reference("x"), a))))}, "x")
    for grammar in (right, left):
        automaton = compile(grammar)
        assert automaton.accepts(b"a" * 10_000)
        assert len(automaton) < 6


def test_counts_are_not_unrolled() -> None:
    huge = ir.Repeat(ir.Repeat(ir.Literal(b"a"), 0, 100_000), 0, 100_000)
    automaton = compile(ir.Grammar({"s": huge}, "s"))
    assert automaton.accepts(b"a" * 100)
    assert len(automaton) < 300


def test_a_repeated_intersection_has_no_dead_ends() -> None:
    texts = ir.Literals((b"ab", b"b"))
    item = ir.Intersection((texts, ir.Complement(ir.Literal(b"ab"))))
    automaton = compile(ir.Grammar({"s": ir.Repeat(item, 0, 5)}, "s"))
    assert automaton.next_bytes(automaton.start()) == {ord("b")}
    assert automaton.accepts(b"bbbbb")


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 0x10FFFF), (0x7F, 0x80), (0x7FF, 0x801), (0xE000, 0x10000), (0x41, 0x10FFFF)],
)
def test_characters_are_valid_utf8_and_nothing_else(low: int, high: int) -> None:
    automaton = compile(ir.Grammar({"s": ir.chars([(low, high)])}, "s"))
    edges = {0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF}
    for code in sorted(edges | {c + d for c in (low, high) for d in (-1, 0, 1)}):
        if 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
            assert automaton.accepts(chr(code).encode()) == (low <= code <= high), hex(code)
    for invalid in (b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xe0\x80\x80"):
        assert not automaton.is_live(invalid)


def test_a_pattern_that_determinises_badly_is_quick() -> None:
    ab = ir.Repeat(ir.Bytes((1 << 97) | (1 << 98)))
    body = ir.Sequence((ab, ir.Literal(b"a"), ir.Repeat(ab.item, 12, 12)))
    automaton = compile(ir.Grammar({"s": body}, "s"))
    rng = random.Random(0)
    for _ in range(200):
        text = bytes(rng.choices(b"ab", k=rng.randint(0, 30)))
        assert automaton.accepts(text) == bool(re.fullmatch(rb"[ab]*a[ab]{12}", text))


def test_a_long_series_of_optional_parts_is_no_deep_recursion() -> None:
    body = ir.Sequence((ir.Repeat(ir.Literal(b"a"), 0, 1),) * 5000)
    assert compile(ir.Grammar({"s": body}, "s")).accepts(b"aaa")


def test_a_shortest_member_beyond_all_bounds_is_no_empty_language() -> None:
    rules: dict[str, ir.Expression] = {
        f"r{i}": ir.Sequence((ir.Reference(f"r{i + 1}"),) * 2) for i in range(300)
    }
    with pytest.raises(BudgetExceeded):
        compile(ir.Grammar(rules | {"r300": ir.Literal(b"a")}, "r0"))


@pytest.fixture
def quick() -> Iterator[None]:
    """Fails what takes seconds; compiled code is warm before."""
    compile(ir.Grammar({"s": ir.Literal(b"a")}, "s"))
    begin = time.thread_time()
    yield
    assert time.thread_time() - begin < 1


@pytest.mark.usefixtures("quick")
def test_nothing_is_spelled_at_once_however_many_parts_it_has() -> None:
    rules: dict[str, ir.Expression] = {
        f"r{i}": ir.Sequence((ir.Reference(f"r{i + 1}"),) * 2) for i in range(60)
    }
    rules["r60"] = ir.optional(ir.Literal(b"a"))
    rules["many"] = ir.Repeat(ir.Reference("r60"), 10**9, None)
    rules["s"] = ir.Sequence((ir.Literal(b"x"), ir.Reference("r0"), ir.Reference("many")))
    automaton = compile(ir.Grammar(rules, "s"))
    assert automaton.shortest(automaton.start()) == b"x"


@pytest.mark.usefixtures("quick")
def test_a_count_of_what_may_be_empty_is_not_unrolled() -> None:
    item = ir.Choice((ir.Literal(b"ab"), ir.optional(ir.Literal(b"c")), ir.Reference("e")))
    rules = {"s": ir.Repeat(item, 3, 10**9), "e": ir.Repeat(ir.Literal(b"d"))}
    automaton = compile(ir.Grammar(rules, "s"))
    assert automaton.accepts(b"")
    assert automaton.accepts(b"abcdddc")
    assert not automaton.is_live(b"aa")
    few = compile(ir.Grammar(rules | {"s": ir.Repeat(ir.Reference("e"), 0, 2)}, "s"))
    assert few.accepts(b"ddd")
    short = compile(ir.Grammar({"s": ir.Repeat(item, 0, 2), "e": ir.EMPTY}, "s"))
    assert short.accepts(b"abc")
    assert not short.is_live(b"abcc")


@pytest.mark.usefixtures("quick")
def test_a_deep_stack_of_left_recursion_is_measured_once() -> None:
    rules: dict[str, ir.Expression] = {
        f"r{i}": ir.Sequence((ir.Reference(f"r{i + 1}"), ir.Literal(b"a"))) for i in range(3000)
    }
    automaton = compile(ir.Grammar(rules | {"r3000": ir.Literal(b"xy")}, "r0"))
    state = automaton.step(automaton.start(), ord("x"))
    assert state is not None
    assert automaton.shortest(state) == b"y" + b"a" * 3000


def test_many_ways_to_go_on_at_once_meet_a_budget() -> None:
    """A thousand callers in tail position times 200 overlapping byte classes."""
    everything = (1 << 256) - 1
    rules: dict[str, ir.Expression] = {f"x{i}": ir.Reference("y") for i in range(1000)}
    rules["y"] = ir.Choice(
        tuple(
            ir.Sequence((ir.Bytes(everything & ~(1 << i)), ir.Literal(b"%d" % i)))
            for i in range(200)
        )
    )
    rules["s"] = ir.Choice(
        tuple(ir.Sequence((ir.Reference(f"x{i}"), ir.Literal(b"%d;" % i))) for i in range(1000))
    )
    with pytest.raises(BudgetExceeded, match="MiB"):
        compile(ir.Grammar(rules, "s"), budget=Budget(max_compile_s=10))


def test_ambiguity_meets_a_budget() -> None:
    """Every byte of an ambiguous text is awaited from every position before it."""
    s = ir.Reference("s")
    body = ir.Choice((ir.EMPTY, ir.Literal(b"a"), ir.Sequence((s, s)), ir.Sequence((s, s, s))))
    automaton = compile(ir.Grammar({"s": body}, "s"), budget=Budget(max_bytes=8 << 20))
    with pytest.raises(BudgetExceeded, match="MiB"):
        automaton.accepts(b"a" * 900)


@pytest.mark.parametrize("most", range(2, 9))
@pytest.mark.parametrize("tail", [b"", b"b", b"aa"])
def test_counts_that_a_token_can_or_cannot_exhaust(most: int, tail: bytes) -> None:
    """Limits below, at and above the longest token; all are asked in one vocabulary's memory."""
    tokens = [b"", *(b"a" * count for count in range(1, 6)), b"aab", b"b", b"ab"]
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=(EOS,))
    for least in (0, 1, most):
        counted = ir.Repeat(ir.Literal(b"a"), least, most)
        masker = Masker(
            compile(ir.Grammar({"s": ir.sequence(counted, ir.Literal(tail))}, "s")), vocabulary
        )
        members = {b"a" * count + tail for count in range(least, most + 1)}
        prefixes = {member[:end] for member in members for end in range(len(member) + 1)}
        for prefix in prefixes:
            state = masker.automaton.walk(masker.start(), prefix)
            assert state is not None
            expected = {id for id, text in enumerate(tokens) if text and prefix + text in prefixes}
            assert allowed(masker, state) == expected | ({EOS} if prefix in members else set())
