"""The two protocols behind which every model stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.vocabulary import Vocabulary

Logits: TypeAlias = NDArray[np.float32]

Script: TypeAlias = Callable[[Sequence[Mapping[str, str]]], str]
"""A model's own chat template: turns (`role`, `content`) in, the prompt for an answer out.

Raises TurnsRefused."""


@dataclass(frozen=True, slots=True)
class Chat:
    """The text around each role's turn, special tokens spelled out, and what opens the reply."""

    turns: Mapping[str, tuple[str, str]]
    reply: str


@dataclass(frozen=True, slots=True)
class Query:
    """Score what follows `prefix`, and what follows each step of `draft` after it (token ids)."""

    prefix: tuple[int, ...]
    draft: tuple[int, ...] = ()


class CausalModel(Protocol):
    """A left-to-right model. Batching and the reuse of cached prefixes are its own secret."""

    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def context_tokens(self) -> int:
        """The longest prefix plus draft that can be scored."""
        ...

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        """Unnormalised log-scores (nats) after each prefix and each step of its draft.

        Returns one float32[K+1, V] per query, K = len(query.draft), V = len(vocabulary); row i is
        for the token after `prefix + draft[:i]`. Read-only. An empty prefix is scored as the
        start of a text. Concurrent calls are batched by the backend; cancelling a call frees it.

        Raises ContextTooLong, BackendFailed.
        """
        ...


@runtime_checkable
class Remembering(Protocol):
    """A model that can tell what it has at hand of a text, for counts alone."""

    def cached_tokens(self, prefix: tuple[int, ...]) -> int:
        """How many of the first tokens of `prefix` would not be run again."""
        ...


def cached_tokens(model: CausalModel, prefix: tuple[int, ...]) -> int:
    """The first tokens of `prefix` that the model has at hand; 0 where it does not tell."""
    return model.cached_tokens(prefix) if isinstance(model, Remembering) else 0


class Showing(Protocol):
    """A model that shows what it has read as vectors, for drafters that go on from there."""

    def states(self, prefix: tuple[int, ...]) -> NDArray[np.float32]:
        """The last hidden state after each of the first tokens of `prefix` that are at hand.

        Normalised as for the output matrix; none where nothing of the prefix is at hand.
        """
        ...


@runtime_checkable
class Weighing(Protocol):
    """A model that knows its size."""

    @property
    def size_bytes(self) -> int:
        """Bytes of its weights."""
        ...


def size_bytes(model: CausalModel) -> int:
    """Bytes of the weights; 0 where the model does not tell."""
    return model.size_bytes if isinstance(model, Weighing) else 0


@runtime_checkable
class MaskedModel(Protocol):
    """A masked-diffusion model: scores every position of a partly filled canvas."""

    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def context_tokens(self) -> int: ...

    @property
    def mask_id(self) -> int:
        """The id of a slot whose token is not known."""
        ...

    async def logits(self, canvas: NDArray[np.int64]) -> Logits:
        """int64[L], `mask_id` where unknown -> float32[L, V]: row j scores slot j.

        Raises ContextTooLong, BackendFailed.
        """
        ...


Model: TypeAlias = CausalModel | MaskedModel
