"""Faithful sampling follows the model's law given the language; the mask alone is far from it."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest

from laws.running import assert_law, seeded
from laws.tokenizing import Finite, Tokens, toy_vocabulary
from lipogram.decoding import Autoregressive, Job, Masker, Sampling
from lipogram.decoding.faithful import particles
from lipogram.decoding.job import Faithful
from lipogram.grammars import compile, regex

GRAMMARS = ["A{5}B|BB|BA", "(AB){3}|B{1,3}", "[AB]{0,2}B{3}", "B{4}A*|A"]
PARTICLES = 1000
DRAWS = 200


def model() -> Finite:
    return Finite(toy_vocabulary(True), range(6), 6, 11, 1.0)


def masked(pattern: str) -> Masker:
    return Masker(compile(regex.parse(pattern)), model().vocabulary)


def truth(finite: Finite, masker: Masker, most: int = 99, heat: float = 1.0) -> Counter[bytes]:
    """p(text | the text is in the language), over all token strings of at most so many tokens."""
    law: Counter[bytes] = Counter()

    def go_on(tokens: Tokens, chance: float) -> None:
        text = finite.vocabulary.decode(tokens)
        row = np.exp(finite.row(tokens) / heat)
        row /= row.sum()
        if masker.automaton.accepts(text):
            law[text] += chance * row[finite.end]
        for id in finite.ids:
            if row[id] > 0 and len(tokens) < most:
                go_on((*tokens, id), chance * row[id])

    go_on((), 1.0)
    total = sum(law.values())
    return Counter({text: chance / total for text, chance in law.items()})


def projected(finite: Finite, masker: Masker) -> Counter[bytes]:
    """The law of masking and renormalising token by token."""
    law: Counter[bytes] = Counter()

    def go_on(tokens: Tokens, chance: float) -> None:
        text = finite.vocabulary.decode(tokens)
        row = np.exp(finite.row(tokens))
        going = [
            id for id in finite.ids if masker.automaton.is_live(text + finite.vocabulary.tokens[id])
        ]
        end = row[finite.end] * masker.automaton.accepts(text)
        total = sum(row[id] for id in going) + end
        if not going:
            law[text] += chance
            return
        law[text] += chance * end / total
        for id in going:
            if row[id] > 0:
                go_on((*tokens, id), chance * row[id] / total)

    go_on((), 1.0)
    return law


def distance(one: Mapping[bytes, float], other: Mapping[bytes, float]) -> float:
    texts = {*one, *other}
    return sum(abs(one.get(text, 0.0) - other.get(text, 0.0)) for text in texts) / 2


def estimated(masker: Masker, count: int, **job: object) -> tuple[dict[bytes, float], float]:
    wanted = Job((), masker, faithful=Faithful(0, count), **job)
    return asyncio.run(particles(model().model, wanted, np.random.default_rng(1)))


@pytest.mark.parametrize("pattern", GRAMMARS)
def test_particles_come_near_the_truth_where_the_mask_is_far_from_it(pattern: str) -> None:
    finite, masker = model(), masked(pattern)
    want = truth(finite, masker)
    assert distance(projected(finite, masker), want) > 0.3
    law, effective = estimated(masker, PARTICLES)
    assert distance(law, want) < 0.05
    assert 1 <= effective <= PARTICLES


class TestOneText:
    """What the decoder gives: one text of the law, by either stage."""

    PATTERN = "[AB]{0,2}B{3}|A{6}|BA?B?"

    def drawn(self, faithful: Faithful, **sampling: float) -> Counter[bytes]:
        masker, decoder = masked(self.PATTERN), Autoregressive(model().model)
        return seeded(
            lambda seed: Job((), masker, Sampling(seed=seed, **sampling), faithful=faithful),
            decoder, DRAWS,
        )  # fmt: skip

    def test_follows_the_law_by_attempts(self) -> None:
        """Texts that end sooner are not taken for that: the first attempt counts, not the first
        to end."""
        counts = self.drawn(Faithful(attempts=400, particles=1))
        assert_law(counts, truth(model(), masked(self.PATTERN)))

    def test_follows_the_law_by_particles_and_the_mask_alone_does_not(self) -> None:
        law = truth(model(), masked(self.PATTERN))
        assert_law(self.drawn(Faithful(attempts=0, particles=30)), law)
        with pytest.raises(AssertionError):
            assert_law(self.drawn(Faithful(attempts=0, particles=1)), law)

    def test_follows_the_law_at_a_temperature(self) -> None:
        counts = self.drawn(Faithful(attempts=400), temperature=2.0)
        assert_law(counts, truth(model(), masked(self.PATTERN), heat=2.0))


@pytest.mark.parametrize("most", [1, 2])
def test_a_budget_is_part_of_the_law(most: int) -> None:
    """Tokens are counted without the end; texts that need more have no chance."""
    finite, masker = model(), masked("A{1,4}B{0,2}")
    want = truth(finite, masker, most)
    assert distance(want, truth(finite, masker)) > 0.05
    law, _ = estimated(masker, PARTICLES, max_tokens=most)
    assert {text for text, chance in want.items() if chance > 0} >= set(law)
    assert distance(law, want) < 0.05
