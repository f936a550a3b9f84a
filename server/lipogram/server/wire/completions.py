"""`/v1/completions`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lipogram.server.wire.chat import ResponseFormat
from lipogram.server.wire.common import (
    MAX_COUNT,
    Canvas,
    Count,
    CursorOptions,
    DenoisingOptions,
    Reply,
    Request,
    Sampling,
    SamplingEvidence,
    TokenId,
    Unconstrained,
    Usage,
)

_FEW = Field(fail_fast=True, min_length=1, max_length=128)
Tokens = Annotated[list[TokenId], Field(fail_fast=True, min_length=1)]
HoleTokens = Annotated[int, Field(ge=1, le=MAX_COUNT)]
Prompts = Annotated[list[str], _FEW] | Annotated[list[Tokens], _FEW]


class InfillOptions(Request):
    """A text with a hole between each two segments, of at most so many tokens; one number for all.

    The rule of the request is that of the whole text.
    """

    segments: Annotated[list[str], Field(fail_fast=True, min_length=2, max_length=129)]
    max_tokens: HoleTokens | Annotated[list[HoleTokens], Field(fail_fast=True)] | None = None


class CompletionRequest(CursorOptions, Sampling):
    """Continue each prompt, or fill in the holes of a text that may have a prompt before it."""

    model: str
    prompt: str | Tokens | Prompts | None = None
    suffix: str | None = None
    max_tokens: Count | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    infill: InfillOptions | None = None
    denoising: DenoisingOptions | None = None
    response_format: ResponseFormat | None = None
    best_of: Annotated[int, Field(ge=1, le=128)] | None = None


class CompletionLogprobs(Reply):
    """OpenAI's older shape: four lists of one length; offsets count characters."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(Reply):
    """One continuation, or in a stream a piece of one; `unconstrained` comes with the last.

    Of a text with holes, `fillings` are the texts in them; in a stream, they come with the last.
    """

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    unconstrained: Unconstrained | None = None
    sampling: SamplingEvidence | None = None
    fillings: list[str] | None = None
    canvas: Canvas | None = None


class CompletionReply(Reply):
    """The answer, or in a stream one chunk of it."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage | None = None
