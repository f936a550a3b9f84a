"""`lipogram train NAME --draft-heads`: heads that guess ahead of a model that is there already."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from lipogram.decoding.models.base import Query
from lipogram.decoding.models.embedded import EmbeddedCausal, load
from lipogram.decoding.models.embedded.loading import folder_of
from lipogram.decoding.train import batches, corpus, documents, export, extraction, graphs, loop
from lipogram.decoding.train.documents import Document
from lipogram.decoding.train.draft_data import States
from lipogram.decoding.train.draft_data import batches as batches_of
from lipogram.decoding.train.draft_heads import Batch, DraftHeads, Shape

MINUTES = 3.3
FILE = "draft_heads.npz"
_ITEM_SHARE = 0.6
_CODE_CHARACTERS = 1100
_INFILL_SHARE = 0.5
_BATCH_TOKENS = 1536
_LONGEST = 512
_PROBED_BATCHES = 6
_PROBED_LAGS = (1, 2, 4)


def run(model: str, out: Path, minutes: float | None, seed: int, threads: int) -> None:
    """Trains heads for a shipped model, or one in a folder, into `out`, resuming there.

    `out` gets the graph too, which shows its states if it did not before, weights unchanged.
    """
    out.mkdir(parents=True, exist_ok=True)
    for file in ("config.json", "tokenizer.json"):
        shutil.copyfile(folder_of(model) / file, out / file)
    graph = graphs.show_states(onnx.load(folder_of(model) / "model.onnx"))
    onnx.save(graph, out / "model.onnx")
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    target = load(out)
    if not isinstance(target, EmbeddedCausal):
        raise SystemExit(
            f"{model} does not write from left to right: it has no use for draft heads"
        )
    matrix = torch.from_numpy(graphs.output_matrix(graph))
    network = DraftHeads(Shape(*matrix.shape), matrix, seed)
    states = states_of(target)
    data, held_out = (_data(target, states, seed, held_out) for held_out in (False, True))
    probed = list(islice(held_out, _PROBED_BATCHES))
    progress = loop.train(
        network,
        network.optimizers(),
        data,
        minutes or MINUTES,
        out,
        lambda: network.agreement(probed, 1),
    )
    record = {
        "seed": seed,
        "training_data_sha256": corpus.fingerprint(corpus.training_modules()),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "agreement": {lag: network.agreement(probed, lag) for lag in _PROBED_LAGS},
        **asdict(progress),
    }
    (out / "draft_heads.json").write_text(json.dumps(record, indent=1) + "\n")
    save(network, out / FILE)
    target.close()


def states_of(model: EmbeddedCausal) -> States:
    """The states that a model leaves of texts, one after the other."""
    loop_ = asyncio.new_event_loop()

    def states(ids: list[int]) -> NDArray[np.float32]:
        loop_.run_until_complete(model.logits([Query(tuple(ids))]))
        return model.states(tuple(ids))

    return states


def _data(model: EmbeddedCausal, states: States, seed: int, held_out: bool) -> Iterator[Batch]:
    modules = corpus.held_out_modules() if held_out else corpus.training_modules()

    def encode(text: str) -> list[int]:
        return model.vocabulary.encode(text.encode())

    rng = random.Random(seed + held_out)
    code = documents.code_documents(modules, encode, rng, _CODE_CHARACTERS, _INFILL_SHARE)
    items: Iterator[Document] = (
        documents.item_document(item, encode)
        for item in extraction.items(seed + held_out, held_out=held_out)
    )
    mixed = batches.mixed(code, items, _ITEM_SHARE)
    return batches_of(mixed, states, _BATCH_TOKENS, _LONGEST, seed)


def save(network: DraftHeads, file: Path) -> None:
    """Writes what `drafting.heads.HeadWeights` reads: int8 matrices, one scale a row."""
    entry, *layers = network.blocks
    matrices: dict[str, Tensor] = {
        **{name: getattr(network, name) for name in ("token", "lag", "head")},
        "state": entry.state,
        **{f"places.{number}": place for number, place in enumerate(entry.places)},
        **{
            f"layers.{number}.{name}": matrix
            for number, layer in enumerate(layers)
            for name, matrix in layer.named_parameters()
        },
    }
    stored: dict[str, np.ndarray] = {"heads": np.array(network.shape.heads)}
    for name, matrix in matrices.items():
        whole, scale = export.rounded(matrix.detach().numpy())
        stored |= {f"{name}.int8": whole, f"{name}.scale": scale}
    np.savez_compressed(file, **stored)  # type: ignore[arg-type]
