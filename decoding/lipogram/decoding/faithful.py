"""Sampling from the model's own law of texts, given that the text is in the language.

Masking and renormalising token by token gives every prefix the model's chance, whatever share of
its continuations the rule allows; p(text | the text is in the language) is another law. It is
sampled exactly by *attempts*: texts written without the rule, of which the first that is a member
is taken; each is given up where it leaves the language. Where none of them is a member, *particles*
are written under the mask, weighted by what the mask left of the model's chances, and drawn anew in
proportion to their weights whenever few of them carry the weight (sequential Monte Carlo).

The law of texts is that of token strings with their end, of at most `max_tokens` tokens before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lipogram.decoding import sampling
from lipogram.decoding.bytes.leaves import Weights, log_sum
from lipogram.decoding.closing import fits
from lipogram.decoding.errors import BudgetTooSmall, NoFaithfulText, UnsupportedJob
from lipogram.decoding.events import Chunk, Event, Evidence, Finish, ScoredToken, Usage
from lipogram.decoding.job import Faithful, Job, Sampling
from lipogram.decoding.masking import Masker
from lipogram.decoding.models.base import CausalModel, Logits, Query, cached_tokens
from lipogram.decoding.opening import budget, scored_prompt
from lipogram.grammars import State

_AT_A_TIME: Final = 8  # attempts written side by side
_RESAMPLED_BELOW: Final = 0.5  # effective particles, as a share of all


async def generate(
    model: CausalModel, job: Job, rng: np.random.Generator
) -> AsyncGenerator[Event, None]:
    """The whole text in one chunk once it is decided, then Finish with the evidence.

    Raises UnsupportedJob, ContextTooLong, BudgetTooSmall, BackendFailed, and NoFaithfulText where
    no attempt and no particle came to an end in the language.
    """
    run = _Run(model, job, rng)
    text, evidence = await run.attempted() or await run.weighted()
    prompt: tuple[ScoredToken, ...] = ()
    if job.echo_logprobs:
        prompt, calls = await scored_prompt(model, run.prompt, job.top_logprobs or 0)
        run.model_calls += calls
    written = model.vocabulary.decode(text.tokens)
    if written:
        yield Chunk(written, text.scored)
    usage = Usage(
        prompt_tokens=len(run.prompt),
        completion_tokens=len(text.tokens) + 1,
        model_calls=run.model_calls,
        cached_tokens=run.cached_tokens,
    )
    yield Finish("stop", usage, prompt_tokens=prompt, evidence=evidence)


async def particles(
    model: CausalModel, job: Job, rng: np.random.Generator
) -> tuple[dict[bytes, float], float]:
    """The law of texts as the job's particles estimate it, and the effective samples behind it."""
    run = _Run(model, job, rng)
    texts, effective = await run.particles()
    law: dict[bytes, float] = {}
    for text, weight in zip(texts, _normalised(texts), strict=True):
        if weight:
            written = model.vocabulary.decode(text.tokens)
            law[written] = law.get(written, 0.0) + weight
    return law, effective


@dataclass(frozen=True, slots=True)
class _Text:
    """A text on its way. Of weight -inf it is none any more."""

    tokens: tuple[int, ...]
    state: State
    log_weight: float = 0.0
    is_ended: bool = False
    scored: tuple[ScoredToken, ...] = ()

    @property
    def is_settled(self) -> bool:
        return self.is_ended or self.log_weight == -np.inf


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """What may come next: of the row's tokens the candidates, and their share of all chances."""

    row: Logits
    candidates: sampling.Candidates
    log_share: float


class _Run:
    """One generation on its way."""

    def __init__(self, model: CausalModel, job: Job, rng: np.random.Generator) -> None:
        self._masker, self._faithful = _checked(job)
        self._model = model
        self._job = job
        self._rng = rng
        vocabulary = model.vocabulary
        self.prompt = (*job.prompt, *vocabulary.encode(job.text))
        self.cached_tokens = cached_tokens(model, self.prompt)
        self.model_calls = 0
        self._budget = budget(model, job, len(self.prompt))
        self._ends = job.ends.union(vocabulary.eos_ids)
        # What is written without a rule: texts, ends, and special tokens if the rule has some.
        self._spoken = vocabulary.has_text | self._masker.has_specials
        self._spoken[list(self._ends)] = True
        self._begin = _Text((), self._masker.start())
        if not fits(self._masker, self._begin.state, self._budget):
            raise BudgetTooSmall(
                f"the shortest text of the language does not fit into {self._budget} tokens"
            )

    async def attempted(self) -> tuple[_Text, Evidence] | None:
        """The first attempt that is a member; an earlier one may take longer than a later one."""
        for begun in range(0, self._faithful.attempts, _AT_A_TIME):
            texts = [self._begin] * min(_AT_A_TIME, self._faithful.attempts - begun)
            while True:
                ended = [place for place, text in enumerate(texts) if text.is_ended]
                open_ = [
                    place
                    for place, text in enumerate(texts[: ended[0]] if ended else texts)
                    if not text.is_settled
                ]
                if not open_:
                    break
                await self._write(texts, open_, is_masked=False)
            if ended:
                return texts[ended[0]], Evidence("attempts", 1.0)
        return None

    async def weighted(self) -> tuple[_Text, Evidence]:
        """A particle in proportion to its weight."""
        texts, effective = await self.particles()
        chosen = self._rng.choice(len(texts), p=_normalised(texts))
        return texts[chosen], Evidence("particles", effective)

    async def particles(self) -> tuple[list[_Text], float]:
        """All particles at their ends, and the least that were effective on the way."""
        texts = [self._begin] * self._faithful.particles
        least = float(len(texts))
        while open_ := [place for place, text in enumerate(texts) if not text.is_settled]:
            await self._write(texts, open_, is_masked=True)
            weights = _normalised(texts)
            effective = 1 / float((weights**2).sum())
            least = min(least, effective)
            if effective < _RESAMPLED_BELOW * len(texts):
                texts = self._resampled(texts, weights)
        return texts, least

    def _resampled(self, texts: Sequence[_Text], weights: Weights) -> list[_Text]:
        """As many particles, each in proportion to its weight, by one uniform number."""
        places = (self._rng.random() + np.arange(len(texts))) / len(texts)
        chosen = np.searchsorted(np.cumsum(weights), places, side="right")
        return [replace(texts[min(each, len(texts) - 1)], log_weight=0.0) for each in chosen]

    async def _write(self, texts: list[_Text], places: Sequence[int], *, is_masked: bool) -> None:
        """One more token of each of these; where all are alike so far, from one row."""
        written = list({texts[place].tokens: place for place in places}.items())
        found = await self._model.logits([Query(self.prompt + tokens) for tokens, _ in written])
        self.model_calls += len(written)
        choices: dict[tuple[int, ...], _Choice] = {}
        for (tokens, place), [row] in zip(written, found, strict=True):
            choices[tokens] = self._choice(texts[place], row, is_masked)
            await asyncio.sleep(0)
        for place in places:
            texts[place] = self._longer(texts[place], choices[texts[place].tokens])
            await asyncio.sleep(0)

    def _choice(self, text: _Text, row: Logits, is_masked: bool) -> _Choice:
        scores = sampling.adjusted(row, self._job.sampling, None)
        found = sampling.candidates(scores, self._spoken, self._job.sampling)
        if not is_masked:
            return _Choice(row, found, 0.0)
        allowed = self._allowed(text)[found.ids]
        kept = sampling.Candidates(found.ids[allowed], found.weights[allowed])
        with np.errstate(divide="ignore"):
            return _Choice(row, kept, float(np.log(kept.weights.sum() / found.weights.sum())))

    def _allowed(self, text: _Text) -> sampling.Allowed:
        masker = self._masker
        size = len(masker.vocabulary)
        if len(text.tokens) == self._budget:
            allowed = np.zeros(size, np.bool_)
        else:
            allowed = sampling.unpack(masker.mask(text.state), size)
        allowed[list(self._ends)] |= masker.is_complete(text.state)
        return allowed

    def _longer(self, text: _Text, choice: _Choice) -> _Text:
        masker, log_weight = self._masker, text.log_weight + choice.log_share
        if log_weight == -np.inf:
            return replace(text, log_weight=log_weight)
        token = choice.candidates.draw(self._rng.random())
        state = masker.walk(text.state, token)
        if state is None and token in self._ends and masker.is_complete(text.state):
            return replace(text, log_weight=log_weight, is_ended=True)
        left = self._budget - len(text.tokens) - 1
        if state is None or left < 0 or not fits(masker, state, left):
            return replace(text, log_weight=-np.inf)
        scored = text.scored
        if self._job.top_logprobs is not None:
            tokens, top = masker.vocabulary.tokens, self._job.top_logprobs
            scored += (sampling.scored(choice.row, self._spoken, token, top, tokens),)
        return _Text((*text.tokens, token), state, log_weight, scored=scored)


def _normalised(texts: Sequence[_Text]) -> Weights:
    """The particles' weights, which sum to 1; raises NoFaithfulText where all are -inf."""
    weights = np.array([text.log_weight for text in texts])
    total = log_sum(weights)
    if total == -np.inf:
        raise NoFaithfulText(
            "none of the attempts and particles came to an end in the language: more particles,"
            " more max_tokens or the sampling of every token under the mask may help"
        )
    normalised: Weights = np.exp(weights - total)
    normalised /= normalised.sum()
    return normalised


def _checked(job: Job) -> tuple[Masker, Faithful]:
    """Refuses what the law of whole texts does not know; raises UnsupportedJob."""
    if job.masker is None or job.faithful is None:
        raise UnsupportedJob("faithful sampling is about a rule, but the job has none")
    neutral, given = Sampling(), job.sampling
    for name in ("presence_penalty", "frequency_penalty", "repetition_penalty"):
        if getattr(given, name) != getattr(neutral, name):
            raise UnsupportedJob(f"faithful sampling has no {name}")
    refused = {
        "stop strings": job.stop,
        "a suffix that is not to be repeated": job.suffix,
        "temperature 0": given.temperature == 0,
        "ignore_eos": job.ignore_eos,
        "holes": job.infill,
        "byte_mode full": job.byte_mode == "full",
        "a boundary but none": job.text and job.boundary != "none",
    }
    for name, is_given in refused.items():
        if is_given:
            raise UnsupportedJob(f"faithful sampling has no {name}")
    return job.masker, job.faithful
