"""`/v1/chat/completions`: from events to the answer, whole or in chunks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from lipogram.decoding.events import Chunk, Event, Finish, ScoredToken, Usage
from lipogram.server.constraints import Call, Constraint
from lipogram.server.sse import Characters
from lipogram.server.translate.completion_reply import FINGERPRINT
from lipogram.server.translate.denoising import canvas
from lipogram.server.translate.sampling import evidence
from lipogram.server.translate.scores import chat_scores, usage
from lipogram.server.translate.tools import CallReader, Opened, Part, Payload
from lipogram.server.translate.unconstrained import Dropped, unconstrained
from lipogram.server.wire.replies import (
    ChatChoice,
    ChatChunk,
    ChatLogprobs,
    ChatMessage,
    ChatReply,
    ChunkChoice,
    CustomPart,
    FinishReason,
    FunctionPart,
    TokenScore,
    ToolCall,
)


class _Choice:
    """One answer under way: what is new after each event, as deltas."""

    def __init__(self, constraint: Constraint | None, is_scored: bool) -> None:
        self._reader = CallReader(constraint or Constraint())
        self._characters = Characters()
        self._call: Call | None = None
        self._has_begun = False
        self._is_scored = is_scored
        self._tokens: list[ScoredToken] = []
        self.finish: Finish | None = None

    def begin(self) -> list[ChatMessage]:
        """What is known before the first event."""
        if self._reader.is_undecided:
            return []
        return self._deltas(self._reader.begin()) or [self._opening("")]

    def feed(self, event: Event) -> list[ChatMessage]:
        """What the event adds; nothing, or several deltas."""
        if isinstance(event, Chunk):
            self._tokens += event.tokens
            return self._deltas(self._reader.feed(event.text))
        self.finish = event
        deltas = self._deltas(self._reader.end())
        rest = self._characters.end()
        if rest:
            deltas.append(self._delta(rest))
        return deltas if self._has_begun else [self._opening("")]

    def scores(self) -> ChatLogprobs | None:
        """The scores of the content's tokens since the last time; a call's are not given."""
        if not self._is_scored or self._reader.is_undecided:
            return None
        tokens, self._tokens = self._tokens, []
        content = None if self._reader.called else chat_scores(tokens)
        return ChatLogprobs(content=content, refusal=None)

    @property
    def reason(self) -> FinishReason | None:
        """Why it ended, if it has."""
        if self.finish is None:
            return None
        if self._reader.called and self.finish.reason == "stop":
            return "tool_calls"
        return self.finish.reason

    def _deltas(self, parts: Sequence[Part]) -> list[ChatMessage]:
        deltas: list[ChatMessage] = []
        for part in parts:
            if isinstance(part, Opened):
                self._call = part.call
                deltas += [self._opening(None), _opened(part.call)]
                continue
            if not self._has_begun:
                deltas.append(self._opening("" if not isinstance(part, Payload) else None))
            text = self._characters.feed(part.data)
            if text:
                deltas.append(self._delta(text))
        return deltas

    def _opening(self, content: str | None) -> ChatMessage:
        self._has_begun = True
        return ChatMessage(role="assistant", content=content, refusal=None)

    def _delta(self, text: str) -> ChatMessage:
        if self._call is None:
            return ChatMessage(content=text)
        if self._call.kind == "function":
            call = ToolCall(index=0, function=FunctionPart(arguments=text))
        else:
            call = ToolCall(index=0, custom=CustomPart(input=text))
        return ChatMessage(tool_calls=[call])


def _opened(call: Call) -> ChatMessage:
    id = f"call_{uuid.uuid4().hex[:24]}"
    if call.kind == "function":
        function = FunctionPart(name=call.name, arguments="")
        opened = ToolCall(index=0, id=id, type="function", function=function)
    else:
        custom = CustomPart(name=call.name, input="")
        opened = ToolCall(index=0, id=id, type="custom", custom=custom)
    return ChatMessage(tool_calls=[opened])


class ChatWriter:
    """Turns the events of a request's sequences into the chunks of its answer."""

    def __init__(
        self,
        model: str,
        count: int,
        constraint: Constraint | None,
        is_scored: bool,
        last: ChatMessage | None = None,
    ) -> None:
        """`last` is the delta that comes with the reason for the end: by default, an empty one."""
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._model = model
        self._is_scored = is_scored
        self._last = last or ChatMessage()
        self._choices = [_Choice(constraint, is_scored) for _ in range(count)]
        self.dropped: Dropped = {}

    def begin(self) -> list[ChatChunk]:
        """The chunks that come before all events."""
        return [
            self._chunk(index, delta, None)
            for index, choice in enumerate(self._choices)
            for delta in choice.begin()
        ]

    def chunks(self, index: int, event: Event) -> list[ChatChunk]:
        """The chunks for an event; the last one of a choice says why it ended."""
        choice = self._choices[index]
        deltas = choice.feed(event)
        scores = choice.scores()
        if scores is not None and scores.content and not deltas:
            deltas = [ChatMessage(content="")]
        chunks = []
        for delta in deltas:
            is_text = bool(scores and scores.content) and delta.role is None
            chunks.append(self._chunk(index, delta, scores if is_text else None))
            scores = None if is_text else scores
        if isinstance(event, Chunk) and event.sketch is not None:
            empty = ChunkChoice(index=index, delta=ChatMessage(), logprobs=None, finish_reason=None)
            chunks.append(self._with([empty.model_copy(update={"canvas": canvas(event.sketch)})]))
        if choice.reason is not None:
            chunks.append(self._chunk(index, self._last, None, choice.reason))
        return chunks

    def usage(self) -> ChatChunk:
        """The chunk after the last one, which has the usage alone."""
        return self._with([]).model_copy(update={"usage": usage(self._used(), len(self._choices))})

    def whole(self, chunks: Sequence[ChatChunk]) -> ChatReply:
        """All chunks as one answer."""
        pieces: list[list[ChunkChoice]] = [[] for _ in self._choices]
        for chunk in chunks:
            pieces[chunk.choices[0].index].append(chunk.choices[0])
        return ChatReply(
            id=self._id,
            object="chat.completion",
            created=self._created,
            model=self._model,
            system_fingerprint=FINGERPRINT,
            choices=[_joined(own, self._is_scored) for own in pieces],
            usage=usage(self._used(), len(self._choices)),
        )

    @property
    def finishes(self) -> list[Finish]:
        """How the sequences that have ended did."""
        return [choice.finish for choice in self._choices if choice.finish is not None]

    def _used(self) -> list[Usage]:
        return [finish.usage for finish in self.finishes]

    def _chunk(
        self,
        index: int,
        delta: ChatMessage,
        scores: ChatLogprobs | None,
        reason: FinishReason | None = None,
    ) -> ChatChunk:
        choice = ChunkChoice(index=index, delta=delta, logprobs=scores, finish_reason=reason)
        if reason is not None:
            choice = choice.model_copy(update=self._told(index))
        return self._with([choice])

    def _told(self, index: int) -> dict[str, object]:
        """What comes with the reason for the end."""
        finish, told = self._choices[index].finish, dict[str, object]()
        if index in self.dropped:
            told["unconstrained"] = unconstrained(self.dropped[index])
        if finish is not None and finish.evidence is not None:
            told["sampling"] = evidence(finish.evidence)
        return told

    def _with(self, choices: list[ChunkChoice]) -> ChatChunk:
        return ChatChunk(
            id=self._id,
            object="chat.completion.chunk",
            created=self._created,
            model=self._model,
            system_fingerprint=FINGERPRINT,
            choices=choices,
        )


def _joined(pieces: Sequence[ChunkChoice], is_scored: bool) -> ChatChoice:
    deltas = [piece.delta for piece in pieces]
    texts = [delta.content for delta in deltas if delta.content is not None]
    scores = [piece.logprobs.content for piece in pieces if piece.logprobs is not None]
    message = ChatMessage(role="assistant", content="".join(texts) if texts else None, refusal=None)
    calls = [call for delta in deltas for call in delta.tool_calls or []]
    if calls:
        message = message.model_copy(update={"tool_calls": [_whole_call(calls)]})
    reason = pieces[-1].finish_reason
    assert reason is not None
    joined = ChatChoice(
        index=pieces[0].index,
        message=message,
        logprobs=_joined_scores(scores) if is_scored else None,
        finish_reason=reason,
    )
    told = {"unconstrained": pieces[-1].unconstrained, "sampling": pieces[-1].sampling}
    return joined.model_copy(
        update={name: value for name, value in told.items() if value is not None}
    )


def _joined_scores(scores: Sequence[list[TokenScore] | None]) -> ChatLogprobs:
    known = [score for own in scores if own is not None for score in own]
    return ChatLogprobs(content=known if scores else None, refusal=None)


def _whole_call(parts: Sequence[ToolCall]) -> ToolCall:
    first = parts[0]
    if first.function is not None:
        text = "".join(part.function.arguments for part in parts if part.function)
        function = FunctionPart(name=first.function.name, arguments=text)
        return ToolCall(id=first.id, type=first.type, function=function)
    text = "".join(part.custom.input for part in parts if part.custom)
    name = first.custom.name if first.custom else None
    return ToolCall(id=first.id, type=first.type, custom=CustomPart(name=name, input=text))
