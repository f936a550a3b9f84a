"""`/v1/chat/completions`: the answer, whole or in chunks. Members not set are left out."""

from __future__ import annotations

from typing import Literal

from lipogram.server.wire.common import Canvas, Reply, SamplingEvidence, Unconstrained, Usage


class Score(Reply):
    """A token with its log-probability; `bytes` are its UTF-8 bytes."""

    token: str
    logprob: float
    bytes: list[int]


class TokenScore(Score):
    """A token of the answer, and the likeliest at its place."""

    top_logprobs: list[Score]


class ChatLogprobs(Reply):
    """Scores of the tokens of the content."""

    content: list[TokenScore] | None
    refusal: None = None


class FunctionPart(Reply):
    """Name and arguments of a call; a chunk carries what is new."""

    name: str | None = None
    arguments: str


class CustomPart(Reply):
    """Name and input of a call; a chunk carries what is new."""

    name: str | None = None
    input: str


class ToolCall(Reply):
    """A call of a tool; `index` and partial members only in chunks."""

    index: int | None = None
    id: str | None = None
    type: Literal["function", "custom"] | None = None
    function: FunctionPart | None = None
    custom: CustomPart | None = None


class ChatMessage(Reply):
    """The assistant's message; in a chunk, what is new of it."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None


FinishReason = Literal["stop", "length", "tool_calls"]


class ChatChoice(Reply):
    """One answer; `unconstrained` is for those that fill in a middle."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason
    unconstrained: Unconstrained | None = None
    sampling: SamplingEvidence | None = None


class ChatReply(Reply):
    """The whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage


class ChunkChoice(Reply):
    """What is new of one answer."""

    index: int
    delta: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason | None
    unconstrained: Unconstrained | None = None
    sampling: SamplingEvidence | None = None
    canvas: Canvas | None = None


class ChatChunk(Reply):
    """One chunk of a stream; the last one may have no choices but the usage."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
