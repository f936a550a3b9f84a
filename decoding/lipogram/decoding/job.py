"""What to do: one generation, fully described, with nothing of HTTP in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lipogram.decoding.masking import Masker


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is drawn from the scores.

    Order: logit_bias, penalties, grammar mask, temperature, top_k, top_p, min_p, draw.
    `temperature` 0 is greedy; `top_k` 0, `top_p` 1, `min_p` 0 and penalties at their neutral
    values switch the step off. Penalties count tokens of the output (repetition: prompt too).
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Continue `prompt` (token ids) under `masker`'s rule, if any.

    `max_tokens` bounds the output, None means what the context leaves. `stop` strings end the
    output before the first occurrence; they are looked for in unconstrained output and in
    constrained output only where the text before them is complete. `top_logprobs` None: no
    log-probabilities; k: the chosen token's and the k best. `echo_logprobs` scores the prompt too.
    """

    prompt: tuple[int, ...]
    masker: Masker | None = None
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    stop: tuple[bytes, ...] = ()
    top_logprobs: int | None = None
    echo_logprobs: bool = False
    ignore_eos: bool = False
