"""Left-to-right models: any of `AutoModelForCausalLM`."""

from __future__ import annotations

from typing import Any

from lipogram.decoding.errors import UnsupportedModel
from lipogram.decoding.models import hugging_face
from lipogram.decoding.models.base import Script
from lipogram.decoding.models.cached import CachedCausal, Facts
from lipogram.decoding.models.transformers.graph import TorchGraph


class TransformersCausal(CachedCausal):
    """A causal language model of the transformers library behind `CausalModel`.

    `chat` renders a conversation with the tokenizer's own template, if it has one.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        context_tokens: int | None = None,
        cache_bytes: int = 1 << 30,
    ) -> None:
        """`model` in evaluation mode, where it is to stay; `context_tokens` shortens its window.

        Raises UnsupportedModel, UnsupportedTokenizer.
        """
        graph = TorchGraph(model)
        reading = hugging_face.read(tokenizer, ends(model), graph.scores)
        self.chat: Script | None = reading.chat
        facts = Facts(name, context_tokens or window(model), reading.start_ids, reading.empty_ids)
        super().__init__(graph, reading.vocabulary, facts, cache_bytes=cache_bytes)


def ends(model: Any) -> tuple[int, ...]:
    """The tokens that end a text, as the model's generation settings or configuration has it."""
    for holder in (getattr(model, "generation_config", None), model.config):
        value = getattr(holder, "eos_token_id", None)
        if value is not None:
            return (value,) if isinstance(value, int) else tuple(value)
    return ()


def window(model: Any) -> int:
    """The longest text that the model was made for; raises UnsupportedModel."""
    config = model.config.get_text_config(decoder=True)
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        value = getattr(config, name, None)
        if isinstance(value, int) and value > 0:
            return value
    raise UnsupportedModel("the model does not say how long its window is; give context_tokens")
