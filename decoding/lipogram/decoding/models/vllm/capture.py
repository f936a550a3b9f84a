"""Keeps rows of scores of the requests that ask for it, where they are made.

Moving whole rows through the engine's own log-probabilities costs ten times as much.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch

from lipogram.decoding.models.base import Logits
from lipogram.decoding.models.vllm.interfaces import (
    BatchUpdate,
    LogitsProcessor,
    MoveDirectionality,
)

KEY: Final = "lipogram_rows"
"""In a request's `extra_args`: the number under which its rows are kept."""

ROWS: dict[int, dict[int, Logits]] = {}
"""By that number, and by the index in the output of the token that was drawn from the row."""


class Capture(LogitsProcessor):  # type: ignore[misc]
    """Sees every row after the mask and before temperature; changes none.

    While a long prompt is read in parts, rows of its middle come too, all for the first token: the
    last one counts.
    """

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._outputs: dict[int, tuple[int, list[int]]] = {}

    def is_argmax_invariant(self) -> bool:
        """No, or it would not be called for greedy requests."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow the requests to their places in the batch."""
        if batch_update is None:
            return
        for place in batch_update.removed:
            self._outputs.pop(place, None)
        for place, params, _, output in batch_update.added:
            self._outputs.pop(place, None)
            key = (getattr(params, "extra_args", None) or {}).get(KEY)
            if key is not None:
                self._outputs[place] = (key, output)
        for first, second, direction in batch_update.moved:
            moved, other = self._outputs.pop(first, None), self._outputs.pop(second, None)
            if moved is not None:
                self._outputs[second] = moved
            if other is not None and direction is MoveDirectionality.SWAP:
                self._outputs[first] = other

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Keep the rows that are asked for, in one transfer."""
        places = [place for place in self._outputs if place < len(logits)]
        if places:
            rows = logits[places].float().cpu().numpy()
            for place, row in zip(places, rows, strict=True):
                key, output = self._outputs[place]
                kept = ROWS.get(key)
                if kept is not None:
                    kept[len(output)] = np.asarray(row, np.float32)
        return logits
