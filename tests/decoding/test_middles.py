"""Generating what fits between a prefix and a suffix, with models that never stop by themselves."""

from __future__ import annotations

import asyncio
import json

import jsonschema
import numpy as np
import pytest

from lipogram.decoding import (
    Autoregressive,
    BudgetTooSmall,
    Chunk,
    Finish,
    Job,
    Masker,
    Sampling,
    Vocabulary,
)
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import Automaton, compile, json_schema, lark, regex

BYTES = [bytes([byte]) for byte in range(256)]
TOKENS = [b"", *BYTES, b'", "', b'": ', b"]}", b"1, ", b"aa", b"bb ", b'"a"']
VOCABULARY = Vocabulary.from_tokens(TOKENS, eos_ids=(0,))
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "sizes": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["name", "sizes"],
}
CUTS = [
    (b"", b""),
    (b'{"name": "x', b"]}"),
    (b'{"name": "caf\xc3', b'", "sizes": []}'),
    (b'{"na', b'", "sizes": [2]}'),
]


def generate(automaton: Automaton, budget: int, seed: int) -> bytes:
    generator = np.random.default_rng(seed)

    def endless(prefix: tuple[int, ...]) -> np.ndarray:
        scores = generator.normal(0, 2, len(VOCABULARY))
        scores[0] = -1e9
        return scores

    model = TableModel(VOCABULARY, endless, context_tokens=99)

    async def written() -> bytes:
        job = Job((98,), Masker(automaton, VOCABULARY), Sampling(seed=seed), budget)
        events = [event async for event in Autoregressive(model).generate(job)]
        return b"".join(event.text for event in events[:-1])

    return asyncio.run(written())


@pytest.mark.parametrize(("prefix", "suffix"), CUTS)
def test_a_model_that_never_stops_still_yields_a_middle_that_fits(
    prefix: bytes, suffix: bytes
) -> None:
    middle = compile(json_schema.parse(SCHEMA)).between(prefix, suffix)
    least = middle.shortest_length(middle.start())
    lengths = set()
    for seed in range(8):
        text = generate(middle, least + 5 * seed, seed)
        lengths.add(len(text))
        jsonschema.validate(json.loads(prefix + text + suffix), SCHEMA)
    assert len(lengths) > 2
    if least > 8:
        with pytest.raises(BudgetTooSmall):
            generate(middle, 1, 0)


def test_munched_middles_are_finished_within_the_budget() -> None:
    grammar = lark.parse('start: NAME ("+" NAME)*\nNAME: /[ab]+/\n%ignore " "', lexing="greedy")
    middle = compile(grammar).between(b"a", b"b + a")
    for seed in range(8):
        text = generate(middle, seed + 1, seed)
        assert compile(grammar).accepts(b"a" + text + b"b + a"), text


def test_a_special_token_that_ends_middles_ends_one_where_it_is_complete() -> None:
    size = len(TOKENS)
    vocabulary = Vocabulary.from_tokens([*TOKENS, b""], eos_ids=(0,), specials={"<end>": size})
    likes = np.zeros(size + 1)
    likes[size], likes[1 + ord("a")] = 9, 5
    model = TableModel(vocabulary, lambda prefix: likes, context_tokens=99)
    middle = compile(regex.parse("[ab]{3}(-[ab]+)?")).between(b"b", b"a")

    async def written(ends: frozenset[int], ignore_eos: bool = False) -> tuple[bytes, str]:
        job = Job(
            (98,), Masker(middle, vocabulary), Sampling(temperature=0), 9, ends=ends,
            ignore_eos=ignore_eos,
        )  # fmt: skip
        events = [event async for event in Autoregressive(model).generate(job)]
        finish = events[-1]
        assert isinstance(finish, Finish)
        return b"".join(e.text for e in events if isinstance(e, Chunk)), finish.reason

    ends = frozenset({size})
    assert asyncio.run(written(ends)) == (b"a", "stop")
    assert asyncio.run(written(frozenset())) != (b"a", "stop")
    assert len(asyncio.run(written(ends, ignore_eos=True))[0]) > 1
