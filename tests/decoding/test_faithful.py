"""Faithful sampling as a job: its events, and what it refuses. Its law: tests/laws."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest

from laws.running import run
from lipogram.decoding import (
    Autoregressive,
    BudgetTooSmall,
    ContextTooLong,
    Ensemble,
    Job,
    Masker,
    Sampling,
    UnsupportedJob,
    Vocabulary,
)
from lipogram.decoding.errors import NoFaithfulText
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.job import Faithful
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import compile, lark, regex

OWN = Vocabulary.from_tokens([b"a", b"b", b"c", b"ab", b"", b""], eos_ids=(4,), specials={"<x>": 5})
END, SPECIAL = 4, 5
MODEL = TableModel(OWN, lambda prefix: [1.0, 0.5, 0.0, 0.7, 0.2 * len(prefix), -1.0])


def ruled(pattern: str) -> Masker:
    return Masker(compile(regex.parse(pattern)), OWN)


JOB = Job((), ruled("(ab?)*c"), Sampling(seed=1), 12, faithful=Faithful())


def test_gives_a_member_and_how_it_came_about() -> None:
    stages = set()
    for seed in range(20):
        for attempts in (0, 32):
            job = replace(JOB, sampling=Sampling(seed=seed), faithful=Faithful(attempts, 8))
            result = run(Autoregressive(MODEL), job)
            assert JOB.masker is not None
            assert JOB.masker.automaton.accepts(result.text)
            evidence = result.finish.evidence
            assert evidence is not None
            stages.add(evidence.stage)
            assert evidence.stage == "particles" or evidence.effective_samples == 1
            assert 1 <= evidence.effective_samples <= 8
            assert result.finish.usage.model_calls > 0
            assert result.finish.reason == "stop"
    assert stages == {"attempts", "particles"}
    assert run(Autoregressive(MODEL), JOB).text == run(Autoregressive(MODEL), JOB).text


def test_scores_are_the_models_own() -> None:
    """Their sum is the text's chance without the rule, up to the end."""
    result = run(Autoregressive(MODEL), replace(JOB, top_logprobs=2))
    tokens = [token for chunk in result.chunks for token in chunk.tokens]
    assert b"".join(token.text for token in tokens) == result.text
    written: list[int] = []
    for token in tokens:
        row = MODEL._scores(tuple(written))
        spoken = np.exp(np.array(row, np.float64)[:5])
        assert token.logprob is not None
        assert math.isclose(token.logprob, math.log(spoken[token.id] / spoken.sum()), abs_tol=1e-6)
        assert len(token.top) == 2
        written.append(token.id)


def test_a_prompt_is_taken_as_it_is_written() -> None:
    job = replace(JOB, text=b"ab", boundary="none", echo_logprobs=True, top_logprobs=0)
    finish = run(Autoregressive(MODEL), job).finish
    assert finish.usage.prompt_tokens == len(finish.prompt_tokens) == len(OWN.encode(b"ab"))


def test_special_tokens_of_a_grammar_are_written() -> None:
    masker = Masker(compile(lark.parse('start: "a" <x> "b"')), OWN)
    result = run(Autoregressive(MODEL), replace(JOB, masker=masker))
    assert result.text == b"ab"
    assert result.finish.usage.completion_tokens == 4


def test_special_tokens_may_end_a_text() -> None:
    model = TableModel(OWN, lambda prefix: [1.0, 0.5, 0.0, 0.7, -9.0, 5.0])
    masker = ruled("[abc]{0,3}")
    result = run(Autoregressive(model), replace(JOB, masker=masker, ends=frozenset({SPECIAL})))
    assert len(result.text) <= 3


def test_without_a_rule_the_law_is_the_models_already() -> None:
    finish = run(Autoregressive(MODEL), replace(JOB, masker=None)).finish
    assert finish.evidence is None


def test_where_nothing_comes_to_an_end() -> None:
    never = TableModel(OWN, lambda prefix: [0.0, -np.inf, -np.inf, -np.inf, 0.0, -np.inf])
    with pytest.raises(NoFaithfulText):
        run(Autoregressive(never), JOB)
    with pytest.raises(BudgetTooSmall):
        run(Autoregressive(MODEL), replace(JOB, masker=ruled("c{6}"), max_tokens=5))
    with pytest.raises(ContextTooLong):
        run(Autoregressive(MODEL), replace(JOB, prompt=(0,) * 5000))


def test_others_have_their_turn() -> None:
    """Many particles over one long text must not keep the event loop."""

    async def check() -> int:
        job = replace(JOB, masker=ruled("[abc]{60,}"), max_tokens=90, faithful=Faithful(0, 64))
        events: AsyncIterator[object] = Autoregressive(MODEL).generate(job)
        writing = asyncio.ensure_future(anext(events))
        turns = 0
        while not writing.done():
            await asyncio.sleep(0)
            turns += 1
        await writing
        return turns

    assert asyncio.run(check()) > 60 * 32  # one for every particle that is alive, at every token


@pytest.mark.parametrize(
    "change",
    [
        {"stop": (b"x",)},
        {"suffix": b"some suffix\n"},
        {"sampling": Sampling(temperature=0)},
        {"sampling": Sampling(presence_penalty=1)},
        {"sampling": Sampling(frequency_penalty=1)},
        {"sampling": Sampling(repetition_penalty=1.5)},
        {"ignore_eos": True},
        {"text": b"a"},
        {"text": b"a", "boundary": "heal"},
    ],
)
def test_what_does_not_go_with_it(change: dict[str, object]) -> None:
    with pytest.raises(UnsupportedJob):
        run(Autoregressive(MODEL), replace(JOB, **change))


def test_bytes_and_ensembles_do_not_go_with_it() -> None:
    by_bytes = replace(JOB, byte_mode="full", projection="byte", other_prompts=(Prompt(),))
    with pytest.raises(UnsupportedJob):
        run(Autoregressive(MODEL), by_bytes)
    with pytest.raises(UnsupportedJob):
        run(Ensemble([MODEL, MODEL]), by_bytes)


@pytest.mark.parametrize("counts", [(-1, 8), (8, 0)])
def test_something_must_be_tried(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="particle"):
        Faithful(*counts)
