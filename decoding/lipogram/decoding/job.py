"""What to do: one generation, fully described, with nothing of HTTP in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.masking import Masker

if TYPE_CHECKING:
    from lipogram.decoding.bytes.ratio import Ratio
    from lipogram.decoding.drafting.chain import Chain


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

    @property
    def truncates(self) -> bool:
        """Whether which tokens there are decides which may be drawn."""
        return self.top_k > 0 or self.top_p < 1 or self.min_p > 0


Order: TypeAlias = Literal["confidence", "entropy", "random"]
Lengths: TypeAlias = Literal["likeliest", "full"]


@dataclass(frozen=True, slots=True)
class Denoising:
    """How a masked model fills its slots; models that write from left to right ignore it.

    A block of `block_tokens` slots is filled before the next one is begun. All blocks together
    take `steps` model calls (None: one for each slot), but each at least one. In a block, what the
    model is surest of comes first ("confidence"), or the slot it is surest about ("entropy"), or
    any slot ("random"). Between steps, the share `remask` of a block's tokens, the least sure ones,
    is taken back. `sketches` asks for one after each step.

    A masked model takes a hole to be as long as it is shown. With `lengths` "likeliest" it is shown
    several, for as many calls more, and the one counts of which it is surest; with "full", only the
    end of the hole, drawn like a token, makes it shorter. So it is in any case where nothing stands
    behind a hole: there models are trained to predict an end.
    """

    steps: int | None = None
    order: Order = "confidence"
    block_tokens: int = 32
    remask: float = 0.0
    sketches: bool = False
    lengths: Lengths = "likeliest"


@dataclass(frozen=True, slots=True)
class Infill:
    """A text with holes: `segments`, and between each two a hole of at most so many tokens."""

    segments: tuple[bytes, ...]
    max_tokens: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.segments) != len(self.max_tokens) + 1:
            raise ValueError("expected one segment more than holes")


Boundary: TypeAlias = Literal["exact", "heal", "none"]
ByteMode: TypeAlias = Literal["switch", "full"]
Projection: TypeAlias = Literal["token", "byte"]


@dataclass(frozen=True, slots=True)
class Written:
    """A rule as its author wrote it, for engines that enforce rules themselves."""

    syntax: str
    text: str


@dataclass(frozen=True, slots=True)
class Faithful:
    """What sampling from the model's law given the language may take: texts that are begun.

    First up to so many `attempts` without the rule, then so many weighted `particles` under it.
    """

    attempts: int = 32
    particles: int = 32

    def __post_init__(self) -> None:
        """Raises ValueError unless there are some particles."""
        if self.attempts < 0 or self.particles < 1:
            raise ValueError(f"expected at least 0 attempts and 1 particle, found {self}")


@dataclass(frozen=True, slots=True)
class Job:
    """Continue `prompt` (token ids) and then `text`, under `masker`'s rule, if any.

    `prompt` holds what is fixed: all up to the last special token. `text` is the bytes from there
    to the cursor, tokenized as `boundary` says: "exact" as the model would have, had it known what
    follows; "heal" takes the last `heal_tokens` tokens back and forces their text; "none" ends a
    token at the cursor. The rule begins at the cursor. `byte_mode` "full" draws every byte from the
    law of bytes, where a rule forbids tokens before their bytes are summed (`projection` "token")
    or forbids bytes ("byte"); "switch" goes on by tokens after the cursor.

    `suffix` is what stands behind the output where it must not be repeated: the output ends before
    it (`decoding.echo`). Special tokens `ends` end the output like end-of-sequence. The further
    members of an ensemble have prompts of their own, `other_prompts`. With `faithful` the output is
    drawn from the model's law given the language instead of token by token under its mask.

    `max_tokens` bounds the output, None means what the context leaves. `stop` strings end the
    output before the first occurrence; they are looked for in unconstrained output and in
    constrained output only where the text before them is complete. `written` is the masker's rule
    where it is one text. `top_logprobs` None: no log-probabilities; k: the chosen token's and the
    k best. `echo_logprobs` scores the prompt too.

    With `infill` the output is the whole text of its segments and what fills the holes between
    them, a member of the rule as a whole; `max_tokens`, `suffix` and the members about the cursor
    do not count. `denoising` is for masked models alone.

    `drafters` guess ahead of the model, and `prediction` is a text that the output may repeat:
    both change what an output costs, and neither its law nor, under a seed, the output; `Ratio`,
    for byte_mode full alone, keeps the law.
    """

    prompt: tuple[int, ...]
    masker: Masker | None = None
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    stop: tuple[bytes, ...] = ()
    top_logprobs: int | None = None
    echo_logprobs: bool = False
    ignore_eos: bool = False
    text: bytes = b""
    boundary: Boundary = "exact"
    heal_tokens: int = 1
    byte_mode: ByteMode = "switch"
    projection: Projection = "token"
    suffix: bytes = b""
    ends: frozenset[int] = frozenset()
    written: Written | None = None
    infill: Infill | None = None
    denoising: Denoising = field(default_factory=Denoising)
    drafters: Chain | Ratio | None = None
    prediction: bytes = b""
    other_prompts: tuple[Prompt, ...] = ()
    faithful: Faithful | None = None
