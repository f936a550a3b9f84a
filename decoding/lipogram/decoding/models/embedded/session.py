"""A decoder graph in ONNX Runtime: new tokens and cached keys in, scores and longer caches out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lipogram.decoding.models.base import Logits
from lipogram.decoding.models.embedded.configuration import UnreadableExport
from lipogram.decoding.models.embedded.growing import Growing
from lipogram.decoding.models.prefixes import Extension, Snapshot

Cached = NDArray[Any]

_STATES = "hidden"
_TOKEN_INPUTS = ("input_ids", "attention_mask", "position_ids", "previous_ids")
_FIRST_SCORED = "first_scored"


def open_graph(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """An inference session on the CPU whose threads sleep between runs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])


class DecoderGraph:
    """A decoder in the layout of Optimum; `previous_ids` int64[B, n] may ask for those before.

    Where it takes `first_scored` int64[1], scores begin at that place of the new tokens. Where its
    metadata has `windows`, tokens for each layer (0: all), layers get only the end of their caches.

    Graphs that we did not make may not take rows of unequal lengths (`ragged`).
    """

    chunk_tokens = 192
    max_rows = 16

    def __init__(self, file: Path, threads: int, *, ragged: bool) -> None:
        self.ragged = ragged
        self._session = open_graph(file, threads)
        inputs = {each.name: each for each in self._session.get_inputs()}
        outputs = [each.name for each in self._session.get_outputs()]
        self._past_names = [name for name in inputs if name.startswith("past_key_values.")]
        self._present_names = [
            re.sub("^past_key_values", "present", name) for name in self._past_names
        ]
        known = {*self._past_names, *_TOKEN_INPUTS, _FIRST_SCORED}
        if not {"logits", *self._present_names} <= set(outputs) or not known >= set(inputs):
            raise UnreadableExport(
                f"{file}: expected inputs {', '.join(_TOKEN_INPUTS)} and past_key_values.*, "
                "outputs logits and present.*, "
                f"found {sorted(inputs)} and {sorted(outputs)}"
            )
        self._scores_from = _FIRST_SCORED in inputs
        self._optional = {"position_ids", "previous_ids"} & set(inputs)
        self._previous = inputs["previous_ids"].shape[1] if "previous_ids" in inputs else 0
        _, heads, _, width = inputs[self._past_names[0]].shape
        if not isinstance(heads, int) or not isinstance(width, int):
            raise UnreadableExport(f"{file}: expected caches of fixed heads and width")
        kind = np.float16 if "float16" in inputs[self._past_names[0]].type else np.float32
        empty = np.zeros((heads, 0, width), kind)
        self.cached_bytes_per_token = len(self._past_names) * heads * width * empty.itemsize
        self.weight_bytes = sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))
        self._shown = [_STATES] if _STATES in outputs else []
        states = np.zeros((0, self._width_of(_STATES)), np.float16) if self._shown else None
        windows = self._session.get_modelmeta().custom_metadata_map.get("windows")
        layers = [int(each) for each in windows.split(",")] if windows else [0]
        self._windows = [
            layers[index * len(layers) // len(self._past_names)]
            for index in range(len(self._past_names))
        ]
        kept = tuple(Growing.of(empty) if window else empty for window in self._windows)
        self.empty = Snapshot(np.zeros(0, np.int64), kept, states)

    @property
    def scores(self) -> int:
        """How many scores each position gets, as far as the graph tells; 0 where it does not."""
        return self._width_of("logits")

    def _width_of(self, output: str) -> int:
        width = next(each for each in self._session.get_outputs() if each.name == output).shape[2]
        return width if isinstance(width, int) else 0

    def run(self, rows: Sequence[Extension]) -> list[tuple[Logits, Snapshot]]:
        """For each row the scores of its new tokens from `wanted` on, and its grown snapshot.

        Caches are padded on the left, new tokens on the right. A row's results differ by rounding
        alone from those it gets on its own.
        """
        past = max(len(row.past.tokens) for row in rows)
        feeds = self._tokens(rows, past)
        for index, (name, window) in enumerate(zip(self._past_names, self._windows, strict=True)):
            kept = [row.past.arrays[index] for row in rows]
            if window:
                feeds[name] = _stack([each.last(window) for each in kept], min(past, window))
            else:
                feeds[name] = _stack(kept, past)
        scored = min(row.wanted for row in rows) if self._scores_from else 0
        if self._scores_from:
            feeds[_FIRST_SCORED] = np.array([scored])
        names = ["logits", *self._present_names, *self._shown]
        logits, *presents = self._session.run(names, feeds)
        states = presents.pop() if self._shown else None
        results = []
        for index, row in enumerate(rows):
            grown = tuple(
                self._grown(window, row, old, present[index], past)
                for window, old, present in zip(
                    self._windows, row.past.arrays, presents, strict=True
                )
            )
            tokens = np.concatenate((row.past.tokens, row.tokens))
            scores = logits[index, row.wanted - scored : len(row.tokens) - scored]
            shown = row.past.states
            if shown is not None and states is not None:
                shown = np.concatenate((shown, states[index, : len(row.tokens)].astype(np.float16)))
            results.append((scores.astype(np.float32), Snapshot(tokens, grown, shown)))
        return results

    def _grown(
        self, window: int, row: Extension, old: Cached | Growing, present: Cached, past: int
    ) -> Cached | Growing:
        """A layer's cache of a row and its new tokens, of what a run of a batch gave for it."""
        if isinstance(old, Growing):
            first = min(past, window)
            return old.grown(present[:, first : first + len(row.tokens)])
        return _own(present, past - len(row.past.tokens), past + len(row.tokens))

    def _tokens(self, rows: Sequence[Extension], past: int) -> dict[str, NDArray[Any]]:
        new = max(len(row.tokens) for row in rows)
        ids, positions = (np.zeros((len(rows), new), np.int64) for _ in range(2))
        mask = np.zeros((len(rows), past + new), np.int64)
        previous = np.zeros((len(rows), self._previous), np.int64)
        for index, row in enumerate(rows):
            known, count = len(row.past.tokens), len(row.tokens)
            ids[index, :count] = row.tokens
            positions[index] = np.arange(known, known + new)
            mask[index, past - known : past + count] = 1
            before = row.past.tokens[known - min(known, self._previous) :]
            previous[index, self._previous - len(before) :] = before
        optional = {"position_ids": positions, "previous_ids": previous}
        return {"input_ids": ids, "attention_mask": mask} | {
            name: optional[name] for name in self._optional
        }


def _stack(arrays: list[Cached], length: int) -> Cached:
    """[heads, tokens, width] each -> [B, heads, length, width], padded on the left."""
    if len(arrays) == 1:
        return np.ascontiguousarray(arrays[0])[None]
    heads, _, width = arrays[0].shape
    stacked = np.zeros((len(arrays), heads, length, width), arrays[0].dtype)
    for row, array in zip(stacked, arrays, strict=True):
        row[:, length - array.shape[1] :] = array
    return stacked


def _own(array: Cached, first: int, stop: int) -> Cached:
    """A part of a batch's array that does not keep the batch alive."""
    part = array[:, first:stop]
    return (
        part
        if part.flags.c_contiguous and part.base is not None and part.base.nbytes == part.nbytes
        else part.copy()
    )
