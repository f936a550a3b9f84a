"""Each step from scores to token, against its definition."""

import math

import numpy as np
import pytest

from lipogram.decoding.errors import BackendFailed
from lipogram.decoding.job import Sampling
from lipogram.decoding.sampling import (
    Candidates,
    Repetitions,
    adjusted,
    candidates,
    draws,
    scored,
    unpack,
)

ALL = np.ones(6, np.bool_)
TOKENS = [b"a", b"b", b"c", b"d", b"e", b"f"]


def row(*probabilities: float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.array(probabilities))


def kept(scores: np.ndarray, sampling: Sampling, allowed: np.ndarray = ALL) -> dict[int, float]:
    found = candidates(scores, allowed, sampling)
    total = found.weights.sum()
    return {int(i): float(w / total) for i, w in zip(found.ids, found.weights, strict=True)}


def test_masks_are_unpacked_little_end_first() -> None:
    words = np.array([0b101 | 1 << 31, 0b10], np.uint32).view(np.int32)
    assert np.flatnonzero(unpack(words, 40)).tolist() == [0, 2, 31, 33]
    assert len(unpack(words, 40)) == 40


class TestCandidates:
    SCORES = row(0.1, 0.3, 0.05, 0.3, 0.2, 0.05)

    def test_plain_softmax(self) -> None:
        law = kept(self.SCORES, Sampling())
        assert law == pytest.approx({0: 0.1, 1: 0.3, 2: 0.05, 3: 0.3, 4: 0.2, 5: 0.05})

    def test_the_mask_renormalises(self) -> None:
        allowed = np.array([1, 0, 1, 0, 0, 1], np.bool_)
        assert kept(self.SCORES, Sampling(), allowed) == pytest.approx({0: 0.5, 2: 0.25, 5: 0.25})

    def test_greedy_ties_go_to_the_smallest_id(self) -> None:
        assert kept(self.SCORES, Sampling(temperature=0)) == {1: 1.0}

    def test_temperature(self) -> None:
        law = kept(row(0.2, 0.8), Sampling(temperature=0.5), np.ones(2, np.bool_))
        assert law == pytest.approx({0: 0.04 / 0.68, 1: 0.64 / 0.68})

    def test_temperatures_next_to_zero_and_enormous_ones_are_numbers(self) -> None:
        assert kept(row(0.2, 0.8), Sampling(temperature=1e-320), np.ones(2, np.bool_)) == {1: 1.0}
        law = kept(row(0.2, 0.8), Sampling(temperature=1e300), np.ones(2, np.bool_))
        assert law == pytest.approx({0: 0.5, 1: 0.5})

    def test_top_k_keeps_exactly_k(self) -> None:
        assert set(kept(self.SCORES, Sampling(top_k=3))) == {1, 3, 4}
        assert set(kept(self.SCORES, Sampling(top_k=1))) == {1}
        assert set(kept(self.SCORES, Sampling(top_k=5))) == {0, 1, 2, 3, 4}
        assert len(kept(self.SCORES, Sampling(top_k=99))) == 6

    @pytest.mark.parametrize(
        ("top_p", "expected"),
        [(0, {1}), (0.25, {1}), (0.35, {1, 3}), (0.7, {1, 3, 4}), (0.92, {0, 1, 2, 3, 4})],
    )
    def test_top_p_is_the_smallest_set_with_the_mass(self, top_p: float, expected: set) -> None:
        assert set(kept(self.SCORES, Sampling(top_p=top_p))) == expected

    def test_top_p_counts_what_top_k_left(self) -> None:
        assert set(kept(self.SCORES, Sampling(top_k=2, top_p=0.5))) == {1}

    def test_min_p_is_relative_to_the_best(self) -> None:
        assert set(kept(self.SCORES, Sampling(min_p=0.5))) == {1, 3, 4}
        assert set(kept(self.SCORES, Sampling(min_p=1))) == {1, 3}

    def test_top_p_agrees_with_sorting_everything(self) -> None:
        rng = np.random.default_rng(7)
        for _ in range(200):
            scores = rng.normal(0, 2, 50).round(1)
            share = rng.random()
            weights = np.exp(scores - scores.max())
            order = np.argsort(-weights, kind="stable")
            size = 1 + int(np.sum(np.cumsum(weights[order]) < share * weights.sum()))
            law = kept(scores, Sampling(top_p=share), np.ones(50, np.bool_))
            assert set(law) == set(order[:size].tolist())

    def test_impossible_tokens_are_never_candidates(self) -> None:
        assert set(kept(row(0.5, 0, 0.5, 0, 0, 0), Sampling())) == {0, 2}

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_scores_that_are_no_numbers_are_refused(self, bad: float) -> None:
        scores = self.SCORES.copy()
        scores[2] = bad
        with pytest.raises(BackendFailed):
            candidates(scores, ALL, Sampling())
        assert candidates(scores, ALL & (np.arange(6) != 2), Sampling())

    def test_no_chance_at_all_is_refused(self) -> None:
        with pytest.raises(BackendFailed):
            candidates(np.full(6, -np.inf), ALL, Sampling())


class TestAdjusted:
    def test_bias_then_penalties(self) -> None:
        sampling = Sampling(
            repetition_penalty=2.0,
            frequency_penalty=0.5,
            presence_penalty=0.25,
            logit_bias={0: 3.0},
        )
        repetitions = Repetitions.wanted(sampling, 4, prompt=(0, 1))
        assert repetitions is not None
        repetitions.add(2)
        repetitions.add(2)
        scores = adjusted(np.array([1, -1, 4, 5], np.float32), sampling, repetitions)
        assert scores.tolist() == [(1 + 3) / 2, -1 * 2, 4 / 2 - 2 * 0.5 - 0.25, 5]

    def test_neutral_penalties_count_nothing(self) -> None:
        assert Repetitions.wanted(Sampling(temperature=0.3), 4, (1,)) is None

    def test_the_model_row_stays_as_it_is(self) -> None:
        given = np.zeros(3, np.float32)
        adjusted(given, Sampling(logit_bias={1: 5}), None)
        assert given.tolist() == [0, 0, 0]


class TestDraws:
    def test_without_replacement_until_nothing_is_left(self) -> None:
        rng = np.random.default_rng(1)
        scores = row(0.4, 0.3, 0.2, 0.1, 0, 0)
        drawn = list(draws(scores, ALL, Sampling(), rng))
        assert sorted(drawn) == [0, 1, 2, 3]

    def test_truncation_comes_first_and_again_when_all_are_refused(self) -> None:
        rng = np.random.default_rng(1)
        scores = row(0.1, 0.2, 0.3, 0.4)
        for _ in range(20):
            drawn = list(draws(scores, ALL[:4], Sampling(top_k=2), rng))
            assert [set(drawn[:2]), set(drawn[2:])] == [{2, 3}, {0, 1}]

    def test_greedy_goes_down_the_ranking(self) -> None:
        scores = row(0.1, 0.2, 0.3, 0.2, 0.2)
        greedy = draws(scores, ALL[:5], Sampling(temperature=0), np.random.default_rng(0))
        assert list(greedy) == [2, 1, 3, 4, 0]

    def test_the_first_that_suits_has_the_conditioned_law(self) -> None:
        rng = np.random.default_rng(2)
        scores = row(0.5, 0.3, 0.15, 0.05)
        suits = {1, 3}
        counts = np.zeros(4)
        for _ in range(4000):
            drawn = draws(scores, ALL[:4], Sampling(), rng)
            counts[next(token for token in drawn if token in suits)] += 1
        assert counts[1] / 4000 == pytest.approx(0.3 / 0.35, abs=0.02)

    def test_a_draw_takes_the_weights_shares(self) -> None:
        found = Candidates(np.array([3, 5, 9]), np.array([1.0, 2.0, 1.0]))
        for number, expected in [(0, 3), (0.2499, 3), (0.25, 5), (0.75, 9), (1 - 2**-53, 9)]:
            assert found.draw(number) == expected


class TestScored:
    SCORES = np.log(np.array([0.5, 0.25, 0.125, 0.125], np.float32))

    def test_the_models_own_softmax(self) -> None:
        token = scored(self.SCORES, None, 2, 3, TOKENS)
        assert (token.id, token.text) == (2, b"c")
        assert token.logprob == pytest.approx(math.log(0.125))
        assert [(t.id, t.text) for t in token.top] == [(0, b"a"), (1, b"b"), (2, b"c")]
        assert [math.exp(t.logprob or 0) for t in token.top] == pytest.approx([0.5, 0.25, 0.125])

    def test_the_mask_renormalises_and_hides(self) -> None:
        token = scored(self.SCORES, np.array([0, 1, 0, 1], np.bool_), 3, 5, TOKENS)
        assert token.logprob == pytest.approx(math.log(1 / 3))
        assert [t.id for t in token.top] == [1, 3]

    def test_none_wanted(self) -> None:
        assert scored(self.SCORES, None, 0, 0, TOKENS).top == ()

    def test_scores_that_are_no_numbers_are_refused(self) -> None:
        with pytest.raises(BackendFailed):
            scored(np.array([np.nan, 1], np.float32), None, 0, 0, TOKENS)
