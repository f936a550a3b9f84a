"""Reads a tokenizer of the transformers library: vocabulary, start of a text, chat template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2.exceptions import TemplateError

from lipogram.decoding.errors import TurnsRefused, UnsupportedTokenizer
from lipogram.decoding.models.base import Script
from lipogram.decoding.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Reading:
    """A tokenizer as the decoder wants it.

    `start_ids` come before every text; where there are none, `empty_ids` do before an empty one.
    """

    vocabulary: Vocabulary
    start_ids: tuple[int, ...]
    empty_ids: tuple[int, ...]
    chat: Script | None


def read(tokenizer: Any, eos_ids: Sequence[int], size: int, mask_id: int | None = None) -> Reading:
    """Read a tokenizer of the transformers library; `size` is the width of the model's scores.

    Its own end-of-sequence token ends a text beside those of `eos_ids`. Raises
    UnsupportedTokenizer.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UnsupportedTokenizer(
            f"{type(tokenizer).__name__} has no tokenizer.json form; expected a fast tokenizer"
        )
    own = tokenizer.eos_token_id
    vocabulary = Vocabulary.from_tokenizer_json(
        backend.to_str(),
        eos_ids=[id for id in (*eos_ids, own) if id is not None and id < size] or None,
        mask_id=mask_id,
        specials=tokenizer.all_special_tokens,
        size=size,
    )
    start = list(tokenizer("")["input_ids"])
    while start and start[-1] == own and start[-1] != tokenizer.bos_token_id:
        start.pop()
    chat = _script(tokenizer) if getattr(tokenizer, "chat_template", None) else None
    bos = tokenizer.bos_token_id
    empty = ((bos,) if bos is not None else vocabulary.eos_ids[:1]) or (0,)
    return Reading(vocabulary, tuple(start), empty, chat)


def _script(tokenizer: Any) -> Callable[[Sequence[Mapping[str, str]]], str]:
    def rendered(turns: Sequence[Mapping[str, str]]) -> str:
        try:
            return str(
                tokenizer.apply_chat_template(
                    [dict(turn) for turn in turns], tokenize=False, add_generation_prompt=True
                )
            )
        except TemplateError as error:
            raise TurnsRefused(f"the model's chat template refuses: {error}") from error

    return rendered
