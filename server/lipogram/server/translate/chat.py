"""`/v1/chat/completions`: from the request to a plan."""

from __future__ import annotations

from collections.abc import Sequence

from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.job import Job
from lipogram.server.constraints import Constraint
from lipogram.server.errors import InvalidRequest
from lipogram.server.prompts import Turn
from lipogram.server.registry import Served
from lipogram.server.translate import constraint, tools
from lipogram.server.translate.denoising import denoising
from lipogram.server.translate.plan import Plan
from lipogram.server.translate.sampling import (
    check_length,
    check_room,
    drafters,
    sampling,
    stops,
    with_law,
)
from lipogram.server.wire import chat as wire


def plan(request: wire.ChatRequest, served: Served) -> Plan:
    """What the request wants of this model.

    Raises InvalidRequest, PromptTooLong, Unspellable.
    """
    _check(request)
    rule = _rule(request)
    vocabulary = served.model.vocabulary
    conversation = turns(request.messages)
    if rule.calls and not rule.bare:
        told = tools.description(request.tools or [], rule.calls)
        conversation = [Turn("system", told), *conversation]
    for turn in conversation:
        check_length(turn.text, served, "messages")
    prompt = served.template.render(conversation, vocabulary)
    max_tokens = request.max_completion_tokens
    if max_tokens is None:
        max_tokens = request.max_tokens
    check_room(prompt, max_tokens, served, "messages")
    prediction = "" if request.prediction is None else _text(request.prediction.content)
    check_length(prediction, served, "prediction")
    job = Job(
        (),
        sampling=sampling(request, vocabulary),
        max_tokens=max_tokens,
        stop=(*stops(request), *served.template.stops),
        top_logprobs=(request.top_logprobs or 0) if request.logprobs else None,
        ignore_eos=bool(request.ignore_eos),
        denoising=denoising(request.denoising, served, bool(request.stream)),
        drafters=drafters(request, served, prediction),
        prediction=prediction.encode(),
    )
    job = with_law(job, request, bool(rule.sources))
    return Plan(served, (Prompt(prompt),), request.n or 1, job, rule if rule.sources else None)


def _check(request: wire.ChatRequest) -> None:
    """Refuses members that do not go together."""
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        raise InvalidRequest(
            "'max_tokens' and 'max_completion_tokens' are the same; expected one of them.",
            param="max_tokens",
        )
    if request.top_logprobs is not None and not request.logprobs:
        raise InvalidRequest("'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
    if request.stream_options is not None and not request.stream:
        raise InvalidRequest("'stream_options' goes with 'stream'.", param="stream_options")
    constraint.refuse_two(request.response_format, request.structured_outputs)
    if request.structured_outputs is not None and request.tools:
        raise InvalidRequest(
            "'structured_outputs' with 'tools' is not supported; use 'response_format'",
            param="structured_outputs",
        )


def _rule(request: wire.ChatRequest) -> Constraint:
    if request.structured_outputs is not None:
        return constraint.structured(request.structured_outputs)
    answer = constraint.response_format(request.response_format)
    return tools.constraint(request.tools or [], request.tool_choice, answer)


def turns(messages: Sequence[wire.Message]) -> list[Turn]:
    """The conversation as the template knows it: three roles, each with a text."""
    return [_turn(message) for message in messages]


def _turn(message: wire.Message) -> Turn:
    match message:
        case wire.AssistantMessage():
            pieces = [_text(message.content), message.refusal or ""]
            pieces += [tools.past_call(call) for call in message.tool_calls or []]
            return Turn("assistant", "\n".join(filter(None, pieces)))
        case wire.ToolMessage():
            text = _named(message.name, _text(message.content))
            return Turn("user", f"<tool_response>\n{text}\n</tool_response>")
        case wire.UserMessage():
            return Turn("user", _named(message.name, _text(message.content)))
        case _:
            return Turn("system", _named(message.name, _text(message.content)))


def _named(name: str | None, text: str) -> str:
    return f"{name}: {text}" if name else text


def _text(
    content: str | Sequence[wire.TextPart] | Sequence[wire.TextPart | wire.RefusalPart] | None,
) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    parts = [part.text if isinstance(part, wire.TextPart) else part.refusal for part in content]
    return "\n".join(parts)
