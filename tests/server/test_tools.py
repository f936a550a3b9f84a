"""Tools in chats: which are called, and how calls are told from text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from lipogram.server.constraints import Call, Constraint, Source
from lipogram.server.translate.tools import CallReader, Opened, Part, Payload, Text
from server_under_test import PERSON, Post, ask, stream

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather somewhere",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"enum": ["Oslo", "Rome"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 9},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
SUM = {
    "type": "custom",
    "custom": {
        "name": "sum",
        "format": {
            "type": "grammar",
            "grammar": {"syntax": "lark", "definition": 'start: N ("+" N)*\nN: /[0-9]{1,2}/'},
        },
    },
}
DATE = {
    "type": "custom",
    "custom": {
        "name": "date",
        "format": {"type": "grammar", "grammar": {"syntax": "regex", "definition": r"\d{4}-\d{2}"}},
    },
}
NOTE = {"type": "custom", "custom": {"name": "note"}}
ALLOWED = {
    "type": "allowed_tools",
    "allowed_tools": {
        "mode": "required",
        "tools": [
            {"type": "function", "function": {"name": "weather"}},
            {"type": "custom", "custom": {"name": "date"}},
        ],
    },
}


def check_call(message: dict[str, Any]) -> None:
    assert message["content"] is None
    (call,) = message["tool_calls"]
    assert call["id"].startswith("call_")
    if call["type"] == "function":
        arguments = json.loads(call["function"]["arguments"])
        assert call["function"]["name"] == "weather"
        assert arguments.keys() == {"city", "days"}
        assert arguments["city"] in {"Oslo", "Rome"}
        assert 1 <= arguments["days"] <= 9
    else:
        pattern = {"sum": r"\d\d?(\+\d\d?)*", "date": r"\d{4}-\d{2}", "note": r"(?s).*"}[
            call["custom"]["name"]
        ]
        assert re.fullmatch(pattern, call["custom"]["input"])


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "function", "function": {"name": "weather"}},
        {"type": "custom", "custom": {"name": "sum"}},
        {"type": "custom", "custom": {"name": "date"}},
        {"type": "custom", "custom": {"name": "note"}},
        ALLOWED,
    ],
    ids=["required", "function", "lark", "regex", "text", "allowed"],
)
def test_tools_that_must_be_called(post: Post, choice: Any) -> None:
    tools = [WEATHER, SUM, DATE, NOTE]
    whole = ask(post, tools=tools, tool_choice=choice)["choices"][0]
    check_call(whole["message"])
    assert whole["finish_reason"] in {"tool_calls", "length"}
    deltas = [
        piece["choices"][0]["delta"] for piece in stream(post, tools=tools, tool_choice=choice)
    ]
    assert deltas[0] == {"role": "assistant", "content": None, "refusal": None}
    parts = [delta["tool_calls"][0] for delta in deltas[1:-1]]
    kind = parts[0]["type"]
    key = {"function": "arguments", "custom": "input"}[kind]
    assert parts[0].keys() == {"index", "id", "type", kind}
    assert parts[0][kind][key] == ""
    assert all(part.keys() == {"index", kind} and part[kind].keys() == {key} for part in parts[1:])
    assert (
        "".join(part[kind][key] for part in parts) == whole["message"]["tool_calls"][0][kind][key]
    )


def test_tools_that_may_be_called(post: Post) -> None:
    """With every seed the answer is one or the other, and a stream agrees with the whole."""
    bias = {str(ord("<")): 6}  # or no random model ever begins a call
    kinds = set()
    for seed in range(12):
        body = {"tools": [WEATHER, DATE], "seed": seed, "logit_bias": bias, "logprobs": True}
        whole = ask(post, **body)["choices"][0]
        message = whole["message"]
        deltas = [piece["choices"][0]["delta"] for piece in stream(post, **body)]
        if message.get("tool_calls"):
            kinds.add("call")
            check_call(message)
            assert whole["logprobs"] == {"content": None, "refusal": None}
            assert deltas[0]["content"] is None
        else:
            kinds.add("text")
            assert not message["content"].startswith("<tool_call>")
            assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]
    assert "text" in kinds


def test_no_tool_is_called_when_none_may_be(post: Post) -> None:
    assert (
        "tool_calls" not in ask(post, tools=[WEATHER], tool_choice="none")["choices"][0]["message"]
    )


def test_a_format_beside_tools_holds_for_text(post: Post) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON}}
    for seed in range(3):
        message = ask(post, tools=[WEATHER], response_format=wanted, seed=seed)["choices"][0][
            "message"
        ]
        if message["content"] is not None:
            assert json.loads(message["content"]).keys() == {"a"}


CALLS = Constraint(
    Source("text"),
    (
        Call("f", "function", Source("text")),
        Call("fo", "function", Source("text")),
        Call("f", "custom", Source("text")),
    ),
)


def read(output: bytes, sizes: list[int]) -> list[Part]:
    reader = CallReader(CALLS)
    parts = reader.begin()
    start = 0
    for size in [*sizes, len(output)]:
        parts += reader.feed(output[start : start + size])
        start += size
    return parts + reader.end()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_calls_are_told_from_text_however_they_are_cut(step: int) -> None:
    for call in CALLS.calls:
        for payload in (b"", b"{}", b"x}\n</tool_call>y", b"\xe2\x82\xac"):
            parts = read(call.head + payload + call.tail, [step] * 100)
            assert parts[0] == Opened(call)
            assert b"".join(part.data for part in parts[1:] if isinstance(part, Payload)) == payload
    for text in (b"", b"<", b"<tool_cal", b"<tool_calm>", b"hello <tool_call>"):
        parts = read(text, [step] * 40)
        assert b"".join(part.data for part in parts if isinstance(part, Text)) == text
