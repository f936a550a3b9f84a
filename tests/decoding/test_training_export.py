"""The exported graph against the network it came from, on small random weights."""

import asyncio
import json
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from lipogram.decoding.models.base import Query  # noqa: E402
from lipogram.decoding.models.embedded import EmbeddedCausal, EmbeddedMasked, load  # noqa: E402
from lipogram.decoding.train import export, package, vocabularies  # noqa: E402
from lipogram.decoding.train.architecture import Batch, Shape, Transformer  # noqa: E402

# bfloat16 in the network against int8 weights in the graph, as a share of the scores' spread.
TOLERANCE = 0.15


def exported(shape: Shape, folder: Path) -> Transformer:
    torch.manual_seed(1)
    network = Transformer(shape)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export.export(network, folder / "model.onnx")
    vocabularies.byte_vocabulary().save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(package.configuration("tiny", shape)))
    return network


def scores(network: Transformer, tokens: list[int]) -> np.ndarray:
    ids = torch.tensor([tokens])
    batch = Batch(ids, ids, ids, torch.zeros_like(ids), torch.arange(len(tokens))[None])
    with torch.no_grad():
        return (network.hidden(batch).float() @ network.head.T)[0].numpy()


def test_the_causal_graph_scores_as_the_network_does(tmp_path: Path) -> None:
    network = exported(Shape(266, 64, 2, (16, 0), (2, 3), 101, 16, 64), tmp_path)
    model = load(tmp_path)
    assert isinstance(model, EmbeddedCausal)
    tokens = [0, *random.Random(2).choices(range(10, 266), k=49)]
    expected = scores(network, tokens)
    (found,) = asyncio.run(model.logits([Query(tuple(tokens[:1]), tuple(tokens[1:]))]))
    assert np.abs(found - expected).max() < TOLERANCE * expected.std()


def test_the_masked_graph_scores_as_the_network_does(tmp_path: Path) -> None:
    network = exported(Shape(266, 64, 2, (16, 0), (2, 3), 101, 16, 64, causal=False), tmp_path)
    model = load(tmp_path)
    assert isinstance(model, EmbeddedMasked)
    tokens = [0, *random.Random(2).choices(range(9, 266), k=49)]
    expected = scores(network, tokens)[:-1]
    found = asyncio.run(model.logits(np.array(tokens[1:], np.int64)))
    assert np.abs(found - expected).max() < TOLERANCE * expected.std()
