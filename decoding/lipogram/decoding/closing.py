"""How an output can be closed: tokens that lead to a member, as few as can be told cheaply."""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from lipogram.decoding.masking import Masker
from lipogram.decoding.sampling import unpack
from lipogram.grammars import State, special_tokens
from lipogram.grammars.completion import completion

# Tokens tried by a search before it gives up: under a second.
_SEARCH_LIMIT: Final = 100_000


def fits(masker: Masker, state: State, budget: int) -> bool:
    """Whether `closing` finds at most `budget` tokens; usually told without spelling them."""
    length = masker.automaton.shortest_length(state)
    if length > masker.automaton.max_shortest_bytes:
        return False
    if not masker.has_specials and not masker.has_lexemes:
        if masker.vocabulary.spells_all and length <= budget:
            return True
        if length > budget * masker.vocabulary.longest_token_bytes:
            return False
    plan = closing(masker, state)
    return plan is not None and len(plan) <= budget


def closing(masker: Masker, state: State) -> tuple[int, ...] | None:
    """The fewest tokens that spell a shortest completion of the state.

    A vocabulary that lacks some byte or special token may not be able to spell that one: then the
    fewest tokens to any member, None where there are none or the search takes too long.
    """
    text = completion(masker.automaton, state)
    plan = None if text is None else _spelled(masker, text)
    return plan if plan is not None else _search(masker, state)


def _spelled(masker: Masker, text: bytes) -> tuple[int, ...] | None:
    """The fewest tokens for a text, in which special tokens may be spelled; None if none."""
    vocabulary = masker.vocabulary
    ids: list[int] = []
    for index, piece in enumerate(special_tokens.pieces(text) if masker.has_specials else [text]):
        if index % 2:
            special = vocabulary.spellings.get(piece)
            found = None if special is None else [special]
        elif masker.has_specials and special_tokens.MARK in piece:
            found = None
        else:
            found = vocabulary.trie.spell(piece)
        if found is None:
            return None
        ids += found
    return tuple(ids)


def _search(masker: Masker, state: State) -> tuple[int, ...] | None:
    """Breadth first over states, by tokens."""
    paths: dict[State, tuple[int, ...]] = {state: ()}
    waiting = deque([state])
    tried = 0
    while waiting and tried < _SEARCH_LIMIT:
        current = waiting.popleft()
        if masker.is_complete(current):
            return paths[current]
        allowed = np.flatnonzero(unpack(masker.mask(current), len(masker.vocabulary)))
        tried += len(allowed)
        for token in allowed.tolist():
            successor = masker.step(current, token)
            if successor is not None and successor not in paths:
                paths[successor] = (*paths[current], token)
                waiting.append(successor)
    return None
