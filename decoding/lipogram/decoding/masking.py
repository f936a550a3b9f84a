"""From byte rules to token rules: which tokens of a vocabulary may come next.

A state is a set of items: a residual expression and the frame it returns to. Most of a mask
depends on the residual alone, so that is what is found out and kept (`reaches`): the tokens that
stay inside a residual, and where it ends with a token half read. What a token does from there
depends on the residuals that wait in the frame, and so on down the stack, as far as the token's
bytes reach and no further. States at different depths, of different requests, share all of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.reaches.masks import write_mask
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import (
    Automaton,
    State,
    special_tokens,
    warming,
)
from lipogram.grammars.munched import MunchedMiddle

_CACHE_BYTES = 64 << 20
_MASK_S = 0.5  # of work for one mask: everybody else waits meanwhile


class Masker:
    """An automaton read through a vocabulary; shared by all requests that use the two.

    States are the automaton's. A token is allowed iff its bytes, or the spelling of a special one,
    lead to a live state; end-of-sequence also iff the text is complete. Where a grammar has special
    tokens, texts with their mark, which is no UTF-8, are not allowed.
    """

    def __init__(
        self,
        automaton: Automaton,
        vocabulary: Vocabulary,
        on_made: Callable[[float], None] | None = None,
    ) -> None:
        """`on_made` is told the seconds that each mask took which was not there already."""
        self._on_made = on_made
        self.automaton = automaton
        self.vocabulary = vocabulary
        self.has_specials = special_tokens.occur(automaton.grammar)
        self.has_lexemes = bool(automaton.grammar.lexemes)
        self._reaches = vocabulary.reaches
        self._words = -(-len(vocabulary) // 32)
        self._by_state: dict[State, NDArray[np.int32]] = {}
        self._sides: tuple[Masker, ...] = ()
        if isinstance(automaton, MunchedMiddle):
            sides = automaton.munched, automaton.quotient
            self._sides = tuple(Masker(side, vocabulary) for side in sides)

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the masker holds now, without the automaton's."""
        own = (4 * self._words + 200) * len(self._by_state)
        return own + sum(side.size_bytes for side in self._sides)

    def start(self) -> State:
        """The state before the first token."""
        return self.automaton.start()

    def is_complete(self, state: State) -> bool:
        """Whether the text so far is a member, so that end-of-sequence is allowed."""
        return self.automaton.is_complete(state)

    def step(self, state: State, token_id: int) -> State | None:
        """The state after a token, or None if it is not allowed.

        End-of-sequence stays put, unless the grammar has it as a special token here.
        """
        successor = self.walk(state, token_id)
        if successor is not None:
            return successor
        is_end = token_id in self.vocabulary.eos_ids and self.automaton.is_complete(state)
        return state if is_end else None

    def walk(self, state: State, token_id: int) -> State | None:
        """The state after a token as the grammar has it, by its name rather than its id."""
        text = self.vocabulary.tokens[token_id]
        if text:
            is_barred = self.has_specials and special_tokens.MARK in text
            return None if is_barred else self.automaton.walk(state, text)
        if self.has_specials:
            for spelling in self.vocabulary.spellings_of(token_id):
                successor = self.automaton.walk(state, spelling)
                if successor is not None:
                    return successor
        return None

    def fill(self, state: State, out: NDArray[np.int32]) -> None:
        """Write the allowed tokens: int32[ceil(V/32)], bit j of word i is token 32*i + j.

        Cost: a copy where the state, or one that differs out of a token's reach, was seen before.
        Raises BudgetExceeded where it would take longer than others should wait.
        """
        mask = self._by_state.get(state)
        out[:] = self.mask(state) if mask is None else mask

    def mask(self, state: State) -> NDArray[np.int32]:
        """The same as a read-only array that is shared by all visits of the state."""
        mask = self._by_state.get(state)
        if mask is None:
            mask = self._by_state[state] = self._made(state)
        return mask

    def _made(self, state: State) -> NDArray[np.int32]:
        if self.size_bytes > _CACHE_BYTES:
            self._by_state = {}
        started_s = time.perf_counter()
        automaton, reaches = self.automaton, self._reaches
        if isinstance(automaton, MunchedMiddle):
            return self._common(automaton, state)
        mask = np.empty(self._words, np.int32)
        # In this order everywhere: canvases of one grammar take both locks, too.
        with automaton.working("one mask of the grammar", _MASK_S), reaches.lock:
            is_complete = write_mask(
                automaton.memory, reaches.memory, state, self.has_lexemes, mask
            )
        if self.has_specials:
            mask &= self.vocabulary.unmarked
        if is_complete:
            mask |= self.vocabulary.ends
        mask.flags.writeable = False
        if self._on_made is not None:
            self._on_made(time.perf_counter() - started_s)
        return mask

    def _common(self, automaton: MunchedMiddle, state: State) -> NDArray[np.int32]:
        """What the masks of both sides allow, and end-of-sequence where the pair is complete."""
        masks = zip(self._sides, automaton.sides(state), strict=True)
        first, second = (side.mask(own) & ~self.vocabulary.ends for side, own in masks)
        mask: NDArray[np.int32] = first & second
        is_complete = automaton.is_complete(state)
        for token in self.vocabulary.eos_ids:
            if is_complete or self.walk(state, token) is not None:
                mask[token >> 5] |= np.uint32(1 << (token & 31)).astype(np.int32)
        mask.flags.writeable = False
        return mask


def fill_batch(requests: Sequence[tuple[Masker, State]], out: NDArray[np.int32]) -> None:
    """Fill a row of int32[B, ceil(V/32)] for each request of a batch, as `Masker.fill` does."""
    for row, (masker, state) in zip(out, requests, strict=True):
        np.copyto(row, masker.mask(state))


def warm_up(vocabulary: Vocabulary) -> None:
    """Make what masks of the vocabulary share, so that no request waits for it.

    Cost: the vocabulary's tries, the shapes of its tokens and masks of what schemas ask for most,
    together two seconds for 100,000 tokens; on the first start ever, compiling the engine's
    kernels.
    """
    for automaton in warming.warm_up():
        masker = Masker(automaton, vocabulary)
        state = automaton.walk(automaton.start(), b"(")
        assert state is not None  # the warm-up was there
        masker.mask(state)
    vocabulary.spell(b"")
    vocabulary.segmentation.writes_each((), vocabulary.lexicon.ids[:1])
    for automaton, text in warming.common():
        masker = Masker(automaton, vocabulary)
        for end in range(len(text) + 1):
            walked = automaton.walk(automaton.start(), text[:end])
            assert walked is not None  # it is a member
            masker.mask(walked)
