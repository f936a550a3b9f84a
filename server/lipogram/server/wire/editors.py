"""What editors send in the dialects of other servers, and what they are answered.

Members that are accepted without effect change at most how fast an answer comes, on the server
that they were made for: `docs/http.md` lists them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel, StrictInt, StrictStr

from lipogram.server.wire.common import (
    MAX_COUNT,
    Count,
    CursorOptions,
    Fault,
    Refused,
    Reply,
    Request,
    Sampling,
    StopTexts,
    StreamOptions,
    TokenId,
    Unconstrained,
)

_Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Unit = Annotated[float, Field(ge=0, le=1)]
_Penalty = Annotated[float, Field(ge=-2, le=2)]
_Least = Annotated[int, Field(ge=-1, le=MAX_COUNT)]
Many = Annotated[int, Field(ge=1, le=16)]


class ExtraFile(Request):
    """A part of another file; `time` says when it was looked at, and is not needed."""

    filename: str | None = None
    text: str
    time: Any = None


class LlamaCppOptions(CursorOptions):
    """The members of both of llama.cpp's endpoints."""

    model: str | None = None
    n_predict: _Least | None = None
    max_tokens: Count | None = None
    n_cmpl: Many | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_k: _Least | None = None
    top_p: _Unit | None = None
    min_p: _Unit | None = None
    repeat_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = None
    repeat_last_n: Literal[-1] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    seed: _Seed | None = None
    stop: StopTexts | None = None
    ignore_eos: bool | None = None
    grammar: str | None = None
    json_schema: dict[str, Any] | bool | None = None
    samplers: Annotated[list[str], Field(max_length=32)] | None = None
    n_probs: Annotated[int, Field(ge=0, le=20)] | None = None
    n_indent: Count | None = None
    t_max_predict_ms: _Least | None = None
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


class MistralError(Fault):
    """Mistral's error."""

    object: Literal["error"] = "error"


class OllamaError(Reply):
    """Ollama's error."""

    error: str


class FimRequest(CursorOptions, Sampling):
    """Mistral's `/v1/fim/completions`, which is answered like a conversation."""

    model: str
    prompt: str
    suffix: str | None = None
    max_tokens: Count | None = None
    min_tokens: Literal[0] | None = None
    random_seed: _Seed | None = None


class OllamaOptions(Request):
    """Ollama's `options`; those about how a model is loaded have no effect."""

    num_predict: Annotated[int, Field(ge=-2, le=MAX_COUNT)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_k: _Least | None = None
    top_p: _Unit | None = None
    min_p: _Unit | None = None
    repeat_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = None
    repeat_last_n: Literal[-1] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    seed: _Seed | None = None
    stop: StopTexts | None = None
    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    num_thread: int | None = None
    num_keep: int | None = None
    use_mmap: bool | None = None


class GenerateRequest(CursorOptions):
    """Ollama's `/api/generate`."""

    model: str
    prompt: str = ""
    suffix: str | None = None
    system: str | None = None
    format: Literal["", "json"] | dict[str, Any] | None = None
    raw: bool | None = None
    stream: bool | None = True
    options: OllamaOptions | None = None
    keep_alive: StrictInt | StrictStr | float | None = None
    think: Literal[False] | None = None
    images: Annotated[list[str], Field(max_length=0)] | None = None
    template: Refused = None
    context: Annotated[list[int], Field(max_length=0)] | None = None

    @property
    def stream_options(self) -> StreamOptions | None:
        """Ollama has none: the last line has all counts."""
        return None


class GenerateReply(Reply):
    """A line of Ollama's answer; counts and nanoseconds come with the last."""

    model: str
    created_at: str
    response: str
    done: bool
    done_reason: Literal["stop", "length"] | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None
    unconstrained: Unconstrained | None = None


class TagDetails(Reply):
    """What Ollama says about a model's file; ours are of no such format."""

    parent_model: str = ""
    format: str = "lipogram"
    family: str = ""
    families: tuple[str, ...] = ()
    parameter_size: str = ""
    quantization_level: str = ""


class Tag(Reply):
    """A model in Ollama's list."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: TagDetails


class Tags(Reply):
    """Ollama's list of models."""

    models: list[Tag]


class Version(Reply):
    """A version."""

    version: str


class Snippet(Request):
    """A piece of another file."""

    filepath: str
    body: str
    score: float | None = None


class Segments(Request):
    """Tabby's document: what is before and behind the cursor; pieces of other files."""

    prefix: str
    suffix: str | None = None
    filepath: str | None = None
    git_url: str | None = None
    declarations: list[Snippet] | None = None
    relevant_snippets_from_changed_files: list[Snippet] | None = None
    relevant_snippets_from_recently_opened_files: list[Snippet] | None = None
    clipboard: str | None = None


class TabbyRequest(CursorOptions):
    """Tabby's `/v1/completions`, which is OpenAI's path: `segments` tells it apart."""

    segments: Segments
    language: str | None = None
    user: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    seed: _Seed | None = None
    mode: Literal["standard"] | None = None
    debug_options: Refused = None

    @property
    def stream(self) -> bool | None:
        """Tabby has no streams."""
        return False

    @property
    def stream_options(self) -> StreamOptions | None:
        """Tabby has no streams."""
        return None


class TabbyChoice(Reply):
    """A middle."""

    index: int
    text: str


class TabbyReply(Reply):
    """Tabby's answer, which is never streamed."""

    id: str
    choices: list[TabbyChoice]
    mode: Literal["standard"] = "standard"


class TabbyVersion(Reply):
    """What Tabby calls its build."""

    build_date: str
    build_timestamp: str
    git_sha: str
    git_describe: str


class TabbyHealth(Reply):
    """Tabby's `/v1/health`."""

    model: str
    chat_model: str
    device: str
    arch: str
    cpu_info: str
    cpu_count: int
    cuda_devices: list[str]
    version: TabbyVersion
