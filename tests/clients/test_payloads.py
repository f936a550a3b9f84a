"""Requests as real SDKs and editor plugins sent them, each answered in the shape it asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from clients.conftest import ServerProcess

COMPLETIONS = {"/v1/completions", "/v1/beta/completions"}
CHATS = {"/v1/chat/completions", "/v1/fim/completions"}
PAYLOADS = [
    json.loads(line) for line in Path(__file__).with_name("payloads.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize(
    "payload", PAYLOADS, ids=[f"{index}-{entry['client']}" for index, entry in enumerate(PAYLOADS)]
)
def test_payload(server: ServerProcess, payload: dict[str, Any]) -> None:
    body, path = payload["body"], payload["path"]
    response = httpx.post(server.url + path, json=body, timeout=60)
    assert response.status_code == 200, response.text
    if path == "/api/generate":
        check_generated(body, response.json())
        return
    if path == "/v1/responses":
        (item,) = response.json()["output"]
        jsonschema.validate(
            json.loads(item["content"][0]["text"]), body["text"]["format"]["schema"]
        )
        return
    choice = streamed(response.text) if body.get("stream") else response.json()["choices"][0]
    assert choice["finish_reason"] in {"stop", "length", "tool_calls"}
    if path in COMPLETIONS:
        assert isinstance(choice["text"], str)
    else:
        assert path in CHATS
        check_message(body, choice["message"])


def check_generated(body: dict[str, Any], reply: dict[str, Any]) -> None:
    """Ollama's answer, as its client reads it."""
    assert (reply["model"], reply["done"]) == (body["model"], True)
    assert reply["done_reason"] in {"stop", "length"}
    assert reply["created_at"].endswith("Z")
    for name in ("total_duration", "load_duration", "prompt_eval_count", "eval_count"):
        assert reply[name] >= 0
    jsonschema.validate(json.loads(reply["response"]), body["format"])


def streamed(text: str) -> dict[str, Any]:
    """The first choice of a stream, put together."""
    *events, done, rest = text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    whole: dict[str, Any] = {"text": "", "message": {"content": None}}
    for event in events:
        for choice in json.loads(event.removeprefix("data: "))["choices"]:
            whole["finish_reason"] = choice["finish_reason"]
            whole["text"] += choice.get("text", "")
            delta = choice.get("delta", {})
            if delta.get("content") is not None:
                whole["message"]["content"] = (whole["message"]["content"] or "") + delta["content"]
            for call in delta.get("tool_calls", []):
                calls = whole["message"].setdefault("tool_calls", [{"function": {"arguments": ""}}])
                calls[0]["function"]["arguments"] += call["function"]["arguments"]
    return whole


def check_message(body: dict[str, Any], message: dict[str, Any]) -> None:
    if "tools" in body:
        (tool,) = body["tools"]
        (call,) = message["tool_calls"]
        arguments = json.loads(call["function"]["arguments"])
        jsonschema.validate(arguments, tool["function"]["parameters"])
        return
    wanted = body.get("response_format", {"type": "text"})
    if wanted["type"] == "json_schema":
        jsonschema.validate(json.loads(message["content"]), wanted["json_schema"]["schema"])
    elif wanted["type"] == "json_object":
        assert isinstance(json.loads(message["content"]), dict)
    else:
        assert isinstance(message["content"], str)
