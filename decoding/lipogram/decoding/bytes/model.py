"""A model of tokens as a model of bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from lipogram.decoding.bytes.heads import Head, Mode, Rule, Tokens
from lipogram.decoding.bytes.leaves import Weights, log_sum
from lipogram.decoding.bytes.states import ByteState
from lipogram.decoding.errors import BackendFailed
from lipogram.decoding.models.base import CausalModel, Logits


class ByteModel:
    """A model of tokens as a model of bytes.

    Mode "valid" sums over the covers that the tokenizer itself would write, with the model's own
    probabilities (Phan et al. 2024); what the model wastes on others is reported as `leak`.
    "renormalised" forbids them in every row instead, so that nothing leaks; it judges the whole
    vocabulary for each row. "all" sums over every token string, as the model's law of texts has
    it: exponentially many, for oracles. Rows are the model's, over tokens with text and ends.

    `epsilon` leaves heads out that are lighter than that share of the heaviest and not among the
    `kept_heads` heaviest, and unjudged what weighs less than that share of all: tens of times
    faster, and `missing_mass` bounds the error. `rule` restricts tokens after the prompt.
    Special tokens `ends` end a text like end-of-sequence.
    """

    def __init__(
        self,
        model: CausalModel,
        mode: Mode = "valid",
        epsilon: float = 0.0,
        rule: Rule | None = None,
        kept_heads: int = 8,
        ends: Collection[int] = (),
    ) -> None:
        """Raises ValueError for an unknown mode, or an epsilon that is not in [0, 1)."""
        if mode not in ("valid", "renormalised", "all"):
            raise ValueError(f"expected mode valid, renormalised or all, found {mode!r}")
        if not 0 <= epsilon < 1:
            raise ValueError(f"expected an epsilon from 0 to below 1, found {epsilon}")
        self.model = model
        self.mode = mode
        self.epsilon = epsilon
        self.kept_heads = kept_heads
        self.rule = rule
        self.model_calls = 0  # positions scored so far
        self.model_passes = 0  # times that the model was asked for some
        self.vocabulary = model.vocabulary
        self.spoken = self.vocabulary.has_text.copy()
        self.ends = tuple({*self.vocabulary.eos_ids, *ends})
        self.spoken[list(self.ends)] = True

    def open(self, prompt: Sequence[int | bytes]) -> ByteState:
        """The state after a prompt: token ids are fixed, and text before one ends where it stands.

        No model is called. The rule begins after the prompt. Raises Unspellable.
        """
        fixed: list[int] = []
        text = b""
        for part in prompt:
            if isinstance(part, bytes):
                text += part
            else:
                fixed += [*self.vocabulary.encode(text), part]
                text = b""
        begun, rest = self._begun(text)
        whole = Head((), b"", 0, len(self.vocabulary.lexicon))
        state = ByteState(self, tuple(fixed), begun, len(begun), (whole,))
        for byte in rest:
            state = state.advance(byte)
        return replace(state, written=b"")

    def _begun(self, text: bytes) -> tuple[Tokens, bytes]:
        """The tokens that no continuation of the text changes, and the bytes after them."""
        if self.mode == "all":
            return (), text
        tokens = tuple(self.vocabulary.encode(text))
        begun = tokens[: self.vocabulary.segmentation.restart(tokens)]
        return begun, text[len(self.vocabulary.decode(begun)) :]

    def writes(self, tokens: Tokens, is_end: bool = False) -> bool:
        """Whether a window of tokens is one to sum over."""
        return self.mode == "all" or self.vocabulary.segmentation.writes(tokens, is_end)

    def log_row(self, scores: Logits, window: Tokens, written: bytes | None) -> Weights:
        """Log-probabilities of the next token: float64[V]."""
        allowed = self.spoken
        if self.rule is not None and written is not None:
            allowed = allowed & self.rule.allowed(written)
        if self.mode == "renormalised":
            texts = self.vocabulary.lexicon.ids.tolist()
            written_next = [id for id in texts if allowed[id] and self.writes((*window, id))]
            ends = [id for id in self.ends if allowed[id]]
            allowed = np.zeros(len(allowed), np.bool_)
            allowed[written_next] = True
            allowed[ends] = self.writes(window, is_end=True)
        row = np.where(allowed, scores.astype(np.float64), -np.inf)
        total = log_sum(row)
        if not np.isfinite(total):
            raise BackendFailed(f"the model's scores are not usable: their log-sum is {total}")
        return row - total
