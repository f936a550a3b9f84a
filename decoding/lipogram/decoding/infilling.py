"""Several holes by a causal model: one after the other, each seeing all the text around it.

Every hole has a prompt of its own in the model's infilling format, where the holes behind it are
as if they were not there. That what fills it leaves a way to fill those, within their budgets, the
rule sees to: a `Canvas` of the whole text. A hole begins and ends where tokens do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import numpy as np

from lipogram.decoding.errors import ContextTooLong
from lipogram.decoding.events import Event, Finish, Usage
from lipogram.decoding.fill_in_middle import FillInMiddle
from lipogram.decoding.filler import Filler, check
from lipogram.decoding.filling import Filling
from lipogram.decoding.job import Infill, Job
from lipogram.decoding.models.base import CausalModel, Query
from lipogram.decoding.slots import slots_of


async def generate(
    model: CausalModel, job: Job, infill: Infill, rng: np.random.Generator
) -> AsyncGenerator[Event, None]:
    """Chunks, token by token, then one Finish.

    Raises NoInfilling, UnsupportedJob, ContextTooLong, Unfillable, HolesTooSmall, Unspellable,
    BackendFailed.
    """
    check(job, "a text with holes")
    run = await asyncio.to_thread(_Run, model, job, infill, rng)
    filling = run.filling
    for hole, slots in enumerate(filling.holes):
        for chunk in filling.chunks(slots.start):
            yield chunk
        prompt = run.prompt(hole)
        while masked := filling.masked(slots):
            slot = masked[0]
            [rows] = await model.logits([Query((*prompt, *filling.tokens[slots.start : slot]))])
            run.model_calls += 1
            await asyncio.to_thread(run.filler.fill, [slot], rows, 1, "confidence")
            for chunk in filling.chunks(slot + 1):
                yield chunk
    for chunk in filling.chunks(len(filling.tokens)):
        yield chunk
    yield run.finish()


class _Run:
    """One text on its way."""

    def __init__(
        self, model: CausalModel, job: Job, infill: Infill, rng: np.random.Generator
    ) -> None:
        vocabulary = model.vocabulary
        self._job = job
        self._vocabulary = vocabulary
        self._format = FillInMiddle(vocabulary)
        slots = slots_of(job.masker, vocabulary, infill)
        self.filling = Filling(vocabulary, infill.segments, infill.max_tokens, slots)
        self.filler = Filler(
            self.filling,
            vocabulary,
            job.sampling,
            rng,
            ends=self._format.ends,
            ignore_eos=job.ignore_eos,
            has_specials=job.masker is not None and job.masker.has_specials,
        )
        self.model_calls = 0
        longest = len(self.prompt(0)) + len(self.filling.tokens)
        if longest > model.context_tokens:
            raise ContextTooLong(
                f"the text and its holes take {longest} tokens, more than the model's window of"
                f" {model.context_tokens} tokens"
            )

    def prompt(self, hole: int) -> tuple[int, ...]:
        """The tokens after which the hole's follow."""
        before, behind = self.filling.around(hole)
        prefix = (self._job.text + before).decode(errors="replace")
        prompt = self._format.prompt(prefix, behind.decode(errors="replace"))
        return (*self._job.prompt, *prompt.tokens, *self._vocabulary.encode(prompt.text))

    def finish(self) -> Finish:
        """The last event."""
        filling = self.filling
        usage = Usage(
            prompt_tokens=len(self._job.prompt)
            + len(self._vocabulary.encode(self._job.text))
            + filling.segment_tokens,
            completion_tokens=filling.count,
            model_calls=self.model_calls,
            witness_tokens=self.filler.witness_tokens,
        )
        return Finish("length" if filling.is_spent else "stop", usage)
