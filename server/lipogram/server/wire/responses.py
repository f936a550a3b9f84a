"""`/v1/responses`: the request. Nothing is stored, so nothing earlier can be referred to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from lipogram.server.wire.chat import GrammarFormat, JsonObjectFormat, TextFormat
from lipogram.server.wire.common import (
    Count,
    DenoisingOptions,
    Draft,
    JsonOptions,
    Mixed,
    No,
    Refused,
    Request,
    StreamOptions,
    StructuredOutputs,
)
from lipogram.server.wire.tools import Name, ToolGrammar
from lipogram.server.wire.tools import TextFormat as TextInput

ItemStatus = Literal["in_progress", "completed", "incomplete"]


class InputText(Request):
    """A part of a message that is text."""

    type: Literal["input_text"]
    text: str
    prompt_cache_breakpoint: Refused = None


class OutputText(Request):
    """A part of an earlier answer, sent back as it came."""

    type: Literal["output_text"]
    text: str
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None
    logprobs: list[Any] | None = None


class OutputRefusal(Request):
    """A part of an earlier answer that is a refusal."""

    type: Literal["refusal"]
    refusal: str


Parts = Annotated[
    list[Annotated[InputText | OutputText | OutputRefusal, Field(discriminator="type")]],
    Field(fail_fast=True, min_length=1),
]
Output = str | Annotated[list[InputText], Field(fail_fast=True, min_length=1)]


class InputMessage(Request):
    """One message of the conversation; `type` may be left out."""

    type: Literal["message"] | None = None
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Parts
    id: str | None = None
    status: ItemStatus | None = None
    phase: Literal["commentary", "final_answer"] | None = None


class PastFunctionCall(Request):
    """An earlier call of a function."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: ItemStatus | None = None
    caller: Refused = None
    namespace: Refused = None


class FunctionCallOutput(Request):
    """What a function that was called answered."""

    type: Literal["function_call_output"]
    call_id: str
    output: Output
    id: str | None = None
    status: ItemStatus | None = None
    caller: Refused = None


class PastCustomCall(Request):
    """An earlier call of a custom tool."""

    type: Literal["custom_tool_call"]
    call_id: str
    name: str
    input: str
    id: str | None = None
    status: ItemStatus | None = None
    caller: Refused = None
    namespace: Refused = None


class CustomCallOutput(Request):
    """What a custom tool that was called answered."""

    type: Literal["custom_tool_call_output"]
    call_id: str
    output: Output
    id: str | None = None
    status: ItemStatus | None = None
    caller: Refused = None


def _kind(item: object) -> str:
    kind = item.get("type") if isinstance(item, dict) else getattr(item, "type", None)
    return "message" if kind is None else str(kind)


Item = Annotated[
    Annotated[InputMessage, Tag("message")]
    | Annotated[PastFunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[PastCustomCall, Tag("custom_tool_call")]
    | Annotated[CustomCallOutput, Tag("custom_tool_call_output")],
    Discriminator(_kind),
]


class JsonSchemaFormat(JsonOptions):
    """JSON that a schema accepts; it is enforced whether `strict` or not."""

    type: Literal["json_schema"]
    name: Name
    schema_: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None


class TextOptions(Request):
    """What the text of the answer must obey."""

    format: (
        Annotated[
            TextFormat | JsonObjectFormat | JsonSchemaFormat | GrammarFormat,
            Field(discriminator="type"),
        ]
        | None
    ) = None
    verbosity: Refused = None


class FunctionTool(Request):
    """A function whose arguments are a JSON object of the schema `parameters`."""

    type: Literal["function"]
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    allowed_callers: Refused = None
    defer_loading: No | None = None
    output_schema: Refused = None


class GrammarInput(ToolGrammar):
    """Input that obeys a grammar."""

    type: Literal["grammar"]


class CustomTool(Request):
    """A tool that is called with text."""

    type: Literal["custom"]
    name: Name
    description: str | None = None
    format: Annotated[TextInput | GrammarInput, Field(discriminator="type")] | None = None
    allowed_callers: Refused = None
    defer_loading: No | None = None


Tool = Annotated[FunctionTool | CustomTool, Field(discriminator="type")]


class Chosen(Request):
    """This tool is to be called."""

    type: Literal["function", "custom"]
    name: str


class ChosenAllowed(Request):
    """Only these tools may be called."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: Annotated[list[Chosen], Field(min_length=1, max_length=128)]


class Reasoning(Request):
    """No model here reasons before it answers."""

    effort: Literal["none"] | None = None
    summary: Refused = None
    generate_summary: Refused = None
    context: Refused = None
    mode: Refused = None


class ResponsesRequest(Mixed):
    """Answer a conversation, in the newer dialect; from `seed` on, members are of our own."""

    model: str
    input: str | Annotated[list[Item], Field(fail_fast=True, min_length=1, max_length=4096)]
    instructions: str | None = None
    max_output_tokens: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    text: TextOptions | None = None
    tools: Annotated[list[Tool], Field(fail_fast=True, max_length=128)] | None = None
    tool_choice: (
        Literal["none", "auto", "required"]
        | Annotated[Chosen | ChosenAllowed, Field(discriminator="type")]
        | None
    ) = None
    parallel_tool_calls: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = (
        None
    )
    stream: bool | None = None
    obfuscation: StreamOptions | None = Field(None, alias="stream_options")
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    service_tier: Literal["auto", "default"] | None = None
    reasoning: Reasoning | None = None
    truncation: Literal["disabled"] | None = None
    store: No | None = None
    background: No | None = None
    context_management: Refused = None
    conversation: Refused = None
    max_tool_calls: Refused = None
    moderation: Refused = None
    previous_response_id: Refused = None
    prompt: Refused = None
    prompt_cache_options: Refused = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    structured_outputs: StructuredOutputs | None = None
    draft: Draft | None = None
    denoising: DenoisingOptions | None = None

    @property
    def stream_options(self) -> StreamOptions | None:
        """The last event has the usage whatever the options say."""
        return None
