"""From byte rules to token rules: which tokens of a vocabulary may come next."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, State

_DONE: Final = -1
_CACHE_BYTES = 32 << 20


class Masker:
    """An automaton read through a vocabulary; shared by all requests that use the two.

    States are the automaton's. A token is allowed iff its bytes lead to a live state; tokens
    without bytes never are, except end-of-sequence, which is allowed iff the text is complete.
    """

    def __init__(self, automaton: Automaton, vocabulary: Vocabulary) -> None:
        self.automaton = automaton
        self.vocabulary = vocabulary
        self._trie = vocabulary.trie
        self._words = -(-len(vocabulary) // 32)
        self._stack = np.empty(int(self._trie.depth.max(initial=0)) + 1, np.int32)
        self._cache: OrderedDict[State, NDArray[np.int32]] = OrderedDict()
        self._cache_capacity = max(_CACHE_BYTES // (4 * self._words), 64)

    def start(self) -> State:
        """The state before the first token."""
        return self.automaton.start()

    def is_complete(self, state: State) -> bool:
        """Whether the text so far is a member, so that end-of-sequence is allowed."""
        return self.automaton.is_complete(state)

    def step(self, state: State, token_id: int) -> State | None:
        """The state after a token, or None if it is not allowed; end-of-sequence stays put."""
        if token_id in self.vocabulary.eos_ids:
            return state if self.automaton.is_complete(state) else None
        text = self.vocabulary.tokens[token_id]
        return self.automaton.walk(state, text) if text else None

    def fill(self, state: State, out: NDArray[np.int32]) -> None:
        """Write the allowed tokens: int32[ceil(V/32)], bit j of word i is token 32*i + j.

        Cost: the trie nodes that the state reaches on its first visit, a copy afterwards.
        """
        np.copyto(out, self.mask(state))

    def mask(self, state: State) -> NDArray[np.int32]:
        """The same as a read-only array that is shared by all visits of the state."""
        mask = self._cache.get(state)
        if mask is not None:
            self._cache.move_to_end(state)
            return mask
        mask = self._compute(state)
        self._cache[state] = mask
        if len(self._cache) > self._cache_capacity:
            self._cache.popitem(last=False)
        return mask

    def _compute(self, state: State) -> NDArray[np.int32]:
        words = np.zeros(self._words, np.uint32)
        automaton, trie = self.automaton, self._trie
        automaton.expand(state)
        stack = self._stack.copy()  # another thread may be filling another state
        stack[0] = state
        node = 0
        while True:
            node = _walk(
                node,
                stack,
                automaton.rows,
                automaton.row_of,
                trie.byte,
                trie.skip,
                trie.depth,
                trie.token_offsets,
                trie.token_ids,
                words,
            )
            if node == _DONE:
                break
            automaton.expand(int(stack[trie.depth[node] - 1]))
        if automaton.is_complete(state):
            for eos_id in self.vocabulary.eos_ids:
                words[eos_id >> 5] |= np.uint32(1 << (eos_id & 31))
        mask = words.view(np.int32)
        mask.flags.writeable = False
        return mask


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _walk(
    node: int,
    stack: NDArray[np.int32],
    rows: NDArray[np.int32],
    row_of: NDArray[np.int32],
    byte: NDArray[np.uint8],
    skip: NDArray[np.int32],
    depth: NDArray[np.int32],
    token_offsets: NDArray[np.int32],
    token_ids: NDArray[np.int32],
    words: NDArray[np.uint32],
) -> int:
    """Depth first over the token trie from `node`; `stack[d]` is the state after d bytes.

    Returns the node whose parent's state has yet to be expanded, to be called again with, or -1.
    """
    while node < len(byte):
        level = depth[node]
        row = row_of[stack[level - 1]]
        if row < 0:
            return node
        successor = rows[row, byte[node]]
        if successor < 0:
            node = skip[node]
            continue
        stack[level] = successor
        for index in range(token_offsets[node], token_offsets[node + 1]):
            token = token_ids[index]
            words[token >> 5] |= np.uint32(1) << np.uint32(token & 31)
        node += 1
    return -1
