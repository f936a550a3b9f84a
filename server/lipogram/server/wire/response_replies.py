"""`/v1/responses`: the answer, whole or as a stream of events. Members not set are left out."""

from __future__ import annotations

from typing import Any, Literal

from lipogram.server.wire.common import CachedTokens, Reply
from lipogram.server.wire.replies import TokenScore


class TextContent(Reply):
    """The text of a message."""

    type: Literal["output_text"]
    text: str
    annotations: list[Any]
    logprobs: list[TokenScore]


Status = Literal["in_progress", "completed", "incomplete"]


class MessageItem(Reply):
    """An answer in words."""

    type: Literal["message"]
    id: str
    status: Status
    role: Literal["assistant"]
    content: list[TextContent]


class FunctionItem(Reply):
    """A call of a function."""

    type: Literal["function_call"]
    id: str
    call_id: str
    name: str
    arguments: str
    status: Status


class CustomItem(Reply):
    """A call of a custom tool."""

    type: Literal["custom_tool_call"]
    id: str
    call_id: str
    name: str
    input: str
    status: Status


OutputItem = MessageItem | FunctionItem | CustomItem


class ReasoningTokens(Reply):
    """There are none."""

    reasoning_tokens: Literal[0]


class InputTokens(CachedTokens):
    """Of the prompt's tokens, those that were at hand; writing to the cache costs nothing."""

    cache_write_tokens: Literal[0]


class ResponseUsage(Reply):
    """Token counts."""

    input_tokens: int
    input_tokens_details: InputTokens
    output_tokens: int
    output_tokens_details: ReasoningTokens
    total_tokens: int


class Incomplete(Reply):
    """Why an answer ended early; a constrained one obeys its rule all the same."""

    reason: Literal["max_output_tokens"]


class ResponseReply(Reply):
    """The answer; members of the request are given back as they came, or with their defaults."""

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Status
    error: None
    incomplete_details: Incomplete | None
    model: str
    output: list[OutputItem]
    usage: ResponseUsage | None
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    previous_response_id: None
    reasoning: dict[str, None]
    store: Literal[False]
    temperature: float
    text: dict[str, Any]
    tool_choice: Any
    tools: list[Any]
    top_logprobs: int
    top_p: float
    truncation: Literal["disabled"]
    user: str | None


class ResponseEvent(Reply):
    """One event of a stream; its `type` says which members it has."""

    type: str
    sequence_number: int
    response: ResponseReply | None = None
    output_index: int | None = None
    content_index: int | None = None
    item_id: str | None = None
    item: OutputItem | None = None
    part: TextContent | None = None
    delta: str | None = None
    text: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    logprobs: list[TokenScore] | None = None
