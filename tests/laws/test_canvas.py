"""A canvas is exactly what enumeration says: a token fits iff some filling has it in its slot."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from functools import cache

import numpy as np
import pytest

from laws.generator import cases
from laws.oracle import Oracle, random_grammar
from laws.running import assert_law
from lipogram.decoding import Canvas, Hole, HolesTooSmall, Unfillable, Vocabulary
from lipogram.decoding.canvas import fitting
from lipogram.decoding.canvas.chart.deciding import decide_by_spelling, decide_far
from lipogram.decoding.canvas.compiled.stretches import ACCEPTED
from lipogram.grammars import Automaton, compile

LIMIT = 6
EOS = 0
TOKENS = [b"", b"a", b"b", b"ab", b"ba", b"\xc3", b"\xa9", b"\xc3\xa9", b"a\xc3", b"aab", b"b"]

Filling = tuple[int, ...]
Part = bytes | Hole


def fillings_of(hole: Hole, tokens: Sequence[int]) -> list[Filling]:
    least = hole.slots if hole.exact_tokens is not None else 0
    return [
        (*chosen, *[-1] * (hole.slots - count))
        for count in range(least, hole.slots + 1)
        for chosen in itertools.product(tokens, repeat=count)
    ]


def members(
    parts: Sequence[Part], texts: Sequence[bytes], tokens: Sequence[int], accepted: Container[bytes]
) -> set[Filling]:
    """All fillings that make members, by trying each."""
    holes = [fillings_of(part, tokens) for part in parts if isinstance(part, Hole)]
    found = set()
    for filling in itertools.product(*holes):
        waiting = iter(filling)
        text = b"".join(
            part
            if isinstance(part, bytes)
            else b"".join(texts[token] for token in next(waiting) if token >= 0)
            for part in parts
        )
        if text in accepted:
            found.add(tuple(itertools.chain(*filling)))
    return found


def random_hole(rng: random.Random, text: bytes, ids: Sequence[int]) -> Hole:
    """A hole that the text fits, in most cases: with as many slots as some of its spellings."""
    slots = rng.randint(0, 3) if rng.random() < 0.2 else 0
    while text and slots < 3:
        fitting = [len(TOKENS[id]) for id in ids if text.startswith(TOKENS[id])]
        if not fitting:
            break
        text = text[rng.choice(fitting) :]
        slots += 1
    if rng.random() < 0.5:
        return Hole(exact_tokens=slots)
    return Hole(max_tokens=slots + (rng.random() < 0.3))


def random_parts(rng: random.Random, accepted: Sequence[bytes], ids: Sequence[int]) -> list[Part]:
    """Parts of a member, or of any text, with holes of up to four slots, within LIMIT bytes."""
    longest = max(len(TOKENS[id]) for id in ids)
    while True:
        text = rng.choice(accepted) if rng.random() < 0.9 else bytes(rng.choices(b"ab", k=3))
        cuts = sorted(rng.randint(0, len(text)) for _ in range(2 * rng.randint(1, 3)))
        parts: list[Part] = [text[: cuts[0]]]
        ends = [*cuts[2::2], len(text)]
        for begin, middle, end in zip(cuts[::2], cuts[1::2], ends, strict=True):
            parts += [random_hole(rng, text[begin:middle], ids), text[middle:end]]
        slots = sum(part.slots for part in parts if isinstance(part, Hole))
        fixed = sum(len(part) for part in parts if isinstance(part, bytes))
        if slots <= 4 and fixed + slots * longest <= LIMIT:
            return parts


def subset(rng: random.Random) -> list[int]:
    """Some of TOKENS, of at most two bytes in most cases."""
    ids = [id for id in range(1, len(TOKENS)) if len(TOKENS[id]) < 3 or rng.random() < 0.1]
    return sorted({1, 2, *rng.sample(ids, rng.randint(2, 6))})


def restricted(vocabulary_ids: Sequence[int]) -> Vocabulary:
    texts = [text if id in vocabulary_ids else b"" for id, text in enumerate(TOKENS)]
    return Vocabulary.from_tokens(texts, eos_ids=(EOS,))


def class_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let masks be made class by class, however few tokens there are."""
    monkeypatch.setattr(fitting, "_TRIED_BLINDLY", 0)
    monkeypatch.setattr(fitting, "_FEW", 0)


def agreeing(found: set[Filling], committed: Sequence[int | None]) -> set[Filling]:
    return {
        filling
        for filling in found
        if all(own is None or own == token for own, token in zip(committed, filling, strict=True))
    }


def check_canvas(canvas: Canvas, ids: Sequence[int], found: set[Filling]) -> None:
    """Every check, the whole mask and the witness, by enumeration."""
    left = agreeing(found, canvas.committed)
    assert tuple(canvas.witness()) in left
    for slot in range(len(canvas)):
        fitting = {filling[slot] for filling in left}
        for token in (-1, *ids):
            expected = "accept" if token in fitting else "reject"
            assert canvas.check(slot, token) == expected, (slot, token, canvas.committed)
        out = np.empty(1, np.int32)
        canvas.mask(slot, out)
        allowed = {id for id in range(len(TOKENS)) if int(out[0]) >> id & 1}
        assert allowed == {EOS if token == -1 else token for token in fitting}, slot


def greedy(
    found: set[Filling], committed: Sequence[int | None], pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    left = agreeing(found, committed)
    accepted = []
    for slot, token in pairs:
        fitting = {filling for filling in left if filling[slot] == token}
        if fitting:
            left = fitting
            accepted.append((slot, token))
    return accepted


def live_canvases(
    automaton: Automaton, oracle: Oracle, rng: random.Random, count: int
) -> Iterator[tuple[Canvas, list[int], set[Filling]]]:
    """Canvases with all their fillings; those that nothing fills are seen to be refused."""
    for _ in range(count):
        ids = subset(rng)
        vocabulary = restricted(ids)
        parts = random_parts(rng, sorted(oracle.members), ids)
        found = members(parts, TOKENS, ids, oracle.members)
        if found:
            yield Canvas(automaton, vocabulary, parts), ids, found
            continue
        with pytest.raises(Unfillable) as refused:
            Canvas(automaton, vocabulary, parts)
        if isinstance(refused.value, HolesTooSmall):
            wanted = refused.value.wanted_tokens
            roomy = [Hole(max_tokens=wanted) if isinstance(p, Hole) else p for p in parts]
            Canvas(automaton, vocabulary, roomy)
            if not wanted:
                continue
            tight = [Hole(max_tokens=wanted - 1) if isinstance(p, Hole) else p for p in parts]
            with pytest.raises(Unfillable):
                Canvas(automaton, vocabulary, tight)


def check_commits(canvas: Canvas, ids: list[int], found: set[Filling], rng: random.Random) -> None:
    """Random commits and remasks."""
    check_canvas(canvas, ids, found)
    for _ in range(3):
        if not len(canvas):
            break
        committed = [slot for slot, token in enumerate(canvas.committed) if token is not None]
        if committed and rng.random() < 0.4:
            canvas.remask(rng.choice(committed))
        else:
            slots = rng.sample(range(len(canvas)), rng.randint(1, len(canvas)))
            pairs = [(slot, rng.choice((-1, *ids))) for slot in slots]
            expected = greedy(found, canvas.committed, pairs)
            assert canvas.commit_all(pairs) == expected
        check_canvas(canvas, ids, found)
    assert canvas.statistics.unknown == 0


def weight(filling: Filling, rows: dict[int, np.ndarray]) -> float:
    return sum(rows[slot][EOS if token == -1 else token] for slot, token in enumerate(filling))


def test_joint_fillings_follow_the_conditional_law() -> None:
    rng = np.random.default_rng(3)
    drawn = 0
    for seed in range(16):
        random_parts_rng = random.Random(f"joint {seed}")
        grammar = random_grammar(seed)
        oracle = Oracle(grammar, LIMIT)
        if not oracle.members:
            continue
        for canvas, _, found in live_canvases(compile(grammar), oracle, random_parts_rng, 3):
            rows = {
                slot: np.log(rng.dirichlet(np.ones(len(TOKENS)))) for slot in range(len(canvas))
            }
            best = max(weight(filling, rows) for filling in found)
            likeliest = tuple(canvas.most_likely(rows, top_k=len(TOKENS)))
            assert likeliest in found
            assert weight(likeliest, rows) == pytest.approx(best)
            if 4 <= len(found) <= 12 and drawn < 2:
                drawn += 1
                weights = {filling: math.exp(weight(filling, rows)) for filling in found}
                total = sum(weights.values())
                counts = Counter(
                    tuple(canvas.sample(rows, rng, top_k=len(TOKENS))) for _ in range(150)
                )
                names = {filling: repr(filling).encode() for filling in found}
                assert_law(
                    Counter({names[filling]: count for filling, count in counts.items()}),
                    {names[filling]: chance / total for filling, chance in weights.items()},
                )
    assert drawn >= 1


@pytest.mark.parametrize("block", cases(25))
def test_canvases_equal_enumeration_on_random_grammars(block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        rng = random.Random(f"canvas {seed}")
        grammar = random_grammar(seed)
        oracle = Oracle(grammar, LIMIT)
        if not oracle.members:
            continue
        automaton = compile(grammar)
        for canvas, ids, found in live_canvases(automaton, oracle, rng, 9):
            check_commits(canvas, ids, found, rng)


@pytest.mark.parametrize("block", cases(4))
def test_long_runs_equal_enumeration_on_random_grammars(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of more slots than unions are tried in: those that charts decide."""
    if block % 2:
        class_all(monkeypatch)
    canvases = 0
    for seed in range(40 * block, 40 * block + 40):
        rng = random.Random(f"long {seed}")
        grammar = random_grammar(seed)
        oracle = Oracle(grammar, LIMIT)
        long = [
            text for text in sorted(oracle.members) if len(text) >= 4 and set(text) <= set(b"ab")
        ]
        if not long:
            continue
        automaton = compile(grammar)
        for _ in range(3):
            ids = [1, 2]
            text = rng.choice(long)
            begin, end = rng.randint(0, 1), len(text) - rng.randint(0, 1)
            slots = rng.randint(4, 5)
            hole = Hole(max_tokens=slots) if rng.random() < 0.5 else Hole(exact_tokens=slots)
            parts: list[Part] = [text[:begin], hole, text[end:]]
            longer = Oracle(grammar, slots + 2)
            found = members(parts, TOKENS, ids, longer.members)
            if found:
                canvases += 1
                check_canvas(Canvas(automaton, restricted(ids), parts), ids, found)
    assert canvases


def check_charts(canvas: Canvas, ids: list[int], found: set[Filling]) -> int:
    """Whatever charts of all runs near by find is a filling; how much they find."""
    board = canvas._decisions.board
    count = 0
    charts = ((decide_far, board._spellings), (decide_by_spelling, board._some))
    for slot, token, (decide, spellings) in itertools.product(range(len(canvas)), ids, charts):
        if canvas.witness()[slot] in (token, -1):
            continue
        with canvas._decisions.steps.working:
            verdict = decide(
                board._m, board._c, board._k, board._r, spellings, slot + 1, token, board._end
            )
        if verdict == ACCEPTED:
            way = dict(board.way().tokens)
            filling = [way.get(place + 1, own) for place, own in enumerate(canvas.witness())]
            if -1 in filling:
                filling[filling.index(-1) :] = [-1] * (len(filling) - filling.index(-1))
            assert filling[slot] == token
            assert tuple(filling) in found
            count += 1
    return count


class Accepted:
    """The texts that an automaton accepts."""

    def __init__(self, automaton: Automaton) -> None:
        self._accepts = cache(automaton.accepts)

    def __contains__(self, text: bytes) -> bool:
        return self._accepts(text)


def parts_of(rng: random.Random, text: bytes) -> list[Part]:
    """A long run with or without a short one behind it, next to it or behind a byte."""
    long = Hole(max_tokens=4) if rng.random() < 0.3 else Hole(exact_tokens=4)
    if rng.random() < 0.4:
        return [text[:1], long, text[-1:]]
    between = rng.choice((b"", text[len(text) // 2 :][:1]))
    return [text[: rng.randint(0, 1)], long, between, Hole(exact_tokens=1), text[-1:]]


@pytest.mark.parametrize("block", cases(4))
def test_tokens_of_several_bytes_in_long_runs(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with tokens across whatever the grammar has in runs, judged by all texts."""
    if block % 2:
        class_all(monkeypatch)
    count = 0
    for seed in range(40 * block, 40 * block + 40):
        rng = random.Random(f"several {seed}")
        grammar = random_grammar(seed)
        if not Oracle(grammar, LIMIT).members:
            continue
        automaton = compile(grammar)
        accepted = Accepted(automaton)
        texts = [bytes(t) for n in range(5, 9) for t in itertools.product(b"ab", repeat=n)]
        long = [text for text in texts if text in accepted]
        for text in rng.sample(long, min(3, len(long))):
            parts = [part for part in parts_of(rng, text) if part != b""]
            is_alone = sum(isinstance(part, Hole) for part in parts) == 1
            ids = [1, 2, *rng.sample((3, 4), 2 if is_alone else 1)]
            found = members(parts, TOKENS, ids, accepted)
            if found:
                canvas = Canvas(automaton, restricted(ids), parts)
                if is_alone:
                    count += check_charts(canvas, ids, found)
                check_canvas(canvas, ids, found)
    assert count or block
