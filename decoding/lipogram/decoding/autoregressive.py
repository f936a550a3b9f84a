"""The left-to-right loop: score, bias, mask, sample, advance; plain and speculative alike.

The law is the locally projected one: every token is drawn from the model's row, masked and
renormalised, whatever came before. Two things spare model calls and leave the law alone: a token
that is the only one allowed is taken unasked, and a drafted token is scored in advance but counts
only if it is the one that is drawn. Plain decoding is drafts of length 0.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from itertools import islice
from typing import Final

import numpy as np

from lipogram.decoding import faithful, infilling, sampling
from lipogram.decoding.bytes import full
from lipogram.decoding.bytes.ratio import Ratio
from lipogram.decoding.course import Constrained, Course, Free
from lipogram.decoding.errors import UnsupportedJob
from lipogram.decoding.events import Chunk, Event, Finish, FinishReason, ScoredToken, Usage
from lipogram.decoding.job import Job
from lipogram.decoding.models.base import CausalModel, Logits, Query
from lipogram.decoding.opening import Opening, opened, scored_prompt
from lipogram.decoding.output import Output

# Tokens drawn at one step before the plan to close is followed instead.
MOST_DRAWS: Final = 64


class Autoregressive:
    """Generates with a causal model, token by token, or by drafts of several."""

    def __init__(self, model: CausalModel) -> None:
        self.model = model

    async def generate(self, job: Job) -> AsyncGenerator[Event, None]:
        """Chunks as soon as they are final, then one Finish; closing it cancels within a step.

        Raises ContextTooLong, BudgetTooSmall, DeadEnd, BackendFailed; for a text with holes see
        `infilling.generate`.
        """
        seed = job.sampling.seed
        rng = np.random.default_rng(None if seed is None else seed % 2**64)
        other = self._other_law(job, rng)
        if other is not None:
            async with aclosing(other) as events:
                async for event in events:
                    yield event
            return
        run = Run(self.model, job, await opened(self.model, job, rng), rng)
        prompt: tuple[ScoredToken, ...] = ()
        if job.echo_logprobs:
            prompt, calls = await scored_prompt(self.model, run.prompt, job.top_logprobs or 0)
            run.model_calls += calls
        chunk = run.lead()
        if chunk is not None:
            yield chunk
        while run.reason is None:
            if run.course.only is not None:
                await asyncio.sleep(0)  # long forced stretches leave the event loop its turns
                chunk = run.take(None)
                if chunk is not None:
                    yield chunk
                continue
            draft = await run.draft()
            rows = await run.ask(Query(tuple(run.tokens), draft))
            for row, drafted in zip(rows, (*draft, None), strict=True):
                chunk = run.take(row)
                if chunk is not None:
                    yield chunk
                if run.reason is not None or run.tokens[-1] != drafted:
                    break
            run.judge()
        chunk = run.rest()
        if chunk is not None:
            yield chunk
        yield run.finish(prompt)

    def _other_law(self, job: Job, rng: np.random.Generator) -> AsyncGenerator[Event, None] | None:
        """What generates by another law than token by token from the cursor on, if the job does."""
        if job.faithful is not None and job.masker is not None:
            return faithful.generate(self.model, job, rng)
        if job.infill is not None:
            return infilling.generate(self.model, job, job.infill, rng)
        if job.byte_mode == "full":
            return full.generate((self.model,), job, rng)
        return None


class Run:
    """One generation on its way: what it has, and how it ended (`reason`)."""

    def __init__(
        self, model: CausalModel, job: Job, opening: Opening, rng: np.random.Generator
    ) -> None:
        self._model = model
        self._job = job
        self._opening = opening
        self.prompt = opening.prompt
        self._rng = rng
        self._vocabulary = model.vocabulary
        self.left = opening.budget - (opening.lead is not None)
        self.course: Course = (
            Free(model.vocabulary, job.ignore_eos, job.ends)
            if job.masker is None
            else Constrained(job.masker, self.left, job.ignore_eos, opening.state, job.ends)
        )
        self.tokens = list(opening.tokens)
        self._output = Output(job.stop, job.suffix)
        self._repetitions = sampling.Repetitions.wanted(
            job.sampling, len(model.vocabulary), opening.tokens
        )
        if isinstance(job.drafters, Ratio):
            raise UnsupportedJob("drafts count by the ratio of laws only where bytes are drawn")
        self._drafts = None if job.drafters is None else job.drafters.open(job, opening.tokens)
        self._read = 0  # tokens that the model has been given
        self._forced_tokens = 0
        self.model_calls = opening.model_calls
        self.model_passes = 0
        self.reason: FinishReason | None = None
        if opening.lead is None:
            self._check_end()

    async def draft(self) -> tuple[int, ...]:
        """What may come next, for the model to check."""
        if self._drafts is None or self.left < 2:
            return ()
        return await self._drafts.draft(self.tokens, self.course, self._rng, self.left - 1)

    async def ask(self, query: Query) -> Logits:
        """Rows of scores for the query's prefix and each step of its draft."""
        self.model_calls += 1 + len(query.draft)
        self.model_passes += 1
        width, is_first = len(query.prefix) - self._read + len(query.draft), not self._read
        self._read = len(query.prefix)
        started_s = time.perf_counter()
        [rows] = await self._model.logits([query])
        if self._drafts is not None and not is_first:
            self._drafts.pace.passed(width, time.perf_counter() - started_s)
        return rows

    def judge(self) -> None:
        """Tell the drafters which of their guesses were right."""
        if self._drafts is not None:
            self._drafts.judge(self.tokens[self._read :])

    def lead(self) -> Chunk | None:
        """Take the token that began in the prompt, if one did; returns what is final."""
        lead = self._opening.lead
        if lead is None:
            return None
        scored = None if self._job.top_logprobs is None else lead
        self.tokens.append(lead.id)
        if self._repetitions is not None:
            self._repetitions.add(lead.id)
        chunk = self._output.push(lead.text, scored, self._opening.may_end)
        self._check_end()
        return chunk

    def take(self, row: Logits | None) -> Chunk | None:
        """Take the next token, from `row` unless only one is allowed; returns what is final."""
        token = self._choose(row)
        if token is None:
            self.close()
            return None
        self._forced_tokens += self.course.only is not None
        return self.put(token, row)

    def close(self) -> None:
        """End: the output is complete, and there is no room for anything more."""
        self.reason = "length"

    def put(self, token: int, row: Logits | None) -> Chunk | None:
        """Take an admitted token that was drawn from `row`; returns what is final."""
        self.tokens.append(token)
        self.left -= 1
        if self.course.ends(token):
            self.reason = "stop"
            return None
        return self._accept(token, row)

    def _choose(self, row: Logits | None) -> int | None:
        """Draw until a token leaves room to close; after many in vain, close as planned."""
        if self.course.only is not None:
            drawn: Iterable[int] = (self.course.only,)
        else:
            assert row is not None
            scores = sampling.adjusted(row, self._job.sampling, self._repetitions)
            drawn = sampling.draws(scores, self.course.allowed, self._job.sampling, self._rng)
        for token in islice(drawn, MOST_DRAWS):
            if self.course.after(token) is not None:
                return token
        return self.course.closing()

    def _accept(self, token: int, row: Logits | None) -> Chunk | None:
        may_end = self.course.may_end(token) if self._job.stop or self._job.suffix else None
        text = self._vocabulary.tokens[token]
        chunk = self._output.push(text, self._scored(token, row), may_end)
        if self._repetitions is not None:
            self._repetitions.add(token)
        after = self.course.after(token)
        assert after is not None  # it was chosen for that
        self.course = after
        self._check_end()
        return chunk

    def _scored(self, token: int, row: Logits | None) -> ScoredToken | None:
        top = self._job.top_logprobs
        if top is None:
            return None
        tokens = self._vocabulary.tokens
        if self.course.only is not None or row is None:
            certain = ScoredToken(token, tokens[token], 0.0)
            return ScoredToken(token, tokens[token], 0.0, (certain,) if top else ())
        return sampling.scored(row, self.course.allowed, token, top, tokens)

    def _check_end(self) -> None:
        if self._output.stopped is not None or self.course.is_over:
            self.reason = "stop"
        elif not self.left:
            self.reason = "length"

    def rest(self) -> Chunk | None:
        """What was held back, if no stop string ended the output."""
        return self._output.flush() if self._output.stopped is None else None

    def finish(self, prompt: tuple[ScoredToken, ...]) -> Finish:
        """The last event; the token that ended the text counts too."""
        assert self.reason is not None
        usage = Usage(
            prompt_tokens=len(self.prompt),
            completion_tokens=len(self.tokens) - len(self._opening.tokens),
            forced_tokens=self._forced_tokens,
            model_calls=self.model_calls,
            cached_tokens=self._opening.cached_tokens,
            model_passes=self.model_passes,
            drafted_tokens=0 if self._drafts is None else self._drafts.drafted_tokens,
            accepted_tokens=0 if self._drafts is None else self._drafts.accepted_tokens,
        )
        return Finish(self.reason, usage, self._output.stopped, prompt)
