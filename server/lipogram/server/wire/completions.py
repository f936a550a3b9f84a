"""`/v1/completions`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lipogram.server.wire.common import (
    Count,
    CursorOptions,
    Reply,
    Sampling,
    TokenId,
    Unconstrained,
    Usage,
)

_FEW = Field(fail_fast=True, min_length=1, max_length=128)
Tokens = Annotated[list[TokenId], Field(fail_fast=True, min_length=1)]
Prompts = Annotated[list[str], _FEW] | Annotated[list[Tokens], _FEW]


class CompletionRequest(CursorOptions, Sampling):
    """Continue each prompt."""

    model: str
    prompt: str | Tokens | Prompts | None = None
    suffix: str | None = None
    max_tokens: Count | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    best_of: Annotated[int, Field(ge=1, le=128)] | None = None


class CompletionLogprobs(Reply):
    """OpenAI's older shape: four lists of one length; offsets count characters."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(Reply):
    """One continuation, or in a stream a piece of one; `unconstrained` comes with the last."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    unconstrained: Unconstrained | None = None


class CompletionReply(Reply):
    """The answer, or in a stream one chunk of it."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: Usage | None = None
