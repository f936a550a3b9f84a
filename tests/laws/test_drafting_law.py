"""Drafts change what an output costs and nothing else, whoever drafts, under every law and rule.

Under a seed the text is the same with and without drafts, which is more than the same law; that
the law without drafts is right is tested by enumeration in `test_sampling_law`.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from laws.generator import cases
from laws.running import Result, assert_law, run, run_all, seeded
from laws.test_sampling_law import CASES, PROMPT, SAMPLINGS, Case, Law
from lipogram.decoding import (
    Autoregressive,
    Chain,
    Drafter,
    Forced,
    Guess,
    Job,
    Ngrams,
    Place,
    Sampling,
    SmallModel,
    Vocabulary,
)
from lipogram.decoding.drafting.pace import Pace
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import BudgetExceeded, ir


def table(vocabulary: Vocabulary, seed: int, spread: float = 1.0) -> TableModel:
    """`TableModel.random` that remembers its scores."""
    return TableModel(vocabulary, cache(TableModel.random(vocabulary, seed, spread)._scores))


class Eager(Pace):
    """Drafts whatever there is, whether it pays or not."""

    def asks(self, name: str, chance: float) -> bool:
        return True

    def takes(self, chance: float) -> bool:
        return True

    def pays(self, chances: Sequence[float], width: int) -> bool:
        return True


class Random:
    """Drafts any tokens, allowed or not, ends among them."""

    name = "random"

    def __init__(self, seed: int, size: int) -> None:
        self.rng, self.size = random.Random(seed), size

    def open(self, job: Job, prompt: Sequence[int]) -> "Random":
        return self

    async def propose(self, place: Place, most: int) -> list[Guess]:
        count = min(most, self.rng.randint(0, 4))
        return [Guess(self.rng.randrange(self.size), self.rng.random()) for _ in range(count)]


def drafters_of(vocabulary: Vocabulary) -> dict[str, list[Drafter]]:
    """All kinds; the small models know nothing of the one they draft for, or nearly all."""
    other = Vocabulary.from_tokens([b"", *(bytes([byte]) for byte in range(256)), b"ab,"], (0,))
    kinds: dict[str, list[Drafter]] = {
        "random": [Random(0, len(vocabulary))],
        "grammar": [Forced(vocabulary)],
        "prompt": [Ngrams(vocabulary)],
        "stranger": [SmallModel(table(vocabulary, 99), vocabulary)],
        "twin": [SmallModel(table(vocabulary, 7), vocabulary)],
        "other vocabulary": [SmallModel(table(other, 5), vocabulary)],
    }
    return {**kinds, "all": [drafter for each in kinds.values() for drafter in each]}


KINDS = list(drafters_of(CASES["list"].vocabulary))


def chain_of(kind: str, vocabulary: Vocabulary) -> Chain:
    return Chain(*drafters_of(vocabulary)[kind], most_tokens=5, pace=Eager())


def essence(result: Result) -> tuple[object, ...]:
    usage = result.finish.usage
    return result.text, result.finish.reason, result.finish.stop, usage.completion_tokens


LAWS = {
    **{name: (sampling, ()) for name, sampling in SAMPLINGS.items()},
    "greedy": (Sampling(temperature=0), ()),
    "penalties": (Sampling(presence_penalty=1.5, repetition_penalty=1.3), ()),
    "bias": (Sampling(logit_bias={0: 2.0, 1: -3.0}), ()),
    "stops": (Sampling(), (b"b,", b"aba")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_the_output_is_the_same_with_and_without_drafts(kind: str, name: str) -> None:
    case = CASES[name]
    model = table(case.vocabulary, 7, 1.5)
    chain = chain_of(kind, case.vocabulary)
    drafted = 0
    for masker in (case.masker(), None):
        for index, (sampling, stop) in enumerate(LAWS.values()):
            for seed in cases(4):
                budget = (3, 6, 20)[(seed + index) % 3]
                law = replace(sampling, seed=seed)
                one = Job(PROMPT, masker, law, budget, stop, prediction=b"ab,b")
                plain = run(Autoregressive(model), one)
                ahead = run(Autoregressive(model), replace(one, drafters=chain))
                assert essence(ahead) == essence(plain)
                assert ahead.finish.usage.model_passes <= plain.finish.usage.model_passes
                drafted += ahead.finish.usage.drafted_tokens
    assert drafted > 20 or kind == "grammar"


@pytest.mark.parametrize(("name", "law"), [("list", "plain"), ("nested", "all")])
def test_the_law_of_drafted_outputs_by_enumeration(name: str, law: str) -> None:
    case, sampling = CASES[name], SAMPLINGS[law]
    model = table(case.vocabulary, 11, 1.5)
    chain = chain_of("all", case.vocabulary)
    masker = case.masker()

    def job(seed: int) -> Job:
        return Job(PROMPT, masker, replace(sampling, seed=seed), 6, drafters=chain)

    counts = seeded(job, Autoregressive(model), 400)
    assert_law(counts, Law(case, model, sampling, 6).texts)


def test_greedy_texts_of_a_thousand_mixed_requests_are_those_without_drafts() -> None:
    """Constrained and free ones side by side, with chains that they share."""
    rng = random.Random(3)
    for name, case in CASES.items():
        size = len(case.vocabulary)
        model = table(case.vocabulary, len(name), 2.0)
        chains = [chain_of(kind, case.vocabulary) for kind in KINDS]
        masker = case.masker()
        jobs = []
        for seed in range(1000 // len(CASES)):
            prompt = tuple(rng.randrange(size - 2) for _ in range(rng.randint(0, 6)))
            rule = masker if rng.random() < 0.5 else None
            sampling = Sampling(temperature=rng.choice((0, 0, 1.0)), seed=seed)
            jobs.append(Job(prompt, rule, sampling, rng.randint(3, 12)))
        plain = run_all(Autoregressive(model), jobs)
        ahead = run_all(
            Autoregressive(model),
            [replace(job, drafters=rng.choice((*chains, None))) for job in jobs],
        )
        assert [essence(each) for each in ahead] == [essence(each) for each in plain]


def test_logprobs_are_those_without_drafts() -> None:
    case = CASES["list"]
    model = table(case.vocabulary, 2)
    one = Job(PROMPT, case.masker(), Sampling(seed=4), 20, top_logprobs=2)
    ahead = replace(one, drafters=chain_of("twin", case.vocabulary))
    scores = [
        [token for chunk in run(Autoregressive(model), job).chunks for token in chunk.tokens]
        for job in (one, ahead)
    ]
    assert scores[0] == scores[1]


def test_a_drafter_that_is_the_model_spares_most_passes_at_any_temperature() -> None:
    case = CASES["words"]
    model = table(case.vocabulary, 7, 0.3)
    chain = Chain(SmallModel(model, case.vocabulary), most_tokens=9, pace=Eager())
    for sampling in (Sampling(), Sampling(temperature=0), Sampling(top_p=0.7)):
        jobs = [Job(PROMPT, None, replace(sampling, seed=seed), 20) for seed in range(20)]
        for job in jobs:
            usage = run(Autoregressive(model), replace(job, drafters=chain)).finish.usage
            assert usage.model_passes == -(-usage.completion_tokens // 10)


PREFIXED = Case(
    ir.sequence(ir.Literal(b"abc"), ir.choice(ir.Literal(b"x"), ir.Literal(b"y"))),
    r"abc[xy]",
    r"a?|ab|abc[xy]?",
    (b"a", b"b", b"c", b"x", b"y", b"ab", b"bc", b"abc", b"cx", b"bcy"),
)


def test_to_inject_forced_text_would_change_the_law() -> None:
    """The control: the canonical tokens of what the grammar determines, put in unasked."""
    model = table(PREFIXED.vocabulary, 4)
    law = Law(PREFIXED, model, Sampling(), 10).texts
    injected = tuple(PREFIXED.vocabulary.encode(b"abc"))
    scores = np.exp(np.float64(model._scores(PROMPT + injected)))
    x, y = scores[3], scores[4]
    other = Counter({b"abcx": x / (x + y), b"abcy": y / (x + y)})
    assert min(law.values()) > 0.1
    assert sum(abs(law[text] - other[text]) for text in law) / 2 > 0.1
    masker = PREFIXED.masker()
    chain = Chain(Forced(PREFIXED.vocabulary), pace=Eager())

    def job(seed: int) -> Job:
        return Job(PROMPT, masker, Sampling(seed=seed), 10, drafters=chain)

    counts = seeded(job, Autoregressive(model), 700)
    assert_law(counts, law)
    with pytest.raises(AssertionError, match="chi-square"):
        assert_law(counts, other)


def test_what_is_too_complex_to_look_ahead_ends_the_draft() -> None:
    """The engine's budgets may be met where the output never goes."""

    class Complex(Forced):
        async def propose(self, place: Place, most: int) -> list[Guess]:
            if place.draft:
                raise BudgetExceeded("one mask of the grammar takes too long")
            return [Guess(0, 1.0)]

    case = CASES["words"]
    chain = Chain(Complex(case.vocabulary), pace=Eager())
    model = table(case.vocabulary, 1)
    for seed in range(10):
        one = Job(PROMPT, case.masker(), Sampling(seed=seed), 12)
        ahead = run(Autoregressive(model), replace(one, drafters=chain))
        assert essence(ahead) == essence(run(Autoregressive(model), one))
        assert ahead.finish.usage.drafted_tokens
