"""Ensembles as decoders: budgets, windows, ends, what is refused. Their laws: tests/laws."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from laws.running import run
from lipogram.decoding import Job, Masker, Sampling, UnsupportedJob, Vocabulary
from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.ensemble import Ensemble
from lipogram.decoding.errors import BackendFailed, BudgetTooSmall, ContextTooLong, InvalidEnsemble
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.job import Infill
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import compile, json_schema, regex

WORDS = (b"ab", b"ba", b"aab")


def vocabulary(*words: bytes, ends: int = 1) -> Vocabulary:
    """All bytes, some words, an end, and a special token `<x>` that ends nothing by itself."""
    tokens = [*(bytes([byte]) for byte in range(256)), *words, b"", b""]
    eos = [len(tokens) - 2] * ends
    return Vocabulary.from_tokens(tokens, eos_ids=eos, specials={"<x>": len(tokens) - 1})


def liking(text: bytes, own: Vocabulary, **more: int) -> TableModel:
    """Likes the bytes of a text one hundred times better than others, and its words as well."""
    scores = np.array([
        4.6 if token and set(token) <= set(text) else 0.0 if token else -8.0
        for token in own.tokens
    ])  # fmt: skip
    return TableModel(own, lambda prefix: scores, **more)


def pair(mixing: Mixing | None = None, **windows: int) -> Ensemble:
    models = [
        liking(b"ab", vocabulary(*WORDS)),
        liking(b"bc", vocabulary(b"bc", b"cb"), **windows),
    ]
    return Ensemble(models, mixing)


JOB = Job(
    (), max_tokens=12, byte_mode="full", projection="byte", other_prompts=(Prompt(),),
    sampling=Sampling(seed=1),
)  # fmt: skip


def ruled(pattern: str) -> Masker:
    return Masker(compile(regex.parse(pattern)), vocabulary(*WORDS))


class TestBudget:
    def test_counts_the_first_members_tokens(self) -> None:
        result = run(pair(Mixing("linear", (1, 0))), JOB)
        first = vocabulary(*WORDS)
        assert result.finish.reason == "length"
        assert result.finish.usage.completion_tokens == 12
        assert len(first.encode(result.text)) == 12 < len(result.text)

    @pytest.mark.parametrize("budget", range(5, 12))
    def test_closes_what_a_rule_asks_for(self, budget: int) -> None:
        job = replace(JOB, masker=ruled("[ab]*;end"), max_tokens=budget)
        for seed in range(4):
            result = run(pair(), replace(job, sampling=Sampling(seed=seed)))
            assert result.text.endswith(b";end")
            assert result.finish.usage.completion_tokens <= budget
        with pytest.raises(BudgetTooSmall):
            run(pair(), replace(job, max_tokens=3))

    def test_ends_before_any_members_window_is_full(self) -> None:
        job = replace(JOB, max_tokens=40, ignore_eos=True)
        assert len(run(pair(), job).text) > 40
        result = run(pair(context_tokens=12), job)
        assert result.finish.reason == "length"
        assert 9 <= len(result.text) < 36

    def test_closes_before_any_members_window_is_full(self) -> None:
        job = replace(JOB, masker=ruled("[ab]*;end"), max_tokens=60)
        for window in (5, 9, 20):
            result = run(pair(Mixing("min"), context_tokens=window), job)
            assert result.text.endswith(b";end")
            assert len(result.text) <= 2 * window
        with pytest.raises(BudgetTooSmall):
            run(pair(context_tokens=3), job)

    def test_a_prompt_must_fit_every_window(self) -> None:
        with pytest.raises(ContextTooLong):
            run(pair(context_tokens=20), replace(JOB, other_prompts=(Prompt(text=b"xyz" * 9),)))


def test_stop_strings_and_scores_are_of_bytes() -> None:
    job = replace(JOB, max_tokens=100, stop=(b"bb",), top_logprobs=3)
    result = run(pair(), job)
    assert result.finish.stop == b"bb"
    assert b"bb" not in result.text
    tokens = [token for chunk in result.chunks for token in chunk.tokens]
    assert b"".join(token.text for token in tokens) == result.text
    for token in tokens:
        assert len(token.text) == 1
        assert len(token.top) == 3
        assert token.logprob is not None
        assert token.logprob <= max(best.logprob or -math.inf for best in token.top)


def test_greedy_takes_the_best_of_the_mixture() -> None:
    job = replace(JOB, sampling=Sampling(temperature=0), max_tokens=5)
    assert set(run(pair(Mixing("min")), job).text) == set(b"b")
    assert b"b" not in run(pair(Mixing("proxy")), job).text


def test_each_member_has_its_own_ends() -> None:
    """The special token that one of them ends with counts as its end, with its weight."""
    own = vocabulary(*WORDS)
    scores = np.where(np.arange(len(own)) == len(own) - 1, 9.0, -9.0)
    decoder = Ensemble([liking(b"ab", own), TableModel(own, lambda prefix: scores)])
    ending = replace(JOB, other_prompts=(Prompt(ends=frozenset({len(own) - 1})),))
    ended = [
        run(decoder, replace(job, sampling=Sampling(seed=seed))).finish.reason == "stop"
        for job in (ending, JOB)
        for seed in range(8)
    ]
    assert all(ended[:8])
    assert not any(ended[8:])


class Counting:
    """A model that counts its calls, and how many are under way at once in all such models."""

    under_way = most = 0

    def __init__(self, model: TableModel) -> None:
        self.name, self.vocabulary = model.name, model.vocabulary
        self.context_tokens = model.context_tokens
        self.calls = 0
        self._model = model

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        self.calls += 1
        Counting.under_way += 1
        Counting.most = max(Counting.most, Counting.under_way)
        await asyncio.sleep(0.001)
        Counting.under_way -= 1
        return await self._model.logits(queries)


def test_members_are_asked_at_once_and_once_a_byte() -> None:
    models = [Counting(liking(b"ab", vocabulary(*WORDS))), Counting(liking(b"b", vocabulary()))]
    result = run(Ensemble(models), JOB)
    assert Counting.most == 2
    for model in models:
        assert model.calls <= len(result.text) + 1
    usage = result.finish.usage
    counts = [count for _, count in usage.member_calls]
    assert usage.model_calls == sum(counts)
    assert [name for name, _ in usage.member_calls] == ["table", "table"]
    assert max(counts) <= 3 * len(result.text)  # few words, so many covers


def test_what_a_rule_forces_is_not_asked_for_but_where_weights_follow_it() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "boolean"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    grammar = json_schema.parse(schema, whitespace="compact")
    calls = {}
    for rule in ("linear", "posterior"):
        masker = Masker(compile(grammar), vocabulary(*WORDS))
        result = run(pair(Mixing(rule)), replace(JOB, masker=masker, max_tokens=40))
        assert result.text in (b'{"a":true}', b'{"a":false}')
        calls[rule] = result.finish.usage.member_calls[1][1]
    assert calls["linear"] <= 8 < calls["posterior"]


def test_members_that_agree_on_nothing_fail() -> None:
    own = vocabulary()
    models = [
        TableModel(own, lambda prefix, byte=byte: np.where(np.arange(len(own)) == byte, 0, -np.inf))
        for byte in b"ab"
    ]
    with pytest.raises(BackendFailed, match="agree"):
        run(Ensemble(models, Mixing("geometric")), JOB)


@pytest.mark.parametrize(
    ("mixing", "found"),
    [
        (Mixing("linear", (1.0,)), "a weight for each of 2"),
        (Mixing("linear", (1.0, -0.1)), "at least 0"),
        (Mixing("linear", (1.0, math.nan)), "at least 0"),
        (Mixing("linear", (1.0, math.inf)), "at least 0"),
        (Mixing("posterior", (0.0, 0.0)), "above 0"),
        (Mixing("min", (1.0, 1.0)), "no weights"),
        (Mixing("proxy", (1.0, 1.0)), "no weights"),
        (Mixing("proxy", strength=-1.0), "strength"),
        (Mixing("proxy", strength=math.nan), "strength"),
        (Mixing("linear", strength=1.0), "strength"),
        (Mixing("median"), "a rule of"),  # type: ignore[arg-type]
    ],
)
def test_a_recipe_that_does_not_go_with_the_members(mixing: Mixing, found: str) -> None:
    with pytest.raises(InvalidEnsemble, match=found):
        pair(mixing)


def test_members_that_do_not_go_together() -> None:
    model = liking(b"ab", vocabulary())
    with pytest.raises(InvalidEnsemble, match="two members"):
        Ensemble([model])
    with pytest.raises(InvalidEnsemble, match="expert"):
        Ensemble([model] * 3, Mixing("proxy"))
    with pytest.raises(InvalidEnsemble, match="ends a text"):
        Ensemble([model, liking(b"ab", vocabulary(ends=0))])


@pytest.mark.parametrize(
    "change",
    [
        {"byte_mode": "switch"},
        {"projection": "token", "masker": ruled("a*")},
        {"echo_logprobs": True},
        {"infill": Infill((b"a", b"b"), (1,))},
        {"sampling": Sampling(logit_bias={1: 1.0})},
        {"sampling": Sampling(presence_penalty=1.0)},
        {"sampling": Sampling(frequency_penalty=1.0)},
        {"sampling": Sampling(repetition_penalty=1.1)},
    ],
)
def test_jobs_that_are_about_tokens(change: dict[str, object]) -> None:
    with pytest.raises(UnsupportedJob):
        run(pair(), replace(JOB, **change))


def test_a_prompt_for_every_member() -> None:
    with pytest.raises(ValueError, match="1 other prompts"):
        run(pair(), replace(JOB, other_prompts=()))
