"""A text with holes on its way to being full: its tokens so far, and what of it is final.

Slots are numbered over all holes. A hole of k slots takes at most k tokens; where it ends early,
its last slots stay empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.events import Chunk, Sketch
from lipogram.decoding.slots import EMPTY, Slots
from lipogram.decoding.vocabulary import Vocabulary

MASKED: Final = -2
"""In a token's place: not known yet."""

_Item: TypeAlias = tuple[int | None, int]  # (hole, slot), or (None, segment)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a model sees: a canvas of token ids, and the place of each slot that is in it."""

    canvas: NDArray[np.int64]
    places: dict[int, int]


class Filling:
    """Segments of text, the holes between them, each of so many slots, and their tokens."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        segments: Sequence[bytes],
        sizes: Sequence[int],
        slots: Slots,
        start: bytes = b"",
    ) -> None:
        """`start` is what a tokenizer puts before the first segment."""
        self.segments = tuple(segments)
        stops = np.cumsum([0, *sizes]).tolist()
        self.holes = [range(first, stop) for first, stop in pairwise(stops)]
        self.tokens = [MASKED] * stops[-1]
        self.slots = slots
        self._vocabulary = vocabulary
        first, *others = segments
        self._encoded = [vocabulary.encode(part) for part in (start + first, *others)]
        self._items: list[_Item] = [(None, 0)]
        self._first: list[int] = []  # of each hole, its first item
        for index, hole in enumerate(self.holes):
            self._first.append(len(self._items))
            self._items += [*((index, slot) for slot in hole), (None, index + 1)]
        self._sent = 0  # items that are in chunks

    def masked(self, slots: Iterable[int]) -> list[int]:
        """Those of the slots that are to be filled."""
        return [slot for slot in slots if self.tokens[slot] == MASKED]

    @property
    def segment_tokens(self) -> int:
        """How many tokens the segments are."""
        return sum(map(len, self._encoded))

    @property
    def count(self) -> int:
        """How many tokens fill the holes."""
        return sum(token >= 0 for token in self.tokens)

    @property
    def is_spent(self) -> bool:
        """Whether some hole took all the tokens it may."""
        return any(not hole or self.tokens[hole[-1]] >= 0 for hole in self.holes)

    def commit_all(self, pairs: Sequence[tuple[int, int]]) -> set[int]:
        """Fill slots with these tokens as far as the rule allows; the slots that were."""
        given = self.slots.commit_all(pairs)
        for slot, token in given:
            if token == EMPTY:
                hole = next(hole for hole in self.holes if slot in hole)
                self.tokens[slot : hole.stop] = [EMPTY] * (hole.stop - slot)
            else:
                self.tokens[slot] = token
        return {slot for slot, _ in given}

    def remask(self, slot: int) -> None:
        """Take a slot's token back."""
        self.slots.remask(slot)
        self.tokens[slot] = MASKED

    @property
    def text(self) -> bytes:
        """The whole text, as far as it is known."""
        return self._joined(self._items)

    def around(self, hole: int) -> tuple[bytes, bytes]:
        """The texts before and behind a hole, as far as they are known."""
        first = self._first[hole]
        rest = self._items[first + len(self.holes[hole]) :]
        return self._joined(self._items[:first]), self._joined(rest)

    def _joined(self, items: Sequence[_Item]) -> bytes:
        return b"".join(self._text(*item) or b"" for item in items)

    def _text(self, hole: int | None, number: int) -> bytes | None:
        """The text of an item; None if it is masked."""
        if hole is None:
            return self.segments[number]
        token = self.tokens[number]
        if token == MASKED:
            return None
        return b"" if token == EMPTY else self._vocabulary.tokens[token]

    def chunks(self, final: int) -> list[Chunk]:
        """What has become final, where all tokens in the slots before `final` are."""
        found: list[Chunk] = []
        while self._sent < len(self._items):
            hole, number = self._items[self._sent]
            text = self._text(hole, number)
            if text is None or (hole is not None and number >= final):
                break
            if found and found[-1].hole == hole:
                found[-1] = Chunk(found[-1].text + text, hole=hole)
            elif text:
                found.append(Chunk(text, hole=hole))
            self._sent += 1
        return found

    def sketch(self, step: int) -> Sketch:
        """The whole as it is."""
        pieces: list[bytes | int] = []
        for item in self._items:
            text = self._text(*item)
            last = pieces[-1] if pieces else None
            if text is None:
                pieces[-1:] = [last + 1] if isinstance(last, int) else [*pieces[-1:], 1]
            elif text:
                pieces[-1:] = [last + text] if isinstance(last, bytes) else [*pieces[-1:], text]
        return Sketch(step, tuple(pieces))

    def layout(self, prompt: Sequence[int], mask_id: int, hidden: range = range(0)) -> Layout:
        """The canvas behind a prompt: slots that stay empty are not there, nor those `hidden`.

        Where the last hole ends early and nothing is behind it, end-of-sequence says so.
        """
        ids = list(prompt)
        places: dict[int, int] = {}
        for hole, number in self._items:
            if hole is None:
                ids += self._encoded[number]
                continue
            token = self.tokens[number]
            if token != EMPTY and number not in hidden:
                places[number] = len(ids)
                ids.append(mask_id if token == MASKED else token)
        ends_early = bool(self.tokens) and self.tokens[-1] == EMPTY and not self.segments[-1]
        ids += self._vocabulary.eos_ids[:1] if ends_early else ()
        return Layout(np.array(ids, np.int64), places)
