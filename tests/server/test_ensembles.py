"""Ensembles over HTTP: in the settings and in requests, on all routes that generate."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.errors import InvalidEnsemble
from lipogram.decoding.events import Event
from lipogram.decoding.job import Job
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.table import TableModel
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.server.registry import Registry
from lipogram.server.settings import EnsembleSettings, Settings, SettingsError, gather
from server_under_test import PERSON, masks, restless, serving

Post = Callable[..., httpx.Response]
BOTH = {"members": ["restless", "other"]}


@cache
def models() -> tuple[TableModel, ...]:
    """Two that go together, one without turns or sentinels, and one that ends no text."""
    own = Vocabulary.from_tokens([bytes([byte]) for byte in range(256)], eos_ids=())
    endless = TableModel(own, lambda prefix: [0.0] * 256, name="endless")
    return restless(), restless("other"), restless("plain", has_specials=False), endless


class Far:
    """A model that another server decodes."""

    name, context_tokens = "far", 100

    def __init__(self) -> None:
        self.vocabulary = models()[0].vocabulary

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        raise NotImplementedError

    def generate(self, job: Job) -> AsyncIterator[Event]:
        raise NotImplementedError


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """A server of three models and an ensemble of two."""
    settings = Settings(
        ensembles=(EnsembleSettings("pair", ("restless", "other"), "posterior", (2.0, 1.0)),)
    )
    with (
        serving(models(), settings) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):

        def send(path: str, **body: object) -> httpx.Response:
            return client.post(path, json=body) if body else client.get(path)

        yield send


def ask(post: Post, path: str = "/v1/completions", **body: Any) -> dict[str, Any]:
    given = {"model": "pair", "prompt": "hello", "seed": 1, "max_tokens": 12, **body}
    response = post(path, **{name: value for name, value in given.items() if value is not ...})
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.json()
    return value


def refused(post: Post, path: str = "/v1/completions", **body: Any) -> dict[str, Any]:
    given = {"model": "restless", "prompt": "hello", "max_tokens": 8, **body}
    response = post(path, **{name: value for name, value in given.items() if value is not ...})
    assert response.status_code == 400, response.text
    fault: dict[str, Any] = response.json()["error"]
    return fault


def test_an_ensemble_is_a_model(post: Post) -> None:
    names = [model["id"] for model in post("/v1/models").json()["data"]]
    assert names == ["restless", "other", "plain", "endless", "pair"]
    reply = ask(post)
    assert reply["model"] == "pair"
    assert reply["choices"][0]["text"]
    members = reply["usage"]["members"]
    assert [member["model"] for member in members] == ["restless", "other"]
    assert all(member["calls"] > 0 for member in members)
    assert ask(post)["choices"] == reply["choices"]  # the seed repeats
    assert "members" not in ask(post, model="restless")["usage"]


def test_a_request_makes_the_same_ensemble(post: Post) -> None:
    own = {**BOTH, "rule": "posterior", "weights": [2, 1]}
    reply = ask(post, model="restless", ensemble=own, draft=False)
    assert reply["choices"] == ask(post)["choices"]
    assert reply["usage"] == ask(post, draft=False)["usage"]
    for rule in ("linear", "geometric", "min", "proxy"):
        assert ask(post, model="other", ensemble={**BOTH, "rule": rule})["choices"][0]["text"]
    strong = {**BOTH, "rule": "proxy", "strength": 2.5}
    assert ask(post, model="restless", ensemble=strong)["choices"][0]["text"]


def test_streams_join_to_the_same_text(post: Post) -> None:
    response = post(
        "/v1/completions", model="pair", prompt="hello", seed=1, max_tokens=12, logprobs=2,
        draft=False, stream=True, stream_options={"include_usage": True},
    )  # fmt: skip
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    pieces = [json.loads(line) for line in lines[:-1]]
    text = "".join(choice["text"] for piece in pieces for choice in piece["choices"])
    whole = ask(post, logprobs=2, draft=False)
    assert text == whole["choices"][0]["text"]
    assert pieces[-1]["usage"] == whole["usage"]
    scores = whole["choices"][0]["logprobs"]
    assert all(len(token.encode()) == 1 or token.startswith("bytes:") for token in scores["tokens"])
    assert len(scores["tokens"]) >= len(text)


def test_grammars_stop_strings_and_many_sequences(post: Post) -> None:
    outputs = {"json": PERSON}
    reply = ask(post, prompt=["a", "b"], n=2, structured_outputs=outputs, max_tokens=30)
    assert len(reply["choices"]) == 4
    for choice in reply["choices"]:
        assert json.loads(choice["text"]).keys() == {"a"}
    stopped = ask(post, stop=["o", "e", "a"], max_tokens=100)["choices"][0]
    assert stopped["finish_reason"] == "stop"
    assert not set("oea") & set(stopped["text"])
    assert ask(post, echo=True)["choices"][0]["text"].startswith("hello")


MESSAGES = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": PERSON}}


def test_chat(post: Post) -> None:
    reply = ask(
        post, "/v1/chat/completions", prompt=..., messages=MESSAGES, logprobs=True,
        response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}},
        max_tokens=40,
    )  # fmt: skip
    assert json.loads(reply["choices"][0]["message"]["content"]).keys() == {"a"}
    assert reply["usage"]["members"]
    called = ask(
        post, "/v1/chat/completions", prompt=..., messages=MESSAGES, tools=[TOOL],
        tool_choice="required", model="restless", ensemble=BOTH, max_tokens=40,
    )  # fmt: skip
    assert called["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "f"


def test_responses(post: Post) -> None:
    for asked in ({"model": "pair"}, {"model": "restless", "ensemble": BOTH}):
        reply = ask(
            post, "/v1/responses", prompt=..., input="hi", seed=1, max_tokens=...,
            max_output_tokens=9, **asked,
        )  # fmt: skip
        assert reply["output"]


def test_editors(post: Post) -> None:
    choice = ask(post, prompt="hel", suffix="lo\n")["choices"][0]
    assert choice["finish_reason"] in ("stop", "length")
    fim = ask(post, "/v1/fim/completions", suffix="o", model="other", ensemble=BOTH)
    assert fim["usage"]["members"]
    infill = {"input_prefix": "a", "input_suffix": "b", "prompt": ..., "max_tokens": ...}
    assert "content" in ask(post, "/infill", n_predict=8, **infill)
    assert ask(post, "/infill", n_predict=0, **infill)["content"] == ""
    assert "content" in ask(post, "/completion", n_predict=8, max_tokens=..., ensemble=...)
    ollama = ask(
        post, "/api/generate", stream=False, max_tokens=..., seed=..., options={"num_predict": 4}
    )
    assert ollama["done"]
    tabby = {"prompt": ..., "max_tokens": ..., "segments": {"prefix": "a", "suffix": "b"}}
    assert ask(post, model=..., ensemble=BOTH, **tabby)["choices"]


def test_metrics_count_by_member(post: Post) -> None:
    ask(post)
    page = post("/metrics").text
    for member in BOTH["members"]:
        assert f'lipogram_member_calls_total{{model_name="pair",member="{member}"}}' in page


@pytest.mark.parametrize(
    ("ensemble", "param", "told"),
    [
        ({"members": ["restless", "nobody"]}, "ensemble", "nobody"),
        ({"members": ["restless", "pair"]}, "ensemble", "nested"),
        ({"members": ["restless", "restless"]}, "ensemble", "once"),
        ({"members": ["restless"]}, "ensemble.members", "2"),
        ({"members": ["restless", *map(str, range(8))]}, "ensemble.members", "8"),
        ({"members": ["other", "plain"]}, "model", "restless"),
        ({**BOTH, "rule": "median"}, "ensemble.rule", "linear"),
        ({**BOTH, "weights": [1]}, "ensemble", "each of 2"),
        ({**BOTH, "weights": []}, "ensemble.weights", "1"),
        ({**BOTH, "weights": [1, -1]}, "ensemble", "at least 0"),
        ({**BOTH, "weights": [0, 0]}, "ensemble", "above 0"),
        ({**BOTH, "weights": ["1", "1"]}, "ensemble.weights[0]", "number"),
        ({**BOTH, "rule": "min", "weights": [1, 1]}, "ensemble", "no weights"),
        ({**BOTH, "strength": 1}, "ensemble", "proxy"),
        ({**BOTH, "rule": "proxy", "strength": 99}, "ensemble", "10"),
        ({"members": ["restless", "other", "plain"], "rule": "proxy"}, "ensemble", "two members"),
        ({"members": ["restless", "endless"]}, "ensemble", "ends a text"),
        ({**BOTH, "weight": [1, 1]}, "ensemble.weight", "Unknown"),
        ({}, "ensemble.members", "Missing"),
    ],
)
def test_ensembles_that_are_none(
    post: Post, ensemble: dict[str, Any], param: str, told: str
) -> None:
    fault = refused(post, ensemble=ensemble)
    assert fault["param"] == param
    assert told in fault["message"]


def test_members_whose_answers_end_differently(post: Post) -> None:
    mixed = {"members": ["restless", "plain"]}
    fault = refused(post, "/v1/chat/completions", prompt=..., messages=MESSAGES, ensemble=mixed)
    assert fault["code"] == "invalid_ensemble"
    assert "share no end" in fault["message"]
    assert ask(post, model="plain", ensemble=mixed)["choices"]  # texts end by tokens alone
    assert refused(post, suffix="x", ensemble=mixed)["code"] == "infilling_unsupported"


@pytest.mark.parametrize(
    ("option", "param"),
    [
        ({"byte_mode": "switch"}, "byte_mode"),
        ({"projection": "token"}, "projection"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": ["a", "b"], "n": 100}, "n"),
        ({"prompt": [[1], [2]]}, "prompt"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"prompt": ..., "max_tokens": ..., "infill": {"segments": ["a", "b"]}}, "infill"),
        ({"logit_bias": {"5": 1}}, None),
        ({"presence_penalty": 1}, None),
        ({"frequency_penalty": 1}, None),
        ({"repetition_penalty": 1.5}, None),
        ({"draft": "heads"}, "draft"),
        ({"draft": {"model": "pair"}}, "draft.model"),
    ],
)
def test_what_is_said_about_tokens(post: Post, option: dict[str, Any], param: str | None) -> None:
    fault = refused(post, model="pair", **option)
    assert fault["param"] == param
    assert fault["code"] == ("invalid_request" if param else "unsupported_combination")


def test_tokens_in_a_prompt_of_llama_cpp(post: Post) -> None:
    response = post("/completion", model="pair", prompt=["a", 7], n_predict=4)
    assert response.status_code == 400
    assert "tokens differ" in response.json()["error"]["message"]


FILE = """
[[models]]
name = "a"
source = "embedded-2k"

[[models]]
name = "b"
source = "embedded-4k"

[[ensembles]]
name = "both"
members = ["a", "b"]
rule = "geometric"
weights = [1, 2.5]
"""


def test_the_settings_file_has_ensembles(tmp_path: Path) -> None:
    file = tmp_path / "lipogram.toml"

    def read(text: str) -> Settings:
        file.write_text(text)
        return gather({"config": str(file)}, {})

    ensemble = EnsembleSettings("both", ("a", "b"), "geometric", (1.0, 2.5))
    assert read(FILE).ensembles == (ensemble,)
    for wrong, told in (
        (FILE.replace('"both"', '"a"'), "distinct names"),
        (FILE.replace('"geometric"', '"median"'), "expected one of"),
        (FILE.replace("[1, 2.5]", '"even"'), "a list"),
        (FILE.replace('members = ["a", "b"]', ""), "members is missing"),
        (FILE + "share = 1", "no setting"),
    ):
        with pytest.raises(SettingsError, match=told):
            read(wrong)
    with pytest.raises(SettingsError, match="file alone"):
        gather({}, {"LIPOGRAM_ENSEMBLES": "a+b"})


@pytest.mark.parametrize(
    ("ensemble", "told"),
    [
        (EnsembleSettings("x", ("restless", "nobody")), "nobody"),
        (EnsembleSettings("x", ("restless",)), "at least two"),
        (EnsembleSettings("x", ("restless", "other"), weights=(1.0,)), "each of 2"),
        (EnsembleSettings("x", ("restless", "other"), "proxy", strength=-1.0), "strength"),
        (EnsembleSettings("x", ("restless", "endless")), "ends a text"),
        (EnsembleSettings("x", ("restless", "masks")), "fills masks"),
        (EnsembleSettings("x", ("far", "restless")), "decoded elsewhere"),
    ],
)
def test_ensembles_that_cannot_be_served(ensemble: EnsembleSettings, told: str) -> None:
    with pytest.raises(InvalidEnsemble, match=told):
        Registry([*models(), masks(), Far()], ensembles=[ensemble])


def test_what_drafts_come_to_is_kept_for_the_next_request() -> None:
    registry = Registry([restless(), restless("other")])
    members = ("restless", "other")
    first, again = (registry.together(name, members, Mixing()) for name in ("a", "b"))
    assert (first.name, again.name) == ("a", "b")
    assert first.drafting is again.drafting is not None
    heavier = Mixing(weights=(2.0, 1.0))
    assert registry.together("a", members, heavier).drafting is not first.drafting


def test_no_ensemble_of_ensembles() -> None:
    pair = EnsembleSettings("pair", ("restless", "other"))
    nested = EnsembleSettings("nested", ("pair", "other"))
    registry = Registry(models(), ensembles=[pair])
    assert registry.find("pair").members
    with pytest.raises(InvalidEnsemble, match="nested"):
        Registry(models(), ensembles=[pair, nested])
