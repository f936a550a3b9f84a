"""Models, grammars, tokens and probes."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from server_under_test import PERSON, Post


def test_models(address: str) -> None:
    models = httpx.get(f"{address}/v1/models").json()
    assert models["object"] == "list"
    assert [model["id"] for model in models["data"]] == ["restless", "plain", "tiny"]
    for model in models["data"]:
        assert httpx.get(f"{address}/v1/models/{model['id']}").json() == model
        assert model["object"] == "model"
        assert model["max_model_len"] == 2048
    assert httpx.get(f"{address}/v1/models/a/b").json()["error"]["code"] == "model_not_found"


def test_probes(address: str) -> None:
    assert httpx.get(f"{address}/health").json() == {"status": "ok"}
    assert httpx.get(f"{address}/ready").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("syntax", "definition", "pattern"),
    [
        ("regex", "[a-z]{2,5}", "[a-z]{2,5}"),
        ("choice", ["yes", "no"], "yes|no"),
        ("lark", 'start: "a" | "b" start', "b*a"),
        ("gbnf", 'root ::= "a" | "b" root', "b*a"),
        ("json_schema", PERSON, r'\s*\{\s*"a"\s*:\s*(true|false)\s*\}\s*'),
        ("json_schema", '{"const": 1}', "1"),
        ("json_schema", True, "(?s).*"),
    ],
)
def test_a_grammar_is_shown(post: Post, syntax: str, definition: Any, pattern: str) -> None:
    body = {"syntax": syntax, "definition": definition, "samples": 6, "seed": 2}
    reply = post("/v1/grammars", **body).json()
    assert reply["object"] == "grammar"
    assert reply["syntax"] == syntax
    assert reply["exact"] == (not reply["narrowed"])
    assert len(reply["samples"]) == 6
    for text in [*reply["samples"], reply["shortest"]]:
        assert re.fullmatch(pattern, text)
    assert post("/v1/grammars", **body).json()["samples"] == reply["samples"]


@pytest.mark.parametrize(
    ("syntax", "definition", "where"),
    [
        ("regex", "ab(c", {"line": 1, "column": 3}),
        ("lark", 'start: "a"\nb: (', {"line": 2}),
        (
            "json_schema",
            {"properties": {"a": {"type": "quark"}}},
            {"pointer": "/properties/a/type"},
        ),
    ],
)
def test_a_wrong_grammar_says_where(
    post: Post, syntax: str, definition: Any, where: dict[str, Any]
) -> None:
    response = post("/v1/grammars", syntax=syntax, definition=definition)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == "definition"
    assert error.items() >= where.items()


@pytest.mark.parametrize(
    ("syntax", "definition"), [("regex", ["a"]), ("choice", "a"), ("json_schema", [1]), ("xml", "")]
)
def test_a_definition_fits_its_syntax(post: Post, syntax: str, definition: object) -> None:
    response = post("/v1/grammars", syntax=syntax, definition=definition)
    assert response.status_code == 400
    assert response.json()["error"]["param"].startswith(("definition", "syntax"))


@pytest.mark.parametrize("name", ["prompt", "content"])
def test_tokens_there_and_back(post: Post, name: str) -> None:
    text = "hello world é €"
    reply = post("/tokenize", **{name: text, "return_token_strs": True}).json()
    assert reply["count"] == len(reply["tokens"]) == len(reply["token_strs"])
    back = post("/detokenize", tokens=reply["tokens"]).json()
    assert back == {"prompt": text, "content": text}
    pieces = post("/tokenize", **{name: text, "with_pieces": True}).json()["tokens"]
    assert [piece["id"] for piece in pieces] == reply["tokens"]
    data = b"".join(
        piece["piece"].encode() if isinstance(piece["piece"], str) else bytes(piece["piece"])
        for piece in pieces
    )
    assert data.decode() == text


def test_bad_tokens(post: Post) -> None:
    assert post("/detokenize", tokens=[1, 99_999]).json()["error"]["param"] == "tokens[1]"
    assert post("/tokenize").status_code == 400
    assert post("/tokenize", prompt="a", content="b").status_code == 400
    assert post("/tokenize", prompt="a", model="nope").status_code == 404
