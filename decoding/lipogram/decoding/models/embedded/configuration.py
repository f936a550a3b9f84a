"""What a model folder says about its model, in our own `config.json` or in that of Hugging Face."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lipogram.decoding.errors import DecodingError
from lipogram.decoding.models.base import Chat

_FORMAT = "lipogram-embedded"
_FILES = (
    "model.onnx",
    "onnx/model.onnx",
    "model_quantized.onnx",
    "onnx/model_quantized.onnx",
)


class UnreadableExport(DecodingError):
    """The folder holds no ONNX decoder export that this backend can run."""


@dataclass(frozen=True, slots=True)
class Infilling:
    """Ids of the sentinels; both orders are understood, prefix-suffix-middle and suffix first.

    Suffix first is written `prefix_id suffix_id <suffix> middle_id <prefix>`. More tokens around a
    cursor than `context_tokens` are of no use to the model; None: all are.
    """

    prefix_id: int
    suffix_id: int
    middle_id: int
    context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """A model's facts; `start_ids` come before every text.

    `ragged` admits rows of unequal lengths in a batch. `file_id` precedes a file's name, `mask_id`
    is an unknown slot.
    """

    name: str
    kind: Literal["causal", "masked"]
    file: Path
    context_tokens: int
    start_ids: tuple[int, ...]
    eos_ids: tuple[int, ...]
    ragged: bool = False
    mask_id: int | None = None
    file_id: int | None = None
    chat: Chat | None = None
    infilling: Infilling | None = None

    @classmethod
    def read(cls, folder: Path) -> Configuration:
        """Read `config.json` and its companions. Raises UnreadableExport."""
        file = next((folder / name for name in _FILES if (folder / name).is_file()), None)
        if file is None:
            raise UnreadableExport(f"{folder}: expected one of {', '.join(_FILES)}, found none")
        raw = _read_json(folder / "config.json")
        if not raw:
            raise UnreadableExport(f"{folder}: expected a config.json with a JSON object")
        own = raw.get("format") == _FORMAT
        return _own(folder, file, raw) if own else _hugging_face(folder, file, raw)


def _own(folder: Path, file: Path, raw: dict[str, Any]) -> Configuration:
    chat, infilling = raw.get("chat"), raw.get("infilling")
    return Configuration(
        name=raw["name"],
        kind=raw["kind"],
        file=file,
        context_tokens=raw["context_tokens"],
        start_ids=tuple(raw["start_ids"]),
        eos_ids=tuple(raw["eos_ids"]),
        ragged=True,
        mask_id=raw.get("mask_id"),
        file_id=raw.get("file_id"),
        chat=chat and Chat({role: (a, b) for role, (a, b) in chat["turns"].items()}, chat["reply"]),
        infilling=infilling and Infilling(**infilling),
    )


def _hugging_face(folder: Path, file: Path, raw: dict[str, Any]) -> Configuration:
    generation = _read_json(folder / "generation_config.json")
    tokenizer = _read_json(folder / "tokenizer_config.json")
    context = raw.get("max_position_embeddings") or raw.get("n_positions")
    if not isinstance(context, int):
        raise UnreadableExport(f"{folder}/config.json: expected max_position_embeddings")
    eos = _ids(generation.get("eos_token_id")) or _ids(raw.get("eos_token_id"))
    bos = _ids(raw.get("bos_token_id"))
    return Configuration(
        name=folder.name,
        kind="causal",
        file=file,
        context_tokens=context,
        start_ids=bos if tokenizer.get("add_bos_token") else (),
        eos_ids=eos,
    )


def _ids(value: int | list[int] | None) -> tuple[int, ...]:
    return () if value is None else (value,) if isinstance(value, int) else tuple(value)


def _read_json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    value = json.loads(file.read_text(encoding="utf-8"))
    return value if isinstance(value, dict) else {}
