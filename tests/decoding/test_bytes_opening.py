"""Where a run begins in the middle of a token: overhangs, counts, scores, stops, rules, budgets."""

import asyncio
import json
import math
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from laws.running import run, seeded
from lipogram.decoding import (
    Autoregressive,
    BackendFailed,
    BudgetTooSmall,
    ContextTooLong,
    Job,
    Masker,
    Sampling,
    UnsupportedJob,
    Vocabulary,
)
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.embedded.causal import EmbeddedCausal
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import compile, json_schema, regex

WORDS = [b"return", b"returns", b"re", b"turn", b"tu", b"rn", b" x", b" ", b"xy"]
BYTES = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary.from_tokens([*BYTES, *WORDS, b""], (256 + len(WORDS),))
EOS = 256 + len(WORDS)
GREEDY = Sampling(temperature=0)


def prefers(*texts: bytes) -> TableModel:
    """Writes the tokens of the texts one after another, wherever its prompt has come to."""
    ids = [VOCABULARY.encode(text)[0] for text in texts]

    def scores(prefix: tuple[int, ...]) -> np.ndarray:
        row = np.full(len(VOCABULARY), -4.0)
        row[ids[len(prefix)] if len(prefix) < len(ids) else EOS] = 6.0
        return row

    return TableModel(VOCABULARY, scores)


def masker(pattern: str) -> Masker:
    return Masker(compile(regex.parse(pattern)), VOCABULARY)


def job(text: bytes, **more: object) -> Job:
    return Job((), sampling=GREEDY, text=text, **more)


class TestExact:
    def test_the_output_begins_with_what_the_token_spells_beyond_the_cursor(self) -> None:
        result = run(Autoregressive(prefers(b"return", b" x")), job(b"ret"))
        assert result.text == b"urn x"
        assert [chunk.text for chunk in result.chunks] == [b"urn", b" x"]
        assert result.finish.reason == "stop"

    def test_a_token_ended_at_the_cursor_does_not_find_it(self) -> None:
        result = run(Autoregressive(prefers(b"return", b" x")), job(b"ret", boundary="none"))
        assert result.text != b"urn x"

    def test_where_the_prompt_ends_with_a_token_nothing_hangs_over(self) -> None:
        result = run(Autoregressive(prefers(b"return", b" x")), job(b"return"))
        assert result.text == b" x"

    def test_counts(self) -> None:
        """The prompt counts as its tokenizer writes it, the token at the cursor once: as output."""
        usage = run(Autoregressive(prefers(b"return", b" x")), job(b"ret")).finish.usage
        assert usage.prompt_tokens == len(VOCABULARY.encode(b"ret")) == 2
        assert usage.completion_tokens == 3
        assert usage.model_calls >= 3

    def test_max_tokens_includes_the_token_at_the_cursor(self) -> None:
        model = prefers(b"return", b" x", b"xy")
        for most, text in ((1, b"urn"), (2, b"urn x"), (3, b"urn xxy")):
            result = run(Autoregressive(model), job(b"ret", max_tokens=most))
            assert (result.text, result.finish.reason) == (text, "length")
            assert result.finish.usage.completion_tokens == most

    def test_no_tokens_at_all(self) -> None:
        result = run(Autoregressive(prefers(b"return")), job(b"ret", max_tokens=0))
        assert (result.text, result.finish.usage.model_calls) == (b"", 0)

    def test_stop_strings_are_looked_for_from_the_cursor_on(self) -> None:
        model = prefers(b"return", b" x")
        assert run(Autoregressive(model), job(b"ret", stop=(b"etur",))).text == b"urn x"
        stopped = run(Autoregressive(model), job(b"ret", stop=(b"rn x",)))
        assert (stopped.text, stopped.finish.stop) == (b"u", b"rn x")

    def test_the_log_probability_is_that_of_the_overhang(self) -> None:
        model = TableModel.random(VOCABULARY, 3)
        result = run(Autoregressive(model), job(b"ret", top_logprobs=3, max_tokens=2))
        first = result.chunks[0].tokens[0]
        covers = asyncio.run(ByteModel(model).open([b"ret"]).covers())
        total = sum(math.exp(cover.log_weight) for cover in covers)
        weights: Counter[tuple[int, bytes]] = Counter()
        for cover in covers:
            weights[cover.tokens[-1], cover.overhang] += math.exp(cover.log_weight) / total
        assert first.text == result.text[: len(first.text)]
        assert math.isclose(math.exp(first.logprob or 0), weights[first.id, first.text])
        assert all(each.text for each in first.top)
        assert [each.logprob for each in first.top] == sorted(
            (each.logprob for each in first.top), reverse=True
        )

    def test_an_echoed_prompt_is_scored_as_its_tokenizer_writes_it(self) -> None:
        model = TableModel.random(VOCABULARY, 3)
        exact, none = (
            run(Autoregressive(model), job(b"ret", boundary=boundary, echo_logprobs=True))
            for boundary in ("exact", "none")
        )
        assert exact.finish.prompt_tokens == none.finish.prompt_tokens
        assert [token.text for token in exact.finish.prompt_tokens] == [b"re", b"t"]

    def test_temperature_and_biases_shape_the_choice_of_a_cover(self) -> None:
        model = TableModel.random(VOCABULARY, 3)
        cold = seeded(lambda seed: replace(
            job(b"ret", max_tokens=1), sampling=Sampling(temperature=0.05, seed=seed)),
            Autoregressive(model), 60)  # fmt: skip
        hot = seeded(lambda seed: replace(
            job(b"ret", max_tokens=1), sampling=Sampling(temperature=3, seed=seed)),
            Autoregressive(model), 60)  # fmt: skip
        assert len(cold) < len(hot)
        banned = {id: -100.0 for id, text in enumerate(VOCABULARY.tokens) if text == b"return"}
        sampling = Sampling(temperature=0, logit_bias=banned)
        result = run(Autoregressive(prefers(b"return")), replace(job(b"ret"), sampling=sampling))
        assert not result.text.startswith(b"urn ")
        assert result.text != b"urn"

    @pytest.mark.parametrize("top_logprobs", [None, 0])
    def test_truncation_counts_only_what_the_tokenizer_writes(
        self, top_logprobs: int | None
    ) -> None:
        """`re|turn` is the likeliest and never written: of `re|tu` and `re|t`, top_k 2 has both."""
        weights = {b"turn": 5.0, b"tu": 3.0, b"t": 2.0}

        def scores(prefix: tuple[int, ...]) -> np.ndarray:
            row = np.full(len(VOCABULARY), -30.0)
            row[EOS if prefix[1:] else VOCABULARY.encode(b"re")[0]] = 0
            if prefix[-1:] == (VOCABULARY.encode(b"re")[0],):
                for text, weight in weights.items():
                    row[VOCABULARY.encode(text)[0]] = math.log(weight)
            return row

        count = 400
        drawn = seeded(
            lambda seed: replace(
                job(b"ret", max_tokens=1, top_logprobs=top_logprobs),
                sampling=Sampling(top_k=2, seed=seed),
            ),
            Autoregressive(TableModel(VOCABULARY, scores)),
            count,
        )
        assert set(drawn) == {b"u", b""}
        assert abs(drawn[b"u"] / count - 3 / 5) < 0.1

    def test_at_the_end_of_the_window_the_prompt_is_left_as_it_is(self) -> None:
        model = prefers(b"return", b" x")
        model.context_tokens = 3
        assert run(Autoregressive(model), job(b"ret")).text == b"urn x"
        model.context_tokens = 2
        with pytest.raises(ContextTooLong):
            run(Autoregressive(model), job(b"ret"))
        assert run(Autoregressive(model), job(b"ret", max_tokens=0)).text == b""
        model.context_tokens = 1
        with pytest.raises(ContextTooLong):
            run(Autoregressive(model), job(b"ret"))

    def test_fixed_tokens_are_not_opened(self) -> None:
        ids = tuple(VOCABULARY.encode(b"ret"))
        result = run(Autoregressive(prefers(b"re", b"t", b"xy")), Job(ids, sampling=GREEDY))
        assert result.text == b"xy"

    def test_bytes_that_are_no_text_and_half_characters(self) -> None:
        model = TableModel.random(VOCABULARY, 3)
        for text in (b"\xff\xfe", "é".encode()[:1], "日".encode()[:2], b"ret\xc3"):
            result = run(Autoregressive(model), job(text, max_tokens=3))
            assert result.finish.usage.completion_tokens <= 3

    def test_a_model_without_a_chance_is_reported(self) -> None:
        model = TableModel(VOCABULARY, lambda prefix: np.full(len(VOCABULARY), np.nan))
        with pytest.raises(BackendFailed):
            run(Autoregressive(model), job(b"ret"))


class TestHeal:
    def test_one_token_is_taken_back(self) -> None:
        """`re` stays: the token that spells `t` and goes on."""
        model = prefers(b"re", b"turn", b" x")
        assert run(Autoregressive(model), job(b"ret", boundary="heal")).text == b"urn x"

    def test_many_tokens_are_taken_back(self) -> None:
        model = prefers(b"return", b" x")
        healed = job(b"ret", boundary="heal", heal_tokens=2)
        assert run(Autoregressive(model), healed).text == b"urn x"
        assert run(Autoregressive(model), replace(healed, heal_tokens=1)).text != b"urn x"

    def test_the_text_is_kept_whatever_is_drawn(self) -> None:
        """Tokens of the prompt's text are spelled again, the output is what goes beyond."""
        model = TableModel.random(VOCABULARY, 5)
        for seed in range(30):
            sampling = Sampling(seed=seed)
            healed = Job((), text=b"returnretu", boundary="heal", heal_tokens=3,
                         sampling=sampling, max_tokens=4)  # fmt: skip
            result = run(Autoregressive(model), healed)
            assert result.finish.usage.completion_tokens <= 4


class TestUnderARule:
    def test_the_rule_begins_at_the_cursor(self) -> None:
        model = prefers(b"return", b" x")
        result = run(Autoregressive(model), job(b"ret", masker=masker("urn( x){0,3}")))
        assert result.text == b"urn x"

    @pytest.mark.parametrize("boundary", ["exact", "heal"])
    def test_a_cover_that_it_refuses_is_not_drawn(self, boundary: str) -> None:
        model = prefers(b"return", b" x")
        rule = masker("[xy]+|urns")
        for seed in range(20):
            result = run(Autoregressive(model), Job((), rule, Sampling(seed=seed), text=b"ret",
                                                    boundary=boundary, max_tokens=6))  # fmt: skip
            assert rule.automaton.accepts(result.text)

    @pytest.mark.parametrize("mode", ["switch", "full"])
    @pytest.mark.parametrize("projection", ["token", "byte"])
    @pytest.mark.parametrize("most", [1, 2, 3, 5])
    def test_every_budget_yields_a_member(self, mode: str, projection: str, most: int) -> None:
        rule = masker(r"(urn|x)( x)*y?;?")
        model = TableModel.random(VOCABULARY, 9, 3)
        for seed in range(12):
            result = run(Autoregressive(model), Job(
                (), rule, Sampling(seed=seed), most, text=b"ret", byte_mode=mode,
                projection=projection))  # fmt: skip
            assert rule.automaton.accepts(result.text)
            assert result.finish.usage.completion_tokens <= most or mode == "full"

    @pytest.mark.parametrize("mode", ["switch", "full"])
    def test_a_budget_that_no_member_fits_is_refused(self, mode: str) -> None:
        with pytest.raises(BudgetTooSmall):
            run(Autoregressive(prefers(b"return")), job(
                b"ret", masker=masker("x{9}"), max_tokens=1, byte_mode=mode))  # fmt: skip

    def test_stop_strings_end_only_where_the_text_is_complete(self) -> None:
        model = prefers(b"return", b" x", b" x")
        result = run(Autoregressive(model), job(
            b"ret", masker=masker("urn( x)*"), stop=(b"n", b" x")))  # fmt: skip
        assert (result.text, result.finish.stop) == (b"urn", b" x")


class TestFull:
    @pytest.mark.parametrize("text", [b"", b"ret", b"return "])
    def test_writes_what_tokens_write_where_the_model_is_sure(self, text: bytes) -> None:
        model = prefers(b"return", b" x", b"xy")
        full = job(text, byte_mode="full")
        assert run(Autoregressive(model), full).text == run(Autoregressive(model), job(text)).text

    def test_the_budget_counts_tokens(self) -> None:
        model = prefers(b"return", b" x", b"xy")
        for most, text in ((1, b"return"), (2, b"return x"), (3, b"return xxy")):
            result = run(Autoregressive(model), job(b"", byte_mode="full", max_tokens=most))
            assert result.text == text
            assert result.finish.usage.completion_tokens == most

    def test_stop_strings_and_scores(self) -> None:
        model = prefers(b"return", b" x", b"xy")
        result = run(Autoregressive(model), job(
            b"", byte_mode="full", stop=(b"n ",), top_logprobs=2, echo_logprobs=True))  # fmt: skip
        assert (result.text, result.finish.stop) == (b"retur", b"n ")
        tokens = [token for chunk in result.chunks for token in chunk.tokens]
        assert b"".join(token.text for token in tokens) == b"retur"
        assert all(len(token.top) == 2 and (token.logprob or 0) <= 0 for token in tokens)

    def test_what_is_said_of_tokens_is_refused(self) -> None:
        full = job(b"", byte_mode="full")
        for sampling in (Sampling(logit_bias={1: 2.0}), Sampling(presence_penalty=1)):
            with pytest.raises(UnsupportedJob):
                run(Autoregressive(prefers(b"xy")), replace(full, sampling=sampling))

    def test_a_forced_byte_costs_no_call(self) -> None:
        model = TableModel.random(VOCABULARY, 1)
        result = run(Autoregressive(model), job(
            b"ret", masker=masker("urn xxxxxxx"), byte_mode="full"))  # fmt: skip
        assert result.text == b"urn xxxxxxx"
        assert result.finish.usage.model_calls == 0


class Alive:
    """Lets the event loop say for how long at most, in processor time, it was not let in."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def watch(self) -> None:
        while True:
            begun_s = time.thread_time()
            await asyncio.sleep(0)
            self.worst_s = max(self.worst_s, time.thread_time() - begun_s)


@pytest.mark.parametrize(
    "text", [b"x = ", b"a" * 900, b" " * 900, b" " * 30_000, b"\n" * 500, b"\xc3" * 500]
)
def test_no_prompt_holds_the_event_loop_up(text: bytes) -> None:
    model = embedded.load("embedded-2k")
    assert isinstance(model, EmbeddedCausal)

    async def check() -> float:
        alive = Alive()
        await anext(Autoregressive(model).generate(job(b"x", max_tokens=1)))  # what is lazy is made
        watching = asyncio.create_task(alive.watch())
        await asyncio.sleep(0)
        async for _ in Autoregressive(model).generate(job(text, max_tokens=2)):
            pass
        watching.cancel()
        return alive.worst_s

    assert asyncio.run(check()) < 0.1
    model.close()


def test_documents_are_valid_wherever_the_prompt_is_cut() -> None:
    """A schema, an embedded model, and a prompt that ends inside of a word."""
    model = embedded.load("embedded-2k")
    assert isinstance(model, EmbeddedCausal)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
              "additionalProperties": False}  # fmt: skip
    rule = Masker(compile(json_schema.parse(schema)), model.vocabulary)
    for cut in (b"", b"The val", b"config = ", b"x =   ", b"\xe6\x97"):
        for mode in ("switch", "full"):
            result = run(Autoregressive(model), Job(
                (), rule, Sampling(seed=1), 16, text=cut, byte_mode=mode))  # fmt: skip
            assert isinstance(json.loads(result.text)["n"], int)
    model.close()


class Asked:
    """A model that notes the prefixes it scores."""

    def __init__(self, model: TableModel) -> None:
        self.model, self.name, self.vocabulary = model, model.name, model.vocabulary
        self.context_tokens = model.context_tokens
        self.calls: list[list[Query]] = []

    async def logits(self, queries: list[Query]) -> list[Logits]:
        self.calls.append(list(queries))
        return await self.model.logits(queries)


def test_all_heads_are_scored_in_one_call_and_the_first_token_is_not_scored_twice() -> None:
    model = Asked(prefers(b"return", b" x"))
    run(Autoregressive(model), job(b"x x ret"))
    assert len(model.calls[0]) >= 1
    assert all(len(call) == 1 for call in model.calls[1:])
    assert model.calls[1][0].prefix[-1] == VOCABULARY.encode(b"return")[0]
