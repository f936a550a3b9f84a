"""A constraint over HTTP that holds for a whole document, of which the middle is generated."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema
import pytest

from lipogram.grammars.errors import BudgetExceeded, NoMiddle, PrefixMismatch
from lipogram.server.compile_messages import Compiled, Failed, Task
from lipogram.server.compiling import Compiler
from lipogram.server.constraints import Constraint, Place, Source
from lipogram.server.errors import GrammarRejected
from lipogram.server.metrics import Metrics
from lipogram.server.settings import Settings
from server_under_test import vocabulary

Post = Callable[..., httpx.Response]

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string", "maxLength": 20},
        "tags": {"type": "array", "items": {"enum": ["new", "old"]}},
    },
    "required": ["id", "name"],
    "additionalProperties": False,
}
TEXT = json.dumps({"id": 417, "name": "Zoë ☃", "tags": ["new", "old"]}, ensure_ascii=False)


def completion(post: Post, prefix: str, suffix: str, schema: Any, **body: object) -> Any:
    """OpenAI's answer, DeepSeek's path."""
    rule = {"structured_outputs": {"json": schema}} if schema is not None else {}
    given = {"model": "tiny", "prompt": prefix, "suffix": suffix, "max_tokens": 60, "seed": 7}
    reply = answered(post("/v1/beta/completions", **{**given, **rule, **body}))["choices"][0]
    return reply["text"], reply.get("unconstrained")


def fim(post: Post, prefix: str, suffix: str, schema: Any, **body: object) -> Any:
    rule = {"structured_outputs": {"json": schema}}
    given = {"model": "tiny", "prompt": prefix, "suffix": suffix, "max_tokens": 60, "seed": 7}
    reply = answered(post("/v1/fim/completions", **given, **rule, **body))["choices"][0]
    return reply["message"]["content"], reply.get("unconstrained")


def infill(post: Post, prefix: str, suffix: str, schema: Any, **body: object) -> Any:
    given = {"input_prefix": prefix, "input_suffix": suffix, "n_predict": 60, "seed": 7}
    reply = answered(post("/infill", **given, json_schema=schema, **body))
    return reply["content"], reply.get("unconstrained")


def generate(post: Post, prefix: str, suffix: str, schema: Any, **body: object) -> Any:
    given = {"model": "tiny", "prompt": prefix, "suffix": suffix, "stream": False}
    given["options"] = {"num_predict": 60, "seed": 7}
    body = {"constraint_scope": "document", **body}
    reply = answered(post("/api/generate", **given, format=schema, **body))
    return reply["response"], reply.get("unconstrained")


def answered(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


ASKED = [completion, fim, infill, generate]


@pytest.mark.parametrize("ask", ASKED)
def test_documents_cut_anywhere_are_completed(post: Post, ask: Any) -> None:
    generator = random.Random(ask.__name__)
    for _ in range(12):
        first, second = sorted(generator.choices(range(len(TEXT) + 1), k=2))
        prefix, suffix = TEXT[:first], TEXT[second:]
        middle, dropped = ask(post, prefix, suffix, ORDER)
        jsonschema.validate(json.loads(prefix + middle + suffix), ORDER)
        assert dropped is None


def test_empty_texts_around_it(post: Post) -> None:
    for prefix, suffix in (("", ""), ("", "}"), ('{"id": ', "")):
        middle, _ = completion(post, prefix, suffix, ORDER)
        jsonschema.validate(json.loads(prefix + middle + suffix), ORDER)


def test_a_model_that_never_stops_still_fits(post: Post) -> None:
    middle, _ = completion(post, '{"id": 1, "name": "', '"}', ORDER, ignore_eos=True, max_tokens=9)
    assert re.fullmatch(r'[^"\\]*', middle.replace('\\"', "").replace('", "tags": [', ""))
    jsonschema.validate(json.loads('{"id": 1, "name": "' + middle + '"}'), ORDER)


def test_each_grammar_holds_for_the_document(post: Post) -> None:
    body = {"model": "tiny", "prompt": "2026-", "suffix": "-24", "seed": 1}
    for outputs in (
        {"regex": r"\d{4}-\d\d-\d\d"},
        {"choice": ["2026-11-24", "2026-12-24", "2025-12-24"]},
        {"grammar": "start: D D D D /-/ D D /-/ D D\nD: /[0-9]/"},
        {"grammar": "start: NUM (/-/ NUM)*\nNUM: /[0-9]{1,4}/", "lexing": "greedy"},
    ):
        choice = answered(post("/v1/completions", **body, structured_outputs=outputs))["choices"][0]
        assert re.fullmatch(r"[0-9-]+", choice["text"])
        if "lexing" not in outputs:
            assert re.fullmatch(r"\d\d", choice["text"])
    gbnf = {"input_prefix": "ab", "input_suffix": "cd", "grammar": 'root ::= "a" [a-z]{4} "d"'}
    assert re.fullmatch("[a-z]{2}", answered(post("/infill", **gbnf))["content"])


def test_each_prompt_is_a_document(post: Post) -> None:
    body = {"model": "tiny", "prompt": ["a", "b", "c"], "suffix": "!", "n": 2, "seed": 1}
    outputs = {"regex": "a1!|b2!|c3!"}
    choices = answered(post("/v1/completions", **body, structured_outputs=outputs))["choices"]
    assert [choice["text"] for choice in choices] == ["1", "1", "2", "2", "3", "3"]


def test_the_scope_is_chosen(post: Post) -> None:
    regex = {"structured_outputs": {"regex": "abc"}, "model": "tiny"}
    whole = {**regex, "prompt": "a", "suffix": "c"}
    assert answered(post("/v1/completions", **whole))["choices"][0]["text"] == "b"
    alone = {**whole, "constraint_scope": "middle"}
    assert answered(post("/v1/completions", **alone))["choices"][0]["text"] == "abc"
    begun = {**regex, "prompt": "ab", "constraint_scope": "document"}
    assert answered(post("/v1/completions", **begun))["choices"][0]["text"] == "c"
    plain = {**regex, "prompt": "ab"}
    assert answered(post("/v1/completions", **plain))["choices"][0]["text"] == "abc"
    format_ = {"model": "tiny", "prompt": "1", "suffix": "2", "format": {"const": "x"}}
    reply = answered(post("/api/generate", **format_, stream=False))
    assert json.loads(reply["response"]) == "x"


MISFITS = [
    ("[", "}", "prefix_mismatch", "prompt", 0),
    ('{"id": 1, ', "]", "suffix_mismatch", "suffix", 0),
    ('{"id": 1, "name": "x"}', '"}', "no_middle", "suffix", 20),
]


@pytest.mark.parametrize(("prefix", "suffix", "code", "param", "fitting_bytes"), MISFITS)
def test_what_cannot_be_completed_is_told_apart(
    post: Post, prefix: str, suffix: str, code: str, param: str, fitting_bytes: int
) -> None:
    body = {"model": "tiny", "prompt": prefix, "suffix": suffix, "stream": True}
    outputs = {"json": ORDER}
    for path in ("/v1/completions", "/v1/beta/completions"):
        for _ in range(2):
            response = post(path, **body, structured_outputs=outputs)
            error = response.json()["error"]
            assert response.status_code == 400
            assert (error["code"], error["param"]) == (code, param)
            assert error["type"] == "invalid_request_error"
            assert error["fitting_bytes"] == fitting_bytes
    error = post("/v1/fim/completions", **body, structured_outputs=outputs).json()
    assert (error["code"], error["param"]) == (code, param)
    given = {"input_prefix": prefix, "input_suffix": suffix, "json_schema": ORDER}
    refused = post("/infill", **given)
    assert refused.status_code == 400
    assert "no text of the grammar" in refused.json()["error"]["message"]


@pytest.mark.parametrize(("prefix", "suffix", "code"), [misfit[:3] for misfit in MISFITS])
@pytest.mark.parametrize("ask", ASKED)
def test_falling_back_is_told(post: Post, ask: Any, prefix: str, suffix: str, code: str) -> None:
    free, dropped = ask(post, prefix, suffix, ORDER, constraint_fallback=True)
    assert dropped["code"] == code
    assert dropped.keys() == {"message", "param", "code", "fitting_bytes"}
    if ask is completion:
        assert free == completion(post, prefix, suffix, None)[0]
    middle, dropped = ask(post, '{"id": 1, "name": "a', '"}', ORDER, constraint_fallback=True)
    jsonschema.validate(json.loads('{"id": 1, "name": "a' + middle + '"}'), ORDER)
    assert dropped is None


def test_falling_back_is_told_at_the_end_of_a_stream(post: Post) -> None:
    body = {"model": "tiny", "prompt": ["[", "a"], "suffix": "!", "stream": True, "n": 2}
    outputs = {"structured_outputs": {"regex": "ab!"}, "constraint_fallback": True}
    text = post("/v1/completions", **body, **outputs).text
    ends = {}
    for line in text.removesuffix("data: [DONE]\n\n").split("\n\n")[:-1]:
        (choice,) = json.loads(line.removeprefix("data: "))["choices"]
        if choice["finish_reason"]:
            ends[choice["index"]] = choice.get("unconstrained", {}).get("code")
        else:
            assert "unconstrained" not in choice
    assert ends == {0: "prefix_mismatch", 1: "prefix_mismatch", 2: None, 3: None}


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/completions", {"constraint_scope": "document"}, "constraint_scope"),
        ("/v1/completions", {"constraint_fallback": True}, "constraint_fallback"),
        ("/v1/completions", {"constraint_scope": "both"}, "constraint_scope"),
        (
            "/v1/completions",
            {"structured_outputs": {"regex": "a"}, "constraint_fallback": True},
            "constraint_fallback",
        ),
        (
            "/v1/completions",
            {"prompt": [1], "structured_outputs": {"regex": "a"}, "constraint_scope": "document"},
            "constraint_scope",
        ),
        ("/v1/fim/completions", {"suffix": "b", "constraint_scope": "middle"}, "constraint_scope"),
        ("/v1/completions", {"prompt": [1], "constraint_scope": "middle"}, "constraint_scope"),
    ],
)
def test_options_that_would_have_no_effect(
    post: Post, path: str, body: dict[str, object], param: str
) -> None:
    response = post(path, **{"model": "tiny", "prompt": "a", **body})
    assert response.status_code == 400
    error = response.json()
    assert error.get("error", error)["param"] == param


def test_a_megabyte_of_suffix_is_read(post: Post) -> None:
    rows = ", ".join(['{"id": 12, "name": "somebody"}'] * 32_000)
    schema = {"type": "array", "items": ORDER}
    suffix = '"}, ' + rows + "]"
    assert len(suffix) > 1_000_000
    prefix = '[{"id": 1, "name": "'
    middle, dropped = infill(post, prefix, suffix, schema)
    assert dropped is None
    jsonschema.validate(json.loads(prefix + middle + suffix[:34] + "]"), schema)


@pytest.mark.parametrize(
    ("prefix", "suffix"), [("\\ud83d", "\\ude00"), ("", "\\uDE00"), ("\\ud83d", "")]
)
def test_half_a_character_is_refused(address: str, prefix: str, suffix: str) -> None:
    body = f'{{"model": "tiny", "prompt": "{prefix}", "suffix": "{suffix}"}}'.encode()
    headers = {"Content-Type": "application/json"}
    response = httpx.post(f"{address}/v1/completions", content=body, headers=headers)
    assert response.status_code == 400
    assert "surrogate" in response.json()["error"]["message"]


class Counted(Compiler):
    """A compiler that remembers what its workers were asked."""

    def __init__(self) -> None:
        super().__init__(Settings(compile_workers=1, compile_seconds=2), Metrics())
        self.asked: list[Task] = []
        perform = self._pool.perform

        async def counted(task: Task) -> Compiled | Failed:
            self.asked.append(task)
            return await perform(task)

        self._pool.perform = counted  # type: ignore[method-assign]


def test_suffixes_are_proved_once_and_prefixes_read() -> None:
    constraint = Constraint(Source("json_schema", json.dumps(ORDER)))

    async def test() -> None:
        compiler, tokens = Counted(), vocabulary()
        await compiler.start()
        try:
            place = Place(b'{"id": ', b', "name": "x"}')
            first, second = await asyncio.gather(
                *(compiler.middle(constraint, tokens, place) for _ in range(2))
            )
            assert first is second
            assert len(compiler.asked) == 2
            assert first.masker.automaton.accepts(b"5")
            typed = Place(b'{"id": 41', b', "name": "x"}')
            assert (await compiler.middle(constraint, tokens, typed)).masker.automaton.accepts(b"")
            assert len(compiler.asked) == 2
            with pytest.raises(GrammarRejected) as caught:
                await compiler.middle(constraint, tokens, Place(b"[", b', "name": "x"}', "here"))
            assert isinstance(caught.value.error, PrefixMismatch)
            assert caught.value.param == "here"
            for _ in range(2):
                with pytest.raises(GrammarRejected) as caught:
                    await compiler.middle(constraint, tokens, Place(b"", b"]"))
                assert isinstance(caught.value.error, NoMiddle)
            assert len(compiler.asked) == 3
        finally:
            await compiler.close()

    asyncio.run(test())


def test_a_place_that_takes_too_long_is_refused_for_good() -> None:
    """Reading the suffix backwards is what takes long here, not compiling."""
    slow = Constraint(Source("regex", "[ab]{20}a[ab]*", param="p"))
    place = Place(b"", bytes(random.Random(0).choices(b"ab", k=400_000)))

    async def test() -> None:
        compiler, tokens = Counted(), vocabulary()
        await compiler.start()
        try:
            await compiler.rule(slow, tokens)
            for asked in (2, 2):
                started_s = time.perf_counter()
                with pytest.raises(GrammarRejected) as caught:
                    await compiler.middle(slow, tokens, place)
                assert time.perf_counter() - started_s < 10
                assert isinstance(caught.value.error, BudgetExceeded)
                assert caught.value.param == "p"
                assert len(compiler.asked) == asked
        finally:
            await compiler.close()

    asyncio.run(test())
