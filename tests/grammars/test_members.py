"""Runs of members, against the same languages written out as plain rules, and by enumeration."""

from __future__ import annotations

import random
import time

import pytest

from laws.generator import cases
from laws.oracle import AB, Oracle, random_regular
from laws.test_masks import allowed
from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Budget, EmptyLanguage, GrammarError, compile, ir

LIMIT = 6
A, B, COMMA = ir.Literal(b"a"), ir.Literal(b"b"), ir.Literal(b"a")


def written_out(members: ir.Members) -> dict[str, ir.Expression]:
    """The definition: a rule for what has come (items, count), from `run 0 0` on."""
    count_items = len(members.items)
    top = max(members.minimum, members.maximum or 0, 1)
    rules: dict[str, ir.Expression] = {}
    todo = [(frozenset(), 0)]
    while todo:
        seen, count = todo.pop()
        name = f"{sorted(seen)} {count}"
        if name in rules:
            continue
        options: list[ir.Expression] = []
        if count >= members.minimum and members.required <= seen:
            options.append(ir.EMPTY)
        if members.maximum is None or count < members.maximum:
            following: list[tuple[ir.Expression, frozenset[int]]] = []
            for index, item in enumerate(members.items):
                in_order = members.any_order or all(index > other for other in seen)
                if index not in seen and in_order:
                    following.append((item, seen | {index}))
            all_seen = members.any_order or count_items in seen
            following.append((members.others, seen if all_seen else seen | {count_items}))
            for item, then in following:
                after = min(count + 1, top)
                todo.append((then, after))
                before = members.separator if count else ir.EMPTY
                options.append(ir.Sequence((before, item, ir.Reference(f"{sorted(then)} {after}"))))
        rules[name] = ir.Choice(tuple(options))
    return rules


def random_item(rng: random.Random) -> ir.Expression:
    kind = rng.randrange(8)
    if kind == 0:
        return ir.NOTHING
    if kind == 1:
        return ir.Reference(rng.choice(["dead", "maybe", "nested"]))
    if kind == 2:
        return random_regular(rng, 2)
    if kind == 3:
        return ir.Intersection((ir.Repeat(ir.Bytes(AB)), ir.Complement(random_regular(rng, 1))))
    leading = ir.Literal(bytes(rng.choices(b"ab", k=rng.randint(0, 3))))
    return leading if kind < 6 else ir.Sequence((leading, random_regular(rng, 1)))


def random_members(seed: int) -> ir.Members:
    rng = random.Random(seed)
    items = tuple(random_item(rng) for _ in range(rng.randint(0, 4)))
    required = frozenset(i for i in range(len(items)) if rng.random() < 0.25)
    minimum = rng.choice([0, 0, 1, 2, 3])
    return ir.Members(
        items,
        required,
        rng.choice([ir.NOTHING, random_item(rng)]),
        rng.choice([ir.EMPTY, B, B, ir.Literal(b"ba"), ir.optional(A), ir.NOTHING]),
        minimum,
        rng.choice([None, None, minimum, minimum + 1, 4, 1]),
        rng.random() < 0.5,
    )


def check(grammar: ir.Grammar, oracle: Oracle) -> None:
    """Members, live prefixes, what comes next, and shortest completions."""
    automaton = compile(grammar)
    texts = [bytes(t) for n in range(LIMIT + 1) for t in _words(n)]
    for text in texts:
        assert automaton.accepts(text) == (text in oracle.members), text
        assert automaton.is_live(text) == (text in oracle.prefixes), text
        if text in oracle.prefixes:
            state = automaton.walk(automaton.start(), text)
            assert state is not None
            shortest = automaton.shortest(state)
            assert automaton.accepts(text + shortest), text
            assert len(shortest) == automaton.shortest_length(state)
            lengths = [len(m) - len(text) for m in oracle.members if m.startswith(text)]
            assert len(shortest) == min(lengths, default=len(shortest)), text
            assert lengths or len(text + shortest) > LIMIT, text


def _words(length: int) -> list[tuple[int, ...]]:
    words: list[tuple[int, ...]] = [()]
    for _ in range(length):
        words = [(*word, letter) for word in words for letter in b"ab"]
    return words


@pytest.mark.parametrize("block", cases(8))
def test_runs_are_what_their_definition_says(block: int) -> None:
    shared = {"dead": ir.Sequence((A, ir.Reference("dead"))), "maybe": ir.optional(B)}
    alive = 0
    for seed in range(15 * block, 15 * block + 15):
        members = random_members(seed)
        # Within another sequence, and within itself.
        shared["nested"] = ir.Sequence((A, ir.choice(B, ir.Reference("start"))))
        frame = ir.choice(A, B) if seed % 3 else ir.EMPTY
        grammar = ir.Grammar({"start": ir.Sequence((members, frame)), **shared}, "start")
        plain = {"start": ir.Sequence((ir.Reference("[] 0"), frame)), **written_out(members)}
        oracle = Oracle(ir.Grammar({**plain, **shared}, "start"), LIMIT)
        if not oracle.productive["start"]:
            with pytest.raises(EmptyLanguage):
                compile(grammar)
            continue
        alive += 1
        check(grammar, oracle)
    assert alive > 4


@pytest.mark.parametrize("block", range(4))
def test_masks_of_runs_equal_brute_force(block: int) -> None:
    tokens = [b"", b"a", b"b", b"ab", b"ba", b"bb", b"aab", b"abab"]
    for seed in range(20 * block, 20 * block + 20):
        members = random_members(seed)
        shared = {"dead": ir.NOTHING, "maybe": ir.optional(B), "nested": B}
        oracle = Oracle(
            ir.Grammar({**written_out(members), **shared, "start": ir.Reference("[] 0")}, "start"),
            LIMIT,
        )
        if not oracle.productive["start"]:
            continue
        automaton = compile(ir.Grammar({"start": members, **shared}, "start"))
        masker = Masker(automaton, Vocabulary.from_tokens(tokens, eos_ids=(0,)))
        for prefix in sorted(p for p in oracle.prefixes if len(p) <= LIMIT - 4):
            state = automaton.walk(automaton.start(), prefix)
            assert state is not None
            expected = {i for i, t in enumerate(tokens) if t and prefix + t in oracle.prefixes}
            expected |= {0} if prefix in oracle.members else set()
            assert allowed(masker, state) == expected, (seed, prefix)


def run(members: ir.Members, budget: Budget | None = None):
    return compile(ir.Grammar({"start": members}, "start"), budget=budget)


def keys(count: int) -> tuple[ir.Expression, ...]:
    return tuple(ir.Literal(b'"key %d"' % index) for index in range(count))


def test_many_items_cost_what_is_visited() -> None:
    members = ir.Members(keys(5000), frozenset({4000}), separator=ir.Literal(b","))
    automaton = run(members, Budget(max_nodes=100_000, max_states=2_000))
    started = time.perf_counter()
    assert automaton.accepts(b'"key 1","key 7","key 4000","key 4999"')
    assert not automaton.is_live(b'"key 4001"')
    assert automaton.shortest(automaton.start()) == b'"key 4000"'
    assert time.perf_counter() - started < 2


def test_any_order_of_many_items_makes_no_states_beforehand() -> None:
    members = ir.Members(keys(200), frozenset(range(150)), separator=ir.Literal(b","),
                         any_order=True)  # fmt: skip
    automaton = run(members, Budget(max_nodes=500_000, max_states=20_000))
    texts = [b'"key %d"' % index for index in range(200)]
    random.Random(0).shuffle(texts)
    assert automaton.accepts(b",".join(texts))
    assert not automaton.is_live(b",".join([*texts[:40], texts[3]]))
    some = automaton.walk(automaton.start(), b",".join(texts[:20]))
    assert some is not None
    assert automaton.accepts(b",".join(texts[:20]) + automaton.shortest(some))


def test_counts_are_not_unrolled() -> None:
    members = ir.Members((A,), others=B, separator=COMMA, minimum=3, maximum=10**9)
    automaton = run(members)
    assert automaton.accepts(b"a" + b"ab" * 2)
    assert not automaton.accepts(b"a" + b"ab")
    many = ir.Members((), others=ir.EMPTY, minimum=10**9)
    assert run(many).accepts(b"")


def test_runs_are_not_regular_expressions() -> None:
    with pytest.raises(GrammarError, match="members"):
        run(ir.Complement(ir.Members((A,))))
