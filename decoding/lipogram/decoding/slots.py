"""Slots to fill: what a `Canvas` is to a filler, and the same without a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas import Canvas, Hole
from lipogram.decoding.job import Infill
from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary

Verdict: TypeAlias = Literal["accept", "reject", "unknown"]

EMPTY: Final = -1
"""In a token's place: this slot and the rest of its hole stay empty."""


class Slots(Protocol):
    """Which tokens slots can still take, so that all of them can be filled; see `Canvas`."""

    def check(self, slot: int, token: int) -> Verdict:
        """Whether the slot can take the token."""
        ...

    def mask(self, slot: int, out: NDArray[np.int32]) -> None:
        """Write the tokens that it can take, as `Masker.fill` does."""
        ...

    def commit(self, slot: int, token: int) -> None:
        """Give the slot a token that it can take."""
        ...

    def commit_all(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Give slots tokens, the first ones first, as far as they can take them; those given."""
        ...

    def remask(self, slot: int) -> None:
        """Take the slot's token back."""
        ...

    def witness(self) -> Sequence[int]:
        """A token for every slot, EMPTY where none is, that make a valid text together."""
        ...


class FreeSlots:
    """Holes without a rule, each of so many slots: every token with text may stand anywhere."""

    def __init__(self, vocabulary: Vocabulary, sizes: Sequence[int]) -> None:
        self._has_text = vocabulary.has_text
        self._words = packed(vocabulary.has_text)
        self._ends = np.repeat(np.cumsum(sizes), sizes).tolist()
        self._tokens: list[int | None] = [None] * sum(sizes)

    def check(self, slot: int, token: int) -> Verdict:
        """See Slots.check; a hole can only end where nothing of it follows."""
        if self._tokens[slot] is not None:
            return "accept" if self._tokens[slot] == token else "reject"
        if token != EMPTY:
            return "accept" if self._has_text[token] else "reject"
        rest = self._tokens[slot : self._ends[slot]]
        return "accept" if all(each in (None, EMPTY) for each in rest) else "reject"

    def mask(self, slot: int, out: NDArray[np.int32]) -> None:
        """See Slots.mask."""
        out[:] = self._words

    def commit(self, slot: int, token: int) -> None:
        """See Slots.commit; raises ValueError."""
        if self.check(slot, token) != "accept":
            raise ValueError(f"slot {slot} cannot take token {token}")
        end = self._ends[slot] if token == EMPTY else slot + 1
        self._tokens[slot:end] = [token] * (end - slot)

    def commit_all(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """See Slots.commit_all."""
        given = []
        for slot, token in pairs:
            if self.check(slot, token) == "accept":
                self.commit(slot, token)
                given.append((slot, token))
        return given

    def remask(self, slot: int) -> None:
        """See Slots.remask."""
        self._tokens[slot] = None

    def witness(self) -> list[int]:
        """See Slots.witness; a token must be there where one follows in the same hole."""
        filler, filled = int(self._has_text.argmax()), list(self._tokens)
        for slot in range(len(filled) - 1, -1, -1):
            if filled[slot] is None:
                is_last = slot + 1 == self._ends[slot] or filled[slot + 1] == EMPTY
                filled[slot] = EMPTY if is_last else filler
        return [EMPTY if token is None else token for token in filled]


def slots_of(masker: Masker | None, vocabulary: Vocabulary, infill: Infill) -> Slots:
    """The slots of a text with holes, under a rule or without; raises Unfillable, HolesTooSmall."""
    if masker is None:
        return FreeSlots(vocabulary, infill.max_tokens)
    first, *others = infill.segments
    pieces: list[bytes | Hole] = [first]
    for most, segment in zip(infill.max_tokens, others, strict=True):
        pieces += [Hole(max_tokens=most), segment]
    return Canvas(masker.automaton, vocabulary, [piece for piece in pieces if piece != b""])


def packed(allowed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """A mask's words: bit j of word i is token 32 * i + j."""
    bits = np.zeros(-(-len(allowed) // 32) * 32, np.bool_)
    bits[: len(allowed)] = allowed
    return np.packbits(bits, bitorder="little").view("<i4").astype(np.int32)
