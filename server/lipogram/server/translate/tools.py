"""Tools: which may be called, how they are described to the model, how its calls are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from lipogram.server.constraints import MARK, Call, Constraint, Source
from lipogram.server.errors import InvalidRequest
from lipogram.server.wire import tools as wire

_ANY_OBJECT = {"type": "object"}


def constraint(
    tools: Sequence[wire.Tool], choice: wire.ToolChoice | None, answer: Source | None
) -> Constraint:
    """What a chat's answer must obey, given its tools and `answer`, the rule for text.

    At most one tool is called. Raises InvalidRequest for a choice that is not among the tools.
    """
    calls = [_call(index, tool) for index, tool in enumerate(tools)]
    _check_distinct(calls)
    if choice is None:
        choice = "auto" if calls else "none"
    if choice == "none":
        return Constraint(answer)
    if not calls:
        raise InvalidRequest("'tool_choice' needs 'tools'.", param="tool_choice")
    match choice:
        case "auto" | "required":
            mode, allowed = choice, calls
        case wire.ChosenAllowed(allowed_tools=wire.Allowed(mode=mode, tools=chosen)):
            allowed = list(dict.fromkeys(_find(calls, entry) for entry in chosen))
        case wire.ChosenFunction() | wire.ChosenCustom():
            mode, allowed = "required", [_find(calls, choice)]
    if mode == "required":
        return Constraint(None, tuple(allowed))
    if answer is not None and answer.syntax != "json_schema":
        raise InvalidRequest(
            "a grammar for the answer cannot be told apart from tool calls; "
            "expected tool_choice 'none' or 'required', or a JSON format",
            param="response_format",
        )
    return Constraint(answer or Source("text"), tuple(allowed))


def _call(index: int, tool: wire.Tool) -> Call:
    if isinstance(tool, wire.FunctionTool):
        function = tool.function
        schema = function.parameters if function.parameters is not None else _ANY_OBJECT
        param = f"tools[{index}].function.parameters"
        source = Source("json_schema", json.dumps(schema), param=param)
        return Call(function.name, "function", source)
    custom = tool.custom
    if not isinstance(custom.format, wire.GrammarFormat):
        return Call(custom.name, "custom", Source("text"))
    grammar = custom.format.grammar
    param = f"tools[{index}].custom.format.grammar.definition"
    source = Source(grammar.syntax, grammar.definition, dialect="rust", param=param)
    return Call(custom.name, "custom", source)


def _check_distinct(calls: Sequence[Call]) -> None:
    seen: set[str] = set()
    for index, call in enumerate(calls):
        if call.name in seen:
            raise InvalidRequest(f"two tools are named {call.name!r}", param=f"tools[{index}]")
        seen.add(call.name)


def _find(calls: Sequence[Call], chosen: wire.ChosenFunction | wire.ChosenCustom) -> Call:
    name = chosen.function.name if isinstance(chosen, wire.ChosenFunction) else chosen.custom.name
    for call in calls:
        if call.name == name and call.kind == chosen.type:
            return call
    raise InvalidRequest(
        f"'tool_choice' names the {chosen.type} tool {name[:80]!r}, which is not among 'tools'.",
        param="tool_choice",
    )


def description(tools: Sequence[wire.Tool], calls: Sequence[Call]) -> str:
    """What the model is told about the tools it may call."""
    names = {call.name: call for call in calls}
    lines = ["You may call one of these tools. To call it, answer with exactly what is shown."]
    for tool in tools:
        spec = tool.function if isinstance(tool, wire.FunctionTool) else tool.custom
        if spec.name not in names:
            continue
        call = names[spec.name]
        told = spec.model_dump_json(exclude_none=True, by_alias=True)
        shown = (call.head + b"\xe2\x80\xa6" + call.tail).decode()
        lines.append(f"{told}\n{shown}")
    return "\n".join(lines)


def past_call(call: wire.PastCall) -> str:
    """An earlier call, as the model wrote it."""
    if isinstance(call, wire.FunctionCall):
        payload = call.function.arguments
        envelope = Call(call.function.name, "function", Source("text"))
    else:
        payload = call.custom.input
        envelope = Call(call.custom.name, "custom", Source("text"))
    return envelope.head.decode() + payload + envelope.tail.decode()


@dataclass(frozen=True, slots=True)
class Opened:
    """A call of this tool has begun."""

    call: Call


@dataclass(frozen=True, slots=True)
class Payload:
    """More of the open call's arguments or input."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """More of an answer."""

    data: bytes


Part = Opened | Payload | Text


class CallReader:
    """Tells text from calls in an output that obeys a constraint, as early as can be.

    The output is never searched: a call begins where the output begins and ends where it ends.
    """

    def __init__(self, constraint: Constraint) -> None:
        self._calls = constraint.calls
        self._open: Call | None = None
        self._is_text = not constraint.calls
        self._is_bare = constraint.bare
        self._held = b""
        if constraint.bare:
            self._open = constraint.calls[0]

    @property
    def called(self) -> bool:
        """Whether the output is a call."""
        return self._open is not None

    @property
    def is_undecided(self) -> bool:
        """Whether the output may still be either."""
        return not self._is_text and self._open is None

    def begin(self) -> list[Part]:
        """What is known before the first byte."""
        return [Opened(self._open)] if self._open is not None else []

    def feed(self, data: bytes) -> list[Part]:
        """What these further bytes turned out to be."""
        self._held += data
        parts: list[Part] = []
        if self.is_undecided:
            self._decide(parts)
        if self._is_text:
            parts.append(Text(self._take(len(self._held))))
        elif self._open is not None:
            kept = 0 if self._is_bare else len(self._open.tail)
            parts.append(Payload(self._take(max(len(self._held) - kept, 0))))
        return [part for part in parts if isinstance(part, Opened) or part.data]

    def end(self) -> list[Part]:
        """What the bytes that were held back turn out to be at the end."""
        if self._open is None:
            return [Text(self._take(len(self._held)))] if self._held else []
        data = self._held if self._is_bare else self._held.removesuffix(self._open.tail)
        return [Payload(data)] if data else []

    def _decide(self, parts: list[Part]) -> None:
        for call in self._calls:
            if self._held.startswith(call.head):
                self._open = call
                self._take(len(call.head))
                parts.append(Opened(call))
                return
        size = min(len(self._held), len(MARK))
        self._is_text = self._held[:size] != MARK[:size]

    def _take(self, size: int) -> bytes:
        taken, self._held = self._held[:size], self._held[size:]
        return taken
