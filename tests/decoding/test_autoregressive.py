"""The loop: ends, budgets, forced text, stop strings, scores, counts, errors, cancellation."""

import asyncio
import json
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from laws.running import run
from lipogram.decoding import (
    Autoregressive,
    BackendFailed,
    BudgetTooSmall,
    Chain,
    Chunk,
    ContextTooLong,
    DeadEnd,
    Guess,
    Job,
    Masker,
    Place,
    Sampling,
    Vocabulary,
)
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import choice, compile, ir

BYTES = [bytes([byte]) for byte in range(256)]
EOS = 256
VOCABULARY = Vocabulary.from_tokens([*BYTES, b"", b"", b"true", b'":', b"ab"], (EOS, 257))
PROMPT = tuple(b"> ")
GREEDY = Sampling(temperature=0)


def says(*texts: bytes, end: int = EOS) -> TableModel:
    """Prefers the tokens of the texts, one by one, and then the end."""
    script = [VOCABULARY.encode(text)[0] for text in texts] + [end]

    def scores(prefix: tuple[int, ...]) -> np.ndarray:
        row = np.zeros(len(VOCABULARY))
        at = len(prefix) - len(PROMPT)
        row[script[at] if 0 <= at < len(script) else end] = 5
        return row

    return TableModel(VOCABULARY, scores)


def letters(text: str) -> list[bytes]:
    return [character.encode() for character in text]


def masker(expression: ir.Expression, vocabulary: Vocabulary = VOCABULARY) -> Masker:
    return Masker(compile(ir.Grammar({"s": expression}, "s")), vocabulary)


def choices(*texts: bytes) -> Masker:
    return Masker(compile(choice.parse(texts)), VOCABULARY)


class TestFree:
    def test_ends_where_the_model_ends(self) -> None:
        result = run(Autoregressive(says(b"a", b"b")), Job(PROMPT, sampling=GREEDY))
        assert result.text == b"ab"
        assert [chunk.text for chunk in result.chunks] == [b"a", b"b"]
        assert result.finish.reason == "stop"
        assert result.finish.stop is None
        usage = result.finish.usage
        assert (usage.prompt_tokens, usage.completion_tokens) == (2, 3)
        assert (usage.model_calls, usage.forced_tokens) == (3, 0)

    def test_every_end_token_ends(self) -> None:
        result = run(Autoregressive(says(b"a", end=257)), Job(PROMPT, sampling=GREEDY))
        assert (result.text, result.finish.reason) == (b"a", "stop")

    def test_the_budget_ends(self) -> None:
        model = says(*letters("abcdef"))
        result = run(Autoregressive(model), Job(PROMPT, sampling=GREEDY, max_tokens=3))
        assert (result.text, result.finish.reason) == (b"abc", "length")
        assert result.finish.usage.model_calls == 3

    def test_the_end_may_be_ignored(self) -> None:
        one = Job(PROMPT, sampling=GREEDY, max_tokens=3, ignore_eos=True)
        result = run(Autoregressive(says(b"z")), one)
        assert (result.text, result.finish.reason) == (b"z\x00\x00", "length")

    def test_special_tokens_are_never_drawn(self) -> None:
        vocabulary = Vocabulary.from_tokens([b"a", b"<s>", b"</s>", b""], (2,), specials={"<s>": 1})
        model = TableModel(vocabulary, lambda prefix: [0, 50, -50, 50])
        result = run(Autoregressive(model), Job((1,), max_tokens=5, sampling=Sampling(seed=0)))
        assert result.text == b"aaaaa"

    def test_an_empty_prompt(self) -> None:
        model = TableModel.random(VOCABULARY, 1)
        result = run(Autoregressive(model), Job((), max_tokens=2, sampling=Sampling(seed=0)))
        assert result.finish.usage.prompt_tokens == 0

    def test_bias_and_penalties_reach_the_law(self) -> None:
        model = TableModel(VOCABULARY, lambda prefix: np.zeros(len(VOCABULARY)))
        biased = Sampling(temperature=0, logit_bias={98: 1.0, 99: 0.5}, presence_penalty=0.75)
        result = run(Autoregressive(model), Job(PROMPT, sampling=biased, max_tokens=3))
        assert result.text == b"bcb"


class TestContext:
    def test_the_context_bounds_the_output(self) -> None:
        model = TableModel.random(VOCABULARY, 1)
        model.context_tokens = 6
        for max_tokens in (None, 100):
            one = Job(PROMPT, max_tokens=max_tokens, ignore_eos=True, sampling=Sampling(seed=1))
            result = run(Autoregressive(model), one)
            assert result.finish.usage.completion_tokens == 4
            assert result.finish.reason == "length"

    @pytest.mark.parametrize("size", [6, 7])
    def test_a_prompt_that_fills_the_context_is_refused(self, size: int) -> None:
        model = TableModel.random(VOCABULARY, 1)
        model.context_tokens = 6
        with pytest.raises(ContextTooLong, match=f"{size} tokens leave no room"):
            run(Autoregressive(model), Job((1,) * size))

    def test_no_tokens_wanted(self) -> None:
        result = run(Autoregressive(says(b"a")), Job(PROMPT, max_tokens=0))
        assert (result.text, result.finish.reason) == (b"", "length")
        assert result.finish.usage.model_calls == 0


class TestConstrained:
    def test_forced_text_costs_no_calls(self) -> None:
        result = run(Autoregressive(says(b"z")), Job(PROMPT, choices(b"wxyz")))
        assert result.text == b"wxyz"
        assert result.finish.reason == "stop"
        usage = result.finish.usage
        assert (usage.completion_tokens, usage.forced_tokens, usage.model_calls) == (4, 4, 0)

    def test_a_choice_of_tokens_is_the_models(self) -> None:
        """`ab` is one token or two: forced bytes are no forced token."""
        result = run(Autoregressive(says(b"a")), Job(PROMPT, choices(b"ab"), GREEDY))
        assert result.text == b"ab"
        assert (result.finish.usage.model_calls, result.finish.usage.forced_tokens) == (1, 1)

    def test_the_model_ends_a_complete_text(self) -> None:
        digits = masker(ir.Repeat(ir.one_of("0123456789"), 1))
        result = run(Autoregressive(says(b"1", b"2")), Job(PROMPT, digits, GREEDY))
        assert (result.text, result.finish.reason) == (b"12", "stop")
        ignoring = Job(PROMPT, digits, GREEDY, max_tokens=4, ignore_eos=True)
        result = run(Autoregressive(says(b"1", b"2")), ignoring)
        assert (result.text, result.finish.reason) == (b"1200", "length")

    def test_the_end_is_ignored_only_while_something_else_is_allowed(self) -> None:
        ignoring = Job(PROMPT, choices(b"a", b"aa"), GREEDY, ignore_eos=True)
        result = run(Autoregressive(says(b"a")), ignoring)
        assert (result.text, result.finish.reason) == (b"aa", "stop")

    def test_an_empty_language_member_needs_nothing(self) -> None:
        result = run(Autoregressive(says(b"a")), Job(PROMPT, choices(b""), max_tokens=0))
        assert (result.text, result.finish.reason) == (b"", "stop")
        assert result.finish.usage.model_calls == 0

    def test_a_budget_that_no_text_fits_in_is_refused(self) -> None:
        with pytest.raises(BudgetTooSmall, match=r"takes 5 tokens, but there are 4 to spend"):
            run(Autoregressive(says()), Job(PROMPT, choices(b"12345", b"1234567"), max_tokens=4))

    def test_longer_tokens_count_in_a_budget(self) -> None:
        result = run(
            Autoregressive(says(b"t")), Job(PROMPT, choices(b"true", b"false"), max_tokens=1)
        )
        assert result.text == b"true"

    def test_json_is_closed_in_every_budget(self) -> None:
        text = ir.sequence(ir.Literal(b'"'), ir.Repeat(ir.one_of("abc ")), ir.Literal(b'"'))
        value = ir.choice(text, ir.Literal(b"true"), ir.Reference("object"))
        member = ir.sequence(text, ir.Literal(b":"), value)
        more = ir.Repeat(ir.sequence(ir.Literal(b","), member))
        rules = {
            "object": ir.sequence(
                ir.Literal(b"{"), ir.optional(ir.sequence(member, more)), ir.Literal(b"}")
            )
        }
        objects = Masker(compile(ir.Grammar(rules, "object")), VOCABULARY)
        for budget in range(2, 40):
            for seed in range(3):
                model = TableModel.random(VOCABULARY, seed, 3.0)
                one = Job(PROMPT, objects, Sampling(seed=budget), max_tokens=budget)
                assert isinstance(json.loads(run(Autoregressive(model), one).text), dict)

    def test_a_stubborn_model_is_closed_as_planned(self) -> None:
        """All 100 letters are in the way of the one token that closes; few of them are tried."""
        lines = masker(ir.sequence(ir.Repeat(ir.Chars(((0x21, 0x7E),))), ir.Literal(b"\n")))
        seen = 0

        def scores(prefix: tuple[int, ...]) -> np.ndarray:
            nonlocal seen
            seen += 1
            return np.where(np.arange(len(VOCABULARY)) == 10, -1e4, 0)

        one = Job(PROMPT, lines, Sampling(seed=0), max_tokens=5, top_logprobs=0)
        result = run(Autoregressive(TableModel(VOCABULARY, scores)), one)
        assert result.text.endswith(b"\n")
        assert result.finish.usage.completion_tokens == seen == 5
        logprob = result.chunks[-1].tokens[0].logprob
        assert logprob is not None
        assert logprob < -9000

    def test_the_plan_is_kept_where_a_new_one_would_be_longer(self) -> None:
        """Of completions with equally many bytes any may be the shortest; not so their tokens."""
        rule = choices(b"bab", b"bzw")
        after_b = rule.automaton.step(rule.start(), ord("b"))
        shortest = rule.automaton.shortest
        answers = {rule.start(): b"bab", after_b: b"zw"}
        rule.automaton.shortest = lambda state: answers.get(state) or shortest(state)  # type: ignore[method-assign]
        result = run(Autoregressive(says(b"b", b"z")), Job(PROMPT, rule, GREEDY, max_tokens=2))
        assert result.text == b"bab"

    def test_a_vocabulary_that_cannot_spell_is_a_dead_end(self) -> None:
        vocabulary = Vocabulary.from_tokens([b"a", b"</s>"], (1,))
        model = TableModel.random(vocabulary, 0)
        with pytest.raises(DeadEnd, match="no text of the language"):
            run(Autoregressive(model), Job((), masker(ir.Literal(b"ab"), vocabulary)))

    def test_unspellable_branches_are_not_entered(self) -> None:
        vocabulary = Vocabulary.from_tokens([b"a", b"b", b"c", b"</s>"], (3,))
        either = masker(ir.choice(ir.Literal(b"ax"), ir.Literal(b"bcc")), vocabulary)
        for seed in range(5):
            model = TableModel.random(vocabulary, seed)
            result = run(Autoregressive(model), Job((), either, max_tokens=3))
            assert result.text == b"bcc"
            with pytest.raises(BudgetTooSmall, match="takes 3 tokens"):
                run(Autoregressive(model), Job((), either, max_tokens=2))

    def test_a_complete_text_without_end_token_stops_where_nothing_follows(self) -> None:
        vocabulary = Vocabulary.from_tokens([b"a", b"b"])
        rule = masker(ir.choice(ir.Literal(b"ab"), ir.Literal(b"abx")), vocabulary)
        result = run(Autoregressive(TableModel.random(vocabulary, 0)), Job((), rule))
        assert (result.text, result.finish.reason) == (b"ab", "stop")

    def test_a_forced_token_that_leaves_no_room_is_not_taken(self) -> None:
        vocabulary = Vocabulary.from_tokens([b"a", b"b"])
        pairs = masker(ir.Repeat(ir.Literal(b"ab")), vocabulary)
        one = Job((), pairs, max_tokens=5)
        result = run(Autoregressive(TableModel.random(vocabulary, 0)), one)
        assert (result.text, result.finish.reason) == (b"abab", "length")
        assert result.finish.usage.forced_tokens == 4


class TestStop:
    def test_a_stop_string_over_several_tokens(self) -> None:
        model = says(*letters("one, two"))
        result = run(Autoregressive(model), Job(PROMPT, sampling=GREEDY, stop=(b", t", b"zz")))
        assert result.text == b"one"
        assert (result.finish.reason, result.finish.stop) == ("stop", b", t")
        assert result.finish.usage.completion_tokens == 6

    def test_what_only_began_is_delivered_in_the_end(self) -> None:
        result = run(Autoregressive(says(b"a", b",")), Job(PROMPT, sampling=GREEDY, stop=(b",,",)))
        assert result.text == b"a,"
        assert [chunk.text for chunk in result.chunks] == [b"a", b","]

    def test_constrained_text_is_cut_only_where_it_is_complete(self) -> None:
        item = ir.Literal(b"(a,a)")
        rule = masker(ir.sequence(item, ir.Repeat(ir.sequence(ir.Literal(b","), item))))
        model = says(*letters("(a,a),(a,a)"))
        result = run(Autoregressive(model), Job(PROMPT, rule, GREEDY, stop=(b",",)))
        assert result.text == b"(a,a)"
        assert (result.finish.reason, result.finish.stop) == ("stop", b",")

    def test_a_cut_inside_a_token(self) -> None:
        rule = masker(ir.Repeat(ir.one_of("ab"), 1))
        model = TableModel(VOCABULARY, lambda prefix: np.eye(len(VOCABULARY))[260])
        result = run(Autoregressive(model), Job(PROMPT, rule, GREEDY, stop=(b"ba",)))
        assert result.text == b"a"


class TestScores:
    def test_chosen_and_best(self) -> None:
        one = Job(PROMPT, choices(b"x1", b"y2"), GREEDY, top_logprobs=3)
        result = run(Autoregressive(says(b"y")), one)
        first, second = (token for chunk in result.chunks for token in chunk.tokens)
        weights = math.exp(0), math.exp(5)
        assert first.logprob == pytest.approx(math.log(weights[1] / sum(weights)))
        assert [(t.text, t.top) for t in first.top] == [(b"y", ()), (b"x", ())]
        assert first.top[0].logprob == first.logprob
        assert (second.text, second.logprob) == (b"2", 0.0)
        assert [(t.text, t.logprob) for t in second.top] == [(b"2", 0.0)]

    def test_texts_of_tokens_join_to_the_text(self) -> None:
        model = TableModel.random(VOCABULARY, 2)
        one = Job(
            PROMPT, sampling=Sampling(seed=2), max_tokens=20, top_logprobs=0, stop=(b"\x00q",)
        )
        result = run(Autoregressive(model), one)
        for chunk in result.chunks:
            assert b"".join(token.text for token in chunk.tokens) == chunk.text
            assert all(token.top == () for token in chunk.tokens)

    def test_none_unless_asked(self) -> None:
        result = run(Autoregressive(says(b"a")), Job(PROMPT, sampling=GREEDY))
        assert all(chunk.tokens == () for chunk in result.chunks)
        assert result.finish.prompt_tokens == ()

    @pytest.mark.parametrize("size", [0, 1, 2, 300])
    def test_the_prompt_echoed(self, size: int) -> None:
        prompt = tuple(index % 250 for index in range(size))
        model = TableModel.random(VOCABULARY, 3)
        one = Job(prompt, max_tokens=0, echo_logprobs=True, top_logprobs=1)
        result = run(Autoregressive(model), one)
        assert result.text == b""
        scored = result.finish.prompt_tokens
        assert [token.id for token in scored] == list(prompt)
        assert [token.logprob is None for token in scored] == [at == 0 for at in range(size)]
        for at in range(1, min(size, 4)):
            row = model._rows(Query(prompt[:at]))[0].astype(np.float64)
            expected = row[prompt[at]] - np.log(np.exp(row).sum())
            assert scored[at].logprob == pytest.approx(expected)
            assert scored[at].top[0].id == row.argmax()
        assert result.finish.usage.model_calls == max(size - 1, 0)


class Slow(TableModel):
    """Takes forever, and tells when it is let go."""

    def __init__(self, patience: int) -> None:
        super().__init__(VOCABULARY, lambda prefix: np.zeros(len(VOCABULARY)))
        self.patience = patience
        self.asked = asyncio.Event()
        self.is_released = False

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        if self.patience:
            self.patience -= 1
            return await super().logits(queries)
        self.asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.is_released = True
            raise
        raise AssertionError


class TestCancellation:
    @pytest.mark.parametrize("patience", [0, 3])
    def test_a_cancelled_task_releases_the_model(self, patience: int) -> None:
        async def cancel() -> bool:
            model = Slow(patience)

            async def consume() -> None:
                async for _ in Autoregressive(model).generate(Job(PROMPT, ignore_eos=True)):
                    pass

            task = asyncio.create_task(consume())
            await model.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return model.is_released

        assert asyncio.run(cancel())

    def test_closing_ends_it_between_steps(self) -> None:
        async def close() -> int:
            model = Slow(2)
            events = Autoregressive(model).generate(Job(PROMPT, ignore_eos=True))
            assert isinstance(await anext(events), Chunk)
            await events.aclose()
            return model.patience

        assert asyncio.run(close()) == 1

    def test_forced_text_leaves_others_their_turns(self) -> None:
        async def interleave() -> list[str]:
            log: list[str] = []

            async def other() -> None:
                for _ in range(5):
                    log.append("other")
                    await asyncio.sleep(0)

            async def forced() -> None:
                events = Autoregressive(says()).generate(Job(PROMPT, choices(b"x" * 5)))
                log.extend(["forced" async for _ in events])

            await asyncio.gather(forced(), other())
            return log

        assert asyncio.run(interleave())[:4] == ["other", "other", "other", "other"]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("rule", [None, choices(b"ab", b"cd")])
def test_unusable_scores_are_the_backends_fault(bad: float, rule: Masker | None) -> None:
    model = TableModel(VOCABULARY, lambda prefix: np.full(len(VOCABULARY), bad))
    with pytest.raises(BackendFailed, match="not usable"):
        run(Autoregressive(model), Job(PROMPT, rule))


class Oracle:
    """Drafts what the model is going to say."""

    name = "oracle"

    def __init__(self, script: Callable[[int], int]) -> None:
        self.script = script

    def open(self, job: Job, prompt: Sequence[int]) -> "Oracle":
        return self

    async def propose(self, place: Place, most: int) -> Sequence[Guess]:
        start = len(place.tokens) + len(place.draft)
        return [Guess(self.script(start + index), 1.0) for index in range(most)]


def test_good_drafts_save_calls() -> None:
    text = b"abcdefgh"
    model = says(*letters(text.decode()))
    calls: list[int] = []
    ask = model.logits

    async def counting(queries: Sequence[Query]) -> list[Logits]:
        calls.append(len(queries[0].draft))
        return await ask(queries)

    model.logits = counting  # type: ignore[method-assign]
    script = (*PROMPT, *text, *(EOS,) * 20)
    chain = Chain(Oracle(lambda at: script[at]))
    one = Job(PROMPT, sampling=GREEDY, max_tokens=8, drafters=chain)
    result = run(Autoregressive(model), one)
    assert result.text == text
    assert calls == [7]
    usage = result.finish.usage
    assert (usage.model_calls, usage.model_passes) == (8, 1)
    assert (usage.drafted_tokens, usage.accepted_tokens) == (7, 7)


def test_a_branch_that_is_never_affordable_is_not_taken() -> None:
    item = ir.Sequence((ir.Literal(b"["), ir.Repeat(ir.Literal(b"1"), 2**40, None)))
    grammar = ir.Grammar({"s": ir.Choice((item, ir.Literal(b"null")))}, "s")
    tokens = [b"", *(bytes([byte]) for byte in range(256))]
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=(0,))
    masker = Masker(compile(grammar), vocabulary)
    decoder = Autoregressive(TableModel.random(vocabulary, seed=1))
    for seed in range(10):
        job = Job((), masker, sampling=Sampling(seed=seed), max_tokens=8)
        assert run(decoder, job).text == b"null"
