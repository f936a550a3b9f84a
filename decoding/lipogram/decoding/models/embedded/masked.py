"""Masked-diffusion models: a whole canvas in, scores for each slot out."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.errors import BackendFailed, ContextTooLong
from lipogram.decoding.models.base import Logits
from lipogram.decoding.models.embedded.configuration import Configuration, UnreadableExport
from lipogram.decoding.models.embedded.session import open_graph
from lipogram.decoding.vocabulary import Vocabulary


class EmbeddedMasked:
    """A bidirectional graph `input_ids` int64[B, L] -> `logits` [B, L, V] behind `MaskedModel`."""

    def __init__(self, folder: Path, configuration: Configuration, *, threads: int) -> None:
        """Raises UnreadableExport."""
        if configuration.mask_id is None:
            raise UnreadableExport(f"{folder}/config.json: expected mask_id in a masked model's")
        self.mask_id = configuration.mask_id
        self._session = open_graph(configuration.file, threads)
        self._vocabulary = Vocabulary.from_tokenizer_json(
            folder / "tokenizer.json", eos_ids=configuration.eos_ids, mask_id=configuration.mask_id
        )
        self._configuration = configuration
        self.chat = configuration.chat
        self._start = np.array(configuration.start_ids, np.int64)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=configuration.name)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._configuration.name

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens, one for each score."""
        return self._vocabulary

    @property
    def context_tokens(self) -> int:
        """The longest canvas, the start of text not counted."""
        return self._configuration.context_tokens - len(self._start)

    async def logits(self, canvas: NDArray[np.int64]) -> Logits:
        """Scores of every slot, filled ones too; see `MaskedModel`.

        Raises ContextTooLong, BackendFailed.
        """
        start = (
            self._start
            if not np.array_equal(canvas[: len(self._start)], self._start)
            else self._start[:0]
        )
        if len(canvas) + len(start) > self._configuration.context_tokens:
            limit = self.context_tokens
            raise ContextTooLong(
                f"{self.name}: expected at most {limit} slots, found {len(canvas)}"
            )
        ids = np.concatenate((start, canvas))[None]
        loop = asyncio.get_running_loop()
        try:
            (scores,) = await loop.run_in_executor(
                self._worker, self._session.run, ["logits"], {"input_ids": ids}
            )
        except Exception as failure:
            raise BackendFailed(f"{self.name}: {failure}") from failure
        rows: Logits = scores[0, len(start) :]
        rows.setflags(write=False)
        return rows

    def close(self) -> None:
        """Let the worker thread go; no call may follow."""
        self._worker.shutdown(cancel_futures=True)
