"""A decoder graph in ONNX Runtime: new tokens and cached keys in, scores and longer caches out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lipogram.decoding.models.base import Logits
from lipogram.decoding.models.embedded.caches import layout
from lipogram.decoding.models.embedded.configuration import UnreadableExport
from lipogram.decoding.models.growing import Growing
from lipogram.decoding.models.prefixes import Extension, Snapshot

_STATES = "hidden"
_TOKEN_INPUTS = ("input_ids", "attention_mask", "position_ids", "previous_ids")
_FIRST_SCORED = "first_scored"
_FEW_TOKENS = 16  # so few run no faster on more threads


def open_graph(file: Path, threads: int) -> onnxruntime.InferenceSession:
    """An inference session on the CPU whose threads sleep between runs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])


class DecoderGraph:
    """A decoder with caches in one of the layouts of `caches`.

    `previous_ids` int64[B, n] may ask for the tokens before the new ones. Where the graph takes
    `first_scored` int64[1], scores begin at that place of the new tokens.

    Graphs that we did not make may not take rows of unequal lengths (`ragged`).
    """

    chunk_tokens = 192
    max_rows = 16

    def __init__(self, file: Path, threads: int, *, ragged: bool) -> None:
        self.ragged = ragged
        self._session = open_graph(file, 1)
        self._wide_session = self._session if threads == 1 else open_graph(file, threads)
        inputs = {each.name: each for each in self._session.get_inputs()}
        outputs = [each.name for each in self._session.get_outputs()]
        try:
            self._caches = layout(self._session)
        except UnreadableExport as error:
            raise UnreadableExport(f"{file}: {error}") from None
        known = {*self._caches.inputs, *_TOKEN_INPUTS, _FIRST_SCORED}
        if not {"logits", *self._caches.outputs} <= set(outputs) or not known >= set(inputs):
            raise UnreadableExport(
                f"{file}: expected inputs {', '.join(_TOKEN_INPUTS)} and past_key_values.*, "
                "outputs logits and present.*, "
                f"found {sorted(inputs)} and {sorted(outputs)}"
            )
        self._scores_from = _FIRST_SCORED in inputs
        self._optional = {"position_ids", "previous_ids"} & set(inputs)
        self._previous = inputs["previous_ids"].shape[1] if "previous_ids" in inputs else 0
        self.cached_bytes_per_token = self._caches.bytes_per_token
        self.weight_bytes = sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))
        self._shown = [_STATES] if _STATES in outputs else []
        states = np.zeros((0, self._width_of(_STATES)), np.float16)
        shown = Growing.of([states]) if self._shown else None
        self.empty = Snapshot(np.zeros(0, np.int64), self._caches.empty, shown)

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
        feeds |= zip(self._caches.inputs, self._caches.feeds(rows, past), strict=True)
        scored = min(row.wanted for row in rows) if self._scores_from else 0
        if self._scores_from:
            feeds[_FIRST_SCORED] = np.array([scored])
        names = ["logits", *self._caches.outputs, *self._shown]
        is_wide = feeds["input_ids"].size > _FEW_TOKENS
        session = self._wide_session if is_wide else self._session
        logits, *presents = session.run(names, feeds)
        states = presents.pop() if self._shown else None
        results = []
        for index, row in enumerate(rows):
            grown = self._caches.grown(row, [present[index] for present in presents], past)
            tokens = np.concatenate((row.past.tokens, row.tokens))
            scores = logits[index, row.wanted - scored : len(row.tokens) - scored]
            shown = row.past.states
            if shown is not None and states is not None:
                new = states[index, : len(row.tokens)].astype(np.float16)
                shown = shown.grown([new], row.left)
            results.append((scores.astype(np.float32), Snapshot(tokens, grown, shown)))
        return results

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
