"""A request once it is understood: all that is left to do is compile its grammar and run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.job import Job, Written
from lipogram.decoding.masking import Masker
from lipogram.server.constraints import Constraint, Place
from lipogram.server.registry import Served
from lipogram.server.translate.sampling import repeated


@dataclass(frozen=True, slots=True)
class Plan:
    """`n` continuations of each prompt; `job` says how, without prompt and masker.

    The constraint is for the output alone, or with `places`, one for each prompt, for the document
    that the output stands in. Where nothing can stand there, `falls_back` makes the output free.
    Of an ensemble, `other_prompts` has the prompts as each further member reads them.
    """

    served: Served
    prompts: tuple[Prompt, ...]
    n: int
    job: Job
    constraint: Constraint | None
    places: tuple[Place, ...] = ()
    falls_back: bool = False
    other_prompts: tuple[tuple[Prompt, ...], ...] = ()

    def jobs(self, maskers: Sequence[Masker | None]) -> list[Job]:
        """The jobs in the order of OpenAI's choices: all of the first prompt, then the next.

        Each prompt has its masker.
        """
        job = self.job
        if job.drafters is None and self.served.drafting is not None:
            is_middle = bool(job.ends) and self.constraint is None
            drafters = self.served.drafting.chain(None, job.byte_mode, is_middle)
            job = replace(job, drafters=drafters)
        return [
            each
            for place, (prompt, masker) in enumerate(zip(self.prompts, maskers, strict=True))
            for each in repeated(
                replace(
                    job,
                    prompt=prompt.tokens,
                    text=prompt.text,
                    masker=masker,
                    written=None if masker is None else self._written(),
                    other_prompts=tuple(prompts[place] for prompts in self.other_prompts),
                ),
                self.n,
            )
        ]

    def _written(self) -> Written | None:
        """The constraint, where it is one grammar for the output alone and has no options."""
        if self.constraint is None or self.places or len(self.constraint.sources) != 1:
            return None
        [source] = self.constraint.sources
        is_whole = self.constraint.bare or not self.constraint.calls
        return (
            Written(source.syntax, source.definition)
            if is_whole and not source.options.given
            else None
        )
