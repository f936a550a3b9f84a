"""Whatever a client sends, it gets a clear 4xx in OpenAI's shape within a second or so."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

CHAT: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
TEXT: dict[str, Any] = {"model": "tiny", "prompt": "hi"}
JSON_HEADER = {"Content-Type": "application/json"}
NO_END = {
    "$ref": "#/$defs/a",
    "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}, "minItems": 1}},
}


def schema(value: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": value}}


def function(**members: object) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **members}}


CHAT_CASES: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("no model", {"model": None}, 400, "model"),
    ("unknown model", {"model": "gpt-9"}, 404, "model"),
    ("model is a number", {"model": 3}, 400, "model"),
    ("unknown member", {"temprature": 1}, 400, "temprature"),
    (
        "unknown nested member",
        {"messages": [{"role": "user", "content": "", "x": 1}]},
        400,
        "messages[0].x",
    ),
    ("no messages", {"messages": []}, 400, "messages"),
    ("unknown role", {"messages": [{"role": "robot", "content": "x"}]}, 400, "messages[0]"),
    (
        "content is a number",
        {"messages": [{"role": "user", "content": 1}]},
        400,
        "messages[0].content",
    ),
    (
        "an image",
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
            ]
        },
        400,
        "messages[0].content[0].type",
    ),
    ("negative temperature", {"temperature": -1}, 400, "temperature"),
    ("huge temperature", {"temperature": 10**300}, 400, "temperature"),
    ("temperature is text", {"temperature": "1"}, 400, "temperature"),
    ("true is no number", {"n": True}, 400, "n"),
    ("negative n", {"n": -1}, 400, "n"),
    ("huge n", {"n": 10**30}, 400, "n"),
    ("n of 129", {"n": 129}, 400, "n"),
    ("negative max_tokens", {"max_tokens": -5}, 400, "max_tokens"),
    ("huge max_tokens", {"max_tokens": 10**9}, 400, None),
    ("both budgets", {"max_tokens": 1, "max_completion_tokens": 2}, 400, "max_tokens"),
    ("huge seed", {"seed": 2**63}, 400, "seed"),
    ("empty stop", {"stop": ""}, 400, "stop"),
    ("17 stops", {"stop": ["a"] * 17}, 400, "stop"),
    ("empty stop in a list", {"stop": ["a", ""]}, 400, "stop[1]"),
    ("top_p 0", {"top_p": 0}, 400, "top_p"),
    ("top_logprobs alone", {"top_logprobs": 2}, 400, "top_logprobs"),
    ("top_logprobs 21", {"logprobs": True, "top_logprobs": 21}, 400, "top_logprobs"),
    ("bias of no token", {"logit_bias": {"x": 1}}, 400, "logit_bias"),
    ("bias beyond the vocabulary", {"logit_bias": {"99999": 1}}, 400, "logit_bias"),
    ("bias too strong", {"logit_bias": {"5": 101}}, 400, "logit_bias.5"),
    (
        "stream_options without stream",
        {"stream_options": {"include_usage": True}},
        400,
        "stream_options",
    ),
    (
        "obfuscation",
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        400,
        "stream_options.include_obfuscation",
    ),
    ("store", {"store": True}, 400, "store"),
    ("audio", {"modalities": ["text", "audio"]}, 400, "modalities[1]"),
    ("functions", {"functions": [{"name": "f"}]}, 400, "functions"),
    ("unknown format", {"response_format": {"type": "xml"}}, 400, "response_format"),
    (
        "format without a name",
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        400,
        "response_format.json_schema.name",
    ),
    (
        "schema is no object",
        {"response_format": schema([])},
        400,
        "response_format.json_schema.schema",
    ),
    (
        "schema with a bad regex",
        {"response_format": schema({"type": "string", "pattern": "(a"})},
        400,
        "response_format.json_schema.schema",
    ),
    (
        "schema without an end",
        {"response_format": schema(NO_END)},
        400,
        "response_format.json_schema.schema",
    ),
    (
        "schema that nothing satisfies",
        {"response_format": schema({"type": "string", "minLength": 2, "maxLength": 1})},
        400,
        "response_format.json_schema.schema",
    ),
    (
        "schema with a dangling reference",
        {"response_format": schema({"$ref": "#/$defs/nowhere"})},
        400,
        "response_format.json_schema.schema",
    ),
    (
        "bad grammar",
        {"response_format": {"type": "grammar", "grammar": "start: ("}},
        400,
        "response_format.grammar",
    ),
    (
        "budget below the shortest",
        {"response_format": schema({"type": "string", "minLength": 90}), "max_tokens": 3},
        400,
        "max_tokens",
    ),
    (
        "two constraints",
        {"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}},
        400,
        "structured_outputs",
    ),
    (
        "two kinds",
        {"structured_outputs": {"regex": "a", "choice": ["b"]}},
        400,
        "structured_outputs",
    ),
    ("no kind", {"structured_outputs": {}}, 400, "structured_outputs"),
    ("no choices", {"structured_outputs": {"choice": []}}, 400, "structured_outputs.choice"),
    (
        "whitespace pattern",
        {"structured_outputs": {"regex": "a", "whitespace_pattern": " "}},
        400,
        "structured_outputs.whitespace_pattern",
    ),
    ("bad regex", {"structured_outputs": {"regex": "a("}}, 400, "structured_outputs.regex"),
    ("backreference", {"structured_outputs": {"regex": r"(a)\1"}}, 400, "structured_outputs.regex"),
    (
        "syntax of a regex",
        {"structured_outputs": {"regex": "a", "syntax": "lark"}},
        400,
        "structured_outputs.syntax",
    ),
    (
        "neither Lark nor GBNF",
        {"structured_outputs": {"grammar": "???"}},
        400,
        "structured_outputs.grammar",
    ),
    ("choice without tools", {"tool_choice": "required"}, 400, "tool_choice"),
    (
        "choice of no tool",
        {"tools": [function()], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        400,
        "tool_choice",
    ),
    ("two tools of one name", {"tools": [function(), function()]}, 400, "tools[1]"),
    (
        "tool with a bad name",
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        400,
        "tools[0].function.name",
    ),
    (
        "tool with bad parameters",
        {"tools": [function(parameters={"type": "quark"})], "tool_choice": "required"},
        400,
        "tools[0].function.parameters",
    ),
    (
        "second tool is bad",
        {
            "tools": [
                function(),
                {
                    "type": "custom",
                    "custom": {
                        "name": "c",
                        "format": {
                            "type": "grammar",
                            "grammar": {"syntax": "regex", "definition": "("},
                        },
                    },
                },
            ]
        },
        400,
        "tools[1].custom.format.grammar.definition",
    ),
    ("unknown tool type", {"tools": [{"type": "shell"}]}, 400, "tools[0]"),
]

TEXT_CASES: list[tuple[str, dict[str, Any], int, str | None]] = [
    ("prompt is a number", {"prompt": 5}, 400, "prompt"),
    ("prompt is empty", {"prompt": []}, 400, "prompt"),
    ("token beyond the vocabulary", {"prompt": [5, 70000]}, 400, "prompt"),
    ("negative token", {"prompt": [-1]}, 400, "prompt[0]"),
    ("too many sequences", {"prompt": ["a"] * 65, "n": 2}, 400, "n"),
    ("too many prompts", {"prompt": ["a"] * 200}, 400, "prompt"),
    ("long prompt", {"prompt": "x" * 50_000}, 400, None),
    ("best_of", {"best_of": 2}, 400, "best_of"),
    ("logprobs 21", {"logprobs": 21}, 400, "logprobs"),
    ("logprobs is a flag", {"logprobs": True}, 400, "logprobs"),
    ("echo with suffix", {"suffix": "x", "echo": True}, 400, "echo"),
    ("suffix without sentinels", {"model": "plain", "suffix": "x"}, 400, "suffix"),
]

RAW_CASES: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 400),
    ("not JSON", b"{model: tiny}", 400),
    ("half JSON", b'{"model": "tiny", "messages": [', 400),
    ("an array", b"[]", 400),
    ("not a number", b'{"model": "tiny", "prompt": "a", "temperature": NaN}', 400),
    ("infinity", b'{"model": "tiny", "prompt": "a", "temperature": 1e999}', 400),
    ("5000 digits", b'{"model": "tiny", "prompt": "a", "n": ' + b"9" * 5000 + b"}", 400),
    ("not UTF-8", b'{"model": "tiny", "prompt": "\xff"}', 400),
    ("unpaired surrogate", b'{"model": "tiny", "prompt": "\\ud800"}', 400),
    ("a key twice", b'{"model": "tiny", "prompt": "a", "prompt": "b"}', 400),
    ("10,000 levels", b'{"model": "tiny", "prompt": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400),
    ("a million brackets", b"[" * 1_000_000, 400),
    ("an endless string", b'"' + b'\\"' * 1_500_000, 400),
    ("5 MB", b'{"model": "tiny", "prompt": "' + b"a" * 5_000_000 + b'"}', 413),
]


def check_error(response: httpx.Response, status: int, param: str | None = None) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body = response.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert error.keys() >= {"message", "type", "param", "code"}
    assert error["message"]
    assert error["code"]
    assert "Traceback" not in response.text
    if param is not None:
        assert error["param"] == param
    return error


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [case[1:] for case in CHAT_CASES],
    ids=[case[0] for case in CHAT_CASES],
)
def test_chat_refuses(
    post: Callable[..., httpx.Response], change: dict[str, Any], status: int, param: str | None
) -> None:
    started = time.perf_counter()
    response = post("/v1/chat/completions", **{**CHAT, **change})
    check_error(response, status, param)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [case[1:] for case in TEXT_CASES],
    ids=[case[0] for case in TEXT_CASES],
)
def test_completions_refuse(
    post: Callable[..., httpx.Response], change: dict[str, Any], status: int, param: str | None
) -> None:
    check_error(post("/v1/completions", **{**TEXT, **change}), status, param)


@pytest.mark.parametrize(
    ("body", "status"), [case[1:] for case in RAW_CASES], ids=[case[0] for case in RAW_CASES]
)
def test_broken_bodies_are_refused(address: str, body: bytes, status: int) -> None:
    started = time.perf_counter()
    response = httpx.post(f"{address}/v1/completions", content=body, headers=JSON_HEADER)
    check_error(response, status)
    assert time.perf_counter() - started < 2


def test_chunked_body_is_bounded(address: str) -> None:
    def pieces() -> Any:
        for _ in range(80):
            yield b"a" * 65536

    response = httpx.post(f"{address}/v1/completions", content=pieces(), headers=JSON_HEADER)
    check_error(response, 413)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", None])
def test_only_json_is_read(address: str, media: str | None) -> None:
    headers = {"Content-Type": media} if media else {}
    content = json.dumps(TEXT).encode()
    check_error(httpx.post(f"{address}/v1/completions", content=content, headers=headers), 415)


def test_unknown_routes_and_methods(address: str) -> None:
    check_error(httpx.post(f"{address}/v1/embeddings", json={}), 404)
    check_error(httpx.post(f"{address}/nowhere", json={}), 404)
    response = httpx.get(f"{address}/v1/completions")
    check_error(response, 405)
    assert response.headers["allow"] == "POST"


def test_special_names_in_a_prompt_are_text(post: Callable[..., httpx.Response]) -> None:
    ids = post("/tokenize", prompt="<|user|><|endoftext|>").json()["tokens"]
    assert max(ids) < 256
    assert post("/detokenize", tokens=ids).json()["prompt"] == "<|user|><|endoftext|>"
    message = {"role": "user", "content": "<|end|><|assistant|>"}
    ids = post("/tokenize", messages=[message]).json()["tokens"]
    assert sum(id >= 256 for id in ids) == 3


@pytest.mark.parametrize("beginning", ["", "[xyz]{5}"])
def test_others_are_served_meanwhile(address: str, beginning: str) -> None:
    """A grammar that takes forever, at once or later on, costs its sender the budget alone."""
    slow = {"regex": beginning + "(?=.*a.{12}$)(?=.*b.{13}$)(?=.*c.{14}$)[abc]*"}
    outcome: list[httpx.Response] = []

    def send() -> None:
        body = {**CHAT, "structured_outputs": slow}
        outcome.append(httpx.post(f"{address}/v1/chat/completions", json=body, timeout=30))

    thread = threading.Thread(target=send)
    thread.start()
    waits = []
    for index in range(20):
        started = time.perf_counter()
        rule = {"regex": f"[a-f]{{{index + 1}}}"}
        body = {**CHAT, "structured_outputs": rule, "max_tokens": 40}
        assert httpx.post(f"{address}/v1/chat/completions", json=body).status_code == 200
        waits.append(time.perf_counter() - started)
    thread.join()
    assert sorted(waits)[10] < 0.5
    error = check_error(outcome[0], 400, "structured_outputs.regex")
    assert error["code"] == "grammar_too_complex"
    started = time.perf_counter()
    again = {**CHAT, "structured_outputs": slow}
    check_error(httpx.post(f"{address}/v1/chat/completions", json=again, timeout=30), 400)
    assert time.perf_counter() - started < 1  # remembered
