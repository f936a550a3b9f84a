"""Frameworks on top of OpenAI's API, each in all its ways of asking for structure.

They are no dependencies of the project: `make test-clients` installs them in an environment of its
own; elsewhere their tests are skipped.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any, Literal

import jsonschema
import openai
import pytest
from pydantic import BaseModel

from clients.conftest import ServerProcess

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # litellm asks a server for prices otherwise
TEXT = "Ada Lovelace, born in London, is 36 years old."
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": TEXT}]


City = Literal["London", "Paris"]


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int
    city: City


TOOL = {
    "type": "function",
    "function": {
        "name": "person",
        "description": "Notes a person",
        "parameters": Person.model_json_schema(),
    },
}
JSON_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "person", "schema": Person.model_json_schema(), "strict": True},
}


def conforms(text: str) -> None:
    jsonschema.validate(json.loads(text), Person.model_json_schema())


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


MODES = ["TOOLS", "TOOLS_STRICT", "JSON", "JSON_SCHEMA"]


@pytest.mark.parametrize("mode", MODES)
def test_instructor(client: openai.OpenAI, mode: str) -> None:
    instructor = pytest.importorskip("instructor")
    made = instructor.from_openai(client, mode=instructor.Mode[mode])
    options = {"temperature": 0} if mode == "JSON" else {}  # a schema in the prompt binds nobody
    if mode == "JSON":
        # Of this mode the server sees "any object": it must be JSON, whatever the model does.
        with pytest.raises(Exception, match="validation error"):
            made.create(
                model="tiny", messages=MESSAGES, response_model=Person, max_retries=0, **options
            )
        return
    person = made.create(model="tiny", messages=MESSAGES, response_model=Person, max_retries=0)
    assert isinstance(person, Person)


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_instructor_reads_a_stream(client: openai.OpenAI, mode: str) -> None:
    instructor = pytest.importorskip("instructor")
    made = instructor.from_openai(client, mode=instructor.Mode[mode])
    *_, last = made.create_partial(model="tiny", messages=MESSAGES, response_model=Person)
    assert last.city in {"London", "Paris"}


def test_litellm(server: ServerProcess) -> None:
    litellm = pytest.importorskip("litellm")
    where = {"api_base": f"{server.url}/v1", "api_key": "none", "messages": MESSAGES}
    for provider in ("openai", "hosted_vllm"):
        reply = litellm.completion(model=f"{provider}/tiny", response_format=JSON_SCHEMA, **where)
        conforms(reply.choices[0].message.content)
        reply = litellm.completion(model=f"{provider}/tiny", response_format=Person, **where)
        conforms(reply.choices[0].message.content)
        reply = litellm.completion(
            model=f"{provider}/tiny", tools=[TOOL], tool_choice="required", **where
        )
        conforms(reply.choices[0].message.tool_calls[0].function.arguments)
        pieces = litellm.completion(
            model=f"{provider}/tiny", response_format=JSON_SCHEMA, stream=True, **where
        )
        conforms("".join(piece.choices[0].delta.content or "" for piece in pieces))


def test_litellm_fills_in(server: ServerProcess) -> None:
    litellm = pytest.importorskip("litellm")
    reply = litellm.text_completion(
        model="text-completion-openai/tiny",
        api_base=f"{server.url}/v1",
        api_key="none",
        prompt="def add(a, b):\n    return ",
        suffix="\n\nprint(add(1, 2))\n",
        max_tokens=8,
    )
    assert isinstance(reply.choices[0].text, str)


def test_langchain(server: ServerProcess) -> None:
    langchain = pytest.importorskip("langchain_openai")
    where = {"base_url": f"{server.url}/v1", "api_key": "none", "model": "tiny"}
    chat = langchain.ChatOpenAI(**where)
    for method in ("json_schema", "function_calling"):
        for strict in (True, None):
            made = chat.with_structured_output(Person, method=method, strict=strict)
            assert isinstance(made.invoke(TEXT), Person)
    objects = chat.with_structured_output(None, method="json_mode").invoke(f"JSON, please: {TEXT}")
    assert isinstance(objects, dict)
    bound = chat.bind_tools([Person], tool_choice="any", parallel_tool_calls=False)
    (call,) = bound.invoke(TEXT).tool_calls
    jsonschema.validate(call["args"], Person.model_json_schema())
    assert "".join(piece.content for piece in chat.stream(TEXT, max_tokens=8))
    assert isinstance(langchain.OpenAI(max_tokens=8, **where).invoke(TEXT), str)


def test_langchain_over_responses(server: ServerProcess) -> None:
    langchain = pytest.importorskip("langchain_openai")
    chat = langchain.ChatOpenAI(
        base_url=f"{server.url}/v1", api_key="none", model="tiny", use_responses_api=True
    )
    assert isinstance(chat.with_structured_output(Person).invoke(TEXT), Person)
    (call,) = chat.bind_tools([Person], tool_choice="any").invoke(TEXT).tool_calls
    jsonschema.validate(call["args"], Person.model_json_schema())


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("mode", ["ToolOutput", "NativeOutput"])
def test_pydantic_ai(server: ServerProcess, api: str, mode: str) -> None:
    ai = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    made = OpenAIChatModel if api == "chat" else OpenAIResponsesModel
    model = made("tiny", provider=OpenAIProvider(base_url=f"{server.url}/v1", api_key="none"))
    agent = ai.Agent(model, output_type=getattr(ai, mode)(Person), retries=0)
    assert isinstance(agent.run_sync(TEXT).output, Person)

    async def streamed() -> Person:
        async with agent.run_stream(TEXT) as run:
            return await run.get_output()

    assert isinstance(asyncio.run(streamed()), Person)


def test_pydantic_ai_asks_for_any_object(server: ServerProcess) -> None:
    ai = pytest.importorskip("pydantic_ai")
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    class Anything(BaseModel):
        pass

    model = OpenAIChatModel(
        "tiny", provider=OpenAIProvider(base_url=f"{server.url}/v1", api_key="none")
    )
    agent = ai.Agent(model, output_type=ai.PromptedOutput(Anything), retries=0)
    assert isinstance(agent.run_sync(TEXT).output, Anything)


class Choice(BaseModel):
    kind: Literal["a", "b"]


def test_openai_async(server: ServerProcess) -> None:
    async def asked() -> Choice | None:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as made:
            reply = await made.chat.completions.parse(
                model="tiny", messages=[{"role": "user", "content": TEXT}], response_format=Choice
            )
            return reply.choices[0].message.parsed

    assert isinstance(asyncio.run(asked()), Choice)
