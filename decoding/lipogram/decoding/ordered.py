"""The slots of one long hole under a rule, filled from left to right.

What may stand in the next slot, and whether the rest still fits, is told by the course of an output
that is written in order, at any length. What may stand in a later one depends on all that come
before: there the answer is "unknown".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.course import Constrained
from lipogram.decoding.masking import Masker
from lipogram.decoding.slots import EMPTY, Verdict, packed

# Masks of one slot after which only the way to close is left.
_MOST_MASKS: Final = 8


class OrderedSlots:
    """`Slots` of a text that is one hole of `size` slots; only the next one can be filled."""

    def __init__(self, masker: Masker, size: int) -> None:
        """Raises BudgetTooSmall, DeadEnd."""
        self._course = Constrained(masker, size, ignore_eos=False)
        self._vocabulary = masker.vocabulary
        self._tokens: list[int] = []
        self._size = size
        self._masks = 0

    def check(self, slot: int, token: int) -> Verdict:
        """See Slots.check."""
        if slot != len(self._tokens):
            return "unknown"
        ends = list(self._vocabulary.eos_ids)
        if token == EMPTY:
            is_complete = self._course.is_over or any(self._course.allowed[ends])
            return "accept" if is_complete else "reject"
        is_allowed = self._course.allowed[token] and not self._course.ends(token)
        fits = is_allowed and self._course.after(token) is not None
        return "accept" if fits else "reject"

    def mask(self, slot: int, out: NDArray[np.int32]) -> None:
        """See Slots.mask; near the end of the budget more than can be closed in time.

        Asked again and again about one slot, it writes the next token of the way to close alone.
        """
        self._masks += 1
        allowed = self._course.allowed.copy()
        allowed[list(self._vocabulary.eos_ids)] = False
        if self._masks > _MOST_MASKS:
            allowed[:] = False
            closing = self._course.closing()
            if closing is not None:
                allowed[closing] = True
        out[:] = packed(allowed)

    def commit(self, slot: int, token: int) -> None:
        """See Slots.commit; raises ValueError."""
        if self.check(slot, token) != "accept":
            raise ValueError(f"slot {slot} cannot take token {token}")
        self._masks = 0
        if token == EMPTY:
            self._tokens += [EMPTY] * (self._size - len(self._tokens))
            return
        after = self._course.after(token)
        assert after is not None, "it was accepted"
        self._course = after
        self._tokens.append(token)

    def commit_all(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """See Slots.commit_all."""
        given = []
        for slot, token in pairs:
            if self.check(slot, token) == "accept":
                self.commit(slot, token)
                given.append((slot, token))
        return given

    def remask(self, slot: int) -> None:
        """Never: what follows was decided by it."""
        raise ValueError(f"slot {slot} cannot be taken back")

    def witness(self) -> list[int]:
        """See Slots.witness; what it has for the next slot can be taken."""
        rest = self._size - len(self._tokens)
        closing = self._course.closing() if rest else None
        after = [] if closing is None else [closing]
        return [*self._tokens, *after, *[EMPTY] * (rest - len(after))]
