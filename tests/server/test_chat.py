"""`/v1/chat/completions`, field by field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from server_under_test import PERSON, Post, ask, stream


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
    whole = ask(post, n=3, draft=False)  # what drafts come to is in usage, and depends on time
    pieces = stream(post, n=3, draft=False, stream_options={"include_usage": True})
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


def test_special_tokens_are_scored_but_not_said(post: Post) -> None:
    rule = {"grammar": 'start: "a" <|fim_prefix|> "b" <|fim_suffix|>'}
    asked = {"structured_outputs": rule, "logprobs": True, "max_tokens": 8}
    (choice,) = ask(post, **asked)["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("ab", "stop")
    assert [score["token"] for score in choice["logprobs"]["content"]] == ["a", "", "b", ""]
    choices = [piece["choices"][0] for piece in stream(post, **asked) if piece["choices"]]
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "ab"
    scores = [
        score for choice in choices for score in (choice["logprobs"] or {"content": ()})["content"]
    ]
    assert [score["token"] for score in scores] == ["a", "", "b", ""]
    stopped = ask(
        post,
        structured_outputs={"grammar": 'start: "x" | "a" <|fim_prefix|> ("b" "c")?'},
        stop="bc",
    )
    assert "b" not in stopped["choices"][0]["message"]["content"]
