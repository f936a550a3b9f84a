"""What clients of llama.cpp's server send, and what they are answered.

Members that are accepted without effect change at most how fast an answer comes on that server:
`docs/http.md` lists them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from lipogram.server.wire.common import (
    Count,
    CursorOptions,
    Least,
    Penalty,
    Refused,
    Reply,
    Request,
    Seed,
    StopTexts,
    StreamOptions,
    TokenId,
    Unconstrained,
    Unit,
)

Many = Annotated[int, Field(ge=1, le=16)]


class ExtraFile(Request):
    """A part of another file; `time` says when it was looked at, and is not needed."""

    filename: str | None = None
    text: str
    time: Any = None


class LlamaCppOptions(CursorOptions):
    """The members of both of llama.cpp's endpoints."""

    model: str | None = None
    n_predict: Least | None = None
    max_tokens: Count | None = None
    n_cmpl: Many | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_k: Least | None = None
    top_p: Unit | None = None
    min_p: Unit | None = None
    repeat_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = None
    repeat_last_n: Literal[-1] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    seed: Seed | None = None
    stop: StopTexts | None = None
    ignore_eos: bool | None = None
    grammar: str | None = None
    json_schema: dict[str, Any] | bool | None = None
    samplers: Annotated[list[str], Field(max_length=32)] | None = None
    n_probs: Annotated[int, Field(ge=0, le=20)] | None = None
    n_indent: Count | None = None
    t_max_predict_ms: Least | None = None
    stream: bool | None = None
    response_fields: Annotated[list[str], Field(max_length=64)] | None = None
    return_tokens: bool | None = None
    cache_prompt: bool | None = None
    id_slot: int | None = None
    t_max_prompt_ms: int | None = None
    lora: Annotated[list[Any], Field(max_length=0)] | None = None
    post_sampling_probs: Refused = None

    @property
    def stream_options(self) -> StreamOptions | None:
        """llama.cpp has none: the last chunk has all counts."""
        return None


class InfillRequest(LlamaCppOptions):
    """llama.cpp's `/infill`: `prompt` stands between the prefix and the cursor."""

    input_prefix: str
    input_suffix: str
    input_extra: Annotated[list[ExtraFile], Field(fail_fast=True, max_length=512)] | None = None
    prompt: str | None = None


class LlamaCppCompletionRequest(LlamaCppOptions):
    """llama.cpp's `/completion`: a text, or texts and tokens mixed."""

    prompt: str | Annotated[list[TokenId | str], Field(fail_fast=True, min_length=1)]


class Timings(Reply):
    """How long the parts of an answer took."""

    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float
    predicted_per_second: float


class Probability(Reply):
    """A token with its log-probability, and the likeliest at its place."""

    id: int
    token: str
    bytes: list[int]
    logprob: float
    top_logprobs: list[Probability] | None = None


class LlamaCppChunk(Reply):
    """A piece of llama.cpp's answer; the members beyond `tokens_evaluated` come with the last."""

    index: int
    content: str
    tokens: list[int]
    stop: bool
    id_slot: int
    tokens_predicted: int
    tokens_evaluated: int
    completion_probabilities: list[Probability] | None = None
    model: str | None = None
    generation_settings: dict[str, float | int | str | bool | None] | None = None
    has_new_line: bool | None = None
    truncated: bool | None = None
    stop_type: Literal["none", "eos", "word", "limit"] | None = None
    stopping_word: str | None = None
    tokens_cached: int | None = None
    timings: Timings | None = None
    unconstrained: Unconstrained | None = None


class LlamaCppReply(RootModel[LlamaCppChunk | list[LlamaCppChunk] | dict[str, Any] | list[Any]]):
    """The whole answer: one, or a list where several were asked for; or the fields asked for."""


class LlamaCppFault(Reply):
    """What went wrong; `code` is the status."""

    code: int
    message: str
    type: str


class LlamaCppError(Reply):
    """llama.cpp's error."""

    error: LlamaCppFault
