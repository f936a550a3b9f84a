"""A canvas by enumeration: every filling of the holes, and those that make a member."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding import Vocabulary
from lipogram.decoding.canvas import Hole
from lipogram.decoding.errors import HolesTooSmall, Unfillable
from lipogram.grammars import Automaton

EMPTY = -1
Tokens = tuple[int, ...]


def fillings(vocabulary: Vocabulary, parts: Sequence[bytes | Hole]) -> Iterator[Tokens]:
    """All ways to fill the holes."""
    texts = [id for id, text in enumerate(vocabulary.tokens) if text]
    of_holes = []
    for part in parts:
        if isinstance(part, bytes):
            continue
        least = 0 if part.exact_tokens is None else part.slots
        of_holes.append(
            [
                (*tokens, *[EMPTY] * (part.slots - length))
                for length in range(least, part.slots + 1)
                for tokens in itertools.product(texts, repeat=length)
            ]
        )
    for chosen in itertools.product(*of_holes):
        yield tuple(itertools.chain(*chosen))


def text_of(vocabulary: Vocabulary, parts: Sequence[bytes | Hole], tokens: Tokens) -> bytes:
    """The whole text of a filling."""
    left = iter(tokens)
    text = b""
    for part in parts:
        if isinstance(part, bytes):
            text += part
        else:
            ids = list(itertools.islice(left, part.slots))
            text += vocabulary.decode(id for id in ids if id != EMPTY)
    return text


@cache
def members(
    automaton: Automaton, vocabulary: Vocabulary, parts: tuple[bytes | Hole, ...]
) -> tuple[Tokens, ...]:
    """Those fillings that make a member."""
    return tuple(
        tokens
        for tokens in fillings(vocabulary, parts)
        if automaton.accepts(text_of(vocabulary, parts, tokens))
    )


class BruteCanvas:
    """`lipogram.decoding.Canvas` for tiny vocabularies and holes."""

    def __init__(
        self, automaton: Automaton, vocabulary: Vocabulary, parts: Sequence[bytes | Hole]
    ) -> None:
        self.members = members(automaton, vocabulary, tuple(parts))
        if not self.members:
            raise self._why(automaton, vocabulary, parts)
        self._left = self.members
        self._given: dict[int, int] = {}

    def _why(
        self, automaton: Automaton, vocabulary: Vocabulary, parts: Sequence[bytes | Hole]
    ) -> Exception:
        """Whether two more tokens a hole would do."""
        wider = tuple(
            part if isinstance(part, bytes) else Hole(max_tokens=part.slots + 2) for part in parts
        )
        for tokens in members(automaton, vocabulary, wider):
            left = iter(tokens)
            wanted = [
                sum(id != EMPTY for id in itertools.islice(left, part.slots))
                for part in wider
                if isinstance(part, Hole)
            ]
            return HolesTooSmall(f"expected holes of {wanted} tokens", max(wanted))
        return Unfillable("no member has these segments")

    def _narrowed(self) -> None:
        self._left = [
            tokens
            for tokens in self.members
            if all(tokens[slot] == token for slot, token in self._given.items())
        ]

    def check(self, slot: int, token: int) -> str:
        return "accept" if any(tokens[slot] == token for tokens in self._left) else "reject"

    def mask(self, slot: int, out: NDArray[np.int32]) -> None:
        out[:] = 0
        for token in {tokens[slot] for tokens in self._left} - {EMPTY}:
            out[token >> 5] |= np.uint32(1 << (token & 31)).astype(np.int32)

    def commit(self, slot: int, token: int) -> None:
        if self.check(slot, token) != "accept":
            raise ValueError(f"slot {slot} cannot take token {token}")
        self._given[slot] = token
        self._narrowed()

    def commit_all(self, pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        given = []
        for slot, token in pairs:
            if self.check(slot, token) == "accept":
                self.commit(slot, token)
                given.append((slot, token))
        return given

    def remask(self, slot: int) -> None:
        del self._given[slot]
        self._narrowed()

    def witness(self) -> list[int]:
        return list(self._left[0])
