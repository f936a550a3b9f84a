"""A masker as what restricts token rows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.masking import Masker
from lipogram.decoding.sampling import unpack
from lipogram.grammars import State

_MOST_KEPT: Final = 4096


class TokenRule:
    """See `heads.Rule`; remembers where recent texts lead. Tokens of `ends` end a text too."""

    def __init__(self, masker: Masker, ends: frozenset[int] = frozenset()) -> None:
        self._masker = masker
        self._ends = list(ends)
        self._states: dict[bytes, State | None] = {b"": masker.start()}

    def allowed(self, text: bytes) -> NDArray[np.bool_]:
        """See Rule.allowed."""
        state = self._walked(text)
        if state is None:
            return np.zeros(len(self._masker.vocabulary), np.bool_)
        allowed = unpack(self._masker.mask(state), len(self._masker.vocabulary))
        allowed[self._ends] = self._masker.is_complete(state)
        return allowed

    def is_live(self, text: bytes) -> bool:
        """See Rule.is_live."""
        return self._walked(text) is not None

    def _walked(self, text: bytes) -> State | None:
        known = len(text)
        while text[:known] not in self._states:
            known -= 1
        state = self._states[text[:known]]
        if state is not None:
            state = self._masker.automaton.walk(state, text[known:])
        if len(self._states) > _MOST_KEPT:
            self._states = {b"": self._masker.start()}
        self._states[text] = state
        return state
