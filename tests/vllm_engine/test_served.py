"""The server in front of vLLM: streams, n, seeds, log-probabilities, clients that leave."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")

from lipogram.decoding.models.vllm import VllmModel
from server_under_test import send_body, serving

MESSAGES = [{"role": "user", "content": "parse a name <|im_end|>"}]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 8}, "n": {"enum": [1, 22]}},
    "required": ["name", "n"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "p", "schema": SCHEMA}}


@pytest.fixture(scope="module")
def client(model: VllmModel) -> Iterator[httpx.Client]:
    with serving([model]) as address, httpx.Client(base_url=address, timeout=60) as made:
        yield made


def chat(client: httpx.Client, **body: Any) -> Any:
    body = {"model": "tiny", "messages": MESSAGES, "seed": 5, "max_tokens": 60, **body}
    response = client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    return response


def test_several_sequences_under_a_schema(client: httpx.Client) -> None:
    found = chat(client, response_format=FORMAT, n=4).json()["choices"]
    texts = [choice["message"]["content"] for choice in found]
    assert all(json.loads(text)["n"] in (1, 22) for text in texts)
    assert len(set(texts)) > 1
    again = chat(client, response_format=FORMAT, n=4).json()["choices"]
    assert [choice["message"]["content"] for choice in again] == texts


def test_a_stream_with_log_probabilities(client: httpx.Client) -> None:
    body = {"response_format": FORMAT, "logprobs": True, "top_logprobs": 2}
    whole = chat(client, **body).json()["choices"][0]
    lines = chat(client, **body, stream=True).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(line.removeprefix("data: "))["choices"][0] for line in lines[:-2]]
    text = "".join(chunk["delta"].get("content") or "" for chunk in chunks)
    assert text == whole["message"]["content"]
    scores = [s for chunk in chunks for s in (chunk.get("logprobs") or {}).get("content") or []]
    assert [s["token"] for s in scores] == [s["token"] for s in whole["logprobs"]["content"]]
    assert all(s["logprob"] <= 0 for s in scores)


def test_a_completion_that_begins_inside_a_token(client: httpx.Client) -> None:
    for body in ({}, {"byte_mode": "full"}, {"echo": True, "logprobs": 1}, {"stop": ["e"]}):
        body = {"model": "tiny", "prompt": "def par", "max_tokens": 8, "seed": 1, **body}
        response = client.post("/v1/completions", json=body)
        assert response.status_code == 200, response.text


def test_who_leaves_is_aborted(client: httpx.Client, model: VllmModel) -> None:
    connection = send_body(
        str(client.base_url).rstrip("/"),
        "/v1/completions",
        {"model": "tiny", "prompt": "x", "max_tokens": 200, "stream": True, "boundary": "none"},
    )
    connection.recv(100)
    connection.close()
    deadline = time.monotonic() + 20
    while model._engine._listeners:
        assert time.monotonic() < deadline
        time.sleep(0.05)
