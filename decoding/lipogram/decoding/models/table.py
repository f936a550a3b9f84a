"""Models whose scores are a function of the tokens so far: for tests, examples and laws.

With them every probability can be computed by hand, so what a decoder samples can be compared with
what it should. They answer like any backend: asynchronously, checked against their window.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lipogram.decoding.errors import ContextTooLong
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.vocabulary import Vocabulary


class TableModel:
    """Scores what follows `prefix` with `scores(prefix)`: V log-scores (nats), -inf allowed."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        scores: Callable[[tuple[int, ...]], ArrayLike],
        *,
        name: str = "table",
        context_tokens: int = 4096,
    ) -> None:
        self.name = name
        self.vocabulary = vocabulary
        self.context_tokens = context_tokens
        self._scores = scores

    @classmethod
    def random(cls, vocabulary: Vocabulary, seed: int, spread: float = 1.0) -> TableModel:
        """Normally distributed scores with deviation `spread`, drawn anew for every prefix."""

        def scores(prefix: tuple[int, ...]) -> ArrayLike:
            return np.random.default_rng((seed, *prefix)).normal(0, spread, len(vocabulary))

        return cls(vocabulary, scores, name=f"random-{seed}")

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        """See CausalModel.logits."""
        await asyncio.sleep(0)
        return [self._rows(query) for query in queries]

    def _rows(self, query: Query) -> Logits:
        tokens = query.prefix + query.draft
        if len(tokens) > self.context_tokens:
            raise ContextTooLong(
                f"{len(tokens)} tokens exceed the window of {self.context_tokens} tokens"
            )
        first = len(query.prefix)
        rows = [self._scores(tokens[:length]) for length in range(first, len(tokens) + 1)]
        return np.array(rows, np.float32)


class MaskedTableModel:
    """Scores each slot of a canvas with `scores(canvas)`: L rows of V log-scores (nats)."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        scores: Callable[[tuple[int, ...]], ArrayLike],
        *,
        name: str = "masked-table",
        context_tokens: int = 4096,
    ) -> None:
        assert vocabulary.mask_id is not None
        self.name = name
        self.vocabulary = vocabulary
        self.mask_id = vocabulary.mask_id
        self.context_tokens = context_tokens
        self._scores = scores

    @classmethod
    def random(cls, vocabulary: Vocabulary, seed: int, spread: float = 1.0) -> MaskedTableModel:
        """Normally distributed scores with deviation `spread`, drawn anew for every canvas."""

        def scores(canvas: tuple[int, ...]) -> ArrayLike:
            shape = len(canvas), len(vocabulary)
            return np.random.default_rng((seed, *canvas)).normal(0, spread, shape)

        return cls(vocabulary, scores, name=f"masked-random-{seed}")

    async def logits(self, canvas: NDArray[np.int64]) -> Logits:
        """See MaskedModel.logits."""
        await asyncio.sleep(0)
        if len(canvas) > self.context_tokens:
            raise ContextTooLong(
                f"{len(canvas)} slots exceed the window of {self.context_tokens} slots"
            )
        return np.array(self._scores(tuple(canvas.tolist())), np.float32)
