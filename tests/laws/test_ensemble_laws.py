"""What ensembles sample, by enumeration: members with different vocabularies."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product

import numpy as np
import pytest

from laws.running import assert_law, seeded
from laws.tokenizing import Finite, Written, toy_vocabulary
from lipogram.decoding import Job, Masker, Sampling
from lipogram.decoding.bytes.heads import STOP
from lipogram.decoding.bytes.mixed import MixedState
from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.ensemble import Ensemble
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import compile, regex

EXACT = 1e-12
SIZE = 4
DRAWS = 200
OTHER_TOKENS = (b"A", b"B", b"BA", b"BB", b"BAB", b"C")
OTHER_MERGES = ((b"B", b"A"), (b"B", b"B"), (b"BA", b"B"))
TEXTS = [bytes(text) for size in range(4) for text in product(b"AB", repeat=size)]
MIXINGS = {
    "linear": Mixing("linear", (0.7, 0.3)),
    "posterior": Mixing("posterior", (0.4, 0.6)),
    "geometric": Mixing("geometric", (2.0, 1.0)),
    "min": Mixing("min"),
    "proxy": Mixing("proxy", strength=0.7),
}
Law = Mapping[int, float]


@cache
def members() -> list[Finite]:
    """Their tokens differ, and the second has a letter that the first cannot spell."""
    other = toy_vocabulary(True, OTHER_TOKENS, OTHER_MERGES)
    return [
        Written(toy_vocabulary(True), range(6), SIZE, 3, 1.0),
        Written(other, range(6), SIZE, 4, 1.0),
    ]


@cache
def texts_of(place: int) -> Mapping[bytes, float]:
    """The law of the texts of a member."""
    law: Counter[bytes] = Counter()
    for tokens, chance in members()[place].strings():
        law[members()[place].vocabulary.decode(tokens)] += chance
    return law


@cache
def prefix_chance(place: int, text: bytes) -> float:
    return sum(chance for member, chance in texts_of(place).items() if member.startswith(text))


def next_byte(place: int, text: bytes) -> Law | None:
    """A member's law of what follows a text; None where it gives the text no chance."""
    before = prefix_chance(place, text)
    if not before:
        return None
    law = {byte: prefix_chance(place, text + bytes([byte])) / before for byte in b"ABC"}
    return law | {STOP: texts_of(place).get(text, 0.0) / before}


def mean(laws: Sequence[Law], weights: Sequence[float]) -> Law:
    total = sum(weights)
    return {
        byte: sum(w * law[byte] for w, law in zip(weights, laws, strict=True)) / total
        for byte in laws[0]
    }


def scaled(law: Law) -> Law:
    total = sum(law.values())
    return {byte: chance / total for byte, chance in law.items()}


def target(rule: str, text: bytes, given: Sequence[float] = ()) -> Law:
    """The rule's law of the next byte, stated anew."""
    found = [(place, next_byte(place, text)) for place in (0, 1)]
    known = [(place, law) for place, law in found if law is not None]
    laws = [law for _, law in known]
    if len(laws) == 1:
        return laws[0]
    weights = [(given or MIXINGS[rule].weights or (1.0, 1.0))[place] for place, _ in known]
    if rule == "linear":
        return mean(laws, weights)
    if rule == "posterior":
        moved = [
            w * prefix_chance(place, text) for w, (place, _) in zip(weights, known, strict=True)
        ]
        return mean(laws, moved)
    first, second = laws
    if rule == "geometric":
        return scaled({b: first[b] ** (2 / 3) * second[b] ** (1 / 3) for b in first})
    if rule == "min":
        return scaled({b: min(first[b], second[b]) for b in first})
    return scaled({b: first[b] * (first[b] / max(second[b], 1e-6)) ** 0.7 for b in first})


def texts_under(next_of: Callable[[bytes], Law], masker: Masker | None = None) -> Counter[bytes]:
    """The law of whole texts of a law of bytes, locally masked by a rule."""
    law: Counter[bytes] = Counter()

    def go_on(text: bytes, chance: float) -> None:
        row = dict(next_of(text))
        if masker is not None:
            live = {b for b in b"ABC" if masker.automaton.is_live(text + bytes([b]))}
            if not live:
                law[text] += chance
                return
            row = {b: row[b] for b in live} | {STOP: row[STOP] * masker.automaton.accepts(text)}
        for byte, share in scaled(row).items():
            if byte == STOP:
                law[text] += chance * share
            elif share:
                go_on(text + bytes([byte]), chance * share)

    go_on(b"", 1.0)
    return law


def begun(mixing: Mixing, text: bytes = b"") -> MixedState:
    state = MixedState.begun((ByteModel(m.model).open([b""]) for m in members()), mixing)
    for byte in text:
        asyncio.run(state.logprobs())
        state = state.advance(byte)
    return state


def distance(one: Mapping[bytes, float], other: Mapping[bytes, float]) -> float:
    texts = {*one, *other}
    return sum(abs(one.get(text, 0.0) - other.get(text, 0.0)) for text in texts) / 2


def sampled(
    rule: str, masker: Masker | None = None, draws: int = DRAWS, **sampling: float
) -> Counter[bytes]:
    decoder = Ensemble([member.model for member in members()], MIXINGS[rule])

    def job(seed: int) -> Job:
        return Job(
            (), masker, Sampling(seed=seed, **sampling), byte_mode="full", projection="byte",
            other_prompts=(Prompt(),),
        )  # fmt: skip

    return seeded(job, decoder, draws)


@pytest.mark.parametrize("rule", MIXINGS)
class TestEveryRule:
    def test_gives_its_law_after_every_text(self, rule: str) -> None:
        for text in [*TEXTS, b"C", b"AC", b"BAC"]:  # the first member cannot follow to the last
            if not any(prefix_chance(place, text) for place in (0, 1)):
                continue
            law = np.exp(asyncio.run(begun(MIXINGS[rule], text).logprobs()))
            want = target(rule, text)
            assert math.isclose(law.sum(), 1, abs_tol=EXACT)
            assert max(abs(law[byte] - share) for byte, share in want.items()) < EXACT, text

    def test_is_what_is_sampled_under_a_grammar(self, rule: str) -> None:
        masker = Masker(compile(regex.parse("(AB|B)A{0,2}B?")), members()[0].vocabulary)
        law = texts_under(lambda text: target(rule, text), masker)
        assert len(law) > 5
        assert_law(sampled(rule, masker), law)


def test_is_what_is_sampled_without_a_grammar() -> None:
    assert_law(sampled("linear"), texts_under(lambda text: target("linear", text)))


def test_temperature_and_truncation_shape_the_mixture() -> None:
    def next_of(text: bytes) -> Law:
        law = scaled({byte: p**2 for byte, p in target("linear", text).items()})
        kept: dict[int, float] = {}
        for byte in sorted(law, key=lambda byte: (-law[byte], byte)):
            if sum(kept.values()) < 0.8:
                kept[byte] = law[byte]
        return scaled(kept)

    assert_law(sampled("linear", temperature=0.5, top_p=0.8), texts_under(next_of))


def test_the_posterior_is_the_mixture_of_texts() -> None:
    """Fixed weights are not; they are another law."""
    mixture = {
        text: 0.4 * texts_of(0).get(text, 0.0) + 0.6 * texts_of(1).get(text, 0.0)
        for text in {*texts_of(0), *texts_of(1)}
    }
    posterior = texts_under(lambda text: target("posterior", text))
    assert distance(posterior, mixture) < EXACT
    fixed = texts_under(lambda text: target("linear", text, MIXINGS["posterior"].weights))
    assert distance(fixed, mixture) > 0.1
    with pytest.raises(AssertionError):
        assert_law(sampled("posterior", draws=500), fixed)


def test_a_vocabulary_cut_to_what_is_shared_gives_another_law() -> None:
    """Masking the members to the tokens that they have in common is no way to mix them."""
    first, second = members()
    shared = {*first.vocabulary.tokens} & {*second.vocabulary.tokens}

    def cut(member: Finite) -> TableModel:
        others = [id for id in member.ids if member.vocabulary.tokens[id] not in shared]

        def scores(prefix: tuple[int, ...]) -> np.ndarray:
            row = member._scores(prefix)
            row[others] = -np.inf
            return row

        return TableModel(member.vocabulary, scores)

    state = MixedState.begun(
        (ByteModel(cut(member), "all").open([b""]) for member in members()), MIXINGS["linear"]
    )
    law = np.exp(asyncio.run(state.logprobs()))
    want = target("linear", b"")
    assert sum(abs(law[byte] - share) for byte, share in want.items()) / 2 > 0.05


def test_every_member_has_its_own_prompt() -> None:
    first, second = members()
    decoder = Ensemble([first.model, second.model], MIXINGS["linear"])
    law_of = {
        place: {
            text: chance / prefix_chance(place, begin)
            for text, chance in ((text[len(begin) :], chance)
                                 for text, chance in texts_of(place).items()
                                 if text.startswith(begin))
        }
        for place, begin in ((0, b"AA"), (1, b"B"))
    }  # fmt: skip

    def next_of(text: bytes) -> Law:
        laws, weights = [], []
        for place, weight in ((0, 0.7), (1, 0.3)):
            before = sum(p for other, p in law_of[place].items() if other.startswith(text))
            if before:
                law = {
                    byte: sum(p for other, p in law_of[place].items()
                              if other.startswith(text + bytes([byte]))) / before
                    for byte in b"ABC"
                }  # fmt: skip
                laws.append(law | {STOP: law_of[place].get(text, 0.0) / before})
                weights.append(weight)
        return mean(laws, weights)

    counts = seeded(
        lambda seed: Job(
            (), sampling=Sampling(seed=seed), text=b"AA", byte_mode="full",
            other_prompts=(Prompt(text=b"B"),),
        ),
        decoder, DRAWS,
    )  # fmt: skip
    assert_law(counts, texts_under(next_of))
