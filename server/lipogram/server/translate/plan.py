"""A request once it is understood: all that is left to do is compile its grammar and run it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.job import Job
from lipogram.decoding.masking import Masker
from lipogram.server.constraints import Constraint
from lipogram.server.registry import Served
from lipogram.server.translate.sampling import repeated


@dataclass(frozen=True, slots=True)
class Plan:
    """`n` continuations of each prompt; `job` says how, without prompt and masker."""

    served: Served
    prompts: tuple[Prompt, ...]
    n: int
    job: Job
    constraint: Constraint | None

    def jobs(self, masker: Masker | None) -> list[Job]:
        """The jobs in the order of OpenAI's choices: all of the first prompt, then the next."""
        base = replace(self.job, masker=masker)
        return [
            job
            for prompt in self.prompts
            for job in repeated(replace(base, prompt=prompt.tokens, text=prompt.text), self.n)
        ]
