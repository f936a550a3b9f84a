"""Bytes that are drawn before all of their law is known, against those drawn from the whole law."""

from dataclasses import replace

import numpy as np
import pytest

from laws.generator import cases
from laws.running import run
from laws.test_ensemble_laws import MIXINGS, members
from laws.tokenizing import Written, toy_vocabulary
from lipogram.decoding import Autoregressive, Ensemble, Job, Sampling, sampling
from lipogram.decoding.bytes.drawing import certain
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.models.embedded import load

TEMPERATURES = (0.0, 0.3, 0.8, 1.0)


def drawn(law: np.ndarray, allowed: np.ndarray, temperature: float, chance: float) -> int:
    with np.errstate(divide="ignore"):
        scores = np.log(law)
    return sampling.candidates(scores, allowed, Sampling(temperature=temperature)).draw(chance)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_what_is_certain_is_what_any_whole_law_gives(temperature: float) -> None:
    rng = np.random.default_rng(1)
    told = blind = 0
    for _ in cases(400):
        size, unknown = rng.integers(1, 6), rng.choice([1e-6, 1e-3, 0.05, 0.4])
        known = rng.dirichlet(np.full(size, 0.5)) * (1 - unknown)
        allowed, chance = rng.random(size) < 0.8, rng.random()
        allowed[rng.integers(size)] = True
        found = certain(known, unknown, allowed, temperature, chance)
        for concentration in (0.1, 0.1, 0.1, 1.0):
            # Some of what is unknown may be of nothing at all.
            rest = rng.dirichlet(np.full(size + 1, concentration))[:-1] * unknown
            whole = drawn(known + rest, allowed, temperature, chance)
            assert found in (None, whole)
            blind += certain(known, 0.0, allowed, temperature, chance) != whole
        told += found is not None
    assert told > 150
    assert blind  # to leave out what is unknown would be wrong


def test_nothing_is_certain_where_nothing_is_known() -> None:
    allowed = np.array([True, False])
    assert certain(np.array([0.0, 0.9]), 0.1, allowed, 1.0, 0.5) is None
    assert certain(np.array([0.1, 0.9]), 0.0, allowed, 1.0, 0.5) == 0
    assert certain(np.array([0.1, 0.9]), 0.0, np.array([False, False]), 1.0, 0.5) is None


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_texts_are_those_of_the_whole_law(temperature: float) -> None:
    """Log-probabilities ask for the whole law of every byte."""
    own = Written(toy_vocabulary(True), range(6), 30, 3, 2.0)
    pair = [member.model for member in members()]
    for seed in cases(12):
        job = Job(
            (), sampling=Sampling(temperature=temperature, seed=seed), text=b"AB"[: seed % 3],
            byte_mode="full", projection="byte", max_tokens=12,
        )  # fmt: skip
        both = replace(job, other_prompts=(Prompt(text=job.text),))
        for decoder, one in (
            (Autoregressive(own.model), job),
            (Ensemble(pair, MIXINGS["linear"]), replace(both, text=b"", other_prompts=(Prompt(),))),
            (
                Ensemble(pair, MIXINGS["posterior"]),
                replace(both, text=b"", other_prompts=(Prompt(),)),
            ),
        ):
            lazy, whole = run(decoder, one), run(decoder, replace(one, top_logprobs=0))
            assert lazy.text == whole.text
            assert lazy.finish.usage.model_calls <= whole.finish.usage.model_calls


def test_most_rows_of_a_real_model_are_not_needed() -> None:
    model = load("embedded-2k")
    text = b"def mean(values):\n    total = 0\n    for value in values:\n"
    job = Job((), sampling=Sampling(seed=2), text=text, byte_mode="full", max_tokens=16)
    lazy, whole = (
        run(Autoregressive(model), job),
        run(Autoregressive(model), replace(job, top_logprobs=0)),
    )
    assert lazy.text == whole.text
    assert lazy.finish.usage.model_calls < 0.8 * len(lazy.text) < whole.finish.usage.model_calls
    model.close()


def test_ties_and_extremes_are_left_to_the_whole_law() -> None:
    both = np.array([True, True])
    tied = np.array([0.4, np.nextafter(0.4, 1)])
    assert certain(tied, 0.0, both, 0.0, 0.5) is None
    assert certain(np.array([0.05, 0.03]), 0.9, both, 1e-3, 0.5) is None
