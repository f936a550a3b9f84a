"""What a front-end may be told, wherever a grammar may stand."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import httpx
import pytest

from lipogram.grammars import compile
from lipogram.server.compile_messages import Compiled, Task
from lipogram.server.compile_worker import perform
from lipogram.server.constraints import Constraint, Options, Source
from lipogram.server.settings import Settings
from server_under_test import Post, restless, serving

PAIR: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"const": 1}, "b": {"const": 2}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
MUNCH = 'start: ">" ">" "yy" | ">>" "z"'
CHAT: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}


def samples(
    post: Post, definition: object, syntax: str = "json_schema", **options: str
) -> set[str]:
    body = {"syntax": syntax, "definition": definition, "options": options, "samples": 20}
    response = post("/v1/grammars", **body)
    assert response.status_code == 200, response.text
    return {*response.json()["samples"], response.json()["shortest"]}


def orders(texts: set[str]) -> set[tuple[str, ...]]:
    return {tuple(json.loads(text)) for text in texts}


def test_what_the_options_mean(post: Post) -> None:
    assert orders(samples(post, PAIR)) == {("a", "b")}
    assert orders(samples(post, PAIR, key_order="any")) == {("a", "b"), ("b", "a")}
    assert samples(post, PAIR, whitespace="compact") == {'{"a":1,"b":2}'}
    assert samples(post, PAIR, whitespace="spaced") == {'{"a": 1, "b": 2}'}
    assert samples(post, {"const": "é"}) == {'"é"'}
    assert len(samples(post, {"const": "é"}, escapes="any")) > 1
    date = {"type": "string", "format": "date", "maxLength": 3}
    assert len(samples(post, date, formats="annotations")) > 1
    assert post("/v1/grammars", syntax="json_schema", definition=date).status_code == 400
    assert samples(post, MUNCH, "lark") == {">>yy", ">>z"}
    assert samples(post, MUNCH, "lark", lexing="greedy") == {">>z"}
    assert samples(post, 'start: A "b"\nA: /a|ab/', "lark", lexing="greedy") == {"abb"}
    endless = {"syntax": "lark", "definition": "start: A A\nA: /a+/"}
    assert post("/v1/grammars", **endless).status_code == 200
    refused = post("/v1/grammars", **endless, options={"lexing": "greedy"})
    assert refused.json()["error"]["code"] == "empty_language"


@pytest.mark.parametrize(
    ("syntax", "definition", "options", "param"),
    [
        ("json_schema", {}, {"key_order": "both"}, "options.key_order"),
        ("json_schema", {}, {"key_ordr": "any"}, "options.key_ordr"),
        ("json_schema", {}, {"lexing": "greedy"}, "options.lexing"),
        ("regex", "a", {"whitespace": "compact"}, "options.whitespace"),
        ("lark", 'start: "a"', {"escapes": "any"}, "options.escapes"),
        ("gbnf", 'root ::= "a"', {"lexing": "exact"}, "options.lexing"),
    ],
)
def test_an_option_that_is_not_there_is_refused(
    post: Post, syntax: str, definition: object, options: dict[str, str], param: str
) -> None:
    response = post("/v1/grammars", syntax=syntax, definition=definition, options=options)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("rule", "param"),
    [
        ({"json": {}, "lexing": "greedy"}, "structured_outputs.lexing"),
        ({"regex": "a", "formats": "annotations"}, "structured_outputs.formats"),
        ({"grammar": 'root ::= "a"', "lexing": "greedy"}, "structured_outputs.grammar"),
        ({"grammar": "", "syntax": "gbnf", "lexing": "exact"}, "structured_outputs.lexing"),
        ({"json": {}, "whitespace": "wide"}, "structured_outputs.whitespace"),
        (
            {"json": {}, "whitespace": "spaced", "disable_any_whitespace": True},
            "structured_outputs.whitespace",
        ),
    ],
)
def test_structured_outputs_refuse_the_same(post: Post, rule: dict[str, Any], param: str) -> None:
    for path, body in (("/v1/chat/completions", CHAT), ("/v1/completions", {"model": "tiny"})):
        response = post(path, **body, structured_outputs=rule)
        assert response.status_code == 400
        assert response.json()["error"]["param"] == param


def test_options_hold_for_what_is_generated(post: Post) -> None:
    formats: list[tuple[dict[str, Any], set[str]]] = [
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": PAIR, "whitespace": "compact"},
            },
            {'{"a":1,"b":2}'},
        ),
        (
            {"type": "grammar", "grammar": {"syntax": "lark", "definition": MUNCH}},
            {">>yy", ">>z"},
        ),
        (
            {
                "type": "grammar",
                "grammar": {"syntax": "lark", "definition": MUNCH, "lexing": "greedy"},
            },
            {">>z"},
        ),
    ]
    for wanted, texts in formats:
        reply = post("/v1/chat/completions", **CHAT, response_format=wanted, n=16, seed=0).json()
        assert {choice["message"]["content"] for choice in reply["choices"]} == texts
    rules: list[tuple[dict[str, Any], set[str]]] = [
        ({"json": PAIR, "whitespace": "spaced"}, {'{"a": 1, "b": 2}'}),
        ({"json": PAIR, "disable_any_whitespace": True}, {'{"a":1,"b":2}'}),
        (
            {"json": PAIR, "whitespace": "compact", "key_order": "any"},
            {'{"a":1,"b":2}', '{"b":2,"a":1}'},
        ),
        ({"grammar": MUNCH, "lexing": "greedy"}, {">>z"}),
    ]
    for rule, texts in rules:
        body = {"model": "tiny", "prompt": "x", "n": 16, "seed": 0, "max_tokens": 40}
        reply = post("/v1/completions", **body, structured_outputs=rule).json()
        assert {choice["text"] for choice in reply["choices"]} == texts


def test_a_server_may_have_its_own_key_order() -> None:
    for default, given, members in (("schema", None, 1), ("any", None, 2), ("any", "schema", 1)):
        source = Source("json_schema", json.dumps(PAIR), Options(given, whitespace="compact"))
        outcome = perform(Task(Constraint(source), key_order=default))
        assert isinstance(outcome, Compiled)
        accepts = compile(outcome.grammar).accepts
        assert accepts(b'{"a":1,"b":2}')
        assert accepts(b'{"b":2,"a":1}') == (members == 2)
    with serving([restless()], Settings(key_order="any", compile_workers=1)) as url:
        body = {"syntax": "json_schema", "definition": PAIR, "samples": 20}
        reply = httpx.post(f"{url}/v1/grammars", json=body, timeout=60).json()
        assert orders(set(reply["samples"])) == {("a", "b"), ("b", "a")}


def test_special_tokens_have_no_text(post: Post) -> None:
    rule = {"grammar": 'start: "a" <|fim_prefix|> "b" <[264]>'}
    body = {"model": "restless", "prompt": "x", "max_tokens": 9, "structured_outputs": rule}
    reply = post("/v1/completions", **body, logprobs=0).json()
    choice = reply["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("ab", "stop")
    assert reply["usage"]["completion_tokens"] == len(choice["logprobs"]["tokens"]) == 4
    assert samples(post, rule["grammar"], "lark") == {"a<|fim_prefix|>b<[264]>"}
    lacking = post("/v1/completions", **{**body, "model": "plain"}).json()
    assert lacking["error"]["code"] == "vocabulary_dead_end"
    spelled = {"grammar": 'start: "<|fim_prefix|>"'}
    reply = post("/v1/completions", **{**body, "structured_outputs": spelled, "max_tokens": 40})
    assert reply.json()["choices"][0]["text"] == "<|fim_prefix|>"
    assert reply.json()["usage"]["completion_tokens"] > 1


def test_what_a_report_says_is_counted_in_the_log(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "lipogram.access"):
        schema = {"type": "number", "minimun": 3}
        assert post("/v1/grammars", syntax="json_schema", definition=schema).status_code == 200
        for _ in range(100):  # the line is written when the answer has been sent
            if caplog.messages:
                break
            time.sleep(0.02)
    facts = json.loads(caplog.messages[-1])
    assert facts["narrowed"] == 1
    assert facts["warnings"] == 1
