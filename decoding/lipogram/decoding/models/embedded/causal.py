"""Left-to-right models: a decoder export that answers many at a time."""

from __future__ import annotations

from pathlib import Path

from lipogram.decoding.models.cached import CachedCausal, Facts
from lipogram.decoding.models.embedded.configuration import Configuration
from lipogram.decoding.models.embedded.session import DecoderGraph
from lipogram.decoding.vocabulary import Vocabulary


class EmbeddedCausal(CachedCausal):
    """A decoder export behind `CausalModel`; a row differs by less than 1e-3 from itself alone."""

    def __init__(
        self, folder: Path, configuration: Configuration, *, threads: int, cache_bytes: int
    ) -> None:
        self.configuration = configuration
        self.chat = configuration.chat
        self._draft_heads = folder / "draft_heads.npz"
        graph = DecoderGraph(configuration.file, threads, ragged=configuration.ragged)
        vocabulary = Vocabulary.from_tokenizer_json(
            folder / "tokenizer.json", eos_ids=configuration.eos_ids or None,
            mask_id=configuration.mask_id, size=graph.scores,
        )  # fmt: skip
        facts = Facts(
            configuration.name,
            configuration.context_tokens,
            configuration.start_ids,
            configuration.eos_ids[:1],
        )
        super().__init__(graph, vocabulary, facts, cache_bytes=cache_bytes)

    @property
    def infilling_tokens(self) -> int:
        """How many tokens around a cursor are worth reading."""
        infilling = self.configuration.infilling
        most = None if infilling is None else infilling.context_tokens
        return self.context_tokens if most is None else min(most, self.context_tokens)

    @property
    def draft_heads(self) -> Path | None:
        """The file of the draft heads that were trained for the model; None: there is none."""
        return self._draft_heads if self._draft_heads.is_file() else None
