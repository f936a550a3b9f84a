"""Makes a trained folder one that can be served: graph and configuration beside the tokenizer."""

import json
from pathlib import Path
from typing import Any

import torch

from lipogram.decoding.train import export, vocabularies
from lipogram.decoding.train.architecture import Shape, Transformer
from lipogram.decoding.train.recipes import RECIPES

_INFILLING_TOKENS = 768  # more around a cursor is of little help, and is waited for


def package(name: str, folder: Path) -> None:
    """Exports the checkpoint in `folder` beside it; numbers and card follow with `evaluate`."""
    shape = RECIPES[name].shape
    model = Transformer(shape)
    model.load_state_dict(torch.load(folder / "checkpoint.pt", weights_only=True)["model"])
    export.export(model, folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps(configuration(name, shape), indent=2) + "\n")


def configuration(name: str, shape: Shape) -> dict[str, Any]:
    """What `Configuration.read` of the embedded backend expects."""
    common = {
        "format": "lipogram-embedded",
        "name": name,
        "kind": "causal" if shape.causal else "masked",
        "vocabulary_size": shape.vocabulary_size,
        "context_tokens": shape.context_tokens,
        "layers": len(shape.windows),
        "heads": shape.heads,
        "width": shape.width,
        "start_ids": [vocabularies.END_OF_TEXT],
        "eos_ids": [vocabularies.END_OF_TEXT, vocabularies.END],
        "mask_id": None if shape.causal else vocabularies.MASK,
        "file_id": vocabularies.FILE_SEPARATOR if shape.causal else None,
        "chat": {
            "turns": {role: [f"<|{role}|>", "<|end|>"] for role in ("system", "user", "assistant")},
            "reply": "<|assistant|>",
        },
    }
    infilling = {
        "prefix_id": vocabularies.FIM_PREFIX,
        "suffix_id": vocabularies.FIM_SUFFIX,
        "middle_id": vocabularies.FIM_MIDDLE,
        "context_tokens": min(shape.context_tokens, _INFILLING_TOKENS),
    }
    return common | ({"infilling": infilling} if shape.causal else {})
