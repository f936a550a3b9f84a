"""What is sampled is the locally projected law, by enumeration: masked, renormalised, in budget.

The reference below states the law a second time, over strings and dictionaries, with regular
expressions for judges. Of the engine it takes only which shortest completion is meant.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest

from laws.generator import cases
from laws.oracle import Oracle, random_grammar
from laws.running import assert_law, run, run_all, seeded
from lipogram.decoding import Autoregressive, BudgetTooSmall, Job, Masker, Sampling, Vocabulary
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import EmptyLanguage, Grammar, compile, ir

SAMPLES = 700
PROMPT = (3, 1)


def star(*texts: bytes) -> ir.Expression:
    return ir.Repeat(ir.choice(*map(ir.Literal, texts)))


@dataclass(frozen=True)
class Case:
    """A language as the engine reads it, and as regular expressions for members and prefixes."""

    grammar: ir.Expression
    members: str
    prefixes: str
    tokens: tuple[bytes, ...]

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary.from_tokens(
            [*self.tokens, b"</s>", b"<pad>"], self.eos, specials={"p": self.eos[0] + 1}
        )

    @property
    def eos(self) -> tuple[int]:
        return (len(self.tokens),)

    def masker(self) -> Masker:
        return Masker(compile(Grammar({"s": self.grammar}, "s")), self.vocabulary)

    def is_member(self, text: bytes) -> bool:
        return re.fullmatch(self.members.encode(), text) is not None

    def is_live(self, text: bytes) -> bool:
        return re.fullmatch(self.prefixes.encode(), text) is not None


ITEM = ir.choice(ir.Literal(b"a"), ir.Literal(b"bb"))
LIST = Case(
    ir.sequence(ITEM, ir.Repeat(ir.sequence(ir.Literal(b","), ITEM), 0, 2)),
    r"(a|bb)(,(a|bb)){0,2}",
    r"b?|(a|bb)(,(a|bb)){0,1},b?|(a|bb)(,(a|bb)){0,2}",
    (b"a", b"b", b",", b"bb", b"a,", b",b", b"b,b", b",a"),
)
WORDS = Case(
    ir.sequence(star(b"ab", b"b"), ir.Literal(b";")),
    r"(ab|b)*;",
    r"(ab|b)*[a;]?",
    (b"a", b"b", b";", b"ab", b"ba", b"b;", b"bb"),
)
OPEN = Case(star(b"ab", b"b"), r"(ab|b)*", r"(ab|b)*a?", (b"a", b"b", b"ab", b"ba", b"bab"))
# Opening a bracket obliges to close it: one token may raise the cost of closing by several.
NESTED = Case(
    ir.choice(ir.Literal(b"x"), ir.Literal(b"(xyxy)"), star(b"xx")),
    r"x|\(xyxy\)|(xx)*",
    r"x*|\((x(y(x(y\)?)?)?)?)?",
    (b"x", b"(", b"y", b")", b"xx", b"xy", b"y)", b"(x"),
)
# Where the text is complete, one token and the end are allowed: that is a choice.
PAIRS = Case(star(b"ab"), r"(ab)*", r"(ab)*a?", (b"a", b"b"))
CASES = {"list": LIST, "words": WORDS, "open": OPEN, "nested": NESTED, "pairs": PAIRS}
SAMPLINGS = {
    "plain": Sampling(),
    "cool": Sampling(temperature=0.7),
    "top_k": Sampling(temperature=1.3, top_k=2),
    "top_p": Sampling(top_p=0.6),
    "min_p": Sampling(temperature=0.7, min_p=0.4),
    "all": Sampling(temperature=1.5, top_k=4, top_p=0.9, min_p=0.1),
}


def truncated(scores: Sequence[float], ids: list[int], sampling: Sampling) -> dict[int, float]:
    """Temperature, top_k, top_p, min_p, on the tokens `ids`."""
    if sampling.temperature == 0:
        return {max(ids, key=lambda id: (scores[id], -id)): 1.0}
    weights = {id: math.exp(scores[id] / sampling.temperature) for id in ids}
    ranked = sorted(weights, key=lambda id: (-weights[id], id))
    ranked = ranked[: sampling.top_k or None]
    total = sum(weights[id] for id in ranked)
    nucleus: list[int] = []
    for id in ranked:
        if nucleus and sum(weights[i] for i in nucleus) >= sampling.top_p * total:
            break
        nucleus.append(id)
    return {id: weights[id] for id in nucleus if weights[id] >= sampling.min_p * weights[ranked[0]]}


class Law:
    """The probability of every output of a case, within a budget of tokens."""

    def __init__(self, case: Case, model: TableModel, sampling: Sampling, budget: int) -> None:
        self.case, self.model, self.sampling = case, model, sampling
        self.masker = case.masker()
        self.texts: Counter[bytes] = Counter()
        self.walk((), budget, self.plan(b""), 1.0)

    def plan(self, text: bytes) -> tuple[int, ...]:
        automaton = self.masker.automaton
        state = automaton.walk(automaton.start(), text)
        assert state is not None
        return tuple(self.case.vocabulary.spell(automaton.shortest(state)))

    def plan_after(self, text: bytes, id: int, left: int, plan: tuple[int, ...]) -> tuple | None:
        """The plan that goes on after a token, None if it leaves no room."""
        if id in self.case.eos:
            return ()
        fresh = self.plan(text + self.case.tokens[id])
        if len(fresh) <= left - 1:
            return fresh
        return plan[1:] if plan and plan[0] == id else None

    def walk(self, ids: tuple[int, ...], left: int, plan: tuple[int, ...], chance: float) -> None:
        case = self.case
        text = case.vocabulary.decode(ids)
        going = [id for id, token in enumerate(case.tokens) if case.is_live(text + token)]
        if ids[-1:] == case.eos or not going or not left:
            self.texts[text] += chance
            return
        allowed = going + list(case.eos) * case.is_member(text)
        scores = np.asarray(self.model._scores(PROMPT + ids), np.float32).tolist()
        while allowed:
            kept = truncated(scores, allowed, self.sampling)
            after = {id: self.plan_after(text, id, left, plan) for id in kept}
            total = sum(kept[id] for id in kept if after[id] is not None)
            for id, rest in after.items():
                if rest is not None:
                    self.walk((*ids, id), left - 1, rest, chance * kept[id] / total)
            if total:
                return
            allowed = [id for id in allowed if id not in kept]
        self.texts[text] += chance  # complete, and no room for more


def job(masker: Masker | None, sampling: Sampling, budget: int | None = None) -> Job:
    return Job(PROMPT, masker, sampling, budget)


def check(case: Case, sampling: Sampling, budget: int, seed: int) -> None:
    model = TableModel.random(case.vocabulary, seed, 1.5)
    law = Law(case, model, sampling, budget).texts
    masker = case.masker()
    assert all(case.is_member(text) for text in law)
    counts = seeded(
        lambda seed: job(masker, replace(sampling, seed=seed), budget),
        Autoregressive(model),
        SAMPLES if len(law) > 1 else 20,
    )
    if len(law) > 1:
        assert_law(counts, law)
    else:
        assert set(counts) == set(law)


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_the_law_is_the_masked_and_renormalised_model(sampling: Sampling) -> None:
    check(LIST, sampling, 20, seed=1)


@pytest.mark.parametrize("name", ["words", "open", "nested", "pairs"])
@pytest.mark.parametrize("budget", [1, 2, 3, 4, 6])
def test_the_law_in_a_small_budget(name: str, budget: int) -> None:
    check(CASES[name], Sampling(), budget, seed=budget)


@pytest.mark.parametrize("sampling", ["top_k", "top_p", "all"])
def test_truncation_in_a_small_budget(sampling: str) -> None:
    check(LIST, SAMPLINGS[sampling], 2, seed=3)
    check(NESTED, SAMPLINGS[sampling], 3, seed=4)


@pytest.mark.parametrize("sampling", ["plain", "all"])
def test_the_law_without_a_rule_is_the_models(sampling: str) -> None:
    vocabulary = Vocabulary.from_tokens(
        [b"a", b"ab", b"b", b"</s>", b"<pad>"], (3,), specials={"p": 4}
    )
    model = TableModel.random(vocabulary, 9, 1.5)
    law: Counter[bytes] = Counter()

    def walk(ids: tuple[int, ...], chance: float) -> None:
        if len(ids) == 3 or ids[-1:] == (3,):
            law[vocabulary.decode(ids)] += chance
            return
        scores = np.asarray(model._scores(PROMPT + ids), np.float32).tolist()
        kept = truncated(scores, [0, 1, 2, 3], SAMPLINGS[sampling])
        for id, weight in kept.items():
            walk((*ids, id), chance * weight / sum(kept.values()))

    walk((), 1.0)
    counts = seeded(
        lambda seed: job(None, replace(SAMPLINGS[sampling], seed=seed), 3),
        Autoregressive(model),
        SAMPLES,
    )
    assert_law(counts, law)


@pytest.mark.parametrize("name", CASES)
def test_greedy_is_the_path_of_best_tokens(name: str) -> None:
    case = CASES[name]
    for seed in cases(20):
        model = TableModel.random(case.vocabulary, seed, 1.5)
        for budget in (2, 3, 12):
            greedy = Sampling(temperature=0)
            [text] = Law(case, model, greedy, budget).texts
            assert run(Autoregressive(model), job(case.masker(), greedy, budget)).text == text


@pytest.mark.parametrize("name", CASES)
def test_every_output_is_a_member_in_every_budget(name: str) -> None:
    case = CASES[name]
    masker = case.masker()
    for budget in range(9):
        for seed in cases(15):
            model = TableModel.random(case.vocabulary, seed, 4.0)
            try:
                result = run(Autoregressive(model), job(masker, Sampling(seed=seed), budget))
            except BudgetTooSmall:
                assert budget < len(
                    case.vocabulary.spell(masker.automaton.shortest(masker.start()))
                )
                continue
            assert case.is_member(result.text)
            assert result.finish.usage.completion_tokens <= budget


def test_random_grammars_end_in_a_member_in_every_budget() -> None:
    tokens = [b"a", b"b", b"\xc3", b"\xa9", b"ab", b"ba", b"\xc3\xa9", b"b\xc3", b"aab", b"</s>"]
    vocabulary = Vocabulary.from_tokens(tokens, eos_ids=(9,))
    finished = 0
    for seed in cases(60):
        grammar = random_grammar(seed)
        try:
            masker = Masker(compile(grammar), vocabulary)
        except EmptyLanguage:
            continue
        members = Oracle(grammar, 6).members
        for budget in (0, 1, 2, 3, 5, 8):
            model = TableModel.random(vocabulary, seed, 3.0)
            try:
                result = run(Autoregressive(model), job(masker, Sampling(seed=seed), budget))
            except BudgetTooSmall:
                continue
            finished += 1
            assert masker.automaton.accepts(result.text)
            assert len(result.text) > 6 or result.text in members
    assert finished > 120


def test_a_seed_decides_the_output_whoever_runs_beside_it() -> None:
    model = TableModel.random(WORDS.vocabulary, 5)
    decoder = Autoregressive(model)
    jobs = [job(WORDS.masker(), Sampling(seed=seed), 12) for seed in range(20)]
    jobs += [job(None, Sampling(seed=seed), 12) for seed in range(20)]
    together = [result.text for result in run_all(decoder, jobs)]
    assert together == [run(decoder, one).text for one in jobs]
    assert len(set(together)) > 20


def test_no_seed_means_chance() -> None:
    model = TableModel.random(OPEN.vocabulary, 5)
    texts = {run(Autoregressive(model), job(None, Sampling(), 20)).text for _ in range(5)}
    assert len(texts) > 1
