"""Drafts of bytes change what an output costs and nothing else, of one model or of several.

Under a seed the text is the same with and without drafts, which is more than the same law; that
the laws without drafts are right is tested by enumeration in `test_byte_laws` and
`test_ensemble_laws`, and for some of them with drafts here.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from laws.generator import cases
from laws.running import assert_law, run, run_all, seeded
from laws.test_drafting_law import Eager, essence
from laws.test_ensemble_laws import (
    MIXINGS,
    OTHER_MERGES,
    OTHER_TOKENS,
    members,
    target,
    texts_under,
)
from laws.tokenizing import Finite, Written, toy_vocabulary
from lipogram.decoding import (
    Autoregressive,
    Chain,
    Drafter,
    Ensemble,
    Forced,
    Guess,
    Job,
    Masker,
    Ngrams,
    Place,
    Sampling,
    SmallModel,
)
from lipogram.decoding.bytes.course import BYTES
from lipogram.decoding.bytes.heads import STOP
from lipogram.decoding.course import Free
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.table import TableModel
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import compile, regex

SAMPLINGS = [
    Sampling(),
    Sampling(temperature=0),
    Sampling(temperature=0.6, top_p=0.9),
    Sampling(min_p=0.2),
]
PATTERN = "(AB|B)A{0,2}B{0,3}(AB)?"


@cache
def model(seed: int, size: int = 12) -> Finite:
    return Written(toy_vocabulary(True), range(6), size, seed, 1.0)


@cache
def stranger(letters: int = 6, size: int = 12) -> Finite:
    """Of other tokens and merges; all six of them have a letter that the models do not know."""
    other = toy_vocabulary(True, OTHER_TOKENS, OTHER_MERGES)
    return Written(other, range(letters), size, 5, 1.0)


class Random:
    """Drafts any bytes, allowed or not, ends among them, some that no token spells."""

    name = "random"

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def open(self, job: Job, prompt: Sequence[int]) -> "Random":
        return self

    async def propose(self, place: Place, most: int) -> list[Guess]:
        count = min(most, self.rng.randint(0, 4))
        return [Guess(self.rng.choice([*b"ABABABCx", STOP]), 0.5) for _ in range(count)]


def drafters_of(target: Finite) -> dict[str, list[Drafter]]:
    vocabulary = target.vocabulary
    kinds: dict[str, list[Drafter]] = {
        "random": [Random(0)],
        "grammar": [Forced(vocabulary)],
        "prompt": [Ngrams(vocabulary)],
        "stranger": [SmallModel(stranger().model, vocabulary)],
        "twin": [SmallModel(target.model, vocabulary)],
    }
    return {**kinds, "all": [drafter for each in kinds.values() for drafter in each]}


KINDS = list(drafters_of(model(1)))


def chain_of(kind: str, target: Finite) -> Chain:
    return Chain(*drafters_of(target)[kind], most_tokens=5, pace=Eager())


def masker() -> Masker:
    return Masker(compile(regex.parse(PATTERN)), toy_vocabulary(True))


@pytest.mark.parametrize("kind", KINDS)
def test_the_output_is_the_same_with_and_without_drafts(kind: str) -> None:
    own, rule = model(1), masker()
    chain, drafted = chain_of(kind, own), 0
    for seed in cases(24):
        law = replace(SAMPLINGS[seed % 4], seed=seed)
        job = Job(
            (), rule if seed % 3 else None, law, (3, 6, 20)[seed % 3], text=b"ABA"[: seed % 4],
            byte_mode="full", projection="token" if seed % 2 else "byte", prediction=b"ABBAB",
            stop=(b"BAA",) if seed % 5 == 0 else (),
        )  # fmt: skip
        plain = run(Autoregressive(own.model), job)
        ahead = run(Autoregressive(own.model), replace(job, drafters=chain))
        assert essence(ahead) == essence(plain)
        assert ahead.finish.usage.model_passes <= plain.finish.usage.model_passes
        drafted += ahead.finish.usage.drafted_tokens
    assert drafted > 20 or kind == "grammar"


@pytest.mark.parametrize("rule", MIXINGS)
def test_ensembles_write_the_same_and_by_their_law(rule: str) -> None:
    """Where it is forced as well as where it is free, drafted by a stranger to both."""
    decoder = Ensemble([member.model for member in members()], MIXINGS[rule])
    chain = chain_of("all", members()[0])
    ruled = Masker(compile(regex.parse("(AB|B)A{0,2}B?")), members()[0].vocabulary)

    def job(seed: int) -> Job:
        return Job(
            (), ruled, Sampling(seed=seed), byte_mode="full", projection="byte",
            other_prompts=(Prompt(),), drafters=chain,
        )  # fmt: skip

    for seed in range(10):
        plain = run(decoder, replace(job(seed), drafters=None))
        assert essence(run(decoder, job(seed))) == essence(plain)
    counts = seeded(job, decoder, 200)
    assert_law(counts, texts_under(lambda text: target(rule, text), ruled))


def texts_of(finite: Finite) -> Counter[bytes]:
    law: Counter[bytes] = Counter()
    for tokens, chance in finite.strings():
        law[finite.vocabulary.decode(tokens)] += chance
    return law


def first_bytes(law: Counter[bytes]) -> Counter[bytes]:
    firsts: Counter[bytes] = Counter()
    for text, chance in law.items():
        firsts[text[:1]] += chance
    return firsts


def test_to_keep_a_guess_unasked_would_change_the_law() -> None:
    """The control: the stranger's first byte stands, and the model goes on from there."""
    own, other = model(4, 3), stranger(5, 3)
    law = texts_of(own)
    firsts, guessed = first_bytes(law), first_bytes(texts_of(other))
    kept = {text: p * guessed[text[:1]] / firsts[text[:1]] for text, p in law.items()}
    assert sum(abs(law[text] - kept[text]) for text in law) / 2 > 0.1
    chain = Chain(SmallModel(other.model, own.vocabulary), pace=Eager())

    def job(seed: int) -> Job:
        return Job((), sampling=Sampling(seed=seed), byte_mode="full", drafters=chain)

    counts = seeded(job, Autoregressive(own.model), 400)
    assert_law(counts, law)
    with pytest.raises(AssertionError, match="chi-square"):
        assert_law(counts, kept)


def test_greedy_texts_of_many_mixed_requests_are_those_without_drafts() -> None:
    """Constrained and free ones side by side, with chains that they share."""
    rng, rule, own = random.Random(3), masker(), model(2)
    chains = [chain_of(kind, own) for kind in KINDS]
    jobs = [
        Job(
            (), rng.choice((rule, None)), Sampling(temperature=0), rng.randint(6, 12),
            text=bytes(rng.choices(b"AB", k=rng.randint(0, 5))), byte_mode="full",
        )
        for _ in cases(150)
    ]  # fmt: skip
    plain = run_all(Autoregressive(own.model), jobs)
    drafted = [replace(job, drafters=rng.choice((*chains, None))) for job in jobs]
    ahead = run_all(Autoregressive(own.model), drafted)
    assert [essence(each) for each in ahead] == [essence(each) for each in plain]


def test_a_drafter_that_is_the_model_spares_most_passes_at_any_temperature() -> None:
    """Every score that a draft brings is used, and asked for once."""
    own = model(7, 40)
    chain = Chain(SmallModel(own.model, own.vocabulary), most_tokens=5, pace=Eager())
    for sampling in SAMPLINGS:
        for seed in range(5):
            job = Job((), None, replace(sampling, seed=seed), 12, byte_mode="full", ignore_eos=True)
            plain = run(Autoregressive(own.model), job)
            ahead = run(Autoregressive(own.model), replace(job, drafters=chain))
            usage = ahead.finish.usage
            assert ahead.text == plain.text
            assert usage.model_passes <= len(ahead.text) // 6 + 1
            whole = run(Autoregressive(own.model), replace(job, top_logprobs=0)).finish.usage
            assert usage.model_calls <= whole.model_calls + 6
            assert usage.accepted_tokens >= usage.drafted_tokens - 5  # the last ones find no room


class Counting:
    """Counts its calls."""

    def __init__(self, finite: Finite) -> None:
        self.name, self.vocabulary, self.context_tokens = "counted", finite.vocabulary, 99
        self.calls, self._model = 0, finite.model

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        self.calls += 1
        return await self._model.logits(queries)


def test_members_are_asked_ahead_together() -> None:
    """Once for the first byte, which nothing foretells, and once for all others."""
    models = [Counting(member) for member in members()]
    job = Job(
        (), sampling=Sampling(temperature=0), byte_mode="full", max_tokens=4, ignore_eos=True,
        other_prompts=(Prompt(),),
    )  # fmt: skip
    plain = run(Ensemble(models), job)
    calls = [each.calls for each in models]
    chain = Chain(Ngrams(models[0].vocabulary), pace=Eager())
    ahead = run(Ensemble(models), replace(job, prediction=plain.text, drafters=chain))
    assert ahead.text == plain.text
    assert min(calls) > 4
    assert [each.calls - before for each, before in zip(models, calls, strict=True)] == [2, 2]


@pytest.mark.parametrize("temperature", [0, 1])
def test_a_guess_behind_which_no_token_fits_is_only_a_wrong_guess(temperature: float) -> None:
    """After C the rule wants a letter that no token has: the row there is of no use to anybody."""
    tokens = Vocabulary.from_tokens([b"A", b"B", b"C", b""], (3,))
    flat = TableModel(tokens, lambda prefix: np.zeros(4), name="flat", context_tokens=99)
    masker = Masker(compile(regex.parse("A(B|C[xy])")), tokens)
    job = Job((), masker, Sampling(temperature=temperature, seed=1), 8, byte_mode="full",
              text=b"B", prediction=b"ACx")  # fmt: skip
    drafted = replace(job, drafters=Chain(Ngrams(tokens), pace=Eager()))
    assert run(Autoregressive(flat), drafted).text == run(Autoregressive(flat), job).text == b"AB"


def test_a_byte_that_the_drafter_cannot_spell_is_forgotten() -> None:
    small = SmallModel(stranger().model, model(1).model.vocabulary)
    guesses = small.open(Job((), byte_mode="full", text=b"A"), b"A")
    free = Free(BYTES, False)

    async def propose(tokens: bytes, draft: bytes) -> list[Guess]:
        return await guesses.propose(Place(bytearray(tokens), tuple(draft), free, 0.5), 3)

    async def all_of_them() -> None:
        for tokens, draft in ((b"A", b""), (b"A", b"A"), (b"A", b"AB"), (b"AA", b"\x07")):
            last = await propose(tokens, draft)
        assert last == []
        assert await propose(b"AAB", b"")

    asyncio.run(all_of_them())
