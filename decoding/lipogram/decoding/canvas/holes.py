"""What a canvas consists of: fixed texts, and holes with so many slots for tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hole:
    """A place to be filled with exactly or at most so many tokens, one a slot.

    Without a number it has no slots: any text may stand there, of any bytes, to be chosen
    elsewhere.
    """

    max_tokens: int | None = None
    exact_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.exact_tokens is not None:
            raise ValueError("expected max_tokens or exact_tokens, found both")
        if self.slots < 0:
            raise ValueError(f"expected a number of tokens, found {self.slots}")

    @property
    def slots(self) -> int:
        return self.exact_tokens or self.max_tokens or 0

    @property
    def is_open(self) -> bool:
        """Whether any text may stand there."""
        return self.max_tokens is None and self.exact_tokens is None


@dataclass(frozen=True, slots=True)
class Text:
    """A cell of fixed bytes."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """A cell of any text."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A cell of one token, at one of the positions of its hole."""

    number: int
    hole: range
    may_be_empty: bool


Cell = Text | Gap | Slot
Part = bytes | Hole


def cells(parts: Sequence[Part]) -> tuple[Cell, ...]:
    """The cells of a canvas in order; position p is in front of cell p."""
    found: list[Cell] = []
    number = 0
    for part in parts:
        if isinstance(part, bytes):
            if found and isinstance(found[-1], Text):
                found[-1] = Text(found[-1].text + part)
            elif part:
                found.append(Text(part))
        elif part.is_open:
            found.append(Gap())
        else:
            hole = range(len(found), len(found) + part.slots)
            for _ in hole:
                found.append(Slot(number, hole, part.exact_tokens is None))
                number += 1
    return tuple(found)
