"""Endpoints that editors know: shapes, streams, limits, and errors in each dialect's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np
import pytest

from lipogram.decoding.models.base import Logits, Query
from lipogram.server.settings import Settings
from lipogram.server.wire.common import Reply
from lipogram.server.wire.llama_cpp import LlamaCppError
from lipogram.server.wire.mistral import MistralError
from lipogram.server.wire.ollama import OllamaError
from server_under_test import serving, vocabulary

Post = Callable[..., httpx.Response]

INFILL = {"input_prefix": "hello", "input_suffix": "\nend\n", "seed": 3, "n_predict": 8}


def reply(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def infill(post: Post, **body: object) -> Any:
    return reply(post("/infill", **{**INFILL, **body}))


def events(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n\n") if line]
    return [json.loads(line.removeprefix("data: ")) for line in lines if line != "data: [DONE]"]


def test_infill(post: Post) -> None:
    whole = infill(post)
    assert whole["stop"] is True
    assert whole["stop_type"] in {"eos", "limit"}
    assert whole["tokens_predicted"] <= 8
    assert whole["truncated"] is False
    assert whole["timings"]["predicted_n"] == whole["tokens_predicted"]
    assert whole["timings"]["prompt_n"] == whole["tokens_evaluated"]
    assert infill(post)["content"] == whole["content"]


def test_the_prompt_stands_between_prefix_and_cursor(post: Post) -> None:
    split = infill(post, input_prefix="he", prompt="llo")
    assert split["content"] == infill(post)["content"]


def test_streamed_is_the_same_as_whole(post: Post) -> None:
    whole = infill(post)
    *pieces, last = events(post("/infill", **INFILL, stream=True))
    assert not any(piece["stop"] for piece in pieces)
    assert last["stop"]
    assert last["stop_type"] == whole["stop_type"]
    assert "".join(piece["content"] for piece in [*pieces, last]) == whole["content"]


def test_a_warm_up_generates_nothing(post: Post) -> None:
    body = {"n_predict": 0, "samplers": [], "t_max_prompt_ms": 1, "t_max_predict_ms": 1}
    whole = infill(post, **body, temperature=0.0, cache_prompt=True)
    assert (whole["content"], whole["tokens_predicted"]) == ("", 0)
    assert infill(post, **body, response_fields=[""]) == {}


def test_response_fields_are_picked_by_path(post: Post) -> None:
    picked = infill(post, response_fields=["content", "timings/prompt_n", "nothing/here"])
    assert picked.keys() == {"content", "timings/prompt_n"}


def test_several_completions_are_a_list(post: Post) -> None:
    both = infill(post, n_cmpl=2)
    assert [one["index"] for one in both] == [0, 1]
    assert both[0]["content"] == infill(post)["content"]


def test_tokens_and_probabilities(post: Post) -> None:
    whole = infill(post, n_probs=2, return_tokens=True, ignore_eos=True)
    assert len(whole["tokens"]) == 8
    assert [each["id"] for each in whole["completion_probabilities"]] == whole["tokens"]
    assert all(len(each["top_logprobs"]) == 2 for each in whole["completion_probabilities"])
    assert all(each["logprob"] <= 0 for each in whole["completion_probabilities"])


def test_a_grammar_or_a_schema_holds(post: Post) -> None:
    alone = {"constraint_scope": "middle"}
    assert infill(post, grammar='root ::= "abc" [0-9]', **alone)["content"][:3] == "abc"
    text = infill(post, json_schema={"type": "boolean"}, **alone)["content"]
    assert isinstance(json.loads(text), bool)


def test_a_long_document_is_cut_around_the_cursor(post: Post) -> None:
    files = [{"filename": f"{n}.py", "text": "x" * 300, "time": [1, 2]} for n in range(20)]
    whole = infill(post, input_prefix="p" * 9000, input_suffix="s" * 9000, input_extra=files)
    assert whole["truncated"] is True
    assert 1000 < whole["tokens_evaluated"] <= 2048 - 8
    whole = infill(post, input_extra=files)
    assert whole["truncated"] is False
    assert 1000 < whole["tokens_evaluated"] <= 2048 - 8


def test_a_megabyte_of_suffix(post: Post) -> None:
    assert infill(post, input_suffix="word \n" * 170_000)["truncated"] is True


def test_empty_texts(post: Post) -> None:
    assert infill(post, input_prefix="", input_suffix="")["stop"] is True


def test_completion_takes_texts_and_tokens(post: Post) -> None:
    body = {"n_predict": 4, "seed": 1, "boundary": "none"}
    text = reply(post("/completion", prompt="hello", **body))
    assert reply(post("/completion", prompt=[256], **body))["content"] == text["content"]
    assert reply(post("/completion", prompt=["hel", "lo"], **body))["stop"] is True
    assert post("/completion", prompt=[100_000], **body).status_code == 400


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("input_extra", [{"filename": "a"}]),
        ("input_extra", [{"text": 3}]),
        ("samplers", ["nonsense"]),
        ("mirostat", 2),
        ("n_predict", "4"),
        ("repeat_penalty", 5e-324),
        ("lora", [{"id": 0}]),
        ("fim_order", "sideways"),
        ("grammar", "root ::= ("),
    ],
)
def test_what_llama_cpp_routes_refuse(post: Post, member: str, value: object) -> None:
    response = post("/infill", **{**INFILL, member: value})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error.keys() == {"code", "message", "type"}
    assert (error["code"], error["type"]) == (400, "invalid_request_error")


def test_a_model_without_sentinels(post: Post) -> None:
    response = post("/infill", **INFILL, model="plain")
    assert response.status_code == 501
    assert response.json()["error"]["type"] == "not_supported_error"
    response = post("/v1/completions", model="plain", prompt="a", suffix="b")
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "infilling_unsupported"
    response = post("/api/generate", model="plain", prompt="a", suffix="b")
    assert response.status_code == 400
    assert "not trained to fill in" in response.json()["error"]


FIM = {"model": "tiny", "prompt": "def", "suffix": "return", "max_tokens": 6, "random_seed": 2}


def test_mistral(post: Post) -> None:
    whole = reply(post("/v1/fim/completions", **FIM))
    (choice,) = whole["choices"]
    assert choice["message"]["role"] == "assistant"
    pieces = events(post("/v1/fim/completions", **FIM, stream=True))
    deltas = [piece["choices"][0]["delta"].get("content") or "" for piece in pieces]
    assert "".join(deltas) == choice["message"]["content"]
    error = post("/v1/fim/completions", **{**FIM, "max_tokens": -1}).json()
    assert (error["object"], error["type"]) == ("error", "invalid_request_error")
    assert post("/v1/fim/completions", **FIM, min_tokens=3).status_code == 400


@pytest.mark.parametrize("path", ["/v1/beta/completions", "/beta/completions"])
def test_deepseek_is_openai_at_other_paths(post: Post, path: str) -> None:
    body = {"model": "tiny", "prompt": "def", "suffix": "return", "seed": 4}
    choice = reply(post(path, **body))["choices"][0]
    assert choice == reply(post("/v1/completions", **body))["choices"][0]


GENERATE = {"model": "tiny:latest", "prompt": "def", "options": {"num_predict": 6, "seed": 5}}


@pytest.mark.parametrize("extra", [{"suffix": "return"}, {"raw": True}, {"system": "be"}, {}])
def test_ollama(post: Post, extra: dict[str, object]) -> None:
    whole = reply(post("/api/generate", **GENERATE, **extra, stream=False))
    assert whole["done"] is True
    assert whole["done_reason"] in {"stop", "length"}
    assert whole["eval_count"] <= 6
    response = post("/api/generate", **GENERATE, **extra)
    assert response.headers["content-type"].startswith("application/x-ndjson")
    *lines, last = [json.loads(line) for line in response.text.splitlines()]
    assert not any(line["done"] for line in lines)
    assert last["done"]
    assert "".join(line["response"] for line in [*lines, last]) == whole["response"]


def test_ollama_format_holds(post: Post) -> None:
    body = {**GENERATE, "suffix": "x", "format": {"type": "boolean"}, "stream": False}
    assert isinstance(json.loads(reply(post("/api/generate", **body))["response"]), bool)


def test_ollama_refuses_in_its_own_words(post: Post) -> None:
    for extra in ({"template": "x"}, {"images": ["x"]}, {"options": {"mirostat": 1}}):
        response = post("/api/generate", **{**GENERATE, **extra})
        assert response.status_code == 400
        assert isinstance(response.json()["error"], str)
    assert post("/api/generate", **{**GENERATE, "model": "none"}).status_code == 404


def test_ollama_lists_models(address: str) -> None:
    names = [model["name"] for model in httpx.get(f"{address}/api/tags").json()["models"]]
    assert names == ["restless", "plain", "tiny"]
    assert httpx.get(f"{address}/api/version").json()["version"]


def test_tabby(post: Post, address: str) -> None:
    snippet = {"filepath": "a.py", "body": "x = 1", "score": 0.5}
    segments = {"prefix": "def f", "suffix": "\n", "filepath": "b.py", "declarations": [snippet]}
    whole = reply(post("/v1/completions", language="python", segments=segments, seed=1))
    assert whole["choices"][0].keys() == {"index", "text"}
    assert httpx.get(f"{address}/v1/health").json()["model"] == "restless"
    response = post("/v1/completions", segments={"prefix": 3})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "segments.prefix"


def test_the_order_is_chosen(post: Post) -> None:
    texts = {order: infill(post, fim_order=order)["tokens_evaluated"] for order in ("spm", "psm")}
    assert texts["spm"] == texts["psm"]


def test_the_suffix_is_not_repeated(post: Post) -> None:
    suffix = "\nreturn something\n"
    body = {"model": "tiny", "prompt": "x", "suffix": suffix, "max_tokens": 30}
    body["constraint_scope"] = "middle"
    regex = {"regex": r"ab\nreturn something\ncd"}
    choice = reply(post("/v1/completions", **body, structured_outputs=regex))["choices"][0]
    assert choice["text"] == "ab\nreturn something\ncd"  # a rule goes before


LINE = "\nreturn something\n"


class Copier:
    """Writes a text that ends in a copy of what stands behind the cursor, and goes on."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self.name = "copier"
        self.vocabulary = vocabulary()
        self.context_tokens = 500
        self._middle = self.vocabulary.specials["<|fim_middle|>"]

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        """Bytes of the text, by how many follow the last sentinel."""
        rows = []
        for query in queries:
            places = [place for place, token in enumerate(query.prefix) if token == self._middle]
            behind = len(query.prefix) - 1 - max(places)
            scores = np.full((1 + len(query.draft), len(self.vocabulary)), -50, np.float32)
            for place, row in enumerate(scores, behind):
                row[self._text[place] if place < len(self._text) else ord("~")] = 50
            rows.append(scores)
        return rows


def test_what_is_behind_the_cursor_is_not_written_again() -> None:
    text = b"value" + LINE.encode() + b"more\n"
    parts = {"prompt": "", "suffix": LINE, "max_tokens": 30, "fim_order": "psm", "temperature": 0}
    with serving([Copier(text)], Settings(compile_workers=1), until="/health") as address:

        def ask(**extra: object) -> Any:
            body = {"model": "copier", **parts, **extra}
            answer = httpx.post(f"{address}/v1/completions", json=body, timeout=60)
            return reply(answer)["choices"][0]

        assert (ask()["text"], ask()["finish_reason"]) == ("value", "stop")
        assert ask(repeat_suffix=True)["text"].startswith(text.decode())
        assert ask(suffix="\n}\n")["text"].startswith(text.decode())
        assert ask(byte_mode="full")["text"] == "value"
        for times, expected in (("{1,2}", "value"), ("{2}", f"value{LINE}")):
            rule = {"regex": f"value({LINE}){times}"}
            assert ask(structured_outputs=rule)["text"] == expected


def test_identical_requests_may_run_side_by_side(post: Post) -> None:
    body = {"model": "tiny", "prompt": "def", "suffix": "return", "n": 3, "seed": 1}
    assert len(reply(post("/v1/completions", **body))["choices"]) == 3


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/infill", LlamaCppError),
        ("/v1/fim/completions", MistralError),
        ("/api/generate", OllamaError),
    ],
)
def test_refusals_are_documented(post: Post, address: str, path: str, shape: type[Reply]) -> None:
    response = post(path, nonsense=1)
    assert response.status_code == 400
    assert shape.model_validate(response.json())
    operation = httpx.get(f"{address}/openapi.json").json()["paths"][path]["post"]
    schema = operation["responses"]["400"]["content"]["application/json"]["schema"]
    assert {"$ref": f"#/components/schemas/{shape.__name__}"} in schema["anyOf"]
