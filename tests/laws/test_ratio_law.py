"""Drafts that count by the ratio of two laws leave the law of what is written as it is.

Against enumerated laws, of one model and of mixtures, with and without a rule, tempered, cut to a
nucleus, and near the end of a budget. The controls keep what the rule would refuse.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from laws.generator import cases
from laws.running import assert_law, run, seeded
from laws.test_byte_drafting_law import masker, model, stranger
from laws.test_drafting_law import Eager, essence
from laws.test_ensemble_laws import Law, members, scaled, target, texts_under
from lipogram.decoding import (
    Autoregressive,
    Chain,
    Ensemble,
    Job,
    Masker,
    Mixing,
    Ratio,
    Sampling,
    SmallModel,
    sampling,
)
from lipogram.decoding.bytes import ratio
from lipogram.decoding.errors import UnsupportedJob
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.grammars import compile, regex

COUNT = len(cases(150))


def drafters(cost: float = 0.05) -> Ratio:
    return Ratio(SmallModel(stranger().model, members()[0].vocabulary), cost, 5)


def single(text: bytes) -> Law:
    return target("linear", text, (1.0, 0.0))


def tempered(text: bytes) -> Law:
    """At temperature 0.6, the fewest symbols that hold 0.9 of it."""
    heated = scaled({symbol: chance ** (1 / 0.6) for symbol, chance in single(text).items()})
    kept: Law = {}
    for symbol, chance in sorted(heated.items(), key=lambda pair: -pair[1]):
        if sum(kept.values()) < 0.9:
            kept[symbol] = chance
    return scaled(dict(heated | dict.fromkeys(heated, 0.0)) | kept)


def job_of(**about: object) -> Callable[[int], Job]:
    law = about.pop("sampling", Sampling())
    assert isinstance(law, Sampling)
    about = {"byte_mode": "full", "projection": "byte", "drafters": drafters(), **about}
    return lambda seed: Job((), sampling=replace(law, seed=seed), **about)  # type: ignore[arg-type]


def ruled() -> Masker:
    return Masker(compile(regex.parse("(AB|B)A{0,2}B?")), members()[0].vocabulary)


CASES: dict[str, tuple[Callable[[int], Job], Callable[[bytes], Law], Masker | None]] = {
    "free": (job_of(), single, None),
    "under a rule": (job_of(masker=ruled()), single, ruled()),
    "tempered": (job_of(sampling=Sampling(temperature=0.6, top_p=0.9)), tempered, None),
}


@pytest.mark.parametrize("case", CASES)
def test_one_model_writes_by_its_law(case: str) -> None:
    job, next_of, rule = CASES[case]
    counts = seeded(job, Autoregressive(members()[0].model), COUNT)
    assert_law(counts, texts_under(next_of, rule))


@pytest.mark.parametrize("rule", ["geometric", "posterior"])
def test_mixtures_write_by_their_law(rule: str) -> None:
    mixing = Mixing(rule, (2.0, 1.0))
    decoder = Ensemble([member.model for member in members()], mixing)
    counts = seeded(job_of(masker=ruled(), other_prompts=(Prompt(),)), decoder, COUNT)
    law = texts_under(lambda text: target(rule, text, (2.0, 1.0)), ruled())
    assert_law(counts, law)


def test_what_is_refused_is_drawn_anew_from_the_rest() -> None:
    """As without drafts: a budget that refuses A and C leaves B and D in proportion."""
    scores, law = np.log([0.4, 0.3, 0.2, 0.1]), Sampling()
    guessed, rng = np.array([0.1, 0.2, 0.3, 0.4]), np.random.default_rng(1)
    counts: Counter[bytes] = Counter()
    for _ in range(4000):
        guess = int(rng.choice(4, p=guessed))
        first = partial(ratio.by_ratio, guess, sampling.Candidates(np.arange(4), guessed), rng)
        drawn = sampling.draws(scores, np.ones(4, np.bool_), law, rng, first)
        counts[next(b"ABCD"[each : each + 1] for each in drawn if each in (1, 3))] += 1
    assert_law(counts, {b"B": 0.75, b"D": 0.25})


def test_guesses_kept_as_they_are_would_change_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(self: ratio.RatioDrafts, rng: np.random.Generator) -> object:
        guesses = self._guesses
        return (lambda left: guesses[0][0]) if guesses and guesses[0][1] else None

    monkeypatch.setattr(ratio.RatioDrafts, "first", kept)
    job, next_of, rule = CASES["under a rule"]
    counts = seeded(job, Autoregressive(members()[0].model), COUNT)
    with pytest.raises(AssertionError):
        assert_law(counts, texts_under(next_of, rule))


def test_at_temperature_0_the_text_is_that_without_drafts() -> None:
    decoder = Autoregressive(model(2).model)
    for text in (b"", b"A", b"BAB"):
        for rule in (None, masker()):
            job = job_of(masker=rule, text=text, sampling=Sampling(temperature=0))(1)
            plain = run(decoder, replace(job, drafters=None))
            ahead = run(decoder, job)
            assert essence(ahead) == essence(plain)


def test_more_guesses_count_than_by_match_and_a_seed_gives_one_text() -> None:
    own = model(3, 40)
    small = SmallModel(stranger(5, 40).model, own.vocabulary)
    ways = {"ratio": Ratio(small, 0.01, 4), "match": Chain(small, most_tokens=4, pace=Eager())}
    shares = {}
    for name, way in ways.items():
        drafted = accepted = 0
        for seed in range(20):
            job = Job((), None, Sampling(seed=seed), 12, byte_mode="full", ignore_eos=True)
            job = replace(job, drafters=way)
            first = run(Autoregressive(own.model), job)
            assert run(Autoregressive(own.model), job).text == first.text
            drafted += first.finish.usage.drafted_tokens
            accepted += first.finish.usage.accepted_tokens
        shares[name] = accepted / drafted
    assert shares["ratio"] > shares["match"]


def test_a_drafter_that_is_the_model_is_always_right_and_one_that_costs_as_much_is_not_asked() -> (
    None
):
    own = model(7, 40)
    for cost in (0.05, 1.2):
        way = Ratio(SmallModel(own.model, own.vocabulary), cost, 5)
        job = Job((), None, Sampling(seed=1), 12, byte_mode="full", ignore_eos=True, drafters=way)
        usage = run(Autoregressive(own.model), job).finish.usage
        plain = run(Autoregressive(own.model), replace(job, drafters=None)).finish.usage
        if cost > 1:
            assert usage == plain
        else:
            assert usage.accepted_tokens >= usage.drafted_tokens - 5 > 5
            assert usage.model_passes <= usage.completion_tokens


def test_drafts_of_tokens_do_not_count_so() -> None:
    with pytest.raises(UnsupportedJob, match="only where bytes are drawn"):
        run(Autoregressive(members()[0].model), replace(job_of()(1), byte_mode="switch"))
