"""`/v1/responses`, field by field: the same answers as chat's, told in the newer dialect."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from server_under_test import PERSON, Post, ask

GRAMMAR = 'start: "yes" | "no"'
FORMAT = {"type": "json_schema", "name": "person", "schema": PERSON}
FUNCTION = {"type": "function", "name": "person", "parameters": PERSON, "strict": True}
CUSTOM = {
    "type": "custom",
    "name": "vote",
    "format": {"type": "grammar", "syntax": "lark", "definition": GRAMMAR},
}


def answer(post: Post, **members: Any) -> dict[str, Any]:
    body = {"model": "restless", "input": "Ada is 36.", "max_output_tokens": 80, "seed": 3}
    response = post("/v1/responses", **{**body, **members})
    assert response.status_code == 200, response.text
    return response.json()


def events(post: Post, **members: Any) -> list[dict[str, Any]]:
    body = {"model": "restless", "input": "Ada is 36.", "max_output_tokens": 80, "seed": 3}
    response = post("/v1/responses", **{**body, **members, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in response.text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def refused(post: Post, **members: Any) -> dict[str, Any]:
    body = {"model": "restless", "input": "Ada is 36.", **members}
    response = post("/v1/responses", **body)
    assert response.status_code == 400, response.text
    return response.json()["error"]


def test_the_answer_is_chats(post: Post) -> None:
    reply = answer(post, text={"format": FORMAT}, instructions="Extract.")
    chat = ask(
        post,
        messages=[
            {"role": "system", "content": "Extract."},
            {"role": "user", "content": "Ada is 36."},
        ],
        response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}},
    )
    (item,) = reply["output"]
    (content,) = item["content"]
    assert content["text"] == chat["choices"][0]["message"]["content"]
    jsonschema.validate(json.loads(content["text"]), PERSON)
    assert (reply["object"], reply["status"], reply["error"]) == ("response", "completed", None)
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert reply["usage"]["input_tokens"] == chat["usage"]["prompt_tokens"]
    assert reply["usage"]["output_tokens"] == chat["usage"]["completion_tokens"]
    assert reply["usage"]["total_tokens"] == chat["usage"]["total_tokens"]
    assert (reply["instructions"], reply["store"]) == ("Extract.", False)
    assert reply["text"]["format"] == FORMAT


def test_a_budget_that_ends_the_answer(post: Post) -> None:
    reply = answer(post, max_output_tokens=3)
    assert (reply["status"], reply["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_output_tokens"},
    )
    assert reply["usage"]["output_tokens"] == 3
    assert events(post, max_output_tokens=3)[-1]["type"] == "response.incomplete"


def test_a_stream_of_text(post: Post) -> None:
    whole = answer(post, text={"format": FORMAT})
    told = events(post, text={"format": FORMAT})
    kinds = [event["type"].removeprefix("response.") for event in told]
    deltas = [event["delta"] for event in told if event["type"].endswith("text.delta")]
    assert kinds == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *["output_text.delta"] * len(deltas),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    text = whole["output"][0]["content"][0]["text"]
    assert "".join(deltas) == text == told[-4]["text"]
    assert told[0]["response"]["status"] == "in_progress"
    assert told[0]["response"]["output"] == []
    (item,) = told[-1]["response"]["output"]
    assert item == told[-2]["item"]
    assert {event["item_id"] for event in told if "item_id" in event} == {item["id"]}
    assert item["content"] == whole["output"][0]["content"]
    assert told[-1]["response"]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


def test_a_function_is_called(post: Post) -> None:
    reply = answer(post, tools=[FUNCTION], tool_choice="required")
    (item,) = reply["output"]
    assert (item["type"], item["name"], item["status"]) == ("function_call", "person", "completed")
    jsonschema.validate(json.loads(item["arguments"]), PERSON)
    told = events(post, tools=[FUNCTION], tool_choice={"type": "function", "name": "person"})
    deltas = [event["delta"] for event in told if "delta" in event]
    assert "".join(deltas) == told[-3]["arguments"]
    assert [event["type"] for event in told[-3:]] == [
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert told[2]["item"]["arguments"] == ""
    jsonschema.validate(json.loads(told[-2]["item"]["arguments"]), PERSON)


def test_a_custom_tool_is_called(post: Post) -> None:
    reply = answer(post, tools=[FUNCTION, CUSTOM], tool_choice={"type": "custom", "name": "vote"})
    (item,) = reply["output"]
    assert (item["type"], item["name"]) == ("custom_tool_call", "vote")
    assert item["input"] in {"yes", "no"}
    told = events(post, tools=[CUSTOM], tool_choice="required")
    assert told[-3]["type"] == "response.custom_tool_call_input.done"
    assert told[-3]["input"] in {"yes", "no"}


def test_a_conversation_with_calls_goes_on(post: Post) -> None:
    first = answer(post, tools=[FUNCTION], tool_choice="required")["output"]
    question = {"role": "user", "content": [{"type": "input_text", "text": "Ada is 36."}]}
    result = {
        "type": "function_call_output",
        "call_id": first[0]["call_id"],
        "output": [{"type": "input_text", "text": "noted"}],
    }
    second = answer(post, input=[question, *first, result], tools=[FUNCTION], tool_choice="none")
    third = answer(post, input=[question, *first, result, *second["output"], question])
    assert third["usage"]["input_tokens"] > second["usage"]["input_tokens"] > 30


def test_logprobs(post: Post) -> None:
    include = ["message.output_text.logprobs"]
    content = answer(post, include=include, top_logprobs=2)["output"][0]["content"][0]
    assert "".join(score["token"] for score in content["logprobs"]) == content["text"]
    assert all(len(score["top_logprobs"]) == 2 for score in content["logprobs"])
    told = events(post, include=include, top_logprobs=2)
    streamed = [score for event in told if "delta" in event for score in event["logprobs"]]
    assert streamed == told[-1]["response"]["output"][0]["content"][0]["logprobs"]
    assert answer(post)["output"][0]["content"][0]["logprobs"] == []


def test_a_grammar_of_our_own(post: Post) -> None:
    form = {"type": "grammar", "grammar": {"syntax": "lark", "definition": GRAMMAR}}
    reply = answer(post, text={"format": form})
    assert reply["output"][0]["content"][0]["text"] in {"yes", "no"}


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"input": []}, "input"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
        ({"max_output_tokens": 2, "text": {"format": FORMAT}}, "max_output_tokens"),
        ({"input": "x " * 9000}, "input"),
        ({"text": {"format": {**FORMAT, "schema": {"type": 3}}}}, "text.format.schema"),
        ({"tools": [{**FUNCTION, "parameters": {"type": 3}}]}, "tools[0].parameters"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tool_choice": {"type": "function", "name": "x"}, "tools": [FUNCTION]}, "tool_choice"),
        ({"background": True}, "background"),
        ({"unheard": 1}, "unheard"),
    ],
)
def test_what_is_wrong_is_named_in_this_dialect(
    post: Post, members: dict[str, Any], param: str
) -> None:
    assert refused(post, **members)["param"].startswith(param)
