"""From a row of scores to a token: pure functions, double precision, ties to the smallest id.

The order is `Sampling`'s: logit_bias, penalties, grammar mask, temperature, top_k, top_p, min_p,
draw. Everything after the mask works on the allowed tokens alone, so a narrow mask is cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.errors import BackendFailed
from lipogram.decoding.events import ScoredToken
from lipogram.decoding.job import Sampling
from lipogram.decoding.models.base import Logits

Allowed: TypeAlias = NDArray[np.bool_]  # bool[V]
Scores: TypeAlias = NDArray[np.float64]  # float64[V], nats

# Colder temperatures would overflow; the draw is greedy, ties apart, long before.
_COLDEST: Final = 1e-300


def unpack(words: NDArray[np.int32], size: int) -> Allowed:
    """A mask of `size` tokens from its words: bit j of word i is token 32 * i + j."""
    bits = np.unpackbits(words.view(np.uint8), count=size, bitorder="little")
    return bits.view(np.bool_)


def pack(allowed: Allowed) -> NDArray[np.int32]:
    """The words of a mask: what `unpack` reads."""
    bits = np.zeros(-(-len(allowed) // 32) * 32, np.bool_)
    bits[: len(allowed)] = allowed
    return np.packbits(bits, bitorder="little").view("<i4").astype(np.int32)


class Repetitions:
    """How often each token has come: what the penalties look at."""

    @classmethod
    def wanted(cls, sampling: Sampling, size: int, prompt: Sequence[int]) -> Repetitions | None:
        """A count of nothing but the prompt, or None if no penalty is on."""
        is_neutral = (
            sampling.repetition_penalty == 1.0
            and not sampling.frequency_penalty
            and not sampling.presence_penalty
        )
        return None if is_neutral else cls(size, prompt)

    def __init__(self, size: int, prompt: Sequence[int]) -> None:
        self._counts = np.zeros(size, np.int64)
        self._in_prompt = np.zeros(size, np.bool_)
        self._in_prompt[list(prompt)] = True

    def add(self, token: int) -> None:
        """Count a token of the output."""
        self._counts[token] += 1

    def penalise(self, scores: Scores, sampling: Sampling) -> None:
        """Apply the penalties to `scores` in place.

        Repetition divides positive and multiplies negative scores of tokens in prompt or output;
        then frequency is subtracted for each time in the output, and presence once.
        """
        if sampling.repetition_penalty != 1.0:
            seen = self._in_prompt | (self._counts > 0)
            old = scores[seen]
            factor = sampling.repetition_penalty
            scores[seen] = np.where(old > 0, old / factor, old * factor)
        if sampling.frequency_penalty or sampling.presence_penalty:
            scores -= sampling.frequency_penalty * self._counts
            scores -= sampling.presence_penalty * (self._counts > 0)


def adjusted(row: Logits | Scores, sampling: Sampling, repetitions: Repetitions | None) -> Scores:
    """The model's scores with logit_bias and, where repetitions were counted, penalties."""
    scores = row.astype(np.float64)
    for token, bias in sampling.logit_bias.items():
        scores[token] += bias
    if repetitions is not None:
        repetitions.penalise(scores, sampling)
    return scores


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The tokens that truncation left, ids ascending, with positive weights (not normalised)."""

    ids: NDArray[np.int64]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def draw(self, chance: float) -> int:
        """One token in proportion to its weight, for a number that is uniform in [0, 1)."""
        cumulative = np.cumsum(self.weights)
        index = np.searchsorted(cumulative, chance * cumulative[-1], side="right")
        return int(self.ids[min(int(index), len(self.ids) - 1)])

    def without(self, token: int) -> Candidates:
        """The others, their weights as they are."""
        kept = self.ids != token
        return Candidates(self.ids[kept], self.weights[kept])


def candidates(scores: Scores, allowed: Allowed, sampling: Sampling) -> Candidates:
    """Mask, temperature, top_k, top_p, min_p; at least one token.

    Raises BackendFailed where a score is NaN or infinite, or no allowed token has a finite one.
    """
    ids = np.flatnonzero(allowed)
    kept = scores[ids]
    best = kept.max(initial=-np.inf)
    if not np.isfinite(best):
        raise BackendFailed(f"the model's scores are not usable: the best allowed one is {best}")
    if sampling.temperature == 0:
        ids = ids[[kept.argmax()]]
        return Candidates(ids, np.ones(1))
    if sampling.top_k:
        ids, kept = _heaviest(ids, kept, sampling.top_k)
    weights = np.exp((kept - best) / max(sampling.temperature, _COLDEST))
    if sampling.top_p < 1:
        ids, weights = _nucleus(ids, weights, sampling.top_p)
    alive = weights > 0
    alive &= weights >= sampling.min_p * weights.max()
    return Candidates(ids, weights) if alive.all() else Candidates(ids[alive], weights[alive])


def draws(
    scores: Scores,
    allowed: Allowed,
    sampling: Sampling,
    rng: np.random.Generator,
    first: Callable[[Candidates], int] | None = None,
) -> Iterator[int]:
    """Tokens without replacement: the caller takes the first that suits, and so samples
    the law conditioned on what suits.

    `first` may draw the first one in a way of its own, by the same law. When all that truncation
    left are refused, the row without them is truncated anew. Ends when no token with a chance is
    left. Raises BackendFailed where scores are not usable.
    """
    while True:
        left = candidates(scores, allowed, sampling)
        kept = left.ids
        while len(left):
            token = left.draw(rng.random()) if first is None else first(left)
            first = None
            yield token
            left = left.without(token)
        allowed = allowed & (scores > -np.inf)
        allowed[kept] = False
        if not allowed.any():
            return


def _heaviest(
    ids: NDArray[np.int64], weights: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The `count` largest weights; of equals on the edge, the smallest ids."""
    if len(ids) <= count:
        return ids, weights
    edge = np.partition(weights, -count)[-count]
    kept = weights > edge
    kept[np.flatnonzero(weights == edge)[: count - np.count_nonzero(kept)]] = True
    return ids[kept], weights[kept]


def _nucleus(
    ids: NDArray[np.int64], weights: NDArray[np.float64], share: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The fewest of the largest weights that hold `share` of the sum; of equals, small ids first.

    Weights below (1 - share) * sum / n together hold less than 1 - share, so none of them is
    needed, and only the others are sorted.
    """
    total = weights.sum()
    large = np.flatnonzero(weights >= (1 - share) * total / len(weights))
    descending = large[np.argsort(-weights[large], kind="stable")]
    needed = int(np.searchsorted(np.cumsum(weights[descending]), share * total)) + 1
    kept = np.sort(descending[:needed])
    return ids[kept], weights[kept]


def scored(
    row: Logits | Scores, allowed: Allowed | None, token: int, top: int, tokens: Sequence[bytes]
) -> ScoredToken:
    """`token` with its log-probability (nats) in the row's softmax over the allowed tokens.

    `top` best ones come with it, most probable first; fewer where fewer have a chance.
    """
    scores = row.astype(np.float64)
    if allowed is not None:
        scores[~allowed] = -np.inf
    best = scores.max()
    if not np.isfinite(best):
        raise BackendFailed(f"the model's scores are not usable: the best one is {best}")
    logprobs = scores - best
    logprobs -= np.log(np.exp(logprobs).sum())
    if not top:
        return ScoredToken(token, tokens[token], float(logprobs[token]))
    ids, _ = _heaviest(np.arange(len(row)), logprobs, top)
    ranked = ids[np.argsort(-logprobs[ids], kind="stable")]
    return ScoredToken(
        token,
        tokens[token],
        float(logprobs[token]),
        tuple(
            ScoredToken(int(id), tokens[id], float(logprobs[id]))
            for id in ranked
            if logprobs[id] > -np.inf
        ),
    )
