"""Which slots are filled when, and how long holes are tried to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lipogram.decoding.job import Denoising
from lipogram.decoding.models.base import Logits


@dataclass(frozen=True, slots=True)
class Block:
    """Slots that are filled together, and the steps that it takes."""

    slots: Sequence[int]
    steps: int

    def goal(self, step: int) -> int:
        """How many slots are filled after so many steps."""
        return -(-len(self.slots) * step // self.steps)


def blocks(slots: Sequence[int], how: Denoising) -> Iterator[Block]:
    """The slots' blocks, from left to right."""
    count = len(slots)
    steps = count if how.steps is None else min(how.steps, count)
    for first in range(0, count, how.block_tokens):
        stop = min(first + how.block_tokens, count)
        own = round(steps * stop / count) - round(steps * first / count)
        yield Block(slots[first:stop], max(own, 1))


def lengths(most: int) -> list[int]:
    """The lengths that are tried for a hole of at most so many tokens: denser where short."""
    found, length = [], 1
    while length < most:
        found.append(length)
        length += max(length // 4, 1)
    return [*found, most]


def sureness(rows: Logits) -> float:
    """How sure a model is of the slots whose rows these are: their mean negative entropy, nats."""
    scores = rows.astype(np.float64)
    scores -= scores.max(1, keepdims=True)
    shares = np.exp(scores)
    total = shares.sum(1)
    # 0 log 0 is 0: a score of minus infinity has no share.
    weighed = (shares * np.maximum(scores, -1e9)).sum(1)
    return float((weighed / total - np.log(total)).mean())
