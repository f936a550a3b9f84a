"""Under maximal munch some texts can be begun but never finished: no output is one of them."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from laws.munch import Munch
from lipogram.decoding import (
    Autoregressive,
    BudgetTooSmall,
    DeadEnd,
    Job,
    Masker,
    Sampling,
    Vocabulary,
)
from lipogram.decoding.models.table import TableModel
from lipogram.grammars import compile, lark

BYTES = [bytes([byte]) for byte in range(256)]
VOCABULARY = Vocabulary.from_tokens([b"", *BYTES, b"ab", b"if", b"1 ", b"<t>"], eos_ids=(0,))
# A grammar, and the length of its shortest text; 0 where there is none.
GRAMMARS = {
    'start: A "b"\nA: /a|ab/': 3,
    'start: "a" /[a-b]*/ "c"': 2,
    "start: INT INT\nINT: /[0-9]+/": 0,
    'start: INT INT\nINT: /[0-9]+/\n%ignore " "': 3,
    'start: NAME "if"\nNAME: /[a-z]+/': 0,
    'start: NAME "if" | "x1"\nNAME: /[a-z]+/': 2,
    'start: NAME "if"\nNAME: /[a-z]+/\n%ignore " "': 4,
    'start: "<t>" /.+/ "</t>"': 0,
    'start: ("a" | "ab") ("b" | "c")': 2,
    'start: "x" (">" ">" "y" | ">>" "zz")': 5,
}


def generate(masker: Masker, budget: int, seed: int) -> bytes:
    generator = np.random.default_rng(seed)
    model = TableModel(
        VOCABULARY, lambda prefix: generator.normal(0, 2, len(VOCABULARY)), context_tokens=99
    )

    async def written() -> bytes:
        job = Job((98,), masker, Sampling(temperature=1.0, seed=seed), budget)
        events = [event async for event in Autoregressive(model).generate(job)]
        return b"".join(event.text for event in events[:-1])

    return asyncio.run(written())


@pytest.mark.parametrize(("text", "shortest"), GRAMMARS.items(), ids=GRAMMARS)
def test_a_budget_is_kept(text: str, shortest: int) -> None:
    grammar = lark.parse(text, lexing="greedy")
    judge, masker = Munch(grammar), Masker(compile(grammar), VOCABULARY)
    written = set()
    for seed in range(24):
        budget = seed % 8 + 1
        try:
            output = generate(masker, budget, seed)
        except DeadEnd:
            assert not shortest
        except BudgetTooSmall:
            assert budget < shortest
        else:
            assert judge.verdict(output) == "member"
            written.add(output)
    assert bool(written) == bool(shortest)
