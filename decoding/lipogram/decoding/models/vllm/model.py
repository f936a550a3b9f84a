"""A model of vLLM: scores of any prefix, and whole generations inside of the engine's batches.

There are two doors. Through the first, a job runs as one request of the engine, which batches,
samples and speculates by itself, and masks with our rules. What the engine's sampling cannot say
exactly (laws of bytes, some combinations of penalties and truncation, scored prompts) goes through
the second: rows of scores, one request for each, out of which `Autoregressive` draws.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, Final

import numpy as np

from lipogram.decoding.autoregressive import MOST_DRAWS, Autoregressive, Run
from lipogram.decoding.errors import BackendFailed, ContextTooLong
from lipogram.decoding.events import Chunk, Event
from lipogram.decoding.job import Job
from lipogram.decoding.masking import Masker
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.hugging_face import Reading
from lipogram.decoding.models.vllm.capture import KEY, ROWS
from lipogram.decoding.models.vllm.engine import Engine
from lipogram.decoding.models.vllm.interfaces import (
    RequestOutputKind,
    SamplingParams,
    StructuredOutputsParams,
)
from lipogram.decoding.models.vllm.rules import RULES, Rule, bits, with_tokens
from lipogram.decoding.opening import opened
from lipogram.grammars import State

_NUMBERS = itertools.count(1)
_COLDEST: Final = 0.01  # colder temperatures are raised to it by the engine


class VllmModel:
    """An engine behind `CausalModel`, and a decoder by itself.

    Where the engine `captures`, rows are taken where they are made; else (several workers, or a
    drafter of its own) they come through its log-probabilities, some ten times slower.
    """

    def __init__(
        self,
        engine: Engine,
        reading: Reading,
        *,
        name: str,
        window: int,
        captures: bool,
        speculates: bool,
    ) -> None:
        """`window` is the engine's `max_model_len`, of which one token is always output."""
        self.name = name
        self.vocabulary = reading.vocabulary
        self.chat = reading.chat
        self.context_tokens = window - 1 - len(reading.start_ids)
        self._engine = engine
        self._reading = reading
        self._captures = captures
        self._speculates = speculates
        self._by_rows = Autoregressive(self)
        self._free = with_tokens(bits(reading.vocabulary.has_text), reading.vocabulary.eos_ids)

    def close(self) -> None:
        """Let the engine's thread go; no call may follow."""
        self._engine.close()

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        """Scores after each prefix and each step of its draft; see `CausalModel`.

        All are requests of one token to the engine, which shares what their prefixes have in
        common. Raises ContextTooLong, BackendFailed.
        """
        prefixes = [
            self._started(query.prefix) + query.draft[:length]
            for query in queries
            for length in range(len(query.draft) + 1)
        ]
        for prefix in prefixes:
            if len(prefix) > self.context_tokens + len(self._reading.start_ids):
                raise ContextTooLong(
                    f"{self.name}: expected at most {self.context_tokens} tokens,"
                    f" found {len(prefix)}"
                )
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._row(prefix)) for prefix in prefixes]
        rows = iter([task.result() for task in asked])
        found = []
        for query in queries:
            scores = np.stack(list(itertools.islice(rows, len(query.draft) + 1)))
            scores.setflags(write=False)
            found.append(scores)
        return found

    async def generate(self, job: Job) -> AsyncGenerator[Event, None]:
        """Chunks as soon as they are final, then one Finish; closing it aborts the request.

        Raises ContextTooLong, BudgetTooSmall, DeadEnd, BackendFailed.
        """
        by_engine = self._can_draw(job)
        source = self._drawn(job) if by_engine else self._by_rows.generate(job)
        async with aclosing(source) as events:
            async for event in events:
                yield event

    def _can_draw(self, job: Job) -> bool:
        """Whether the engine's sampling means exactly what the job says."""
        sampling = job.sampling
        counts = bool(sampling.presence_penalty or sampling.frequency_penalty)
        truncates = sampling.top_p < 1 or bool(sampling.top_k)
        return not (
            job.byte_mode == "full"
            or job.infill is not None
            or job.echo_logprobs
            or job.ignore_eos
            or 0 < sampling.temperature < _COLDEST
            or (sampling.min_p and truncates)  # the engine has them in another order
            or (counts and (job.masker is not None or job.text))  # counted anew when it goes on
            or (job.top_logprobs is not None and (sampling.logit_bias or not self._captures))
            or (self._speculates and (sampling.min_p or sampling.logit_bias))  # it refuses them
        )

    async def _drawn(self, job: Job) -> AsyncGenerator[Event, None]:
        """One request of the engine, and further ones where a token left no room to close."""
        seed = job.sampling.seed
        rng = np.random.default_rng(None if seed is None else seed % 2**64)
        opening = await opened(self, job, rng)
        run = Run(self, job, opening, rng)
        walk = _Walk(job.masker, opening.state, len(opening.tokens))
        chunk = run.lead()
        walk.skip(opening.lead is not None)
        if chunk is not None:
            yield chunk
        excluded: set[int] = set()
        while run.reason is None:
            if run.course.only is not None or len(excluded) == MOST_DRAWS:
                token = run.course.closing() if run.course.only is None else run.course.only
                excluded.clear()
                if token is None:
                    run.close()
                    break
                chunk = run.put(token, None)
                if chunk is not None:
                    yield chunk
                continue
            rule = self._rule(job, walk.to(run.tokens), excluded)
            async with aclosing(self._request(run, job, rule, rng, excluded)) as chunks:
                async for chunk in chunks:
                    yield chunk
        chunk = run.rest()
        if chunk is not None:
            yield chunk
        yield run.finish(())

    def _rule(self, job: Job, state: State, excluded: set[int]) -> Rule:
        ends = job.ends.union(self.vocabulary.eos_ids)
        free = self._free if not job.ends else with_tokens(self._free, job.ends)
        return Rule(self.vocabulary, free, job.masker, state, ends, frozenset(excluded))

    async def _request(
        self, run: Run, job: Job, rule: Rule, rng: np.random.Generator, excluded: set[int]
    ) -> AsyncGenerator[Chunk, None]:
        """Chunks until the text ends, or to a token that is refused, which is then `excluded`."""
        tokens = self._started(tuple(run.tokens))
        begin = len(run.tokens)
        with _carried(rule) as number, _captured(job.top_logprobs is not None) as rows:
            parameters = _parameters(job, run.left, int(rng.integers(2**63)), number, rows)
            async with aclosing(self._engine.draw(tokens, parameters)) as drawing:
                async for drawn in drawing:
                    run.model_passes += bool(drawn.tokens)
                    for token in drawn.tokens:
                        if rule.failure is not None:
                            raise rule.failure
                        run.model_calls += 1
                        if run.course.after(token) is None:
                            excluded.add(token)
                            return
                        row = None if rows is None else ROWS[rows].pop(len(run.tokens) - begin)
                        if excluded and row is not None:
                            row = await self._row(tokens)  # this one lacks what was excluded
                        excluded.clear()
                        chunk = run.put(token, row)
                        if chunk is not None:
                            yield chunk
                        if run.reason is not None:
                            return
                    if drawn.finish is not None:
                        raise BackendFailed(f"{self.name}: the engine ended with {drawn.finish}")

    async def _row(self, prefix: tuple[int, ...]) -> Logits:
        """The scores of what follows a prefix."""
        settings: dict[str, Any] = {"max_tokens": 1, "temperature": 0.0, "ignore_eos": True}
        settings |= {"detokenize": False, "output_kind": RequestOutputKind.FINAL_ONLY}
        if not self._captures:
            parameters = SamplingParams(**settings, logprobs=-1, flat_logprobs=True)
            async with aclosing(self._engine.draw(prefix, parameters)) as drawing:
                drawn = await anext(drawing)
            return _spread(drawn.logprobs, len(self.vocabulary))
        with _captured(True) as rows:
            parameters = SamplingParams(**settings, extra_args={KEY: rows})
            async with aclosing(self._engine.draw(prefix, parameters)) as drawing:
                async for _ in drawing:
                    pass
            if rows is None or 0 not in ROWS[rows]:
                raise BackendFailed(f"{self.name}: the engine gave no scores")
            return ROWS[rows][0]

    def _started(self, prefix: tuple[int, ...]) -> tuple[int, ...]:
        """The prefix behind the start of a text, if it does not begin with it itself."""
        start = self._reading.start_ids
        if prefix and prefix[: len(start)] == start:
            return prefix
        return (start or self._reading.empty_ids) + prefix


class _Walk:
    """Follows an output through its rule."""

    def __init__(self, masker: Masker | None, state: State | None, seen: int) -> None:
        self._masker = masker
        self._state = masker.start() if masker is not None and state is None else state or 0
        self._seen = seen

    def skip(self, tokens: int) -> None:
        """Tokens that the state is behind already."""
        self._seen += tokens

    def to(self, tokens: Sequence[int]) -> State:
        """The state after these tokens, of which earlier ones have been walked."""
        for token in tokens[self._seen :] if self._masker is not None else ():
            state = self._masker.walk(self._state, token)  # type: ignore[union-attr]
            assert state is not None  # the course has admitted it
            self._state = state
        self._seen = len(tokens)
        return self._state


@contextmanager
def _carried(rule: Rule) -> Iterator[str]:
    """The number under which the engine finds a rule, while it needs it."""
    number = str(next(_NUMBERS))
    RULES[number] = rule
    try:
        yield number
    finally:
        del RULES[number]


@contextmanager
def _captured(is_wanted: bool) -> Iterator[int | None]:
    """The number under which rows are kept, while somebody takes them."""
    if not is_wanted:
        yield None
        return
    number = next(_NUMBERS)
    ROWS[number] = {}
    try:
        yield number
    finally:
        del ROWS[number]


def _parameters(
    job: Job, max_tokens: int, seed: int, number: str, rows: int | None
) -> SamplingParams:
    sampling = job.sampling
    # A rule may have an end in the middle of a text as a token of its own.
    is_plain = job.masker is None or not job.masker.has_specials
    ends = job.ends.union(() if job.masker is None else job.masker.vocabulary.eos_ids)
    return SamplingParams(
        max_tokens=max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        repetition_penalty=sampling.repetition_penalty,
        logit_bias=dict(sampling.logit_bias) or None,
        seed=seed,
        stop_token_ids=sorted(ends) if is_plain else None,
        ignore_eos=not is_plain,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
        structured_outputs=StructuredOutputsParams(regex=number),
        extra_args=None if rows is None else {KEY: rows},
    )


def _spread(logprobs: Any, size: int) -> Logits:
    """A row out of the engine's flat log-probabilities of its one token."""
    row = np.full(size, -np.inf, np.float32)
    row[np.asarray(logprobs.token_ids)] = np.asarray(logprobs.logprobs, np.float32)
    return row
