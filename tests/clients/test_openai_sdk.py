"""The official SDK against a real server process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

from clients.conftest import ServerProcess

MESSAGES: Any = [{"role": "user", "content": "Ada Lovelace, born in London, is 36 years old."}]


class Person(BaseModel):
    name: str
    age: int
    city: Literal["London", "Paris"]


class Weather(BaseModel):
    """The weather in a city."""

    city: Literal["Oslo", "Rome"]
    days: int


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def test_models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[1:] == ["tiny"]
    assert client.models.retrieve(names[0]).object == "model"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-9")
    assert caught.value.code == "model_not_found"


def test_parse(client: openai.OpenAI) -> None:
    reply = client.chat.completions.parse(model="tiny", messages=MESSAGES, response_format=Person)
    person = reply.choices[0].message.parsed
    assert isinstance(person, Person)
    assert person.city in {"London", "Paris"}


def test_parse_a_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="tiny", messages=MESSAGES, response_format=Person, seed=1
    ) as stream:
        kinds = {event.type for event in stream}
        reply = stream.get_final_completion()
    assert kinds >= {"chunk", "content.delta", "content.done"}
    assert isinstance(reply.choices[0].message.parsed, Person)


def test_strict_tools(client: openai.OpenAI) -> None:
    tool = openai.pydantic_function_tool(Weather)
    body: Any = {"model": "tiny", "messages": MESSAGES, "tools": [tool], "tool_choice": "required"}
    reply = client.chat.completions.parse(**body)
    (call,) = reply.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, Weather)
    assert reply.choices[0].finish_reason == "tool_calls"
    with client.chat.completions.stream(**body) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    (call,) = final.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, Weather)


@pytest.mark.parametrize("choice", ["auto", "required", "named"])
def test_custom_tools(client: openai.OpenAI, choice: str) -> None:
    grammar = {"syntax": "lark", "definition": 'start: N ("+" N)+\nN: /[1-9]/'}
    tool: Any = {
        "type": "custom",
        "custom": {"name": "sum", "format": {"type": "grammar", "grammar": grammar}},
    }
    named: Any = {"type": "custom", "custom": {"name": "sum"}}
    reply = client.chat.completions.create(
        model="tiny", messages=MESSAGES, tools=[tool], max_tokens=60,
        tool_choice=named if choice == "named" else choice,
    )  # fmt: skip
    message = reply.choices[0].message
    if choice == "auto" and not message.tool_calls:
        assert message.content is not None
        return
    (call,) = message.tool_calls or []
    assert call.type == "custom"
    assert call.custom.name == "sum"
    assert all(len(term) == 1 and term in "123456789" for term in call.custom.input.split("+"))


def test_completions(client: openai.OpenAI) -> None:
    reply = client.completions.create(
        model="tiny", prompt=["def f(", "import"], n=2, max_tokens=6, logprobs=2, echo=True, seed=5
    )
    assert [choice.index for choice in reply.choices] == [0, 1, 2, 3]
    for choice, prompt in zip(reply.choices, ["def f("] * 2 + ["import"] * 2, strict=True):
        assert choice.text.startswith(prompt)
        assert choice.logprobs is not None
        assert "".join(choice.logprobs.tokens or []) == choice.text
        assert (choice.logprobs.token_logprobs or [0.0])[0] is None
    assert reply.usage is not None
    pieces = client.completions.create(
        model="tiny", prompt="def f(", max_tokens=6, stream=True, seed=5,
        stream_options={"include_usage": True}, extra_body={"boundary": "none"},
    )  # fmt: skip
    chunks = list(pieces)
    text = "".join(chunk.choices[0].text for chunk in chunks[:-1])
    assert reply.choices[0].text == "def f(" + text
    assert chunks[-1].usage is not None


def test_echo_scores_a_prompt_alone(client: openai.OpenAI) -> None:
    reply = client.completions.create(
        model="tiny", prompt="def f(x):\n    return x\n", max_tokens=0, logprobs=1, echo=True
    )
    scores = reply.choices[0].logprobs
    assert scores is not None
    assert reply.usage is not None
    assert len(scores.token_logprobs or []) == reply.usage.prompt_tokens
    assert all(score < 0 for score in (scores.token_logprobs or [])[1:])


def test_structured_outputs(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="tiny", messages=MESSAGES,
        extra_body={"structured_outputs": {"regex": r"\d{4}-\d{2}-\d{2}"}},
    )  # fmt: skip
    assert len(reply.choices[0].message.content or "") == 10


def test_json_mode(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="tiny", messages=MESSAGES, response_format={"type": "json_object"}, temperature=0
    )
    assert isinstance(json.loads(reply.choices[0].message.content or ""), dict)


def test_errors_are_the_sdks_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="tiny", prompt="x", best_of=3)
    assert caught.value.param == "best_of"
    assert caught.value.type == "invalid_request_error"


def test_options_and_special_tokens(client: openai.OpenAI) -> None:
    rule = {"grammar": 'start: "ab" <|fim_prefix|> "c" <|fim_suffix|>'}
    reply = client.completions.create(
        model="tiny", prompt="x", max_tokens=9, extra_body={"structured_outputs": rule}
    )
    assert (reply.choices[0].text, reply.choices[0].finish_reason) == ("abc", "stop")
    assert reply.usage is not None
    assert 4 <= reply.usage.completion_tokens <= 5
    named: Any = {"name": "p", "schema": Person.model_json_schema(), "whitespace": "compact"}
    answer = client.chat.completions.create(
        model="tiny",
        messages=MESSAGES,
        response_format={"type": "json_schema", "json_schema": named},
    )
    content = answer.choices[0].message.content
    assert content is not None
    assert content == json.dumps(json.loads(content), separators=(",", ":"), ensure_ascii=False)


def test_responses(client: openai.OpenAI) -> None:
    reply = client.responses.parse(model="tiny", input=MESSAGES, text_format=Person)
    assert isinstance(reply.output_parsed, Person)
    assert (reply.status, reply.usage and reply.usage.output_tokens_details.reasoning_tokens) == (
        "completed",
        0,
    )
    with client.responses.stream(
        model="tiny", input="Ada", text_format=Person, extra_body={"seed": 1}
    ) as stream:
        kinds = {event.type for event in stream}
        streamed = stream.get_final_response()
    assert kinds >= {"response.output_text.delta", "response.output_text.done"}
    assert isinstance(streamed.output_parsed, Person)


def test_responses_call_a_function(client: openai.OpenAI) -> None:
    tool = openai.pydantic_function_tool(Weather)["function"]
    reply = client.responses.create(
        model="tiny",
        input="Weather in Oslo?",
        tools=[{"type": "function", **tool}],
        tool_choice="required",
    )
    (call,) = reply.output
    assert call.type == "function_call"
    Weather.model_validate_json(call.arguments)
