"""What Ollama's clients send, and what they are answered.

Members that are accepted without effect change at most how fast an answer comes on that server:
`docs/http.md` lists them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, StrictStr

from lipogram.server.wire.common import (
    MAX_COUNT,
    CursorOptions,
    Least,
    Penalty,
    Refused,
    Reply,
    Request,
    Seed,
    StopTexts,
    StreamOptions,
    Unconstrained,
    Unit,
)


class OllamaOptions(Request):
    """Ollama's `options`; those about how a model is loaded have no effect."""

    num_predict: Annotated[int, Field(ge=-2, le=MAX_COUNT)] | None = None
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


class OllamaError(Reply):
    """Ollama's error."""

    error: str
