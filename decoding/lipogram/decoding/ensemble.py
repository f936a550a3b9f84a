"""Several models behind one name, each with its own vocabulary, prompt and end symbols."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import numpy as np

from lipogram.decoding.bytes import full
from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.errors import InvalidEnsemble, UnsupportedJob
from lipogram.decoding.events import Event
from lipogram.decoding.job import Job
from lipogram.decoding.models.base import CausalModel


class Ensemble:
    """Generates byte by byte from the law that the models' laws of bytes make together.

    Models need nothing in common but that they end texts: all ends are one symbol. `max_tokens`
    and usage count the first member's tokens, in which `Job.masker` may be stated as well.
    """

    def __init__(self, models: Sequence[CausalModel], mixing: Mixing | None = None) -> None:
        """Raises InvalidEnsemble."""
        self.models = tuple(models)
        self.mixing = mixing or Mixing()
        if len(self.models) < 2:
            raise InvalidEnsemble(f"expected at least two members, found {len(self.models)}")
        self.mixing.check(len(self.models))
        for model in self.models:
            if not model.vocabulary.eos_ids:
                raise InvalidEnsemble(
                    f"{model.name!r} has no token that ends a text, so it shares no end with others"
                )

    async def generate(self, job: Job) -> AsyncGenerator[Event, None]:
        """See `Autoregressive.generate`; the job's `other_prompts` are those of further members.

        Raises what that does for byte_mode "full", and UnsupportedJob for a job by tokens.
        """
        self._check(job)
        seed = job.sampling.seed
        rng = np.random.default_rng(None if seed is None else seed % 2**64)
        async with aclosing(full.generate(self.models, job, rng, self.mixing)) as events:
            async for event in events:
                yield event

    def _check(self, job: Job) -> None:
        if len(job.other_prompts) != len(self.models) - 1:
            raise ValueError(
                f"expected {len(self.models) - 1} other prompts, found {len(job.other_prompts)}"
            )
        if job.byte_mode != "full":
            raise UnsupportedJob(f"an ensemble has byte_mode full, found {job.byte_mode}")
        if job.masker is not None and job.projection != "byte":
            raise UnsupportedJob(f"an ensemble has projection byte, found {job.projection}")
        if job.infill is not None:
            raise UnsupportedJob("an ensemble fills no holes")
        if job.faithful is not None:
            raise UnsupportedJob("an ensemble has no faithful sampling")
        if job.echo_logprobs:
            raise UnsupportedJob("an ensemble does not score prompts: their tokens are not shared")
