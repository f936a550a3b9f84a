"""`/v1/responses`: chat's deltas as the events of this dialect, and the answer they make."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from lipogram.server.translate.chat_reply import ChatWriter
from lipogram.server.wire import response_replies as wire
from lipogram.server.wire.common import Usage
from lipogram.server.wire.replies import ChatChunk, ChatMessage, TokenScore, ToolCall
from lipogram.server.wire.responses import ResponsesRequest


class _Message:
    """An answer in words, under way."""

    def __init__(self) -> None:
        self._id = f"msg_{uuid.uuid4().hex}"
        self._content = _content("", [])

    def begun(self) -> Iterator[wire.ResponseEvent]:
        yield _event("response.output_item.added", item=self.item("in_progress"))
        yield self._event("response.content_part.added", part=self._content)

    def fed(self, chunk: ChatChunk) -> Iterator[wire.ResponseEvent]:
        choice = chunk.choices[0]
        scores = choice.logprobs.content if choice.logprobs is not None else None
        text = choice.delta.content
        if not text and not scores:
            return
        self._content = _content(
            self._content.text + (text or ""), [*self._content.logprobs, *(scores or ())]
        )
        yield self._event("response.output_text.delta", delta=text or "", logprobs=scores or [])

    def ended(self, status: wire.Status) -> Iterator[wire.ResponseEvent]:
        text, scores = self._content.text, self._content.logprobs
        yield self._event("response.output_text.done", text=text, logprobs=scores)
        yield self._event("response.content_part.done", part=self._content)
        yield _event("response.output_item.done", item=self.item(status))

    def item(self, status: wire.Status) -> wire.OutputItem:
        content = [] if status == "in_progress" else [self._content]
        return wire.MessageItem(
            type="message", id=self._id, status=status, role="assistant", content=content
        )

    def _event(self, kind: str, **members: object) -> wire.ResponseEvent:
        return _event(kind, item_id=self._id, content_index=0, **members)


class _Call:
    """A call of a tool, under way."""

    def __init__(self, opened: ToolCall) -> None:
        self._is_function = opened.function is not None
        self._id = f"{'fc' if self._is_function else 'ctc'}_{uuid.uuid4().hex}"
        self._call_id = opened.id or ""
        named = opened.function or opened.custom
        self._name = (named and named.name) or ""
        self._payload = ""

    def begun(self) -> Iterator[wire.ResponseEvent]:
        yield _event("response.output_item.added", item=self.item("in_progress"))

    def fed(self, chunk: ChatChunk) -> Iterator[wire.ResponseEvent]:
        for call in chunk.choices[0].delta.tool_calls or ():
            text = call.function.arguments if call.function else call.custom and call.custom.input
            if text:
                self._payload += text
                yield self._event(f"{self._kind}.delta", delta=text)

    def ended(self, status: wire.Status) -> Iterator[wire.ResponseEvent]:
        if self._is_function:
            yield self._event(f"{self._kind}.done", name=self._name, arguments=self._payload)
        else:
            yield self._event(f"{self._kind}.done", input=self._payload)
        yield _event("response.output_item.done", item=self.item(status))

    def item(self, status: wire.Status) -> wire.OutputItem:
        if self._is_function:
            return wire.FunctionItem(
                type="function_call",
                id=self._id,
                call_id=self._call_id,
                name=self._name,
                arguments=self._payload,
                status=status,
            )
        return wire.CustomItem(
            type="custom_tool_call",
            id=self._id,
            call_id=self._call_id,
            name=self._name,
            input=self._payload,
            status=status,
        )

    @property
    def _kind(self) -> str:
        called = "function_call_arguments" if self._is_function else "custom_tool_call_input"
        return f"response.{called}"

    def _event(self, kind: str, **members: object) -> wire.ResponseEvent:
        return _event(kind, item_id=self._id, **members)


def _content(text: str, scores: list[TokenScore]) -> wire.TextContent:
    return wire.TextContent(type="output_text", text=text, annotations=[], logprobs=scores)


def _item(delta: ChatMessage) -> _Message | _Call | None:
    """What a delta opens, if it tells what it is."""
    if delta.tool_calls:
        return _Call(delta.tool_calls[0])
    return _Message() if delta.content is not None else None


def _event(kind: str, **members: object) -> wire.ResponseEvent:
    """An event of the only output item; it is numbered when it is sent."""
    return wire.ResponseEvent.model_validate(
        {"type": kind, "sequence_number": 0, "output_index": 0, **members}
    )


class ResponseWriter:
    """Turns the chunks of a chat's answer into the events of this one."""

    def __init__(self, request: ResponsesRequest, chat: ChatWriter) -> None:
        self._request = request
        self._chat = chat
        self._id = f"resp_{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._item: _Message | _Call | None = None
        self._count = 0

    def events(self, chunk: ChatChunk) -> Iterator[wire.ResponseEvent]:
        """What a chunk adds; before the first comes what opens the answer."""
        if not self._count:
            for kind in ("response.created", "response.in_progress"):
                yield self._numbered(self._whole(kind, "in_progress"))
        for event in self._told(chunk):
            yield self._numbered(event)

    def _told(self, chunk: ChatChunk) -> Iterator[wire.ResponseEvent]:
        choice = chunk.choices[0]
        if self._item is None:
            self._item = _item(choice.delta)
            if self._item is not None:
                yield from self._item.begun()
        if self._item is not None:
            yield from self._item.fed(chunk)
        if choice.finish_reason is not None:
            status: wire.Status = "incomplete" if choice.finish_reason == "length" else "completed"
            if self._item is None:
                self._item = _Message()
                yield from self._item.begun()
            yield from self._item.ended(status)
            yield self._whole(f"response.{status}", status)

    def usage(self) -> None:
        """None: the last event has it."""

    def whole(self, events: Sequence[wire.ResponseEvent]) -> wire.ResponseReply:
        """The answer, which the last event carries."""
        reply = events[-1].response
        assert reply is not None
        return reply

    def _numbered(self, event: wire.ResponseEvent) -> wire.ResponseEvent:
        self._count += 1
        return event.model_copy(update={"sequence_number": self._count - 1})

    def _whole(self, kind: str, status: wire.Status) -> wire.ResponseEvent:
        response = self._reply(status)
        return wire.ResponseEvent(type=kind, sequence_number=0, response=response)

    def _reply(self, status: wire.Status) -> wire.ResponseReply:
        asked, is_over = self._request, status != "in_progress"
        used = self._chat.usage().usage if is_over else None
        return wire.ResponseReply(
            id=self._id,
            object="response",
            created_at=self._created,
            completed_at=int(time.time()) if is_over else None,
            status=status,
            error=None,
            incomplete_details=wire.Incomplete(reason="max_output_tokens")
            if status == "incomplete"
            else None,
            model=asked.model,
            output=[self._item.item(status)] if is_over and self._item is not None else [],
            usage=_usage(used) if used is not None else None,
            instructions=asked.instructions,
            max_output_tokens=asked.max_output_tokens,
            metadata=asked.metadata or {},
            parallel_tool_calls=bool(asked.parallel_tool_calls),
            previous_response_id=None,
            reasoning={"effort": None, "summary": None},
            store=False,
            temperature=1.0 if asked.temperature is None else asked.temperature,
            text=_dumped(asked.text) or {"format": {"type": "text"}},
            tool_choice=_dumped(asked.tool_choice) or "auto",
            tools=[_dumped(tool) for tool in asked.tools or ()],
            top_logprobs=asked.top_logprobs or 0,
            top_p=1.0 if asked.top_p is None else asked.top_p,
            truncation="disabled",
            user=asked.user,
        )


def _usage(used: Usage) -> wire.ResponseUsage:
    return wire.ResponseUsage(
        input_tokens=used.prompt_tokens,
        input_tokens_details=wire.InputTokens(
            cached_tokens=used.prompt_tokens_details.cached_tokens, cache_write_tokens=0
        ),
        output_tokens=used.completion_tokens,
        output_tokens_details=wire.ReasoningTokens(reasoning_tokens=0),
        total_tokens=used.total_tokens,
    )


def _dumped(value: object) -> Any:
    """A member of the request as it came."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return value
