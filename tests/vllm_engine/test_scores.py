"""Scores out of vLLM: those of a plain pass, whatever shares a batch or a prefix."""

from __future__ import annotations

import asyncio
import random

import numpy as np
import pytest

pytest.importorskip("vllm", reason="needs vLLM: make test-vllm")
import torch

import tiny_transformers as tiny
from lipogram.decoding import ContextTooLong
from lipogram.decoding.models.base import Query
from lipogram.decoding.models.vllm import VllmModel
from lipogram.decoding.models.vllm.capture import ROWS

TOLERANCE = 1e-3


def plain(query: Query) -> np.ndarray:
    with torch.inference_mode():
        scores = tiny.model("wide")(torch.tensor([query.prefix + query.draft])).logits[0]
    return scores[len(query.prefix) - 1 :].numpy()


def random_query(rng: random.Random, length: int, draft: int = 0) -> Query:
    ids = [rng.randrange(3, 320) for _ in range(length + draft)]
    return Query(tuple(ids[:length]), tuple(ids[length:]))


def test_rows_are_those_of_a_plain_pass(model: VllmModel) -> None:
    rng = random.Random(1)
    queries = [random_query(rng, *lengths) for lengths in ((1, 0), (5, 3), (40, 0), (200, 9))]
    for _ in range(2):  # the second time prefixes are known
        for query, found in zip(queries, asyncio.run(model.logits(queries)), strict=True):
            assert found.shape == (len(query.draft) + 1, len(model.vocabulary))
            assert not found.flags.writeable
            np.testing.assert_allclose(found, plain(query), atol=TOLERANCE)
    assert not ROWS


def test_rows_by_the_engines_own_log_probabilities(
    model: VllmModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = random_query(random.Random(2), 30, 2)
    monkeypatch.setattr(model, "_captures", False)
    [found] = asyncio.run(model.logits([query]))
    wanted = torch.log_softmax(torch.from_numpy(plain(query)), -1).numpy()
    np.testing.assert_allclose(found, wanted, atol=TOLERANCE)


def test_concurrent_callers_each_get_their_own(model: VllmModel) -> None:
    rng = random.Random(3)
    queries = [random_query(rng, length) for length in (3, 200, 5, 60, 9, 33, 64)]

    async def race() -> list[list[np.ndarray]]:
        return await asyncio.gather(*(model.logits([query]) for query in queries))

    for query, [found] in zip(queries, asyncio.run(race()), strict=True):
        np.testing.assert_allclose(found, plain(query), atol=TOLERANCE)


def test_what_exceeds_the_window_is_refused(model: VllmModel) -> None:
    assert model.context_tokens == 255
    asyncio.run(model.logits([Query((5,) * 255)]))
    with pytest.raises(ContextTooLong, match="at most 255 tokens, found 256"):
        asyncio.run(model.logits([Query((5,) * 255, (6,))]))


def test_an_empty_prefix_is_the_start_of_a_text(model: VllmModel) -> None:
    [found] = asyncio.run(model.logits([Query(())]))
    np.testing.assert_allclose(found, plain(Query((0,))), atol=TOLERANCE)
