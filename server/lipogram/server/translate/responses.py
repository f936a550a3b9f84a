"""`/v1/responses`: the same as chat in other words, so it is put into chat's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from lipogram.server.constraints import Constraint
from lipogram.server.errors import InvalidRequest, RequestError
from lipogram.server.registry import Served
from lipogram.server.translate import chat
from lipogram.server.translate.plan import Plan
from lipogram.server.wire import chat as chats
from lipogram.server.wire import responses as wire
from lipogram.server.wire import tools

_LOGPROBS = "message.output_text.logprobs"
# Where chat's members stand in this dialect; the first that fits counts.
_RENAMED = (
    (r"messages", "input"),
    (r"max_completion_tokens|max_tokens", "max_output_tokens"),
    (r"logprobs", "include"),
    (r"response_format\.json_schema", "text.format"),
    (r"response_format", "text.format"),
    (r"(tools\[\d+\])\.function", r"\1"),
    (r"(tools\[\d+\])\.custom\.format\.grammar", r"\1.format"),
)


def plan(request: wire.ResponsesRequest, served: Served) -> Plan:
    """What the request wants of this model.

    Raises InvalidRequest, PromptTooLong, Unspellable.
    """
    if request.denoising is not None and request.denoising.stream_canvas:
        raise InvalidRequest(
            "no event of this dialect has a canvas: those are on completions and chat",
            param="denoising.stream_canvas",
        )
    try:
        made = chat.plan(_asked(request), served)
    except RequestError as error:
        raise type(error)(error.message, param=renamed(error.param)) from error
    return made if made.constraint is None else replace(made, constraint=_placed(made.constraint))


def _placed(constraint: Constraint) -> Constraint:
    """The constraint with its grammars where this dialect has them."""
    answer = constraint.answer
    return Constraint(
        answer and replace(answer, param=renamed(answer.param)),
        tuple(
            replace(call, payload=replace(call.payload, param=renamed(call.payload.param)))
            for call in constraint.calls
        ),
    )


def renamed(param: str | None) -> str | None:
    """Where a member of chat's requests stands in this dialect."""
    for chats_name, name in _RENAMED:
        if param is not None and re.match(rf"(?:{chats_name})(?![^.\[])", param):
            return re.sub(chats_name, name, param, count=1)
    return param


def _asked(request: wire.ResponsesRequest) -> chats.ChatRequest:
    is_scored = _LOGPROBS in (request.include or ())
    return chats.ChatRequest(
        model=request.model,
        messages=_messages(request),
        max_completion_tokens=request.max_output_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
        logprobs=is_scored or None,
        top_logprobs=request.top_logprobs if is_scored else None,
        response_format=_format(request.text),
        structured_outputs=request.structured_outputs,
        draft=request.draft,
        denoising=request.denoising,
        tools=None if request.tools is None else [_tool(tool) for tool in request.tools],
        tool_choice=_choice(request.tool_choice),
    )


def _messages(request: wire.ResponsesRequest) -> list[chats.Message]:
    told: list[chats.Message] = []
    if request.instructions:
        told.append(chats.SystemMessage(role="system", content=request.instructions))
    if isinstance(request.input, str):
        return [*told, chats.UserMessage(role="user", content=request.input)]
    return [*told, *map(_message, request.input)]


def _message(item: wire.Item) -> chats.Message:
    match item:
        case wire.PastFunctionCall():
            called = tools.CalledFunction(name=item.name, arguments=item.arguments)
            function = tools.FunctionCall(id=item.call_id, type="function", function=called)
            return chats.AssistantMessage(role="assistant", tool_calls=[function])
        case wire.PastCustomCall():
            given = tools.CalledCustom(name=item.name, input=item.input)
            custom = tools.CustomCall(id=item.call_id, type="custom", custom=given)
            return chats.AssistantMessage(role="assistant", tool_calls=[custom])
        case wire.FunctionCallOutput() | wire.CustomCallOutput():
            text = _text(item.output)
            return chats.ToolMessage(role="tool", tool_call_id=item.call_id, content=text)
    text = _text(item.content)
    match item.role:
        case "assistant":
            return chats.AssistantMessage(role="assistant", content=text)
        case "user":
            return chats.UserMessage(role="user", content=text)
        case _:
            return chats.SystemMessage(role="system", content=text)


def _text(
    content: str
    | Sequence[wire.InputText]
    | Sequence[wire.InputText | wire.OutputText | wire.OutputRefusal],
) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(
        part.refusal if isinstance(part, wire.OutputRefusal) else part.text for part in content
    )


def _format(text: wire.TextOptions | None) -> chats.ResponseFormat | None:
    given = text.format if text is not None else None
    if not isinstance(given, wire.JsonSchemaFormat):
        return given
    members = given.model_dump(exclude={"type"}, exclude_unset=True, by_alias=True)
    named = chats.JsonSchema.model_validate(members)
    return chats.JsonSchemaFormat(type="json_schema", json_schema=named)


def _tool(tool: wire.Tool) -> tools.Tool:
    if isinstance(tool, wire.FunctionTool):
        function = tools.Function(
            name=tool.name,
            description=tool.description,
            parameters=tool.parameters,
            strict=tool.strict,
        )
        return tools.FunctionTool(type="function", function=function)
    form: tools.TextFormat | tools.GrammarFormat | None = None
    if isinstance(tool.format, wire.GrammarInput):
        grammar = tools.ToolGrammar(syntax=tool.format.syntax, definition=tool.format.definition)
        form = tools.GrammarFormat(type="grammar", grammar=grammar)
    custom = tools.Custom(name=tool.name, description=tool.description, format=form)
    return tools.CustomTool(type="custom", custom=custom)


def _choice(choice: str | wire.Chosen | wire.ChosenAllowed | None) -> tools.ToolChoice | None:
    match choice:
        case wire.Chosen():
            return _chosen(choice)
        case wire.ChosenAllowed():
            allowed = tools.Allowed(mode=choice.mode, tools=[_chosen(t) for t in choice.tools])
            return tools.ChosenAllowed(type="allowed_tools", allowed_tools=allowed)
        case "none" | "auto" | "required":
            return choice
    return None


def _chosen(tool: wire.Chosen) -> tools.Chosen:
    named = tools.Named(name=tool.name)
    if tool.type == "function":
        return tools.ChosenFunction(type="function", function=named)
    return tools.ChosenCustom(type="custom", custom=named)
