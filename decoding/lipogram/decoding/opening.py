"""How a run begins: the tokens that stand for the text before the cursor."""

from __future__ import annotations

from lipogram.decoding.job import Job
from lipogram.decoding.models.base import CausalModel


def opened(model: CausalModel, job: Job) -> tuple[int, ...]:
    """The prompt's tokens, the text before the cursor included. Raises Unspellable."""
    return job.prompt + tuple(model.vocabulary.encode(job.text))
