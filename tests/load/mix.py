"""The requests of a load run, and what may come of each; judged by others than the server."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema

from .client import Answer

Judge = Callable[[Answer], bool]
_PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b", "c"]}, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
_TOOL = {"type": "function", "function": {"name": "look_up", "parameters": _PERSON}}
_REGEX = r"[0-9]{4}-(0[1-9]|1[0-2])-[0-9]{2}( [a-z]{1,9})?"
_LARK = 'start: NUMBER ("+" NUMBER)*\nNUMBER: /[0-9]{1,3}/'
_REFUSALS = {"grammar_too_complex", "invalid_grammar", "unsupported_grammar", "empty_language"}


@dataclass(frozen=True, slots=True)
class Load:
    """A request; `is_right` judges its answer. One that is `killed_after` bytes has none."""

    kind: str
    path: str
    body: bytes | None
    is_right: Judge
    killed_after: int | None = None


def mix(count: int, model: str, seed: int, bad: bool = True) -> list[Load]:
    """So many requests, shuffled: if `bad`, 5 % abandoned, 5 % malformed, 2 % bombs.

    The good ones are the same whether there are bad ones or not.
    """
    draw = random.Random(seed)
    loads: list[Load] = []
    for index in range(count):
        roll = draw.random()
        kind = draw.choice(_GOOD)
        good = kind(model, draw.randrange(1 << 30))
        if roll < 0.05:
            loads += [_abandoned(model, index)] if bad else []
        elif roll < 0.10:
            loads += [_malformed(model, index)] if bad else []
        elif roll < 0.12:
            loads += [_bomb(model, index)] if bad else []
        else:
            loads.append(good)
    return loads


def _load(
    kind: str, path: str, body: dict[str, Any], is_right: Judge, killed_after: int | None = None
) -> Load:
    return Load(kind, path, json.dumps(body).encode(), is_right, killed_after)


def _served(judge: Callable[[Any], bool]) -> Judge:
    return lambda answer: answer.status == 200 and judge(answer.json())


def _texts(reply: Any) -> list[str]:
    return [choice.get("text", "") for choice in reply["choices"]]


def _is_person(text: str) -> bool:
    return jsonschema.Draft202012Validator(_PERSON).is_valid(json.loads(text))


def _plain(model: str, seed: int) -> Load:
    body = {"model": model, "prompt": "def f(", "max_tokens": 12, "seed": seed, "n": 1 + seed % 2}
    count = body["n"]
    return _load(
        "plain",
        "/v1/completions",
        body,
        _served(lambda reply: len(_texts(reply)) == count and reply["usage"]["total_tokens"] > 0),
    )


def _regex(model: str, seed: int) -> Load:
    rule = {"regex": _REGEX}
    body = {"model": model, "prompt": "on ", "max_tokens": 24, "seed": seed}
    return _load(
        "regex",
        "/v1/completions",
        {**body, "structured_outputs": rule},
        _served(lambda reply: all(re.fullmatch(_REGEX, text) for text in _texts(reply))),
    )


def _choice(model: str, seed: int) -> Load:
    """A grammar that nobody has asked for before."""
    options = [f"option {seed} {index}" for index in range(4)]
    body = {"model": model, "prompt": "x", "max_tokens": 24, "seed": seed}
    return _load(
        "choice",
        "/v1/completions",
        {**body, "structured_outputs": {"choice": options}},
        _served(lambda reply: all(text in options for text in _texts(reply))),
    )


def _lark(model: str, seed: int) -> Load:
    rule = {"grammar": _LARK, "syntax": "lark"}
    body = {"model": model, "prompt": "x", "max_tokens": 16, "seed": seed, "logprobs": 2}
    form = re.compile(r"[0-9]{1,3}(\+[0-9]{1,3})*")
    return _load(
        "lark",
        "/v1/completions",
        {**body, "structured_outputs": rule},
        _served(lambda reply: all(form.fullmatch(text) for text in _texts(reply))),
    )


def _chat(model: str, seed: int) -> Load:
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": _PERSON}}
    body = {"model": model, "max_tokens": 60, "seed": seed, "response_format": form}
    return _load(
        "chat",
        "/v1/chat/completions",
        {**body, "messages": [{"role": "user", "content": f"Ada is {seed % 100}."}]},
        _served(lambda reply: _is_person(reply["choices"][0]["message"]["content"])),
    )


def _tools(model: str, seed: int) -> Load:
    def is_call(reply: Any) -> bool:
        (call,) = reply["choices"][0]["message"]["tool_calls"]
        return _is_person(call["function"]["arguments"])

    body = {"model": model, "max_tokens": 60, "seed": seed, "tools": [_TOOL]}
    return _load(
        "tools",
        "/v1/chat/completions",
        {
            **body,
            "tool_choice": "required",
            "messages": [{"role": "user", "content": f"Ada is {seed % 100}."}],
        },
        _served(is_call),
    )


def _streamed(model: str, seed: int) -> Load:
    def is_right(answer: Answer) -> bool:
        *chunks, last = answer.events()
        text = "".join(_texts(json.loads(chunk))[0] for chunk in chunks)
        return answer.status == 200 and last == "[DONE]" and _is_person(text)

    body = {"model": model, "prompt": "x", "max_tokens": 60, "seed": seed, "stream": True}
    rule = {"json": _PERSON}
    return _load("stream", "/v1/completions", {**body, "structured_outputs": rule}, is_right)


def _check(model: str, seed: int) -> Load:
    body = {"syntax": "regex", "definition": f"(a|b){{{seed % 50 + 1}}}", "samples": 2}
    form = re.compile(body["definition"])
    return _load(
        "check",
        "/v1/grammars",
        body,
        _served(lambda reply: all(form.fullmatch(sample) for sample in reply["samples"])),
    )


def _tokenize(model: str, seed: int) -> Load:
    body = {"model": model, "prompt": f"text {seed}"}
    return _load("tokenize", "/tokenize", body, _served(lambda reply: reply["count"] > 0))


_GOOD = (_plain, _regex, _choice, _lark, _chat, _tools, _streamed, _check, _tokenize)


def _abandoned(model: str, index: int) -> Load:
    body = {"model": model, "prompt": "x", "max_tokens": 300, "stream": True, "ignore_eos": True}
    if index % 2:
        body["structured_outputs"] = {"regex": "[a-z ]{250,300}"}
    return _load("abandoned", "/v1/completions", body, lambda answer: answer.status == 0, 500)


def _malformed(model: str, index: int) -> Load:
    body: dict[str, Any] = {"model": model, "prompt": "x"}
    data, statuses = [
        (b"{", {400}),
        (b"\xff\xfe", {400}),
        (b"[" * 5000 + b"]" * 5000, {400}),
        (json.dumps({**body, "max_tokens": -1}).encode(), {400}),
        (json.dumps({**body, "stop": ["x"] * 1000}).encode(), {400}),
        (json.dumps({**body, "n": 10**9}).encode(), {400}),
        (json.dumps({**body, "prompt": "x" * (5 << 20)}).encode(), {413}),
        (json.dumps({**body, "model": f"nobody-{index}"}).encode(), {404}),
        (json.dumps({**body, "temperature": "hot"}).encode(), {400}),
        (json.dumps({**body, "structured_outputs": {"regex": f"({index}"}}).encode(), {400}),
    ][index % 10]
    return Load("malformed", "/v1/completions", data, lambda answer: answer.status in statuses)


def _bomb(model: str, index: int) -> Load:
    """A grammar that is small and asks for much; each is new, so that no cache refuses it."""
    rule: dict[str, Any] = [
        {"regex": f"(?=.*a.{{{12 + index % 40}}}$)(?=.*b.{{13}}$)(?=.*c.{{14}}$)[abc{index}]*"},
        {"regex": f"((a{{1,50}}){{1,50}}{index}){{1,50}}"},
        {"regex": "(" * 3000 + str(index) + ")" * 3000},
        {"json": {"type": "array", "maxItems": 2**62, "items": {"const": f"x{index}"}}},
        {"json": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a", "title": str(index)}}}},
        {"grammar": f'root ::= root | {"(" * 400}"{index}"{")" * 400}', "syntax": "gbnf"},
        {"choice": [f"{index} {number}" for number in range(20_000)]},
        {"json": {"allOf": [{"pattern": f"^.*{index}.{{{size}}}$"} for size in range(8, 24)]}},
    ][index % 8]

    def is_right(answer: Answer) -> bool:
        if answer.status == 200:
            return True
        error: Any = answer.json()
        known = {*_REFUSALS, "max_tokens_too_small", "vocabulary_dead_end"}
        return answer.status == 400 and error["error"]["code"] in known

    body = {"model": model, "prompt": "x", "max_tokens": 8, "structured_outputs": rule}
    return _load("bomb", "/v1/completions", body, is_right)
