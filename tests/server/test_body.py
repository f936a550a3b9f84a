"""Nesting is counted without recursion, and strings are not mistaken for structure."""

from __future__ import annotations

import json
import random

import pytest

from lipogram.decoding.errors import HolesTooSmall
from lipogram.grammars.errors import Error, GrammarError, NoMiddle
from lipogram.server.body import nesting, parse
from lipogram.server.errors import TABLE, GrammarRejected, InvalidRequest, answer, body
from lipogram.server.sse import Characters


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def drawn(generator: random.Random, level: int) -> object:
    kind = generator.randrange(3) if level else 2
    if kind == 2:
        return "".join(generator.choices('[]{}"\\ é,', k=5))
    values = [drawn(generator, level - 1) for _ in range(generator.randrange(4))]
    return values if kind else {f'"{index}[': value for index, value in enumerate(values)}


def test_nesting_is_that_of_the_value() -> None:
    generator = random.Random(5)
    for _ in range(300):
        value = drawn(generator, 6)
        data = json.dumps(value, ensure_ascii=generator.random() < 0.5).encode()
        assert parse(data, 100) == value
        assert nesting(data) == depth(value)


def test_deep_values_are_refused_at_the_limit() -> None:
    assert parse(b"[" * 50 + b"]" * 50, 50)
    with pytest.raises(InvalidRequest, match="51"):
        parse(b"[" * 51 + b"]" * 51, 50)


def test_every_error_class_has_an_answer() -> None:
    def below(kind: type[Error]) -> list[type[Error]]:
        return [kind, *(inner for direct in kind.__subclasses__() for inner in below(direct))]

    for kind in below(Error):
        arguments: tuple[object, ...] = ("what it was",)
        if kind is GrammarRejected:
            arguments = (GrammarError("x"), None)
        elif issubclass(kind, NoMiddle | HolesTooSmall):
            arguments = ("what it was", 3)
        error = kind(*arguments)
        row = answer(error)
        assert body(error)["error"].keys() >= {"message", "type", "param", "code"}
        assert row in TABLE.values()
        assert 400 <= row.status < 600
    assert "secret" not in str(body(ValueError("secret")))


def test_characters_are_whole() -> None:
    text = "aé€😀z"
    for cut in range(1, 6):
        characters = Characters()
        data = text.encode()
        pieces = [characters.feed(data[at : at + cut]) for at in range(0, len(data), cut)]
        assert "".join(pieces) == text
        assert "\ufffd" not in "".join(pieces) + characters.end()
    characters = Characters()
    assert characters.feed(b"a\xe2\x82") == "a"
    assert characters.end() == "\ufffd"
    assert Characters().feed(b"\xff") == "\ufffd"
