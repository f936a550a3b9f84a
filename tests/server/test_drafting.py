"""Who guesses ahead of a model, as requests and settings say; what replies and metrics tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import httpx
import pytest

from lipogram.decoding.drafting.heads import Heads, HeadWeights
from lipogram.decoding.models.base import Logits, Query, Showing
from lipogram.server.app import build_app
from lipogram.server.drafting import Draft, Drafting
from lipogram.server.settings import ModelSettings, Settings, SettingsError, gather
from server_under_test import PERSON, ask, masks, restless, serving

FORMAT = {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}
ENSEMBLE = {"members": ["restless", "small"]}
CHOICES: list[object] = [
    None,
    False,
    "auto",
    "grammar",
    "prompt",
    ["grammar", "prompt"],
    {"model": "small"},
    {"model": "small", "tokens": 2},
    {"model": "other"},
]


class Weighed:
    """A model that knows its size; a pass takes it a while, however wide."""

    def __init__(self, name: str, size_bytes: int) -> None:
        self._model = restless(name)
        self.name, self.size_bytes = name, size_bytes
        self.vocabulary = self._model.vocabulary
        self.context_tokens = self._model.context_tokens

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        await asyncio.sleep(0.02)
        return await self._model.logits(queries)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    other = restless("other", has_specials=False)
    models = [Weighed("restless", 2), restless("small"), other, Weighed("large", 3), masks()]
    with serving(models, Settings(compile_workers=1, served_names=("alias",))) as url:
        yield url


@pytest.fixture
def post(address: str) -> Iterator[Callable[..., httpx.Response]]:
    with httpx.Client(base_url=address, timeout=60) as client:
        yield lambda path, **body: client.post(path, json=body)


def details(reply: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = reply["usage"]["completion_tokens_details"]
    return found


@pytest.mark.parametrize("constrained", [True, False])
def test_whoever_drafts_the_answer_is_the_same(
    post: Callable[..., httpx.Response], constrained: bool
) -> None:
    body: dict[str, Any] = {"response_format": FORMAT} if constrained else {"max_tokens": 40}
    replies = [ask(post, draft=draft, n=3, **body) for draft in CHOICES]
    assert len({str(reply["choices"]) for reply in replies}) == 1
    for draft, reply in zip(CHOICES, replies, strict=True):
        counts = details(reply)
        if draft is False:
            assert not counts["accepted_prediction_tokens"] + counts["rejected_prediction_tokens"]
        assert 0 < counts["model_passes"] <= details(replies[1])["model_passes"]
        assert counts["forced_tokens"] == details(replies[1])["forced_tokens"]
    twin = details(replies[CHOICES.index({"model": "small"})])
    assert twin["accepted_prediction_tokens"] > twin["rejected_prediction_tokens"]


def test_completions_and_mistrals_dialect_take_it_too(
    post: Callable[..., httpx.Response],
) -> None:
    body = {"prompt": "one two, one", "seed": 1, "max_tokens": 20, "ignore_eos": True}
    for path in ("/v1/completions", "/v1/fim/completions"):
        model = {"model": "restless"}
        plain = post(path, **model, **body, draft=False).json()
        ahead = post(path, **model, **body, draft={"model": "small"}).json()
        assert ahead["choices"] == plain["choices"]
        assert details(ahead)["model_passes"] < details(plain)["model_passes"]


@pytest.mark.parametrize("ensemble", [None, {"members": ["restless", "other"]}])
def test_bytes_are_drafted_too(post: Callable[..., httpx.Response], ensemble: object) -> None:
    body: dict[str, Any] = {
        "model": "restless", "prompt": "one two, one", "seed": 1, "max_tokens": 12,
        "ignore_eos": True, "byte_mode": "full", "ensemble": ensemble,
    }  # fmt: skip
    plain = post("/v1/completions", **body, draft=False).json()
    right = 0
    for draft in ({"model": "small"}, {"model": "small", "tokens": 4}, "prompt", "auto", None):
        ahead = post("/v1/completions", **body, draft=draft).json()
        assert ahead["choices"] == plain["choices"]
        assert details(ahead)["model_passes"] <= details(plain)["model_passes"]
        right += details(ahead)["accepted_prediction_tokens"]
    assert right
    by_ratio = {"model": "small", "tokens": 4, "accept": "ratio"}
    one, again = (post("/v1/completions", **body, draft=by_ratio).json() for _ in range(2))
    assert one["choices"] == again["choices"]
    assert details(one)["accepted_prediction_tokens"]
    assert details(one)["model_passes"] < details(plain)["model_passes"]


def test_a_prediction_that_comes_true_spares_passes(post: Callable[..., httpx.Response]) -> None:
    plain = ask(post, draft=False, max_tokens=60)
    text = plain["choices"][0]["message"]["content"]
    for content in (text, [{"type": "text", "text": text}]):
        ahead = ask(post, max_tokens=60, prediction={"type": "content", "content": content})
        assert ahead["choices"] == plain["choices"]
        assert details(ahead)["model_passes"] < details(plain)["model_passes"] / 3
        assert details(ahead)["accepted_prediction_tokens"] > 10
    wrong = ask(post, max_tokens=60, prediction={"type": "content", "content": "no such text"})
    assert wrong["choices"] == plain["choices"]


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        ({"draft": True}, 400, "draft", "draft"),
        ({"draft": "ngram"}, 400, "draft", "grammar"),
        ({"draft": []}, 400, "draft", "array"),
        ({"draft": ["grammar", "model"]}, 400, "draft[1]", "grammar"),
        ({"draft": "heads"}, 400, "draft", "no draft heads"),
        ({"draft": "heads", "ensemble": {"members": ["restless", "small"]}}, 400, "draft", "heads"),
        ({"draft": {"model": "nobody"}}, 404, "draft.model", "does not exist"),
        ({"draft": {"model": "restless"}}, 400, "draft.model", "draft for itself"),
        ({"draft": {"model": "masks"}}, 400, "draft.model", "not decoded token by token"),
        ({"model": "masks", "draft": "auto"}, 400, "draft", "nobody can draft"),
        ({"draft": {"model": "alias"}}, 400, "draft.model", "draft for itself"),
        ({"draft": {"model": "small", "tokens": 0}}, 400, "draft.tokens", "greater than"),
        ({"draft": {"model": "small", "tokens": 33}}, 400, "draft.tokens", "less than"),
        ({"draft": {"model": "small", "token": 2}}, 400, "draft.token", "Unknown"),
        ({"draft": {"tokens": 3}}, 400, "draft.model", "Missing"),
        ({"draft": {"model": "small", "accept": "x"}}, 400, "draft.accept", "ratio"),
        ({"draft": {"model": "small", "accept": "ratio"}}, 400, "draft.accept", "byte_mode"),
        (
            {"draft": {"model": "restless", "accept": "ratio"}, "ensemble": ENSEMBLE},
            400,
            "draft.model",
            "draft for itself",
        ),
        ({"prediction": "text"}, 400, "prediction", "prediction"),
        ({"prediction": {"type": "x", "content": ""}}, 400, "prediction.type", "content"),
        (
            {"draft": False, "prediction": {"type": "content", "content": "x"}},
            400,
            "prediction",
            "goes with",
        ),
    ],
)
def test_what_cannot_draft_is_refused(
    post: Callable[..., httpx.Response], body: dict[str, Any], status: int, param: str, words: str
) -> None:
    messages = [{"role": "user", "content": "hi"}]
    response = post("/v1/chat/completions", **{"model": "restless", "messages": messages, **body})
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["param"] == param
    assert words in error["message"]


@pytest.mark.parametrize(
    ("text", "kinds"), [("auto", {"grammar", "prompt"}), ("prompt+heads", {"prompt"})]
)
def test_by_default_heads_guess_no_middles(text: str, kinds: set[str]) -> None:
    model, heads = restless(), Heads(cast(Showing, None), cast(HeadWeights, None))
    drafting = Drafting(model, Draft.parse(text), lambda name: model, heads)
    names = {drafter.name for drafter in drafting.chain(is_middle=True).drafters}
    assert names == kinds
    asked = drafting.chain(Draft.parse(text), is_middle=True)
    assert asked is drafting.chain()
    assert {drafter.name for drafter in asked.drafters} == {*kinds, "heads"}


def test_heads_guess_no_bytes(post: Callable[..., httpx.Response]) -> None:
    body = {"model": "restless", "prompt": "a", "byte_mode": "full", "draft": ["prompt", "heads"]}
    error = post("/v1/completions", **body).json()["error"]
    assert (error["param"], error["code"]) == ("draft", "invalid_request")
    assert "bytes are written" in error["message"]


def test_a_larger_drafter_is_allowed_with_a_warning(
    post: Callable[..., httpx.Response], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "lipogram"):
        ask(post, draft={"model": "large"})
    assert any("large drafts for restless" in record.getMessage() for record in caplog.records)


def test_metrics_count_guesses_and_passes() -> None:
    with (
        serving([Weighed("restless", 1), restless("small")], Settings(compile_workers=1)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        reply = ask(
            lambda path, **body: client.post(path, json=body), draft={"model": "small"}, n=2
        )
        page = client.get("/metrics").text
    counts = details(reply)
    right, wrong = counts["accepted_prediction_tokens"], counts["rejected_prediction_tokens"]
    label = '{model_name="restless"}'
    assert f"lipogram_spec_decode_num_draft_tokens_total{label} {right + wrong}\n" in page
    assert f"lipogram_spec_decode_num_accepted_tokens_total{label} {right}\n" in page
    assert f"lipogram_model_passes_total{label} {counts['model_passes']}\n" in page


class TestSettings:
    def test_a_models_default_drafters(self) -> None:
        models = (
            ModelSettings("restless", draft="model:small+prompt"),
            ModelSettings("small", draft="none"),
        )
        settings = Settings(models, compile_workers=1)
        with (
            serving([Weighed("restless", 1), restless("small")], settings) as url,
            httpx.Client(base_url=url, timeout=60) as client,
        ):

            def post(path: str, **body: object) -> httpx.Response:
                return client.post(path, json=body)

            assert details(ask(post))["accepted_prediction_tokens"]
            small = details(ask(post, model="small"))
            assert not small["accepted_prediction_tokens"] + small["rejected_prediction_tokens"]

    def test_what_is_written_there(self) -> None:
        assert Draft.parse("none") == Draft()
        assert Draft.parse("auto") == Draft(frozenset({"auto"}))
        both = Draft.parse("grammar+model:a.b")
        assert both == Draft(frozenset({"grammar"}), "a.b")
        for wrong in ("", "all", "model:", "model:a+model:b", "none+auto"):
            with pytest.raises(ValueError, match="expected auto, none"):
                Draft.parse(wrong)

    def test_mistakes_are_found_before_anything_is_served(self, tmp_path: Any) -> None:
        file = tmp_path / "lipogram.toml"
        file.write_text('[[models]]\nname = "a"\ndraft = "fast"\n')
        with pytest.raises(SettingsError, match="'a': draft: expected auto, none"):
            gather({"config": str(file)}, {})
        for draft in ("model:nobody", "model:restless", "heads"):
            with pytest.raises(SettingsError, match="draft cannot be"):
                build_app(Settings((ModelSettings("restless", draft=draft),)), [restless()])
