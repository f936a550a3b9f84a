"""Models that fill masks in the transformers library: which class opens them, and their quirks.

The models bring their own code, as LLaDA and Dream do: a folder with a module beside the weights.
"""

from __future__ import annotations

import asyncio
import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs lipogram[transformers]")
pytest.importorskip("transformers", reason="needs lipogram[transformers]")

import torch
import transformers

import tiny_transformers as tiny
from lipogram.decoding import ContextTooLong, Denoiser, Infill, Job, Masker, Sampling
from lipogram.decoding.errors import UnsupportedModel
from lipogram.decoding.events import Chunk
from lipogram.decoding.models.base import MaskedModel
from lipogram.decoding.models.transformers import TransformersMasked, load
from lipogram.grammars import compile, json_schema

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

MASK = 325
MODULE = """
    import torch
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import MaskedLMOutput


    class TinyConfig(PretrainedConfig):
        model_type = "{kind}"


    class TinyModel(PreTrainedModel):
        config_class = TinyConfig

        def __init__(self, config):
            super().__init__(config)
            self.embedding = nn.Embedding(config.vocab_size, 32)
            self.position = nn.Embedding(64, 32)
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
            self.head = nn.Linear(32, config.vocab_size)
            self.post_init()

        def forward(self, input_ids, attention_mask=None):
            x = self.embedding(input_ids) + self.position.weight[: input_ids.shape[1]]
            return MaskedLMOutput(logits=self.head(x + self.attention(x, x, x)[0]))
"""


def folder_of(folder: Path, kind: str, auto: tuple[str, ...]) -> Path:
    """A model as the hub has it: LLaDA names more classes than Dream does."""
    tiny.tokenizer(additional_special_tokens=["<|eot_id|>"]).save_pretrained(folder)
    (folder / "modeling_tiny.py").write_text(textwrap.dedent(MODULE.format(kind=kind)))
    settings = {
        "model_type": kind,
        "auto_map": {
            "AutoConfig": "modeling_tiny.TinyConfig",
            **dict.fromkeys(auto, "modeling_tiny.TinyModel"),
        },
        "architectures": ["TinyModel"],
        "vocab_size": 328,
        "mask_token_id": MASK,
        "eos_token_id": 0,
        "max_position_embeddings": 60,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=True)
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(config, trust_remote_code=True)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


@pytest.fixture(scope="module")
def llada(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llada")
    return folder_of(folder, "llada", ("AutoModel", "AutoModelForCausalLM"))


@pytest.fixture(scope="module")
def dream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("dream"), "Dream", ("AutoModel",))


def opened(folder: Path) -> TransformersMasked:
    model = load(str(folder), name="tiny", trust_remote_code=True, threads=1)
    assert isinstance(model, TransformersMasked)
    assert isinstance(model, MaskedModel)
    return model


def plain(folder: Path, ids: list[int]) -> np.ndarray:
    """What the library itself says."""
    model = transformers.AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
    with torch.inference_mode():
        rows: np.ndarray = model(torch.tensor([ids])).logits[0].numpy()
    return rows


def ask(model: TransformersMasked, ids: list[int]) -> np.ndarray:
    return asyncio.run(model.logits(np.array(ids)))


def test_rows_are_for_their_own_slots(llada: Path, dream: Path) -> None:
    ids = [7, MASK, 9, MASK, 11]
    found = ask(opened(llada), ids)
    np.testing.assert_allclose(found, plain(llada, ids), atol=1e-5)
    assert not found.flags.writeable
    shifted, rows = ask(opened(dream), ids), plain(dream, ids)
    np.testing.assert_allclose(shifted[1:], rows[:-1], atol=1e-5)


def test_mask_ends_and_padding_are_known(llada: Path) -> None:
    model = opened(llada)
    vocabulary = model.vocabulary
    assert model.mask_id == vocabulary.mask_id == MASK
    assert len(vocabulary) == 328
    eot = vocabulary.specials["<|eot_id|>"]
    assert {0, 2, eot} == set(vocabulary.eos_ids)
    assert not any(vocabulary.tokens[id] for id in range(321, 328))
    assert model.context_tokens == 60


@pytest.mark.parametrize("kind", ["llada", "dream"])
def test_holes_are_filled_by_a_rule(kind: str, request: pytest.FixtureRequest) -> None:
    model = opened(request.getfixturevalue(kind))
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    rule = Masker(compile(json_schema.parse(schema)), model.vocabulary)
    infill = Infill((b'{"a": ', b"}"), (4,))

    async def text() -> bytes:
        events = Denoiser(model).generate(Job((), rule, Sampling(seed=1), infill=infill))
        return b"".join([event.text async for event in events if isinstance(event, Chunk)])

    assert isinstance(json.loads(asyncio.run(text()))["a"], int)


def test_what_does_not_fit_or_has_no_mask_is_refused(llada: Path) -> None:
    with pytest.raises(ContextTooLong):
        ask(opened(llada), [7] * 61)
    with pytest.raises(UnsupportedModel, match="mask token"):
        TransformersMasked(tiny.model("llama"), tiny.tokenizer(), name="tiny")


def test_a_masked_language_model_is_opened_as_one(tmp_path: Path) -> None:
    tokenizer: Any = tiny.tokenizer(mask_token="<mask>")
    tokenizer.save_pretrained(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)
    model = load(str(tmp_path), name="bert", threads=1)
    assert isinstance(model, TransformersMasked)
    assert model.mask_id == tokenizer.mask_token_id
    assert ask(model, [5, model.mask_id]).shape == (2, len(tokenizer))
