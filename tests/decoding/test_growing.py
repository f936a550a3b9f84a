"""Caches that grow in place: what one continuation writes, no other sees."""

import asyncio
import random

import numpy as np
import pytest

from lipogram.decoding.models.base import Query
from lipogram.decoding.models.embedded import EmbeddedCausal, load
from lipogram.decoding.models.growing import Growing


def rows(*values: int) -> list[np.ndarray]:
    return [np.array(values, np.float32).reshape(-1, 1), np.array(values, np.float64)]


def values(growing: Growing, most: int = 99) -> list[float]:
    one, other = (array.ravel().tolist() for array in growing.last(most))
    assert one == other
    return one


def test_continuations_of_one_beginning_are_apart() -> None:
    short = Growing.of(rows(1, 2))
    one = short.grown(rows(3))
    other = short.grown(rows(4, 5))
    longer, again = one.grown(rows(6)), one.grown(rows(7))
    cut = longer[:, :2].grown(rows(8))
    assert [values(each) for each in (short, one, other, longer, again, cut)] == [
        [1, 2], [1, 2, 3], [1, 2, 4, 5], [1, 2, 3, 6], [1, 2, 3, 7], [1, 2, 8],
    ]  # fmt: skip
    assert values(longer, 2) == [3, 6]
    assert longer.nbytes == 4 * (4 + 8)


@pytest.mark.parametrize("ahead", [0, 1])
def test_it_grows_like_a_list(ahead: int) -> None:
    rng, expected = random.Random(1), list[int]()
    growing = Growing.of(rows(*[0] * ahead), ahead)
    for _ in range(300):
        new = [rng.randrange(100) for _ in range(rng.randrange(1, 9))]
        growing, begun = growing.grown(rows(*new, *[1000] * ahead)), [1000] * ahead
        expected += new
        if rng.random() < 0.3:
            assert values(growing, 10**6) == expected
        if rng.random() < 0.2:
            kept = max(0, len(expected) - rng.choice((0, 1, 5, 50)))
            growing, begun = growing[:, :kept], (expected[kept:] + begun)[:ahead]
            expected = expected[:kept]
        assert growing.copy().ravel().tolist() == expected
        assert values(growing, 10**6) == expected
        assert [array.ravel().tolist() for array in growing.begun()] == [begun, begun]


def test_what_is_taken_back_at_once_costs_no_copy() -> None:
    text = Growing.of(rows(1, 2)).grown(rows(3))
    text.last(1)
    guesses = text.grown(rows(4, 5, 6))
    right = guesses[:, :4].grown(rows(7))
    assert values(right) == [1, 2, 3, 4, 7]
    assert np.shares_memory(right.last(5)[0], text.last(3)[0])
    assert values(guesses) == [1, 2, 3, 4, 5, 6]
    assert values(right) == [1, 2, 3, 4, 7]


def test_scores_do_not_depend_on_what_else_was_continued() -> None:
    model, fresh = load(), load()
    assert isinstance(model, EmbeddedCausal)
    assert isinstance(fresh, EmbeddedCausal)
    rng = random.Random(2)
    trunk = tuple(rng.randrange(10, 2048) for _ in range(700))
    ends = [trunk[:cut] + tuple(rng.randrange(10, 2048) for _ in range(more))
            for cut in (700, 700, 300, 130, 40, 699) for more in (1, 3, 40)]  # fmt: skip

    async def score() -> None:
        await model.logits([Query(trunk)])
        for end in ends:
            (found,) = await model.logits([Query(end[:-1], end[-1:])])
            (alone,) = await fresh.logits([Query(end[:-1], end[-1:])])
            assert np.abs(found - alone).max() < 1e-3
        together = await model.logits([Query(end) for end in ends])
        for end, found in zip(ends, together, strict=True):
            (alone,) = await fresh.logits([Query(end)])
            assert np.abs(found - alone).max() < 1e-3
            fresh._cache._snapshots.clear()

    asyncio.run(score())
