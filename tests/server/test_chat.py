"""`/v1/chat/completions`, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lipogram.server.constraints import Call, Constraint, Source
from lipogram.server.translate.tools import CallReader, Opened, Part, Payload, Text

Post = Callable[..., httpx.Response]

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
PERSON = {
    "type": "object",
    "properties": {"a": {"type": "boolean"}},
    "required": ["a"],
    "additionalProperties": False,
}


def ask(post: Post, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "hi"}]
    response = post(
        "/v1/chat/completions",
        **{"model": "restless", "messages": messages, "seed": 3, "max_tokens": 80, **body},
    )
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.json()
    return value


def stream(post: Post, **body: Any) -> list[dict[str, Any]]:
    messages = [{"role": "user", "content": "hi"}]
    response = post(
        "/v1/chat/completions",
        **{
            "model": "restless",
            "messages": messages,
            "seed": 3,
            "max_tokens": 80,
            "stream": True,
            **body,
        },
    )
    assert response.status_code == 200, response.text
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


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


def test_shape(post: Post) -> None:
    reply = ask(post)
    assert reply.keys() == {
        "id",
        "object",
        "created",
        "model",
        "system_fingerprint",
        "choices",
        "usage",
    }
    assert reply["id"].startswith("chatcmpl-")
    assert reply["object"] == "chat.completion"
    (choice,) = reply["choices"]
    assert choice.keys() == {"index", "message", "logprobs", "finish_reason"}
    assert choice["message"].keys() == {"role", "content", "refusal"}
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["refusal"] is None
    assert choice["logprobs"] is None


def test_a_stream_is_the_answer_in_pieces(post: Post) -> None:
    whole = ask(post, n=3)
    pieces = stream(post, n=3, stream_options={"include_usage": True})
    assert pieces[-1]["choices"] == []
    assert pieces[-1]["usage"] == whole["usage"]
    assert all(piece["usage"] is None for piece in pieces[:-1])
    assert {piece["object"] for piece in pieces} == {"chat.completion.chunk"}
    for choice in whole["choices"]:
        own = [
            piece["choices"][0]
            for piece in pieces[:-1]
            if piece["choices"][0]["index"] == choice["index"]
        ]
        assert own[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
        assert (
            "".join(piece["delta"].get("content", "") for piece in own)
            == choice["message"]["content"]
        )
        assert own[-1]["delta"] == {}
        assert [piece["finish_reason"] for piece in own[:-1]] == [None] * (len(own) - 1)
        assert own[-1]["finish_reason"] == choice["finish_reason"]


def test_logprobs(post: Post) -> None:
    whole = ask(post, logprobs=True, top_logprobs=2)["choices"][0]
    tokens = whole["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == whole["message"]["content"]
    assert whole["logprobs"]["refusal"] is None
    for token in tokens:
        assert token.keys() == {"token", "logprob", "bytes", "top_logprobs"}
        assert bytes(token["bytes"]).decode() == token["token"]
        assert len(token["top_logprobs"]) == 2
    pieces = stream(post, logprobs=True, top_logprobs=2)
    streamed = [piece["choices"][0]["logprobs"] for piece in pieces]
    assert [score for scores in streamed if scores for score in scores["content"]] == tokens
    assert ask(post, logprobs=True)["choices"][0]["logprobs"]["content"][0]["top_logprobs"] == []


def test_logprobs_of_half_characters(post: Post) -> None:
    reply = ask(post, logprobs=True, structured_outputs={"choice": ["é"]})["choices"][0]
    assert reply["message"]["content"] == "é"
    assert [token["token"] for token in reply["logprobs"]["content"]] == [r"\xc3", r"\xa9"]
    pieces = stream(post, logprobs=True, structured_outputs={"choice": ["é"]})
    scores = [piece["choices"][0]["logprobs"] for piece in pieces]
    assert sum(len(score["content"]) for score in scores if score) == 2


@pytest.mark.parametrize("is_strict", [True, False, None])
def test_json_schema_is_enforced_strict_or_not(post: Post, is_strict: bool | None) -> None:
    wanted = {
        "name": "person",
        "schema": {"$schema": "http://json-schema.org/draft-07/schema#", "title": "P", **PERSON},
        "strict": is_strict,
    }
    reply = ask(post, response_format={"type": "json_schema", "json_schema": wanted})
    assert json.loads(reply["choices"][0]["message"]["content"]).keys() == {"a"}
    assert reply["choices"][0]["finish_reason"] == "stop"


def test_other_formats(post: Post) -> None:
    def content(response_format: dict[str, Any]) -> str:
        text: str = ask(post, response_format=response_format)["choices"][0]["message"]["content"]
        return text

    assert isinstance(json.loads(content({"type": "json_object"})), dict)
    assert content({"type": "text"})
    assert content({"type": "grammar", "grammar": 'start: "x"'}) == "x"
    assert content({"type": "grammar", "grammar": 'root ::= "x"'}) == "x"
    assert (
        content({"type": "grammar", "grammar": {"syntax": "gbnf", "definition": 'root ::= "x"'}})
        == "x"
    )
    assert isinstance(
        json.loads(content({"type": "json_schema", "json_schema": {"name": "any"}})), dict
    )


def test_a_spent_budget_leaves_valid_json(post: Post) -> None:
    schema = {"type": "array", "items": {"type": "string", "minLength": 5}, "minItems": 2}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    for budget in (24, 30, 40):
        choice = ask(post, response_format=wanted, max_tokens=budget, ignore_eos=True)["choices"][0]
        assert len(json.loads(choice["message"]["content"])) >= 2


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


def test_a_conversation_with_calls_is_rendered(post: Post) -> None:
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "be brief"}]},
        {"role": "user", "name": "Ada", "content": "weather?"},
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "annotations": [],
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": "{}"},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sun"},
    ]
    assert ask(post, messages=messages)["choices"]
    for model in ("restless", "plain"):
        tokens = post("/tokenize", model=model, messages=messages).json()["tokens"]
        text = post("/detokenize", model=model, tokens=tokens).json()["prompt"]
        for piece in (
            "be brief",
            "Ada: weather?",
            '<tool_call>\n{"name": "weather", "arguments": {}}\n</tool_call>',
            "sun",
        ):
            assert piece in text


def test_plain_members_are_accepted(post: Post) -> None:
    nulls = dict.fromkeys(
        [
            "temperature",
            "top_p",
            "n",
            "stop",
            "seed",
            "logprobs",
            "tools",
            "tool_choice",
            "response_format",
            "stream",
            "stream_options",
            "logit_bias",
            "metadata",
            "functions",
            "verbosity",
            "reasoning_effort",
            "audio",
        ]
    )
    ask(
        post,
        **nulls,
        user="u",
        store=False,
        service_tier="auto",
        parallel_tool_calls=True,
        prompt_cache_key="k",
        safety_identifier="s",
        modalities=["text"],
    )


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
