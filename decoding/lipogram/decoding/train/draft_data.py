"""Batches for draft heads: texts with the hidden states that a model leaves of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from lipogram.decoding.train.documents import Document
from lipogram.decoding.train.draft_heads import Batch

_KEPT = 400  # texts that come again, with other guesses
_USES = 3

States: TypeAlias = Callable[[list[int]], NDArray[np.float32]]
"""The last hidden state after each token of a text, as the output matrix gets it: [T, width]."""

Row: TypeAlias = tuple[list[int], NDArray[np.float32], list[float]]


def batches(
    documents: Iterator[Document], states: States, tokens: int, longest: int, seed: int
) -> Iterator[Batch]:
    """Endless batches of about so many tokens; texts are cut to `longest` tokens."""
    rows: list[Row] = []
    for row in _rows(documents, states, longest, random.Random(seed)):
        if rows and max(len(ids) for ids, *_ in (*rows, row)) * (len(rows) + 1) > tokens:
            yield _stacked(rows)
            rows = []
        rows.append(row)


def _rows(
    documents: Iterator[Document], states: States, longest: int, rng: random.Random
) -> Iterator[Row]:
    """Each text some times, among others: states cost more than guesses."""
    kept: list[Row] = []
    for number in count():
        if number % _USES == 0:
            document = next(documents)
            ids = document.ids[:longest]
            weights = [float(weight >= 1) for weight in document.weights[:longest]]
            kept.append((ids, states(ids), weights))
            yield kept[-1]
        else:
            yield rng.choice(kept)
        if len(kept) > _KEPT:
            kept.pop(rng.randrange(len(kept)))


def _stacked(rows: list[Row]) -> Batch:
    longest = max(len(ids) for ids, *_ in rows)
    inputs = torch.zeros(len(rows), longest, dtype=torch.long)
    weights = torch.zeros(len(rows), longest)
    known = torch.zeros(len(rows), longest, rows[0][1].shape[1])
    for index, (ids, states, worth) in enumerate(rows):
        inputs[index, : len(ids)] = torch.tensor(ids)
        known[index, : len(ids)] = torch.from_numpy(states)
        weights[index, : len(ids)] = torch.tensor(worth)
    return Batch(inputs, known, weights)
