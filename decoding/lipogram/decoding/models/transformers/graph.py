"""A decoder of the transformers library: new tokens and cached keys in, scores and caches out.

What a model can do is found out when it is opened, by running it: whether its cache can be cut and
taken up again, and whether rows of unequal lengths disturb each other in a batch. Where not, it
runs without a cache, or equal rows alone; slower, and still right.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from lipogram.decoding.models.base import Logits
from lipogram.decoding.models.prefixes import Extension, Snapshot

_ROUNDING: Final = {torch.float64: 1e-4, torch.float32: 1e-2}
"""Of the scores' deviation: what another batch may make of them. Half precision: 0.2."""


class TorchGraph:
    """A model behind `DecoderGraph`; caches are padded on the left, new tokens on the right."""

    def __init__(self, model: Any) -> None:
        """Tries the model out: a few passes over a dozen tokens."""
        self._model = model
        self._device = model.get_input_embeddings().weight.device
        accepted = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in accepted
        self._keeps = "logits_to_keep" in accepted
        self._cache_name = "cache" if "cache" in accepted else "past_key_values"
        on_cpu = self._device.type == "cpu"
        self.chunk_tokens = 128 if on_cpu else 1024
        self.max_rows = 16 if on_cpu else 64
        self.weight_bytes = sum(weight.nbytes for weight in model.parameters())
        self._try_out()

    def run(self, rows: Sequence[Extension]) -> list[tuple[Logits, Snapshot]]:
        """For each row the scores of its new tokens from `wanted` on, and its grown snapshot."""
        return self._run_cached(rows) if self.empty.arrays else self._run_whole(rows)

    def _run_cached(self, rows: Sequence[Extension]) -> list[tuple[Logits, Snapshot]]:
        past = max(len(row.past.tokens) for row in rows)
        layers = zip(*(row.past.arrays for row in rows), strict=True)
        stacked = [_stack(arrays, past) for arrays in layers]
        cache = DynamicCache(zip(stacked[::2], stacked[1::2], strict=True))
        scores = self._forward(rows, past, cache)
        arrays = _arrays(cache)
        results = []
        for index, (row, own) in enumerate(zip(rows, scores, strict=True)):
            first, stop = past - len(row.past.tokens), past + len(row.tokens)
            whole = len(rows) == 1
            grown = tuple(
                array[index, :, first:stop] if whole else array[index, :, first:stop].clone()
                for array in arrays
            )
            results.append((own, Snapshot(np.concatenate((row.past.tokens, row.tokens)), grown)))
        return results

    def _run_whole(self, rows: Sequence[Extension]) -> list[tuple[Logits, Snapshot]]:
        """The same without a cache: all tokens of a row are run again."""
        whole = [
            Extension(
                self.empty,
                np.concatenate((row.past.tokens, row.tokens)),
                len(row.past.tokens) + row.wanted,
            )
            for row in rows
        ]
        scores = self._forward(whole, 0, None)
        return [(own, Snapshot(row.tokens, ())) for own, row in zip(scores, whole, strict=True)]

    def _forward(self, rows: Sequence[Extension], past: int, cache: Any) -> list[Logits]:
        """The scores of each row's new tokens from `wanted` on; only those are computed."""
        new = max(len(row.tokens) for row in rows)
        ids, positions = (np.zeros((len(rows), new), np.int64) for _ in range(2))
        mask = np.zeros((len(rows), past + new), np.int64)
        for index, row in enumerate(rows):
            known, count = len(row.past.tokens), len(row.tokens)
            ids[index, :count] = row.tokens
            positions[index] = np.arange(known, known + new)
            mask[index, past - known : past + count] = 1
        first = min(min(row.wanted, len(row.tokens) - 1) for row in rows)
        feeds: dict[str, Any] = {"input_ids": self._tensor(ids)}
        if len(rows) > 1:
            feeds["attention_mask"] = self._tensor(mask)
        if self._takes_positions:
            feeds["position_ids"] = self._tensor(positions)
        if self._keeps:
            feeds["logits_to_keep"] = self._tensor(np.arange(first, new))
        if cache is not None:
            feeds[self._cache_name] = cache
        with torch.inference_mode():
            output = self._model(**feeds, use_cache=cache is not None).logits
            kept = output if self._keeps else output[:, first:]
            scores: NDArray[np.float32] = kept.float().cpu().numpy()
        return [
            scores[index, max(row.wanted - first, 0) : len(row.tokens) - first]
            for index, row in enumerate(rows)
        ]

    def _tensor(self, values: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(values).to(self._device)

    def _try_out(self) -> None:
        """Compare what the cache gives with plain runs, then a ragged batch with single rows."""
        width = self._model.get_input_embeddings().weight.shape[0]
        tokens = np.random.default_rng(0).integers(0, width, (2, 12))
        self.empty, self.ragged = Snapshot(tokens[0, :0], ()), True
        self.cached_bytes_per_token = 0
        plain = [self._run_whole([Extension(self.empty, row)])[0][0] for row in tokens]
        self.scores = plain[0].shape[1]
        try:
            cache = DynamicCache()
            self._forward([Extension(self.empty, tokens[0, :1])], 0, cache)
            arrays = [array[0, :, :0] for array in _arrays(cache)]
            self.empty = Snapshot(tokens[0, :0], tuple(arrays))
            begun = [self.run([Extension(self.empty, row[:7])])[0][1].cut(5) for row in tokens]
            (resumed, _), *_ = self.run([Extension(begun[0], tokens[0, 5:])])
            works = self._alike(resumed, plain[0][5:])
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            works = False
        if not works:
            self.empty = Snapshot(tokens[0, :0], ())
            self.chunk_tokens = 1 << 30
            return
        self.cached_bytes_per_token = sum(
            array.shape[0] * array.shape[2] * array.element_size() for array in self.empty.arrays
        )
        rows = [Extension(begun[0].cut(3), tokens[0, 3:8]), Extension(begun[1], tokens[1, 5:6])]
        wanted = plain[0][3:8], plain[1][5:6]
        found = [scores for scores, _ in self.run(rows)]
        self.ragged = all(map(self._alike, found, wanted))

    def _alike(self, found: Logits, wanted: Logits) -> bool:
        allowed = _ROUNDING.get(self._model.dtype, 0.2) * float(wanted.std())
        return found.shape == wanted.shape and float(np.abs(found - wanted).max()) <= allowed


def _arrays(cache: Any) -> list[torch.Tensor]:
    """All layers' keys and values, in turn."""
    return [array for layer in cache.layers for array in (layer.keys, layer.values)]


def _stack(arrays: Sequence[torch.Tensor], length: int) -> torch.Tensor:
    """[heads, tokens, width] each -> [B, heads, length, width], padded on the left."""
    if len(arrays) == 1:
        return arrays[0][None]
    heads, _, width = arrays[0].shape
    stacked = arrays[0].new_zeros((len(arrays), heads, length, width))
    for row, array in zip(stacked, arrays, strict=True):
        row[:, length - array.shape[1] :] = array
    return stacked
