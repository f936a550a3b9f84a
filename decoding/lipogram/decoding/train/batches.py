"""Packing documents into rows of fixed length, and noising them for the masked model."""

import random
from collections.abc import Iterator

import numpy as np
import torch

from lipogram.decoding.train import vocabularies as ids
from lipogram.decoding.train.architecture import Batch
from lipogram.decoding.train.documents import Document, noise

_BUFFERED = 64
_PADDING = 24


def mixed(
    code: Iterator[Document], items: Iterator[Document], item_share: float
) -> Iterator[Document]:
    """Interleaves two streams so that items make up a given share of all tokens."""
    total = from_items = 0
    while True:
        document = next(items if from_items <= item_share * total else code)
        total += len(document.ids)
        from_items += len(document.ids) if document.ids[1:2] == [ids.USER] else 0
        yield document


def packed_rows(documents: Iterator[Document], length: int) -> Iterator[list[Document]]:
    """Rows of whole documents whose inputs fit `length`, best fit first; others are cut."""
    buffer: list[Document] = []
    while True:
        row, room = [], length + 1
        while room > _PADDING:
            while len(buffer) < _BUFFERED:
                buffer.append(next(documents))
            fitting = [document for document in buffer if len(document.ids) <= room]
            chosen = max(fitting, key=lambda document: len(document.ids)) if fitting else buffer[0]
            buffer.remove(chosen)
            row.append(Document(chosen.ids[:room], chosen.weights[:room]))
            room -= len(chosen.ids) - 1
        yield row


def causal_batches(rows: Iterator[list[Document]], length: int, count: int) -> Iterator[Batch]:
    """Batches of `count` rows for next-token prediction."""
    while True:
        yield _stack([_causal_row(next(rows), length) for _ in range(count)])


def masked_batches(
    rows: Iterator[list[Document]], length: int, count: int, rng: random.Random
) -> Iterator[Batch]:
    """Batches with a random part of each document masked; masks that are light weigh more."""
    while True:
        yield _stack([_masked_row(next(rows), length, rng) for _ in range(count)])


def _empty(length: int) -> dict[str, np.ndarray]:
    arrays = {name: np.zeros(length, np.int64) for name in ("inputs", "targets", "positions")}
    return arrays | {
        "weights": np.zeros(length, np.float32),
        "documents": np.full(length, -1, np.int64),
    }


def _causal_row(row: list[Document], length: int) -> dict[str, np.ndarray]:
    arrays, start = _empty(length), 0
    for number, document in enumerate(row):
        span = slice(start, start + len(document.ids) - 1)
        arrays["inputs"][span], arrays["targets"][span] = document.ids[:-1], document.ids[1:]
        arrays["weights"][span], arrays["documents"][span] = document.weights[1:], number
        arrays["positions"][span] = np.arange(len(document.ids) - 1)
        start = span.stop
    return arrays


def _masked_row(row: list[Document], length: int, rng: random.Random) -> dict[str, np.ndarray]:
    arrays, start = _empty(length), 0
    for number, document in enumerate(row):
        tokens = document.ids[: length - start]
        span = slice(start, start + len(tokens))
        masked, weight = noise(tokens, rng)
        arrays["inputs"][span] = np.where(masked, ids.MASK, tokens)
        arrays["targets"][span], arrays["weights"][span] = np.roll(tokens, -1), np.roll(masked, -1)
        arrays["weights"][span] *= weight
        arrays["documents"][span], arrays["positions"][span] = number, np.arange(len(tokens))
        start = span.stop
    return arrays


def _stack(rows: list[dict[str, np.ndarray]]) -> Batch:
    columns = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
    return Batch(**columns)
