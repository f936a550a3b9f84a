"""Holes are filled by the law that is stated, by enumeration: a slot's row, masked exactly.

The reference states it a second time, over dictionaries; which fillings are valid it learns from
the enumerating canvas.
"""

import asyncio
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from laws.brute_canvas import EMPTY, BruteCanvas, fillings, text_of
from laws.generator import cases
from laws.running import assert_law, run, seeded
from lipogram.decoding import Autoregressive, Job, Masker, Sampling, Vocabulary
from lipogram.decoding.canvas import Hole
from lipogram.decoding.denoising import Denoiser
from lipogram.decoding.job import Denoising, Infill
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.table import MaskedTableModel, TableModel
from lipogram.grammars import compile, regex

Model = MaskedTableModel | TableModel
TOKENS = (b"a", b"b", b",", b"ab", b"b,")
EOS, MASK, *SENTINELS = range(len(TOKENS), len(TOKENS) + 5)
NAMES = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
VOCABULARY = Vocabulary.from_tokens(
    [*TOKENS, *[b""] * 5], (EOS,), MASK, specials=dict(zip(NAMES, SENTINELS, strict=True))
)
SAMPLES = 400
Law = dict[bytes, float]


@pytest.fixture(autouse=True)
def by_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipogram.decoding.slots.Canvas", BruteCanvas)


def masker(pattern: str) -> Masker:
    return Masker(compile(regex.parse(pattern)), VOCABULARY)


def chances(row: Logits, legal: set[int], law: Sampling, ends: list[int]) -> dict[int, float]:
    """The law of a slot; EMPTY has the weight of all tokens that end a hole."""
    scores = {token: float(row[token]) for token in range(len(TOKENS))}
    scores[EMPTY] = float(np.log(np.exp(row[ends].astype(np.float64)).sum()))
    ranked = sorted(scores, key=lambda token: -scores[token])
    if law.temperature == 0:
        return {next(token for token in ranked if token in legal): 1.0}
    size = law.top_k or len(ranked)
    for first in range(0, len(ranked), size):
        kept = [token for token in ranked[first : first + size] if token in legal]
        if kept:
            weights = np.exp(np.array([scores[token] for token in kept]) / law.temperature)
            return dict(zip(kept, (weights / weights.sum()).tolist(), strict=True))
    raise AssertionError("nothing is legal")


class Reference:
    """Fills one random slot a step."""

    def __init__(self, model: Model, rule: Masker | None, infill: Infill, law: Sampling) -> None:
        parts: list[bytes | Hole] = [infill.segments[0]]
        for most, segment in zip(infill.max_tokens, infill.segments[1:], strict=True):
            parts += [Hole(max_tokens=most), segment]
        self.parts = parts
        self.infill = infill
        self.model = model
        self.sampling = law
        self.members = [
            tokens
            for tokens in fillings(VOCABULARY, parts)
            if rule is None or rule.automaton.accepts(text_of(VOCABULARY, parts, tokens))
        ]
        ends = np.cumsum(infill.max_tokens).tolist()
        ends = np.cumsum(infill.max_tokens)
        self.end_of = np.repeat(ends, infill.max_tokens).tolist()

    def canvas(self, slots: tuple[int | None, ...]) -> tuple[tuple[int, ...], dict[int, int]]:
        ids: list[int] = []
        places = {}
        left = iter(range(len(slots)))
        for part in self.parts:
            if isinstance(part, bytes):
                ids += VOCABULARY.encode(part)
                continue
            for _ in range(part.slots):
                slot = next(left)
                token = slots[slot]
                if token != EMPTY:
                    places[slot] = len(ids)
                    ids.append(MASK if token is None else token)
        if slots[-1] == EMPTY and not self.infill.segments[-1]:
            ids.append(EOS)
        return tuple(ids), places

    def law(self, slots: tuple[int | None, ...]) -> Law:
        masked = [slot for slot, token in enumerate(slots) if token is None]
        if not masked:
            return {text_of(VOCABULARY, self.parts, slots): 1.0}  # type: ignore[arg-type]
        left = [
            tokens
            for tokens in self.members
            if all(one is None or one == two for one, two in zip(slots, tokens, strict=True))
        ]
        ids, places = self.canvas(slots)
        rows = asyncio.run(self.model.logits(np.array(ids)))
        total: Law = Counter()
        for slot in masked:
            legal = {tokens[slot] for tokens in left}
            for token, chance in chances(rows[places[slot]], legal, self.sampling, [EOS]).items():
                end = self.end_of[slot] if token == EMPTY else slot + 1
                filled = (*slots[:slot], *[token] * (end - slot), *slots[end:])
                for text, rest in self.law(filled).items():
                    total[text] += chance * rest / len(masked)
        return total


CASES = {
    "one": (r"(a|bb)(,(a|bb))*", Infill((b"a", b",a"), (3,))),
    "two": (r"(a|bb)(,(a|bb))*", Infill((b"", b",", b"b"), (2, 2))),
    "tail": (r"(ab|b)*,", Infill((b"b", b""), (3,))),
    "free": (None, Infill((b"a", b"", b"b"), (2, 1))),
}


LAWS = {
    "plain": Sampling(),
    "cold": Sampling(temperature=0.5),
    "top": Sampling(temperature=2.0, top_k=2),
}


@pytest.mark.parametrize(
    ("name", "sampling"),
    [("one", "plain"), ("two", "top"), ("tail", "cold"), ("tail", "top"), ("free", "plain")],
)
def test_a_random_order_samples_each_slots_row_masked(name: str, sampling: str) -> None:
    law = LAWS[sampling]
    pattern, infill = CASES[name]
    rule = None if pattern is None else masker(pattern)
    model = MaskedTableModel.random(VOCABULARY, 5, 1.5)
    expected = Reference(model, rule, infill, law).law((None,) * sum(infill.max_tokens))
    how = Denoising(order="random", block_tokens=8, lengths="full")

    def job(seed: int) -> Job:
        return Job((), rule, replace(law, seed=seed), infill=infill, denoising=how)

    assert_law(seeded(job, Denoiser(model), SAMPLES), expected)


def from_left_to_right(reference: Reference, slots: tuple[int, ...] = ()) -> Law:
    """The law of a causal model: each hole after its own prompt, where later ones are left out."""
    holes, segments = reference.infill.max_tokens, reference.infill.segments
    if len(slots) == len(reference.end_of):
        return {text_of(VOCABULARY, reference.parts, slots): 1.0}
    ends = np.cumsum(holes).tolist()
    hole = next(index for index, end in enumerate(ends) if len(slots) < end)
    first = ends[hole] - holes[hole]
    before = text_of(VOCABULARY, reference.parts[: 2 * hole + 1], slots[:first])
    encode = VOCABULARY.encode
    behind = encode(b"".join(segments[hole + 1 :]))
    opening, middle, last = SENTINELS
    prompt = opening, middle, *behind, last, *encode(before), *slots[first:]
    [[row]] = asyncio.run(reference.model.logits([Query(prompt)]))
    legal = {tokens[len(slots)] for tokens in reference.members if tokens[: len(slots)] == slots}
    total: Law = Counter()
    law = chances(row, legal, reference.sampling, [EOS, *SENTINELS])
    for token, chance in law.items():
        end = ends[hole] if token == EMPTY else len(slots) + 1
        filled = (*slots, *[token] * (end - len(slots)))
        for text, rest in from_left_to_right(reference, filled).items():
            total[text] += chance * rest
    return total


@pytest.mark.parametrize(
    ("name", "sampling"), [("two", "plain"), ("one", "top"), ("free", "plain")]
)
def test_a_causal_model_fills_holes_from_left_to_right(name: str, sampling: str) -> None:
    pattern, infill = CASES[name]
    law = LAWS[sampling]
    rule = None if pattern is None else masker(pattern)
    model = TableModel.random(VOCABULARY, 6, 1.5)
    expected = from_left_to_right(Reference(model, rule, infill, law))

    def job(seed: int) -> Job:
        return Job((), rule, replace(law, seed=seed), infill=infill)

    assert_law(seeded(job, Autoregressive(model), SAMPLES), expected)


def in_order(reference: Reference, slots: tuple[int, ...] = ()) -> Law:
    """The law of a masked model whose slots are filled from left to right."""
    size = len(reference.end_of)
    if len(slots) == size:
        return {text_of(VOCABULARY, reference.parts, slots): 1.0}
    ids, places = reference.canvas((*slots, *[None] * (size - len(slots))))
    rows = asyncio.run(reference.model.logits(np.array(ids)))
    legal = {tokens[len(slots)] for tokens in reference.members if tokens[: len(slots)] == slots}
    total: Law = Counter()
    law = chances(rows[places[len(slots)]], legal, reference.sampling, [EOS])
    for token, chance in law.items():
        filled = (*slots, *[token] * (size - len(slots) if token == EMPTY else 1))
        for text, rest in in_order(reference, filled).items():
            total[text] += chance * rest
    return total


@pytest.mark.parametrize("sampling", LAWS)
def test_long_outputs_are_filled_in_order(sampling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lipogram.decoding.denoising.MOST_FREE", 0)
    law, rule = LAWS[sampling], masker("(ab|b)*,")
    model = MaskedTableModel.random(VOCABULARY, 8, 1.5)
    expected = in_order(Reference(model, rule, Infill((b"", b""), (4,)), law))

    def job(seed: int) -> Job:
        return Job((), rule, replace(law, seed=seed), max_tokens=4)

    assert_law(seeded(job, Denoiser(model), SAMPLES), expected)


HOWS = [
    Denoising(order=order, block_tokens=block, steps=steps, remask=remask, lengths=lengths)
    for order, block, steps, remask, lengths in (
        ("confidence", 32, None, 0.0, "full"),
        ("entropy", 2, 3, 0.0, "likeliest"),
        ("random", 3, None, 0.4, "full"),
        ("confidence", 32, 2, 0.0, "full"),
        ("confidence", 4, None, 0.6, "likeliest"),
    )
]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_every_run_ends_in_a_member(how: Denoising) -> None:
    rng = random.Random(4)
    for seed in cases(12):
        pattern, infill = CASES[rng.choice([name for name in CASES if name != "free"])]
        rule = masker(pattern)
        model = MaskedTableModel.random(VOCABULARY, seed, 3.0)
        law = Sampling(temperature=rng.choice((0.0, 1.0)), seed=seed)
        job = Job((), rule, law, infill=infill, denoising=how)
        result, again = (run(Denoiser(model), job) for _ in range(2))
        assert rule.automaton.accepts(result.text)
        assert result == again
        assert result.finish.usage.witness_tokens == 0
        tried = 0 if how.lengths == "full" else sum(infill.max_tokens)
        assert result.finish.usage.denoising_steps <= max(how.steps or 9, 3) + tried
        fixed = b"".join(chunk.text for chunk in result.chunks if chunk.hole is None)
        assert fixed == b"".join(infill.segments)


def test_what_the_model_rules_out_comes_from_the_witness() -> None:
    rule = masker("ab,")
    model = MaskedTableModel(
        VOCABULARY, lambda canvas: [[0.0, *[-np.inf] * (len(VOCABULARY) - 1)]] * len(canvas)
    )
    result = run(Denoiser(model), Job((), rule, infill=Infill((b"", b","), (2,))))
    assert result.text == b"ab,"
    assert result.finish.usage.witness_tokens > 0
