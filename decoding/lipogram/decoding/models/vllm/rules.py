"""Constraints inside of vLLM's batches: its structured-output backend, filled by our maskers.

A request carries the number of its rule where vLLM expects a regular expression, which it hands to
the backend as it is; the rule itself never leaves the process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lipogram.decoding.masking import Masker
from lipogram.decoding.models.vllm.interfaces import (
    StructuredOutputBackend,
    StructuredOutputGrammar,
)
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Error, State

RULES: dict[str, Rule] = {}
"""The rules of running requests, by the number they carry."""


@dataclass(slots=True)
class Rule:
    """What a request's tokens must obey: the masker's rule from `state` on, or none at all.

    Without a masker the tokens of `free` may come, ends among them, always. `ends` end the text
    where it is complete; `excluded` may not come first. `failure` is what went wrong with a mask:
    then nothing but an end is allowed, and nobody may use it.
    """

    vocabulary: Vocabulary
    free: NDArray[np.int32]
    masker: Masker | None
    state: State
    ends: frozenset[int]
    excluded: frozenset[int] = frozenset()
    failure: Exception | None = field(default=None, compare=False)

    def words(self, state: State, is_first: bool) -> NDArray[np.int32]:
        """The tokens that may come next, as `Masker.mask` has them."""
        if self.masker is None:
            words = self.free
        else:
            words = self.masker.mask(state)
            further = self.ends.difference(self.vocabulary.eos_ids)
            if further and self.masker.is_complete(state):
                words = with_tokens(words, further)
        return _without(words, self.excluded) if is_first and self.excluded else words


class Rules(StructuredOutputBackend):  # type: ignore[misc]
    """Finds the rule that a request carries."""

    def compile_grammar(
        self, request_type: Any, grammar_spec: str, stop_token_ids: set[int] | None = None
    ) -> StructuredOutputGrammar:
        """The rule of this number; raises KeyError."""
        return Grammar(RULES[grammar_spec])

    def allocate_token_bitmask(self, max_num_seqs: int) -> torch.Tensor:
        """A row for every sequence and every drafted position."""
        return torch.full((max_num_seqs, -(-self.vocab_size // 32)), -1, dtype=torch.int32)

    def destroy(self) -> None:
        """Nothing is held here."""


class Grammar(StructuredOutputGrammar):  # type: ignore[misc]
    """Where one request stands, and where it stood: the engine drafts ahead and takes back."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._states: list[State | None] = [rule.state]  # None: the text has ended

    def accept_tokens(self, request_id: str, tokens: list[int]) -> bool:
        """Go on by tokens; False where one is not allowed."""
        for token in tokens:
            known, successor = self._after(token)
            if not known:
                return False
            self._states.append(successor)
        return True

    def validate_tokens(self, tokens: list[int]) -> list[int]:
        """The first of these tokens that are allowed."""
        before = len(self._states)
        for count, token in enumerate(tokens):
            if not self.accept_tokens("", [token]):
                tokens = tokens[:count]
                break
        del self._states[before:]
        return tokens

    def rollback(self, num_tokens: int) -> None:
        """Take tokens back."""
        if num_tokens:
            del self._states[-num_tokens:]

    def fill_bitmask(self, bitmask: torch.Tensor, batch_index: int) -> None:
        """Write the allowed tokens; a mask that fails must not take the whole batch with it."""
        row, state, rule = bitmask.numpy()[batch_index], self._states[-1], self._rule
        if state is None:
            row[:] = -1
            return
        try:
            words = rule.words(state, is_first=len(self._states) == 1)
        except Error as error:
            rule.failure = error
            words = with_tokens(np.zeros_like(row), rule.ends)
        row[: len(words)] = words
        row[len(words) :] = 0

    def is_terminated(self) -> bool:
        """Whether the text has ended."""
        return self._states[-1] is None

    def reset(self) -> None:
        """Back to the start."""
        del self._states[1:]

    def _after(self, token: int) -> tuple[bool, State | None]:
        """Whether the token is allowed, and the state behind it (None: the end)."""
        state, rule = self._states[-1], self._rule
        if state is None:
            return True, None
        if len(self._states) == 1 and token in rule.excluded:
            return False, None
        if rule.masker is None:
            is_end = token in rule.ends
            return is_end or bool(rule.vocabulary.has_text[token]), None if is_end else state
        successor = rule.masker.walk(state, token)
        if successor is not None:
            return True, successor
        return token in rule.ends and rule.masker.is_complete(state), None


def bits(allowed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """A mask as words: bit j of word i is token 32 * i + j."""
    padded = np.zeros(-(-len(allowed) // 32) * 32, np.bool_)
    padded[: len(allowed)] = allowed
    return np.packbits(padded, bitorder="little").view("<i4").astype(np.int32)


def with_tokens(words: NDArray[np.int32], tokens: Iterable[int]) -> NDArray[np.int32]:
    """The same mask and these tokens."""
    changed = words.copy()
    for token in tokens:
        changed[token >> 5] |= np.uint32(1 << (token & 31)).astype(np.int32)
    return changed


def _without(words: NDArray[np.int32], tokens: Iterable[int]) -> NDArray[np.int32]:
    changed = words.copy()
    for token in tokens:
        changed[token >> 5] &= ~np.uint32(1 << (token & 31)).astype(np.int32)
    return changed
