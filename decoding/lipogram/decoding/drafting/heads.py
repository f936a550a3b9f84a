"""Trained draft heads: a small network that guesses from the model's last hidden states.

What it knows of the last tokens is looked up, and it attends to the states that the model left of
what it read, so a guess costs a few products of small matrices. `decoding.train.draft_heads` is
the same network for training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.drafting.base import Guess, Place
from lipogram.decoding.drafting.small import drawn
from lipogram.decoding.errors import DecodingError, UnsupportedJob
from lipogram.decoding.models.base import Showing

if TYPE_CHECKING:
    from lipogram.decoding.job import Job, Sampling

_MOST_LAG: Final = 16  # tokens after the last known state, as in training

_MOST_READ: Final = 512  # states at a time, the last ones: texts were no longer in training

Matrix = NDArray[np.float32]


class UnreadableHeads(DecodingError):
    """A file is not draft heads, or not of this model."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """Matrices [to, from] of one layer."""

    query: Matrix
    key: Matrix
    value: Matrix
    out: Matrix
    up: Matrix
    down: Matrix


@dataclass(frozen=True, slots=True)
class HeadWeights:
    """The network's matrices; `tables[n]` has what each token n places back adds to a guess."""

    token: Matrix
    lag: Matrix
    state: Matrix
    head: Matrix
    tables: tuple[Matrix, ...]
    layers: tuple[_Layer, ...]
    heads: int

    @classmethod
    def read(cls, file: Path, tokens: int) -> HeadWeights:
        """Of a vocabulary of `tokens`: int8 matrices with a scale for each row.

        Raises UnreadableHeads.
        """
        try:
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
                names = {name.rpartition(".")[0] for name in stored.files if "." in name}
                found: dict[str, Matrix] = {
                    name: stored[f"{name}.int8"].astype(np.float32) * stored[f"{name}.scale"]
                    for name in names
                }
                heads = int(stored["heads"])
            if len(found["token"]) != tokens or len(found["head"]) != tokens:
                raise ValueError(f"{len(found['token'])} tokens where the model has {tokens}")
            places = sorted(name for name in names if name.startswith("places."))
            layers = sorted({name.rpartition(".")[0] for name in names if name.startswith("layer")})
            return cls(
                **{name: found[name] for name in ("token", "lag", "state", "head")},
                tables=tuple(found["token"] @ found[name].T for name in places),
                layers=tuple(
                    _Layer(**{part: found[f"{layer}.{part}"] for part in _Layer.__slots__})
                    for layer in layers
                ),
                heads=heads,
            )
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise UnreadableHeads(f"{file}: expected draft heads, found {error}") from error


class Heads:
    """Drafts with the heads of a model that shows its states."""

    name = "heads"

    def __init__(self, model: Showing, weights: HeadWeights) -> None:
        self._model = model
        self._weights = weights

    def open(self, job: Job, prompt: Sequence[int]) -> _Reading:
        """See Drafter.open."""
        if job.byte_mode == "full":
            raise UnsupportedJob("draft heads guess tokens: byte_mode full has bytes alone")
        return _Reading(self._model, self._weights, job.sampling)


class _Reading:
    """The heads on one run: what they keep of the states seen so far."""

    def __init__(self, model: Showing, weights: HeadWeights, law: Sampling) -> None:
        self._model = model
        self._weights = weights
        self._law = law
        self._kept = [_Kept(layer, weights.heads) for layer in weights.layers]
        self._known = 0  # tokens whose states are known
        self._seen = 0  # tokens when that was looked at
        self._last = np.zeros(0, np.float32)

    async def propose(self, place: Place, most: int) -> list[Guess]:
        """See Guesses.propose."""
        if len(place.tokens) != self._seen:
            self._seen = len(place.tokens)
            self._read(place.tokens)
        whole = [*place.tokens[-len(self._weights.tables) :], *place.draft]
        lag = len(place.tokens) + len(place.draft) - self._known
        if not self._known or not whole or lag > _MOST_LAG:
            return []
        return [drawn(self._scores(whole, lag), place, self._law)]

    def _read(self, tokens: Sequence[int]) -> None:
        """Take in the states that the model has left since."""
        states = self._model.states(tuple(tokens[:-1]))
        if len(states) <= self._known:
            return
        first = max(self._known - 1, len(states) - _MOST_READ, 0)
        vectors = self._weights.token[list(tokens[max(first - 1, 0) : len(states)])]
        if first == 0:
            vectors = np.concatenate((np.zeros_like(vectors[:1]), vectors))
        keys = np.concatenate((states[first:-1], vectors[1:-1], vectors[:-2]), 1)
        values = np.concatenate((states[first + 1 :], vectors[2:]), 1)
        for kept in self._kept:
            kept.add(keys, values)
        self._known = len(states)
        self._last = self._weights.state @ states[-1]

    def _scores(self, whole: Sequence[int], lag: int) -> Matrix:
        weights = self._weights
        x = self._last + weights.lag[min(lag, len(weights.lag) - 1)]
        for table, token in zip(weights.tables, reversed(whole), strict=False):
            x = x + table[token]
        for kept in self._kept:
            x = kept.attended(x)
        scores: Matrix = weights.head @ _normalised(x)
        return scores


class _Kept:
    """Keys and values of one layer, [heads, entries, width], growing."""

    def __init__(self, layer: _Layer, heads: int) -> None:
        self._layer = layer
        self._heads = heads
        self._width = len(layer.key) // heads
        self._count = 0
        self._keys, self._values = (np.zeros((heads, 0, self._width), np.float32) for _ in range(2))

    def add(self, keys: Matrix, values: Matrix) -> None:
        """Keep what a layer sees of some entries."""
        count = self._count + len(keys)
        if count > self._keys.shape[1]:
            room = ((0, 0), (0, count), (0, 0))
            self._keys, self._values = (np.pad(old, room) for old in (self._keys, self._values))
        new = slice(self._count, count)
        self._keys[:, new] = self._split(_products(keys, self._layer.key))
        self._values[:, new] = self._split(_products(values, self._layer.value))
        self._count = count

    def _split(self, rows: Matrix) -> Matrix:
        return rows.reshape(len(rows), self._heads, self._width).swapaxes(0, 1)

    def attended(self, x: Matrix) -> Matrix:
        """The layer's output for one guess; to look at nothing is one of its choices."""
        layer = self._layer
        query = (layer.query @ _normalised(x)).reshape(self._heads, self._width, 1)
        scores = (self._keys[:, : self._count] @ query)[..., 0] * self._width**-0.5
        best = scores.max(1, initial=0.0, keepdims=True)
        shares = np.exp(scores - best)
        shares /= shares.sum(1, keepdims=True) + np.exp(-best)
        mixed = shares[:, None] @ self._values[:, : self._count]
        x = x + layer.out @ mixed.reshape(-1)
        inner = np.maximum(layer.up @ _normalised(x), 0)
        result: Matrix = x + layer.down @ (inner * inner)
        return result


def _products(rows: Matrix, matrix: Matrix) -> Matrix:
    """`rows @ matrix.T` row by row, which BLAS does not share among threads.

    Threads that wait for one another would take longer than the products do.
    """
    found = np.empty((len(rows), len(matrix)), np.float32)
    for row, product in zip(rows, found, strict=True):
        np.dot(matrix, row, out=product)
    return found


def _normalised(x: Matrix) -> Matrix:
    scaled: Matrix = x / np.sqrt(np.dot(x, x) / len(x) + np.finfo(np.float32).eps)
    return scaled
