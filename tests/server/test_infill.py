"""Texts with holes, and models that fill masks, over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from lipogram.server.settings import Settings
from server_under_test import PERSON, SlowMasks, masks, restless, send_body, serving

Post = Callable[..., httpx.Response]
SEGMENTS = ['{"a": ', ', "b": "', '"}']
PAIR = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    models = [restless(), masks(), restless("plain", has_specials=False)]
    with serving(models, Settings(compile_workers=1)) as url:
        yield url


@pytest.fixture
def post(address: str) -> Iterator[Post]:
    with httpx.Client(base_url=address, timeout=60) as client:

        def send(path: str = "/v1/completions", **body: object) -> httpx.Response:
            return client.post(path, json={"model": "masks", "seed": 1, **body})

        yield send


def whole(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.json()
    return value


def events(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    *chunks, done, empty = response.text.split("\n\n")
    assert (done, empty) == ("data: [DONE]", "")
    return [json.loads(chunk.removeprefix("data: ")) for chunk in chunks]


def pieced(segments: list[str], fillings: list[str]) -> str:
    texts = [segments[0]]
    for filling, segment in zip(fillings, segments[1:], strict=True):
        texts += [filling, segment]
    return "".join(texts)


@pytest.mark.parametrize("model", ["masks", "restless"])
@pytest.mark.parametrize("member", [None, "structured_outputs", "response_format"])
def test_holes_are_filled(post: Post, model: str, member: str | None) -> None:
    named = {"type": "json_schema", "json_schema": {"name": "pair", "schema": PAIR}}
    rules = {"structured_outputs": {"json": PAIR}, "response_format": named}
    is_ruled = member is not None
    rule = {member: rules[member]} if member is not None else {}
    wanted = {"segments": SEGMENTS, "max_tokens": [4, 6]}
    reply = whole(post(model=model, infill=wanted, **rule))
    (choice,) = reply["choices"]
    assert choice["text"] == pieced(SEGMENTS, choice["fillings"])
    assert reply["usage"]["completion_tokens"] <= 10
    if is_ruled:
        value = json.loads(choice["text"])
        assert type(value["a"]) is int
        assert type(value["b"]) is str
    details = reply["usage"]["completion_tokens_details"]
    assert ("denoising_steps" in details) == (model == "masks")
    if model == "masks":
        assert 1 <= details["denoising_steps"] <= 10 + 10
        assert details["witness_tokens"] == 0


@pytest.mark.parametrize("model", ["masks", "restless"])
def test_a_stream_adds_up_to_the_answer(post: Post, model: str) -> None:
    body = {"model": model, "infill": {"segments": SEGMENTS, "max_tokens": 5}}
    (choice,) = whole(post(**body))["choices"]
    chunks = events(post(**body, stream=True, stream_options={"include_usage": True}))
    *parts, last = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert "".join(part["text"] for part in (*parts, last)) == choice["text"]
    assert parts[0]["text"] == SEGMENTS[0]
    assert last["fillings"] == choice["fillings"]
    assert last["finish_reason"] == choice["finish_reason"]
    assert chunks[-1]["choices"] == []


def test_canvases_are_streamed_on_request(post: Post) -> None:
    body = {"infill": {"segments": SEGMENTS, "max_tokens": 3}, "stream": True}
    chunks = events(post(**body, denoising={"steps": 3, "stream_canvas": True, "lengths": "full"}))
    choices = [chunk["choices"][0] for chunk in chunks]
    canvases = [choice["canvas"] for choice in choices if "canvas" in choice]
    assert [canvas["step"] for canvas in canvases] == [1, 2, 3]
    masked = [
        sum(piece for piece in canvas["pieces"] if isinstance(piece, int)) for canvas in canvases
    ]
    assert masked == sorted(masked, reverse=True)
    assert masked[0] < 6
    assert masked[-1] == 0
    text = "".join(choice["text"] for choice in choices)
    assert canvases[-1]["pieces"] == [text]
    assert not any("canvas" in chunk["choices"][0] for chunk in events(post(**body)))


@pytest.mark.parametrize("order", ["confidence", "entropy", "random"])
def test_a_diffusion_model_obeys_a_schema(post: Post, order: str) -> None:
    messages = [{"role": "user", "content": "hi"}]
    format_ = {"type": "json_schema", "json_schema": {"name": "x", "schema": PERSON}}
    body = {
        "messages": messages,
        "response_format": format_,
        "max_tokens": 16,
        "denoising": {"steps": 8, "order": order, "block_tokens": 8, "remask": 0.2},
    }
    reply = whole(post("/v1/chat/completions", **body))
    answer = reply["choices"][0]["message"]["content"]
    assert type(json.loads(answer)["a"]) is bool
    assert reply["usage"]["completion_tokens_details"]["denoising_steps"] <= 8
    chunks = events(
        post(
            "/v1/chat/completions",
            **{**body, "stream": True, "denoising": {**body["denoising"], "stream_canvas": True}},
        )
    )
    choices = [chunk["choices"][0] for chunk in chunks]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == answer
    assert sum("canvas" in choice for choice in choices) > 0


def test_a_diffusion_model_answers_in_the_newer_dialect(post: Post) -> None:
    body = {
        "input": "hi",
        "text": {"format": {"type": "json_schema", "name": "x", "schema": PERSON}},
        "max_output_tokens": 16,
        "denoising": {"steps": 8, "order": "entropy", "block_tokens": 8},
    }
    reply = whole(post("/v1/responses", **body))
    assert type(json.loads(reply["output"][0]["content"][0]["text"])["a"]) is bool
    refused = post("/v1/responses", **{**body, "denoising": {"stream_canvas": True}})
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "denoising.stream_canvas"


def test_a_long_output_is_written_in_order(post: Post) -> None:
    messages = [{"role": "user", "content": "hi"}]
    format_ = {"type": "json_schema", "json_schema": {"name": "x", "schema": PAIR}}
    body = {"messages": messages, "response_format": format_, "max_tokens": 60}
    reply = whole(post("/v1/chat/completions", **body, denoising={"steps": 20}))
    value = json.loads(reply["choices"][0]["message"]["content"])
    assert type(value["a"]) is int
    assert reply["usage"]["completion_tokens_details"]["denoising_steps"] <= 20
    refused = post("/v1/chat/completions", **body, denoising={"remask": 0.5})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "unsupported_combination"


def test_completions_go_on_after_a_prompt(post: Post) -> None:
    reply = whole(post(prompt="hello", max_tokens=6, n=2, stop="}"))
    assert len(reply["choices"]) == 2
    assert all("}" not in choice["text"] for choice in reply["choices"])
    assert reply == {**whole(post(prompt="hello", max_tokens=6, n=2, stop="}")), **{
        name: reply[name] for name in ("id", "created")
    }}  # fmt: skip
    ruled = whole(post(prompt="x", max_tokens=9, structured_outputs={"regex": "[0-9]{3,5}"}))
    assert ruled["choices"][0]["text"].isdigit()


INFILL = {"segments": ["a", "b"]}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"infill": {"segments": ["a"]}}, "infill.segments", "invalid_request"),
    ({"infill": {"segments": ["a", 1]}}, "infill.segments[1]", "invalid_request"),
    ({"infill": {**INFILL, "max_tokens": [1, 2]}}, "infill.max_tokens", "invalid_request"),
    ({"infill": {**INFILL, "max_tokens": 0}}, "infill.max_tokens", "invalid_request"),
    ({"infill": {**INFILL, "max_tokens": 10**6}}, "infill.max_tokens", "context_length_exceeded"),
    ({"infill": {**INFILL, "holes": 1}}, "infill.holes", "invalid_request"),
    ({"infill": INFILL, "max_tokens": 3}, "max_tokens", "invalid_request"),
    ({"infill": INFILL, "suffix": "x"}, "suffix", "invalid_request"),
    ({"infill": INFILL, "stop": "x"}, "stop", "invalid_request"),
    ({"infill": INFILL, "logprobs": 1}, "logprobs", "invalid_request"),
    ({"infill": INFILL, "constraint_scope": "middle"}, "constraint_scope", "invalid_request"),
    ({"infill": INFILL, "presence_penalty": 1.0}, "", "unsupported_combination"),
    ({"infill": INFILL, "prompt": ["a", "b"]}, "infill", "invalid_request"),
    ({"prompt": "a", "denoising": {"steps": 0}}, "denoising.steps", "invalid_request"),
    ({"prompt": "a", "denoising": {"order": "x"}}, "denoising.order", "invalid_request"),
    ({"prompt": "a", "denoising": {"remask": 1.0}}, "denoising.remask", "invalid_request"),
    (
        {"prompt": "a", "denoising": {"stream_canvas": True}},
        "denoising.stream_canvas",
        "invalid_request",
    ),
    ({"prompt": "a", "denoising": {}, "model": "restless"}, "denoising", "invalid_request"),
    ({"prompt": "a", "suffix": "b"}, "suffix", "invalid_request"),
    ({"prompt": "a", "boundary": "exact"}, "boundary", "invalid_request"),
    ({"prompt": "a", "byte_mode": "full"}, "byte_mode", "invalid_request"),
    ({"prompt": "a", "logprobs": 1}, "", "unsupported_combination"),
    ({"prompt": "a", "frequency_penalty": 1.0}, "", "unsupported_combination"),
    ({"infill": INFILL, "model": "plain"}, "infill", "invalid_request"),
    (
        {"infill": {"segments": ["x", "}"]}, "structured_outputs": {"json": PAIR}},
        "infill.segments",
        "holes_unfillable",
    ),
    (
        {
            "infill": {"segments": ['{"a"', "}"], "max_tokens": 3},
            "structured_outputs": {"json": PAIR},
        },
        "infill.max_tokens",
        "holes_too_small",
    ),
    (
        {"infill": INFILL, "structured_outputs": {"json": False}},
        "structured_outputs.json",
        "empty_language",
    ),
    (
        {"prompt": "a", "max_tokens": 2, "structured_outputs": {"json": PAIR}},
        "max_tokens",
        "max_tokens_too_small",
    ),
]


@pytest.mark.parametrize(("body", "param", "code"), REFUSED, ids=str)
def test_what_cannot_be_done_is_refused(
    post: Post, body: dict[str, Any], param: str, code: str
) -> None:
    response = post(**body)
    assert response.status_code == 400, response.text
    fault = response.json()["error"]
    assert (fault["param"] or "", fault["code"]) == (param, code), fault
    if code == "holes_too_small":
        wanted = {**body["infill"], "max_tokens": fault["wanted_tokens"]}
        assert post(**{**body, "infill": wanted}).status_code == 200


def test_a_client_that_leaves_stops_the_steps() -> None:
    model = SlowMasks(0.05)
    with serving([model], Settings(compile_workers=1)) as address:
        body = {"model": "slow", "prompt": "a", "max_tokens": 100, "stream": True}
        connection = send_body(address, "/v1/completions", body)
        while not model.asked:
            time.sleep(0.01)
        connection.close()
        time.sleep(0.3)
        asked = model.asked
        time.sleep(0.3)
        assert model.asked == asked
