"""Special tokens that a grammar names: allowed there and nowhere else, and without text."""

from __future__ import annotations

import asyncio
import itertools
import random

import numpy as np
import pytest

from lipogram.decoding import Autoregressive, DeadEnd, Job, Masker, Sampling, Vocabulary
from lipogram.decoding.closing import closing
from lipogram.decoding.models.table import TableModel
from lipogram.decoding.sampling import unpack
from lipogram.grammars import Grammar, compile, gbnf, ir, lark

# The end, a mask, two special tokens with names and one without, and what may be confused.
TOKENS = [b"", b"", b"", b"", b"", b"a", b"b", b"\xff", b"<", b"\xff[2]\xff", b"a\xff", b"<x>"]
END, MASK, X, Y, NAMELESS = range(5)
NAMES = {"<|end|>": END, "<mask>": MASK, "<x>": X, "<y>": Y}
VOCABULARY = Vocabulary.from_tokens(TOKENS, eos_ids=(END,), mask_id=MASK, specials=NAMES)
PIECES = {
    **{ir.special(name): {id} for name, id in NAMES.items() if id != MASK},
    **{ir.special(f"[{id}]"): {id} for id in (END, X, Y, NAMELESS)},
    ir.special("<mask>"): set(),
    ir.special("[5]"): set(),  # has a text
    ir.special("<z>"): set(),
    ir.Literal(b"a"): {5},
    ir.Literal(b"b"): {6},
    ir.Literal(b"<"): {8},
}


def outputs(masker: Masker, length: int) -> set[tuple[int, ...]]:
    """All token sequences of at most so many tokens that the masks allow, up to where they end."""
    found = set()
    waiting = [((), masker.start())]
    while waiting:
        path, state = waiting.pop()
        if masker.is_complete(state):
            found.add(path)
        allowed = np.flatnonzero(unpack(masker.mask(state), len(TOKENS))).tolist()
        for token in range(len(TOKENS)):
            after = masker.step(state, token)
            assert (after is not None) == (token in allowed)
            if after is not None and after != state and len(path) < length:
                waiting.append(((*path, token), after))
    return found


@pytest.mark.parametrize("seed", range(60))
def test_exactly_the_named_tokens_are_allowed(seed: int) -> None:
    rng = random.Random(seed)
    branches = [rng.choices(list(PIECES), k=rng.randint(1, 3)) for _ in range(rng.randint(1, 3))]
    # A name and an id of the same token at the same place are one branch to a vocabulary.
    heads = [frozenset(PIECES[branch[0]]) for branch in branches]
    branches = [
        branch for index, branch in enumerate(branches) if heads[index] not in heads[:index]
    ]
    grammar = Grammar({"start": ir.choice(*(ir.Sequence(tuple(b)) for b in branches))}, "start")
    expected = {
        path for branch in branches for path in itertools.product(*(PIECES[p] for p in branch))
    }
    masker = Masker(compile(grammar), VOCABULARY)
    assert outputs(masker, 4) == expected
    plan = closing(masker, masker.start())
    assert plan in expected if expected else plan is None


def test_a_text_never_becomes_a_special_token() -> None:
    assert VOCABULARY.encode(b"<x>") == [11]
    assert VOCABULARY.encode(b"\xff[2]\xff") == [9]
    assert VOCABULARY.encode(b"\xff<x>\xff") == [7, 11, 7]


def test_texts_with_the_mark_stay_where_a_grammar_has_no_special_tokens() -> None:
    masker = Masker(compile(Grammar({"start": ir.Bytes(1 << 255)}, "start")), VOCABULARY)
    assert outputs(masker, 3) == {(7,)}


def model(*liked: int) -> TableModel:
    scores = np.full(len(TOKENS), -4.0)
    scores[list(liked)] = 4.0
    return TableModel(VOCABULARY, lambda prefix: scores, context_tokens=32)


def run(text: str, *liked: int, **job: object) -> tuple[list, object]:
    masker = Masker(compile(lark.parse(text)), VOCABULARY)

    async def collect() -> list:
        wanted = Job((5,), masker, Sampling(temperature=0.0), **job)
        return [event async for event in Autoregressive(model(*liked)).generate(wanted)]

    *chunks, finish = asyncio.run(collect())
    return chunks, finish


def test_special_tokens_count_but_have_no_text() -> None:
    chunks, finish = run('start: "a" <x> "b" <y>', 5)
    assert b"".join(chunk.text for chunk in chunks) == b"ab"
    assert (finish.reason, finish.usage.completion_tokens) == ("stop", 4)
    chunks, finish = run('start: "a" <x> "b" <y>', 5, top_logprobs=1)
    assert [token.id for chunk in chunks for token in chunk.tokens] == [5, X, 6, Y]
    chunks, finish = run('start: ("a" <x> "b" <y>)+', 5, stop=(b"ba",), max_tokens=16)
    assert b"".join(chunk.text for chunk in chunks).startswith(b"ab")


def test_a_budget_counts_special_tokens_as_one_each() -> None:
    for budget in range(1, 9):
        chunks, finish = run('start: "a"+ <x> | <y>', 5, max_tokens=budget)
        text = b"".join(chunk.text for chunk in chunks)
        assert text == b"a" * (budget - 1)
        assert finish.usage.completion_tokens == budget


def test_the_end_of_a_text_as_a_part_of_it() -> None:
    chunks, finish = run('start: "a" <|end|> "b"', END)
    assert b"".join(chunk.text for chunk in chunks) == b"ab"
    assert finish.usage.completion_tokens == 3
    chunks, finish = run('start: "a" (<|end|> "b")?', END)
    assert b"".join(chunk.text for chunk in chunks) == b"ab"
    chunks, finish = run('start: "a" ("b")?', END)
    assert b"".join(chunk.text for chunk in chunks) == b"a"
    assert finish.reason == "stop"


def test_a_token_that_the_vocabulary_lacks() -> None:
    with pytest.raises(DeadEnd):
        run('start: "a" <z>', 5)
    chunks, _ = run('start: "a" <z> | "b" "b" "b"', 5)
    assert b"".join(chunk.text for chunk in chunks) == b"bbb"


def test_ids_in_gbnf() -> None:
    masker = Masker(compile(gbnf.parse("root ::= <[2-4]> <x>?")), VOCABULARY)
    assert outputs(masker, 3) == {(id, *more) for id in (2, 3, 4) for more in ((), (X,))}
