"""Slots beside gaps for any text: what fits by enumeration is accepted, what is accepted fits.

Hardly anything is left undecided.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from laws.generator import cases
from laws.oracle import Oracle, random_grammar
from laws.test_canvas import EOS, TOKENS, Part, class_all, restricted
from lipogram.decoding import Canvas, Hole, Unfillable
from lipogram.grammars import Automaton, BudgetExceeded, compile

LIMIT = 6


def pattern(parts: Sequence[Part], tokens: Sequence[Sequence[int]]) -> re.Pattern[bytes]:
    """The texts that have some of these tokens in the slots, -1 for one left empty."""
    waiting = iter(tokens)
    found = []
    for part in parts:
        if isinstance(part, bytes):
            found.append(re.escape(part))
        elif part.is_open:
            found.append(b".*")
        else:
            for _ in range(part.slots):
                texts = [TOKENS[token] if token >= 0 else b"" for token in next(waiting)]
                found.append(b"(?:" + b"|".join(map(re.escape, texts)) + b")")
    return re.compile(b"".join(found), re.DOTALL)


def fits(parts: Sequence[Part], tokens: Sequence[Sequence[int]], texts: Iterable[bytes]) -> bool:
    """Whether one of the texts has such tokens in the slots."""
    wanted = pattern(parts, tokens)
    return any(wanted.fullmatch(text) for text in texts)


def gapped(rng: random.Random, text: bytes) -> list[Part]:
    """Parts of a text, with slots that gaps for any text touch."""
    cuts = sorted(rng.randint(0, len(text)) for _ in range(2 * rng.randint(1, 2)))
    parts: list[Part] = [text[: cuts[0]]]
    for begin, end in zip(cuts[1::2], [*cuts[2::2], len(text)], strict=True):
        slots = rng.choice((Hole(exact_tokens=1), Hole(exact_tokens=2), Hole(max_tokens=1)))
        parts += rng.choice(([Hole(), slots, Hole()], [Hole(), slots], [slots, Hole()]))
        parts.append(text[begin:end])
    return [part for part in parts if part != b""]


def choices_of(parts: Sequence[Part], ids: list[int]) -> list[list[int]]:
    """What each slot may take, -1 for nothing."""
    holes = [part for part in parts if isinstance(part, Hole) and not part.is_open]
    return [ids if hole.exact_tokens else [-1, *ids] for hole in holes for _ in range(hole.slots)]


def check_slot(
    automaton: Automaton, parts: Sequence[Part], canvas: Canvas, slot: int, ids: list[int],
    texts: Sequence[bytes], rng: random.Random,
) -> None:  # fmt: skip
    """The verdicts on a slot of a canvas in which nothing is committed, and its mask, twice."""
    free = choices_of(parts, ids)
    verdicts = {}
    for token in rng.sample(free[slot], len(free[slot])):
        verdict = verdicts[max(token, EOS)] = canvas.check(slot, token)
        tokens = [[token] if place == slot else choices for place, choices in enumerate(free)]
        assert verdict != "reject" or not fits(parts, tokens, texts), (parts, slot, token)
        if verdict == "accept":
            canvas.commit(slot, token)
            assert canvas.committed[slot] == canvas.witness()[slot] == token, (parts, slot, token)
            assert automaton.accepts(canvas.text()), (parts, slot, token)
            assert pattern(parts, tokens).fullmatch(canvas.text()), (parts, slot, token)
            canvas.remask(slot)
    for _ in range(2):
        out = np.empty(1, np.int32)
        unknown = canvas.statistics.unknown
        canvas.mask(slot, out)
        is_whole = canvas.statistics.unknown == unknown
        for token, verdict in verdicts.items():
            if verdict != "unknown" and (verdict == "reject" or is_whole):
                is_in = bool(int(out[0]) >> token & 1)
                assert is_in == (verdict == "accept"), (parts, slot, token)


@pytest.mark.parametrize("block", cases(8))
def test_slots_beside_gaps_on_random_grammars(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if block % 2:
        class_all(monkeypatch)
    checks = unknown = 0
    for seed in range(20 * block, 20 * block + 20):
        rng = random.Random(f"gaps {seed}")
        grammar = random_grammar(seed)
        texts = sorted(Oracle(grammar, LIMIT).members)
        if not texts:
            continue
        automaton = compile(grammar)
        for _ in range(4):
            ids = sorted({1, 2, *rng.sample(range(3, 9), 3)})
            parts = gapped(rng, rng.choice(texts))
            try:
                canvas = Canvas(automaton, restricted(ids), parts)
            except Unfillable:
                assert not fits(parts, choices_of(parts, ids), texts), parts
                continue
            except BudgetExceeded:
                unknown += 1
                continue
            for slot in range(len(canvas)):
                check_slot(automaton, parts, canvas, slot, ids, texts, rng)
            checks += canvas.statistics.checks
            unknown += canvas.statistics.unknown
    assert checks
    assert unknown <= checks // 10
