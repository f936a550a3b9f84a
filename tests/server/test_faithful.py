"""Faithful sampling over HTTP: what is answered, and what is refused. Its law: tests/laws."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from server_under_test import PERSON

Post = Callable[..., httpx.Response]
MESSAGES = [{"role": "user", "content": "hi"}]
ASKED: dict[str, Any] = {
    "model": "restless", "prompt": "hello", "seed": 1, "max_tokens": 30, "sampling": "faithful",
    "structured_outputs": {"regex": "[a-z ]{1,9}"},
}  # fmt: skip


def ask(post: Post, path: str = "/v1/completions", **body: Any) -> httpx.Response:
    given = {**ASKED, **body}
    return post(path, **{name: value for name, value in given.items() if value is not ...})


def test_a_text_and_how_it_came_about(post: Post) -> None:
    reply = ask(post, n=3, particles=8, logprobs=1).json()
    assert len(reply["choices"]) == 3
    for choice in reply["choices"]:
        assert choice["finish_reason"] == "stop"
        assert 1 <= len(choice["text"]) <= 9
        assert choice["sampling"]["stage"] in ("attempts", "particles")
        assert 1 <= choice["sampling"]["effective_samples"] <= 8
        assert "".join(choice["logprobs"]["tokens"]) == choice["text"]
    assert ask(post, n=3, particles=8, logprobs=1).json()["choices"] == reply["choices"]
    assert "sampling" not in ask(post, sampling="projected").json()["choices"][0]


def test_a_stream_has_it_with_the_last_piece(post: Post) -> None:
    lines = ask(post, stream=True).text.split("\n\n")
    pieces = [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    choices = [piece["choices"][0] for piece in pieces]
    assert "".join(choice["text"] for choice in choices) == ask(post).json()["choices"][0]["text"]
    assert ["sampling" in choice for choice in choices] == [False, True]


def test_chat(post: Post) -> None:
    format_ = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}
    body = {"prompt": ..., "structured_outputs": ..., "messages": MESSAGES}
    for stream in (False, True):
        response = ask(
            post, "/v1/chat/completions", response_format=format_, max_tokens=60, stream=stream,
            particles=4, **body,
        )  # fmt: skip
        assert response.status_code == 200, response.text
        if not stream:
            [choice] = response.json()["choices"]
            assert json.loads(choice["message"]["content"]).keys() == {"a"}
            assert choice["sampling"]["stage"] == "particles"
        else:
            assert response.text.count('"effective_samples"') == 1


def test_a_middle(post: Post) -> None:
    rule = {"regex": "he[a-z ]{1,4}o"}
    choice = ask(post, prompt="he", suffix="o", structured_outputs=rule).json()["choices"][0]
    assert 1 <= len(choice["text"]) <= 4
    reply = ask(
        post, "/v1/fim/completions", prompt="he", suffix="o", structured_outputs=rule
    ).json()
    assert reply["choices"][0]["sampling"]["effective_samples"] >= 1


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ({"structured_outputs": ...}, "invalid_request"),
        ({"sampling": "exact"}, "invalid_request"),
        ({"particles": 0}, "invalid_request"),
        ({"particles": 257}, "invalid_request"),
        ({"sampling": "projected", "particles": 4}, "invalid_request"),
        ({"draft": ["prompt"]}, "invalid_request"),
        ({"temperature": 0}, "unsupported_combination"),
        ({"stop": "x"}, "unsupported_combination"),
        ({"boundary": "exact"}, "unsupported_combination"),
        ({"byte_mode": "full"}, "unsupported_combination"),
        ({"ignore_eos": True}, "unsupported_combination"),
        ({"presence_penalty": 1}, "unsupported_combination"),
        ({"ensemble": {"members": ["restless", "plain"]}}, "unsupported_combination"),
        ({"structured_outputs": {"regex": "x{40}"}}, "max_tokens_too_small"),
    ],
)
def test_what_is_refused(post: Post, option: dict[str, Any], code: str) -> None:
    response = ask(post, **option)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["code"] == code
