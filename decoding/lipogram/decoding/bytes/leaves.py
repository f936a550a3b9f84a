"""The last tokens of covers, as arrays: tens of thousands at a space, so never one by one.

Whether the tokenizer would write a leaf is asked heaviest first, until what is left unasked weighs
next to nothing; what still stands then is bounded, not guessed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Weights: TypeAlias = NDArray[np.float64]  # nats; -inf: impossible
# Of a head's number and ranks: which of them are written.
Judge: TypeAlias = Callable[[int, NDArray[np.int64]], NDArray[np.bool_]]

NEGLIGIBLE: Final = 1e-14  # of the weight of all leaves
_MOST_JUDGED: Final = 4096  # leaves at one place, some tens of milliseconds
_AT_A_TIME: Final = 128  # between turns of the event loop


def log_sum(weights: Weights) -> float:
    """The logarithm of the sum of exponentials; -inf for none."""
    best = weights.max(initial=-np.inf)
    if best == -np.inf:
        return -np.inf
    return float(best + np.log(np.exp(weights - best).sum()))


def sums_by_byte(weights: Weights, following: NDArray[np.int64]) -> Weights:
    """Log-sums of weights by their byte, which ascends: float64[256]."""
    sums = np.full(256, -np.inf)
    if not len(weights):
        return sums
    begins = np.flatnonzero(np.diff(following, prepend=-1))
    best = np.maximum.reduceat(weights, begins)
    finite = np.where(best == -np.inf, 0.0, best)
    counts = np.diff(begins, append=len(weights))
    totals = np.add.reduceat(np.exp(weights - np.repeat(finite, counts)), begins)
    with np.errstate(divide="ignore"):
        sums[following[begins]] = finite + np.log(totals)
    return sums


@dataclass(slots=True, eq=False)
class Leaves:
    """Last tokens of some heads: N of them, in the order of the heads and then of the lexicon.

    `head` int64[N] numbers the heads, `rank` int64[N] is a rank of the lexicon. `weights` are
    relative log-weights; judging sets those of leaves that are not written to -inf.
    """

    head: NDArray[np.int64]
    rank: NDArray[np.int64]
    weights: Weights
    judge: Judge

    async def settle(self, certain: Weights, negligible: float = NEGLIGIBLE) -> float:
        """Judge what weighs, beside the `certain` weights; returns the log-weight left unjudged.

        That is at most the share `negligible` of all, unless there are too many.
        """
        order = np.flatnonzero(self.weights > -np.inf)
        order = order[np.argsort(-self.weights[order], kind="stable")]
        if not len(order):
            return -np.inf
        best = max(float(self.weights[order[0]]), certain.max(initial=-np.inf))
        shares = np.exp(self.weights[order] - best)
        left = np.cumsum(shares[::-1])[::-1]  # of this leaf and all lighter ones
        kept = float(np.exp(certain - best).sum())
        for begin in range(0, min(len(order), _MOST_JUDGED), _AT_A_TIME):
            if left[begin] <= kept * negligible:
                return float(best + np.log(left[begin]))
            some = order[begin : begin + _AT_A_TIME]
            is_written = self.judged(some)
            kept += float(shares[begin : begin + _AT_A_TIME][is_written].sum())
            self.weights[some[~is_written]] = -np.inf
            await asyncio.sleep(0)
        return log_sum(self.weights[order[_MOST_JUDGED:]])

    def judged(self, leaves: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each of these leaves: whether it is written."""
        verdicts = np.empty(len(leaves), np.bool_)
        heads = self.head[leaves]
        for head in np.unique(heads).tolist():
            own = heads == head
            verdicts[own] = self.judge(head, self.rank[leaves[own]])
        return verdicts
