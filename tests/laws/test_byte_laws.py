"""The laws of bytes, by enumeration of token strings; the cover lemma is not used by the judges."""

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from itertools import product

import numpy as np
import pytest

from laws.running import assert_law, seeded
from laws.tokenizing import (
    TOY_MERGES,
    TOY_TOKENS,
    Finite,
    Tokens,
    is_written,
    merged,
    toy_vocabulary,
    trained,
)
from lipogram.decoding import Autoregressive, Job, Masker, Sampling, Vocabulary
from lipogram.decoding.bytes.heads import STOP
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.bytes.states import ByteState
from lipogram.decoding.models.base import Query
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import compile, regex

SIZE = 7
EXACT = 1e-12
TEXTS = [bytes(text) for size in range(6) for text in product(b"AB", repeat=size)]


def toy(in_parts: bool = True, seed: int = 5) -> Finite:
    return Finite(toy_vocabulary(in_parts), range(len(TOY_TOKENS)), SIZE, seed)


def random_bpe(seed: int, pattern: str | None = None) -> Finite:
    """A BPE trained on random text; the model knows its tokens of three letters and a space."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("aab "), 400)) for _ in range(20)]
    vocabulary = Vocabulary.from_tokenizer_json(trained(texts, 267, pattern))
    ids = [id for id, text in enumerate(vocabulary.tokens) if text and set(text) <= set(b"ab ")]
    return Finite(vocabulary, ids, 6, seed)


async def law(state: ByteState) -> np.ndarray:
    return np.exp(await state.logprobs())


def distribution(weights: Counter[int]) -> np.ndarray:
    total = sum(weights.values())
    return np.array([weights[byte] / total for byte in range(257)])


def by_definition(finite: Finite, text: bytes) -> np.ndarray:
    """What follows a text in the texts that the model's token strings spell."""
    weights: Counter[int] = Counter()
    for tokens, chance in finite.strings():
        spelled = finite.vocabulary.decode(tokens)
        if spelled.startswith(text):
            weights[spelled[len(text)] if len(spelled) > len(text) else STOP] += chance
    return distribution(weights)


def by_covers(finite: Finite, text: bytes, judge: Callable[[Tokens], bool]) -> tuple:
    """The same with written covers alone, and the share that is lost."""
    letters = {byte for id in finite.ids for byte in finite.vocabulary.tokens[id]}
    weights: Counter[int] = Counter()
    for byte in letters:
        longer = text + bytes([byte])
        weights[byte] = sum(chance for tokens, chance in finite.covers(longer) if judge(tokens))
    for tokens, chance in finite.covers(text):
        spelled = finite.vocabulary.decode(tokens)
        if spelled == text and tuple(finite.vocabulary.encode(text)) == tokens:
            weights[STOP] += chance * math.exp(finite.row(tokens)[finite.end])
    before = sum(chance for tokens, chance in finite.covers(text) if judge(tokens))
    return distribution(weights), 1 - sum(weights.values()) / before


class TestAll:
    @pytest.mark.parametrize("in_parts", [True, False])
    def test_is_the_law_of_the_texts(self, in_parts: bool) -> None:
        finite = toy(in_parts)
        model = ByteModel(finite.model, "all")

        async def check() -> None:
            for text in TEXTS:
                state = model.open([text])
                assert abs(await law(state) - by_definition(finite, text)).max() < EXACT
                assert state.leak < EXACT

        asyncio.run(check())

    def test_is_the_law_of_a_trained_encoding(self) -> None:
        finite = random_bpe(1)
        model = ByteModel(finite.model, "all")

        async def check() -> None:
            for text in (b"", b"a", b"ab", b"a ", b"aab"):
                got = await law(model.open([text]))
                assert abs(got - by_definition(finite, text)).max() < EXACT

        asyncio.run(check())


class TestValid:
    @pytest.mark.parametrize("in_parts", [True, False])
    def test_sums_over_what_the_tokenizer_writes(self, in_parts: bool) -> None:
        finite = toy(in_parts)
        leaks = asyncio.run(self.check(finite, TEXTS, is_written(finite)))
        assert max(leaks) > 0.1  # the model wastes much, so that the modes differ

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("pattern", [None, r" ?a+| ?b+|\s+(?!\S)|\s+", r"\s*[ab]{1,2}|\s+"])
    def test_of_a_trained_encoding(self, seed: int, pattern: str | None) -> None:
        finite = random_bpe(seed, pattern)
        texts = [bytes(text) for size in range(4) for text in product(b"ab ", repeat=size)]
        asyncio.run(self.check(finite, texts, is_written(finite)))

    async def check(
        self, finite: Finite, texts: list[bytes], judge: Callable[[Tokens], bool]
    ) -> list[float]:
        model, leaks = ByteModel(finite.model), []
        for text in texts:
            want, leak = by_covers(finite, text, judge)
            state = model.open([text])
            assert abs(await law(state) - want).max() < EXACT, text
            assert math.isclose(state.leak, leak, abs_tol=EXACT)
            assert state.missing_mass < EXACT
            leaks.append(leak)
        return leaks

    def test_does_not_depend_on_where_the_prompt_ends(self) -> None:
        finite = toy()
        model = ByteModel(finite.model)

        async def check() -> None:
            for text in TEXTS:
                want = await law(model.open([text]))
                for cut in range(len(text)):
                    state = model.open([text[:cut]])
                    for byte in text[cut:]:
                        await state.logprobs()
                        state = state.advance(byte)
                    assert abs(await law(state) - want).max() < EXACT

        asyncio.run(check())

    def test_differs_from_the_law_of_all(self) -> None:
        finite = toy()
        valid, all_ = (asyncio.run(law(ByteModel(finite.model, mode).open([b"AA"])))
                       for mode in ("valid", "all"))  # fmt: skip
        assert abs(valid - all_).sum() / 2 > 0.05


class TestRenormalised:
    def test_is_the_law_of_all_token_strings_under_rows_that_forbid_the_others(self) -> None:
        finite = toy()
        judge = is_written(finite)

        def row(prefix: Tokens) -> np.ndarray:
            scores = finite.model._rows(Query(prefix))[0]
            for id in finite.ids:
                if not judge((*prefix, id)):
                    scores[id] = -np.inf
            return scores

        masked = TableModel(finite.vocabulary, row)

        async def check() -> None:
            for text in TEXTS:
                if len(text) >= SIZE - 1:
                    continue
                state = ByteModel(finite.model, "renormalised").open([text])
                want = await law(ByteModel(masked, "all").open([text]))
                assert abs(await law(state) - want).max() < EXACT
                assert state.leak < EXACT

        asyncio.run(check())


class TestMarkov:
    """Phan et al.'s example: a chain of bytes, seen through the tokens that spell it."""

    HORIZON = 12

    def chain(self, text: bytes) -> dict[int, float]:
        """What follows by the last three letters; the end as likely everywhere."""
        index = int.from_bytes(text[-3:], "big") % 97
        first = 0.1 + 0.7 * (index * 37 % 97) / 97
        return {ord("A"): 0.95 * first, ord("B"): 0.95 * (1 - first), STOP: 0.05}

    @cache  # noqa: B019
    def model(self) -> TableModel:
        """The token model of the chain's texts, cut at the horizon: mass by token prefix."""
        mass: defaultdict[Tokens, Counter[int]] = defaultdict(Counter)
        waiting = [(b"", 1.0)]
        end = len(TOY_TOKENS)
        while waiting:
            text, chance = waiting.pop()
            following = self.chain(text) if len(text) < self.HORIZON else {STOP: 1.0}
            tokens = [TOY_TOKENS.index(part) for part in merged(text, TOY_MERGES)] + [end]
            for index, id in enumerate(tokens):
                mass[tuple(tokens[:index])][id] += chance * following[STOP]
            waiting += [
                (text + bytes([byte]), chance * share)
                for byte, share in following.items()
                if byte != STOP
            ]

        def scores(prefix: Tokens) -> np.ndarray:
            with np.errstate(divide="ignore"):
                return np.log([mass[prefix][id] for id in range(end + 1)])

        return _Double(toy_vocabulary(True), scores)

    def test_bytes_recover_the_chain_and_tokens_do_not(self) -> None:
        model = self.model()

        async def check() -> tuple[float, float]:
            worst = worst_naive = 0.0
            for text in [
                bytes(text) for size in range(1, 7) for text in product(b"AB", repeat=size)
            ]:
                want = self.chain(text)
                got = await law(ByteModel(model).open([text]))
                naive = await law(ByteModel(model).open([*model.vocabulary.encode(text), b""]))
                error = [abs(got[byte] - share) for byte, share in want.items()]
                bias = [abs(naive[byte] - share) for byte, share in want.items()]
                worst, worst_naive = max(worst, *error), max(worst_naive, sum(bias) / 2)
            return worst, worst_naive

        worst, worst_naive = asyncio.run(check())
        assert worst < 1e-9
        assert worst_naive > 0.3


class _Double(TableModel):
    """A table in double precision, for errors below what single precision leaves."""

    def _rows(self, query):  # type: ignore[no-untyped-def]
        tokens = query.prefix + query.draft
        first = len(query.prefix)
        return np.array([self._scores(tokens[:n]) for n in range(first, len(tokens) + 1)])


class TestSwitch:
    """A cover drawn, then tokens: the text's law is the conditional one."""

    def law(self, finite: Finite, text: bytes) -> dict[bytes, float]:
        judge = is_written(finite)
        weights: Counter[bytes] = Counter()
        for tokens, chance in finite.strings():
            cover = next(
                (tokens[:n] for n in range(len(tokens) + 1)
                 if len(finite.vocabulary.decode(tokens[:n])) >= len(text)), None,
            )  # fmt: skip
            spelled = finite.vocabulary.decode(tokens)
            if cover is not None and spelled.startswith(text) and judge(cover):
                weights[spelled[len(text) :]] += chance
        total = sum(weights.values())
        return {rest: weight / total for rest, weight in weights.items()}

    @pytest.mark.parametrize("text", [b"A", b"AA", b"AAB", b"BAAA"])
    def test_the_covers_and_then_tokens(self, text: bytes) -> None:
        """By enumeration: no draw."""
        finite = toy()
        covers = asyncio.run(ByteModel(finite.model).open([text]).covers())
        total = sum(math.exp(cover.log_weight) for cover in covers)
        got: Counter[bytes] = Counter()
        for tokens, chance in finite.strings():
            for cover in covers:
                if tokens[: len(cover.tokens)] == cover.tokens:
                    share = math.exp(cover.log_weight) / total
                    begun = sum(finite.row(tokens[:n])[tokens[n]] for n in range(len(cover.tokens)))
                    rest = finite.vocabulary.decode(tokens)[len(text) :]
                    got[rest] += share * chance / math.exp(begun)
        want = self.law(finite, text)
        assert max(abs(got[rest] - want.get(rest, 0)) for rest in {*got, *want}) < EXACT

    @pytest.mark.parametrize("text", [b"A", b"AA", b"BAAA"])
    def test_what_the_decoder_samples(self, text: bytes) -> None:
        finite = toy()
        decoder = Autoregressive(finite.model)
        counts = seeded(
            lambda seed: Job((), text=text, sampling=Sampling(seed=seed)), decoder, 2500
        )
        assert_law(counts, self.law(finite, text))

    def test_a_token_ended_at_the_cursor_gives_another_law(self) -> None:
        finite = toy()
        decoder = Autoregressive(finite.model)
        counts = seeded(
            lambda seed: Job((), text=b"AA", boundary="none", sampling=Sampling(seed=seed)),
            decoder, 2500,
        )  # fmt: skip
        with pytest.raises(AssertionError):
            assert_law(counts, self.law(finite, b"AA"))

    def test_under_a_rule_covers_are_those_that_it_allows(self) -> None:
        finite = toy()
        pattern = "B{0,2}A?"
        masker = Masker(compile(regex.parse(pattern)), finite.vocabulary)
        covers = asyncio.run(ByteModel(finite.model).open([b"AA"]).covers())
        allowed = [cover for cover in covers if masker.automaton.is_live(cover.overhang)]
        assert 1 < len(allowed) < len(covers)
        total = sum(math.exp(cover.log_weight) for cover in allowed)
        law: Counter[bytes] = Counter()
        for cover in allowed:
            self.go_on(finite, masker, cover.tokens, cover.overhang,
                       math.exp(cover.log_weight) / total, law)  # fmt: skip
        decoder = Autoregressive(finite.model)
        counts = seeded(
            lambda seed: Job((), masker, Sampling(seed=seed), text=b"AA"), decoder, 2500
        )
        assert_law(counts, law)

    def go_on(self, finite, masker, tokens, text, chance, law) -> None:
        """The locally projected law from a cover on."""
        automaton = masker.automaton
        row = finite.row(tokens)
        going = [id for id in finite.ids if automaton.is_live(text + finite.vocabulary.tokens[id])]
        ends = [finite.end] * automaton.accepts(text)
        allowed = [id for id in going + ends if row[id] > -math.inf]
        if not going:
            law[text] += chance
            return
        total = sum(math.exp(row[id]) for id in allowed)
        for id in allowed:
            share = chance * math.exp(row[id]) / total
            if id == finite.end:
                law[text] += share
            else:
                longer = text + finite.vocabulary.tokens[id]
                self.go_on(finite, masker, (*tokens, id), longer, share, law)


class TestFull:
    """Byte by byte under a rule: two projections, two laws."""

    PATTERN = "B{0,2}A{0,2}B?"  # all beginnings are members: there is always an end

    def sure(self) -> tuple[Finite, TableModel]:
        """A model that gives token strings which are not written no chance."""
        finite = toy()
        judge = is_written(finite)

        def row(prefix: Tokens) -> np.ndarray:
            scores = finite.model._rows(Query(prefix))[0]
            for id in finite.ids:
                if not judge((*prefix, id)):
                    scores[id] = -np.inf
            return scores

        return finite, TableModel(finite.vocabulary, cache(row))

    def sampled(self, model: TableModel, masker: Masker, **more: object) -> Counter[bytes]:
        return seeded(
            lambda seed: Job((), masker, Sampling(seed=seed), **more), Autoregressive(model), 1000
        )

    def by_tokens(self, finite: Finite, model: TableModel, masker: Masker) -> Counter[bytes]:
        law: Counter[bytes] = Counter()

        def go_on(tokens: Tokens, text: bytes, chance: float) -> None:
            row = np.exp(model._rows(Query(tokens))[0].astype(np.float64))
            automaton = masker.automaton
            going = [i for i in finite.ids if automaton.is_live(text + finite.vocabulary.tokens[i])]
            if not going:
                law[text] += chance
                return
            end = row[finite.end] * automaton.accepts(text)
            total = sum(row[id] for id in going) + end
            law[text] += chance * end / total
            for id in going:
                if row[id] > 0:
                    go_on((*tokens, id), text + finite.vocabulary.tokens[id],
                          chance * row[id] / total)  # fmt: skip

        go_on((), b"", 1.0)
        return law

    async def by_bytes(self, model: TableModel, masker: Masker) -> Counter[bytes]:
        law: Counter[bytes] = Counter()

        async def go_on(state: ByteState, text: bytes, chance: float) -> None:
            automaton = masker.automaton
            going = [byte for byte in b"AB" if automaton.is_live(text + bytes([byte]))]
            if not going:
                law[text] += chance
                return
            row = np.exp(await state.logprobs())
            ends = [STOP] * automaton.accepts(text)
            total = sum(row[byte] for byte in going + ends)
            for byte in going + ends:
                if byte == STOP:
                    law[text] += chance * row[STOP] / total
                elif row[byte] > 0:
                    longer = text + bytes([byte])
                    await go_on(state.advance(byte), longer, chance * row[byte] / total)

        await go_on(ByteModel(model).open([b""]), b"", 1.0)
        return law

    def test_each_projection_samples_its_own_law(self) -> None:
        finite, model = self.sure()
        masker = Masker(compile(regex.parse(self.PATTERN)), finite.vocabulary)
        tokens = self.by_tokens(finite, model, masker)
        bytes_ = asyncio.run(self.by_bytes(model, masker))
        texts = {*tokens, *bytes_}
        assert sum(abs(tokens[text] - bytes_[text]) for text in texts) / 2 > 0.05
        by_token = self.sampled(model, masker, byte_mode="full", projection="token")
        by_byte = self.sampled(model, masker, byte_mode="full", projection="byte")
        assert_law(by_token, tokens)
        assert_law(by_byte, bytes_)
        assert_law(self.sampled(model, masker), tokens)  # and so does the switch
        with pytest.raises(AssertionError):
            assert_law(by_byte, tokens)

    def test_without_a_rule_it_samples_the_law_of_texts(self) -> None:
        _, model = self.sure()
        text = b"AA"
        states = {b"": ByteModel(model).open([text])}
        law: Counter[bytes] = Counter()

        async def go_on(rest: bytes, chance: float) -> None:
            row = np.exp(await states[rest].logprobs())
            law[rest] += chance * row[STOP]
            for byte in b"AB":
                if row[byte] > 0:
                    longer = rest + bytes([byte])
                    states[longer] = states[rest].advance(byte)
                    await go_on(longer, chance * row[byte])

        asyncio.run(go_on(b"", 1.0))
        full = seeded(
            lambda seed: Job((), sampling=Sampling(seed=seed), text=text, byte_mode="full"),
            Autoregressive(model), 1000,
        )  # fmt: skip
        assert_law(full, law)
        switch = seeded(
            lambda seed: Job((), sampling=Sampling(seed=seed), text=text),
            Autoregressive(model),
            3000,
        )
        assert_law(switch, law)


class TestPruning:
    def test_the_error_is_within_the_bound_that_is_given(self) -> None:
        finite = toy()
        exact, pruned = ByteModel(finite.model), ByteModel(finite.model, epsilon=0.9, kept_heads=1)

        async def check() -> tuple[float, int]:
            worst, differing = 0.0, 0
            for text in TEXTS[:31]:
                want, state = exact.open([b""]), pruned.open([b""])
                for byte in text:
                    await state.logprobs()
                    want, state = want.advance(byte), state.advance(byte)
                error = abs(await law(want) - await law(state)).sum() / 2
                assert error <= state.missing_mass + EXACT
                worst, differing = max(worst, error), differing + (error > 1e-6)
            return worst, differing

        worst, differing = asyncio.run(check())
        assert worst > 0.001
        assert differing >= 3
