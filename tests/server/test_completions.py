"""`/v1/completions`, field by field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Post = Callable[..., httpx.Response]


def complete(post: Post, **body: Any) -> dict[str, Any]:
    response = post(
        "/v1/completions", **{"model": "restless", "prompt": "hello", "seed": 1, **body}
    )
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.json()
    return value


def chunks(post: Post, path: str = "/v1/completions", **body: Any) -> list[dict[str, Any]]:
    response = post(path, **{"model": "restless", "seed": 1, "stream": True, **body})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    events = response.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def test_shape(post: Post) -> None:
    reply = complete(post, max_tokens=8)
    assert reply.keys() == {
        "id",
        "object",
        "created",
        "model",
        "system_fingerprint",
        "choices",
        "usage",
    }
    assert reply["id"].startswith("cmpl-")
    assert reply["object"] == "text_completion"
    assert reply["model"] == "restless"
    (choice,) = reply["choices"]
    assert choice.keys() == {"index", "text", "logprobs", "finish_reason"}
    assert choice["logprobs"] is None
    assert choice["finish_reason"] in {"stop", "length"}
    usage = reply["usage"]
    assert usage["prompt_tokens"] == 1
    assert usage["total_tokens"] == 1 + usage["completion_tokens"]


def test_sixteen_tokens_are_the_default(post: Post) -> None:
    reply = complete(post, ignore_eos=True)
    assert reply["usage"]["completion_tokens"] == 16
    assert reply["choices"][0]["finish_reason"] == "length"


def test_a_seed_repeats_and_choices_differ(post: Post) -> None:
    first = complete(post, n=4, ignore_eos=True)
    again = complete(post, n=4, ignore_eos=True)
    texts = [choice["text"] for choice in first["choices"]]
    assert texts == [choice["text"] for choice in again["choices"]]
    assert len(set(texts)) == 4
    assert [choice["index"] for choice in first["choices"]] == [0, 1, 2, 3]


def test_prompts_of_all_forms(post: Post) -> None:
    one = complete(post, prompt="hello", temperature=0)["choices"][0]["text"]
    for prompt in (["hello"], [256], [[256]]):
        assert complete(post, prompt=prompt, temperature=0)["choices"][0]["text"] == one
    reply = complete(post, prompt=["hello", "x", "hello"], n=2, temperature=0, max_tokens=5)
    texts = [choice["text"] for choice in reply["choices"]]
    assert len(texts) == 6
    assert texts[0] == texts[1] == texts[4] == texts[5] == one[: len(texts[0])]
    assert reply["usage"]["prompt_tokens"] == 3
    assert complete(post, prompt=None)["usage"]["prompt_tokens"] == 0


def test_stop_ends_before_the_stop(post: Post) -> None:
    text = complete(post, ignore_eos=True)["choices"][0]["text"]
    stop = text[5:7]
    reply = complete(post, ignore_eos=True, stop=[stop, "never"])
    assert reply["choices"][0] == {
        "index": 0,
        "text": text[: text.index(stop)],
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_echo_comes_first(post: Post) -> None:
    reply = complete(post, echo=True, max_tokens=0)
    assert reply["choices"][0]["text"] == "hello"
    assert reply["choices"][0]["finish_reason"] == "length"
    text = complete(post, max_tokens=4, boundary="none")["choices"][0]["text"]
    assert complete(post, max_tokens=4, echo=True)["choices"][0]["text"] == "hello" + text


@pytest.mark.parametrize("is_echoed", [False, True])
def test_logprobs_line_up_with_the_text(post: Post, is_echoed: bool) -> None:
    reply = complete(
        post, prompt="hello world", logprobs=3, max_tokens=6, echo=is_echoed, ignore_eos=True
    )
    (choice,) = reply["choices"]
    scores = choice["logprobs"]
    assert {len(values) for values in scores.values()} == {8 if is_echoed else 6}
    assert "".join(scores["tokens"]) == choice["text"]
    for token, offset in zip(scores["tokens"], scores["text_offset"], strict=True):
        assert choice["text"][offset:].startswith(token)
    for index, (token, logprob, top) in enumerate(
        zip(scores["tokens"], scores["token_logprobs"], scores["top_logprobs"], strict=True)
    ):
        if is_echoed and index == 0:
            assert (logprob, top) == (None, None)
        else:
            assert logprob <= 0
            assert top[token] == logprob
            assert 3 <= len(top) <= 4


def test_logprobs_of_half_characters(post: Post) -> None:
    rule = {"choice": ["é"]}
    reply = complete(post, logprobs=0, structured_outputs=rule)
    scores = reply["choices"][0]["logprobs"]
    assert reply["choices"][0]["text"] == "é"
    assert scores["tokens"] == [r"bytes:\xc3", r"bytes:\xa9"]
    assert scores["text_offset"] == [0, 0]


def test_a_stream_is_the_answer_in_pieces(post: Post) -> None:
    body = {"prompt": ["hello", "x"], "n": 2, "logprobs": 1, "echo": True, "max_tokens": 9}
    whole = complete(post, **body)
    pieces = chunks(post, **body)
    assert len({piece["id"] for piece in pieces}) == 1
    assert all("usage" not in piece for piece in pieces)
    for choice in whole["choices"]:
        own = [
            piece["choices"][0]
            for piece in pieces
            if piece["choices"][0]["index"] == choice["index"]
        ]
        assert "".join(piece["text"] for piece in own) == choice["text"]
        assert [piece["finish_reason"] for piece in own[:-1]] == [None] * (len(own) - 1)
        assert own[-1]["finish_reason"] == choice["finish_reason"]
        for key, values in choice["logprobs"].items():
            scores = [piece["logprobs"] for piece in own if piece["logprobs"]]
            assert [value for score in scores for value in score[key]] == values


def test_usage_is_the_last_chunk(post: Post) -> None:
    pieces = chunks(post, prompt="hello", draft=False, stream_options={"include_usage": True})
    assert all(piece["usage"] is None for piece in pieces[:-1])
    assert pieces[-1]["choices"] == []
    assert pieces[-1]["usage"] == complete(post, draft=False)["usage"]


def test_a_stream_never_cuts_a_character(post: Post) -> None:
    body = {"prompt": "x", "structured_outputs": {"regex": "[äöü€😀]{20}"}, "max_tokens": 90}
    pieces = chunks(post, **body)
    text = "".join(piece["choices"][0]["text"] for piece in pieces)
    assert re.fullmatch("[äöü€😀]{20}", text)
    assert len(pieces) > 15


def test_a_suffix_goes_behind_the_sentinels(post: Post) -> None:
    reply = complete(post, suffix="return")
    assert reply["usage"]["prompt_tokens"] == 1 + 3 + len("return")


def test_structured_outputs(post: Post) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"regex": "[0-9]{4}-[0-9]{2}"}, "[0-9]{4}-[0-9]{2}"),
        ({"choice": ["yes", "no"]}, "yes|no"),
        ({"grammar": 'start: "a" | "b" start'}, "b*a"),
        ({"grammar": 'root ::= "a" | "b" root'}, "b*a"),
        ({"grammar": 'root ::= "a" | "b" root', "syntax": "gbnf"}, "b*a"),
        ({"json": {"enum": [1, "two"]}}, '1|"two"'),
        ({"json": '{"enum": [1, "two"]}'}, '1|"two"'),
        (
            {"json": {"type": "array", "items": {"const": 1}}, "disable_any_whitespace": True},
            r"\[(1(,1)*)?\]",
        ),
    ]
    for rule, pattern in cases:
        text = complete(post, structured_outputs=rule, max_tokens=40)["choices"][0]["text"]
        assert re.fullmatch(pattern, text.strip()), (rule, text)
    text = complete(post, structured_outputs={"json_object": True}, max_tokens=60)["choices"][0][
        "text"
    ]
    assert isinstance(json.loads(text), dict)


def test_response_format_is_as_in_chat(post: Post) -> None:
    schema = {
        "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
        "additionalProperties": False,
    }  # fmt: skip
    named = {"name": "n", "schema": schema, "strict": True}
    asked = {"type": "json_schema", "json_schema": named}
    text = complete(post, response_format=asked, max_tokens=60)["choices"][0]["text"]
    assert isinstance(json.loads(text)["n"], int)
    grammar = {"type": "grammar", "grammar": {"syntax": "gbnf", "definition": 'root ::= [ab]+ "."'}}
    text = complete(post, response_format=grammar, max_tokens=40)["choices"][0]["text"]
    assert re.fullmatch(r"[ab]+\.", text)
    outputs = {"regex": "[cd]{3}"}
    plain = complete(post, response_format={"type": "text"}, structured_outputs=outputs)
    assert re.fullmatch("[cd]{3}", plain["choices"][0]["text"])
    twice = post(
        "/v1/completions", model="restless", prompt="x", response_format=asked,
        structured_outputs=outputs,
    )  # fmt: skip
    assert twice.status_code == 400
    assert twice.json()["error"]["param"] == "structured_outputs"
    bad = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "nothing"}}}
    refused = post("/v1/completions", model="restless", prompt="x", response_format=bad)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"].startswith("response_format.json_schema.schema")
