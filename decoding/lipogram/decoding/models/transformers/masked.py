"""Models that fill masks: LLaDA, Dream, DiffuCoder and their like, and masked language models.

They differ in small things. Dream and its descendants come from causal models and, like these,
score the token that follows: row j is for slot j + 1. LLaDA has more scores than its tokenizer has
tokens, and ends the turns of a conversation by a token that its configuration does not name.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from lipogram.decoding.errors import BackendFailed, ContextTooLong, UnsupportedModel
from lipogram.decoding.models import hugging_face
from lipogram.decoding.models.base import Logits, Script
from lipogram.decoding.models.transformers.causal import ends, window
from lipogram.decoding.tokenizer_json import EOS_NAMES

_SHIFTED: Final = "dream"
"""The type of models whose rows are for the token that follows."""


class TransformersMasked:
    """A bidirectional model of the transformers library behind `MaskedModel`.

    `chat` renders a conversation with the tokenizer's own template, if it has one.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        context_tokens: int | None = None,
        shifted: bool | None = None,
    ) -> None:
        """`model` in evaluation mode, where it is to stay; `context_tokens` shortens its window.

        `shifted`: row j is for slot j + 1; None: as its type says. Raises UnsupportedModel,
        UnsupportedTokenizer.
        """
        mask_id = mask_of(model.config)
        mask_id = tokenizer.mask_token_id if mask_id is None else mask_id
        if mask_id is None:
            raise UnsupportedModel(
                f"{name}: neither configuration nor tokenizer names a mask token"
            )
        self.name = name
        self.mask_id = int(mask_id)
        self._model = model
        self._device = next(model.parameters()).device
        kind = str(getattr(model.config, "model_type", "")).lower()
        self._is_shifted = kind == _SHIFTED if shifted is None else shifted
        known = tokenizer.get_added_vocab()
        named = [known[each] for each in EOS_NAMES if each in known]
        width = self._run(np.array([self.mask_id], np.int64)).shape[1]
        reading = hugging_face.read(tokenizer, [*ends(model), *named], width, self.mask_id)
        self.vocabulary = reading.vocabulary
        self.chat: Script | None = reading.chat
        self._start = np.array(reading.start_ids, np.int64)
        self.context_tokens = (context_tokens or window(model)) - len(self._start)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def logits(self, canvas: NDArray[np.int64]) -> Logits:
        """See MaskedModel.logits; the start of a text is put before a canvas that has none."""
        size = len(self._start)
        start = self._start[:0] if np.array_equal(canvas[:size], self._start) else self._start
        if len(canvas) + len(start) > self.context_tokens + size:
            raise ContextTooLong(
                f"{self.name}: expected at most {self.context_tokens} slots, found {len(canvas)}"
            )
        loop = asyncio.get_running_loop()
        ids = np.concatenate((start, canvas))
        try:
            rows = await loop.run_in_executor(self._worker, self._run, ids)
        except Exception as failure:
            raise BackendFailed(f"{self.name}: {failure}") from failure
        own = rows[len(start) :]
        own.flags.writeable = False
        return own

    def _run(self, ids: NDArray[np.int64]) -> Logits:
        """The rows of these tokens, each for its own slot."""
        with torch.inference_mode():
            output = self._model(input_ids=torch.from_numpy(ids)[None].to(self._device))
            rows: Logits = output.logits[0].float().cpu().numpy()
        # The first slot of a shifted model has no row: it is never unknown, but for an empty text.
        return np.concatenate((rows[:1], rows[:-1])) if self._is_shifted else rows

    def close(self) -> None:
        """Let the worker thread go; no call may follow."""
        self._worker.shutdown(cancel_futures=True)


def mask_of(config: Any) -> int | None:
    """The mask token that the configuration of a masked-diffusion model names."""
    value = getattr(config, "mask_token_id", None)
    return None if value is None else int(value)
