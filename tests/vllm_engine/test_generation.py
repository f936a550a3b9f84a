"""Whole generations inside of vLLM's batches: rules, budgets, ends, laws."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

from lipogram.decoding import Autoregressive, BudgetTooSmall, Job, Masker, Sampling
from lipogram.decoding.errors import BackendFailed
from lipogram.decoding.events import Chunk, Finish, ScoredToken
from lipogram.decoding.models.vllm import VllmModel
from lipogram.decoding.models.vllm.capture import ROWS
from lipogram.decoding.models.vllm.rules import RULES
from lipogram.grammars import compile, gbnf, json_schema, lark, regex

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}, "c": {"type": "string"}},
    "required": ["a", "b", "c"],
    "additionalProperties": False,
}
Said = tuple[bytes, Finish, list[ScoredToken]]


def masker(model: VllmModel, grammar: Any) -> Masker:
    return Masker(compile(grammar), model.vocabulary)


def job(model: VllmModel, seed: int | None, rule: Masker | None = None, **members: Any) -> Job:
    members.setdefault("sampling", Sampling(seed=seed))
    members.setdefault("max_tokens", 40)
    return Job(tuple(model.vocabulary.encode(b"def parse")), rule, **members)


async def said(source: Any, what: Job) -> Said:
    events = [event async for event in source.generate(what)]
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert isinstance(events[-1], Finish)
    tokens = [token for chunk in chunks for token in chunk.tokens]
    return b"".join(chunk.text for chunk in chunks), events[-1], tokens


def together(model: VllmModel, *jobs: Job) -> list[Said]:
    async def run() -> list[Said]:
        return await asyncio.gather(*(said(model, each) for each in jobs))

    return asyncio.run(run())


def test_constrained_and_free_share_batches(model: VllmModel) -> None:
    rules = [
        json_schema.parse(SCHEMA), regex.parse("[a-f]{3,9}"), gbnf.parse('root ::= "a" | "b" root'),
        lark.parse('start: "(" start ")" | "x"'), None,
    ]  # fmt: skip
    jobs = [
        job(model, seed, None if rule is None else masker(model, rule))
        for seed in range(6)
        for rule in rules
    ]
    found = together(model, *jobs)
    for (text, finish, _), each in zip(found, jobs, strict=True):
        assert finish.usage.completion_tokens <= 40
        if each.masker is not None:
            assert each.masker.automaton.accepts(text), text
    again = together(model, *jobs)
    assert [text for text, *_ in again] == [text for text, *_ in found]
    assert not RULES


@pytest.mark.parametrize("most", [19, 20, 22, 28])
def test_a_budget_always_leaves_room_to_close(model: VllmModel, most: int) -> None:
    rule = masker(model, json_schema.parse(SCHEMA))
    found = together(model, *(job(model, seed, rule, max_tokens=most) for seed in range(16)))
    for text, finish, _ in found:
        assert set(json.loads(text)) == {"a", "b", "c"}
        assert finish.usage.completion_tokens <= most
    with pytest.raises(BudgetTooSmall):
        together(model, job(model, 0, rule, max_tokens=5))


def test_greedy_is_greedy_through_both_doors(model: VllmModel) -> None:
    for rule in (None, masker(model, json_schema.parse(SCHEMA))):
        what = job(model, None, rule, sampling=Sampling(temperature=0), max_tokens=20)
        [(text, finish, _)] = together(model, what)
        wanted, other, _ = asyncio.run(said(Autoregressive(model), what))
        assert (text, finish.reason) == (wanted, other.reason)


def test_the_law_is_the_masked_row(model: VllmModel) -> None:
    rule = masker(model, regex.parse("[a-z]"))
    size = 1500
    found = together(model, *(job(model, seed, rule, max_tokens=1) for seed in range(size)))
    counts = Counter(text for text, *_ in found)
    [(_, _, [scored])] = together(model, job(model, 0, rule, max_tokens=1, top_logprobs=26))
    law = {token.text: np.exp(token.logprob) for token in scored.top if token.logprob is not None}
    assert sum(law.values()) == pytest.approx(1, abs=1e-5)
    statistic = sum((counts[text] - size * p) ** 2 / (size * p) for text, p in law.items())
    assert statistic < 90  # 25 degrees of freedom: p < 1e-8 above


def test_log_probabilities_are_of_the_masked_row(model: VllmModel) -> None:
    for rule in (None, masker(model, json_schema.parse(SCHEMA))):
        what = job(model, 3, rule, top_logprobs=2, max_tokens=24)
        [(text, _, tokens)] = together(model, what)
        assert b"".join(token.text for token in tokens) == text
        assert all(len(token.top) <= 2 for token in tokens)
        fixed = [token.id for token in tokens]

        async def law(prefix: list[int], what: Job = what) -> Said:
            prompt = (*what.prompt, *prefix)
            return await said(Autoregressive(model), Job(prompt, top_logprobs=2, max_tokens=1))

        if rule is None:
            for index in range(0, len(fixed), 5):
                [other] = asyncio.run(law(fixed[:index]))[2] or [None]
                if other is not None:
                    assert [t.id for t in other.top] == [t.id for t in tokens[index].top]
                    assert other.top[0].logprob == pytest.approx(
                        tokens[index].top[0].logprob, abs=1e-3
                    )
    assert not ROWS


def test_stop_strings_and_ends(model: VllmModel) -> None:
    free = together(model, *(job(model, seed, stop=(b"e",)) for seed in range(8)))
    assert all(b"e" not in text for text, *_ in free)
    assert any(finish.stop == b"e" for _, finish, _ in free)
    ended = together(
        model, *(job(model, seed, masker(model, regex.parse("a?"))) for seed in range(4))
    )
    assert {finish.reason for _, finish, _ in ended} == {"stop"}


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(seed=1, min_p=0.1, top_p=0.9),
        Sampling(seed=1, frequency_penalty=0.5),
        Sampling(seed=1, temperature=0.001),
        Sampling(seed=1, logit_bias={70: 5.0}),
        Sampling(seed=1, top_k=5, top_p=0.9, repetition_penalty=1.2),
    ],
)
def test_all_of_sampling_works_through_one_door_or_the_other(
    model: VllmModel, sampling: Sampling
) -> None:
    rule = masker(model, json_schema.parse(SCHEMA))
    for what in (job(model, 1, rule, sampling=sampling), job(model, 1, sampling=sampling)):
        [(text, _, _)] = together(model, what)
        assert what.masker is None or what.masker.automaton.accepts(text)


def test_bytes_and_exact_boundaries(model: VllmModel) -> None:
    rule = masker(model, regex.parse("[a-z ]{6}"))
    for members in ({"byte_mode": "full"}, {"boundary": "exact"}, {"boundary": "heal"}):
        what = Job((), rule, text=b"def par", max_tokens=8, sampling=Sampling(seed=4), **members)  # type: ignore[arg-type]
        [(text, _, _)] = together(model, what)
        assert rule.automaton.accepts(text)


def test_leaving_frees_the_request(model: VllmModel) -> None:
    async def leave() -> None:
        async with aclosing(model.generate(job(model, 0, max_tokens=200))) as events:
            await anext(events)
        for _ in range(100):
            if not model._engine._listeners:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the request is still there")

    asyncio.run(leave())
    assert not RULES


def test_a_mask_that_fails_fails_its_request_alone(
    model: VllmModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lipogram.grammars import BudgetExceeded

    rule = masker(model, json_schema.parse(SCHEMA))
    broken = masker(model, json_schema.parse({**SCHEMA, "title": "broken"}))
    inner, masks = broken.mask, []

    def mask(state: Any) -> Any:
        masks.append(state)
        if len(masks) > 6:
            raise BudgetExceeded("too much")
        return inner(state)

    monkeypatch.setattr(broken, "mask", mask)

    async def run() -> list[Any]:
        return await asyncio.gather(
            said(model, job(model, 1, rule)), said(model, job(model, 1, broken)),
            return_exceptions=True,
        )  # fmt: skip

    good, bad = asyncio.run(run())
    assert rule.automaton.accepts(good[0])
    assert isinstance(bad, BudgetExceeded)


def test_a_step_that_fails_fails_its_requests_and_no_later_ones(
    model: VllmModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = model._engine._engine
    step, failed = engine.step, []

    def failing() -> Any:
        if not failed:
            failed.append(True)
            raise RuntimeError("the device is lost")
        return step()

    monkeypatch.setattr(engine, "step", failing)
    with pytest.raises(BackendFailed, match="the device is lost"):
        together(model, job(model, 0))
    [(text, _, _)] = together(model, job(model, 0, masker(model, regex.parse("[a-f]{3}"))))
    assert len(text) == 3
    assert not RULES
