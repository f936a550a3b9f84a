"""The table model keeps the contract of every causal model."""

import asyncio

import numpy as np
import pytest

from lipogram.decoding import ContextTooLong, Vocabulary
from lipogram.decoding.models.base import CausalModel, Query
from lipogram.decoding.models.table import TableModel

VOCABULARY = Vocabulary.from_tokens([b"a", b"b", b"</s>"], (2,))


def ask(model: CausalModel, *queries: Query) -> list[np.ndarray]:
    return asyncio.run(model.logits(queries))


def test_rows_of_a_draft_are_those_of_longer_prefixes() -> None:
    model = TableModel.random(VOCABULARY, 3)
    drafted, first, second = ask(model, Query((1,), (0, 2)), Query((1,)), Query((1, 0), (2,)))
    assert drafted.shape == (3, 3)
    assert drafted.dtype == np.float32
    np.testing.assert_array_equal(drafted[:1], first)
    np.testing.assert_array_equal(drafted[1:], second)


def test_scores_are_the_functions() -> None:
    model = TableModel(VOCABULARY, lambda prefix: [len(prefix), 0, -np.inf])
    [rows] = ask(model, Query((), (1, 1)))
    assert rows.tolist() == [[0, 0, -np.inf], [1, 0, -np.inf], [2, 0, -np.inf]]


def test_the_window_counts_the_draft() -> None:
    model = TableModel(VOCABULARY, lambda prefix: [0, 0, 0], context_tokens=3)
    ask(model, Query((0,), (1, 1)))
    with pytest.raises(ContextTooLong, match="4 tokens exceed the window of 3"):
        ask(model, Query((0, 0), (1, 1)))


def test_seeds_differ() -> None:
    one, other = (ask(TableModel.random(VOCABULARY, seed), Query(()))[0] for seed in (1, 2))
    assert not np.array_equal(one, other)
