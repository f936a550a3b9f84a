"""`/v1/chat/completions`: the request."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lipogram.server.wire.common import (
    Count,
    DenoisingOptions,
    JsonOptions,
    LarkOrGbnf,
    Mixed,
    Refused,
    Request,
    Sampling,
)
from lipogram.server.wire.tools import PastCall, Tool, ToolChoice


class TextPart(Request):
    """A part of a message that is text."""

    type: Literal["text"]
    text: str


class RefusalPart(Request):
    """A part of an assistant's message that is a refusal."""

    type: Literal["refusal"]
    refusal: str


Parts = Annotated[list[TextPart], Field(fail_fast=True, min_length=1)]
AssistantParts = Annotated[
    list[Annotated[TextPart | RefusalPart, Field(discriminator="type")]],
    Field(fail_fast=True, min_length=1),
]


class SystemMessage(Request):
    """Instructions."""

    role: Literal["system"]
    content: str | Parts
    name: str | None = None


class DeveloperMessage(Request):
    """Instructions, by their newer name."""

    role: Literal["developer"]
    content: str | Parts
    name: str | None = None


class UserMessage(Request):
    """What a person says."""

    role: Literal["user"]
    content: str | Parts
    name: str | None = None


class AssistantMessage(Request):
    """What the model said earlier; an answer may be sent back as it came."""

    role: Literal["assistant"]
    content: str | AssistantParts | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: list[PastCall] | None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None
    audio: Refused = None
    function_call: Refused = None


class ToolMessage(Request):
    """What a tool that was called answered."""

    role: Literal["tool"]
    content: str | Parts
    tool_call_id: str
    name: str | None = None


Message = Annotated[
    SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage,
    Field(discriminator="role"),
]


class JsonSchema(JsonOptions):
    """A named JSON Schema; it is enforced whether `strict` or not."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class TextFormat(Request):
    """Any text."""

    type: Literal["text"]


class JsonObjectFormat(Request):
    """Any JSON object."""

    type: Literal["json_object"]


class JsonSchemaFormat(Request):
    """JSON that a schema accepts."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


class GrammarFormat(Request):
    """Text of a grammar; a bare string is taken for Lark if it is Lark, else for GBNF."""

    type: Literal["grammar"]
    grammar: str | LarkOrGbnf


ResponseFormat = Annotated[
    TextFormat | JsonObjectFormat | JsonSchemaFormat | GrammarFormat,
    Field(discriminator="type"),
]


class Prediction(Request):
    """A text that the answer is likely to repeat; its tokens are checked many at a time."""

    type: Literal["content"]
    content: str | Parts


class ChatRequest(Mixed, Sampling):
    """Answer a conversation."""

    model: str
    messages: Annotated[list[Message], Field(fail_fast=True, min_length=1, max_length=4096)]
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    denoising: DenoisingOptions | None = None
    tools: Annotated[list[Tool], Field(fail_fast=True, max_length=128)] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    modalities: list[Literal["text"]] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    audio: Refused = None
    function_call: Refused = None
    functions: Refused = None
    moderation: Refused = None
    prediction: Prediction | None = None
    prompt_cache_options: Refused = None
    reasoning_effort: Literal["none"] | None = None
    verbosity: Refused = None
    web_search_options: Refused = None
