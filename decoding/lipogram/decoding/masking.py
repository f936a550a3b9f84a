"""From byte rules to token rules: which tokens of a vocabulary may come next.

A state is a set of items: a residual expression and the frame it returns to. Most of a mask
depends on the residual alone, so that is what is computed and kept: the tokens that stay inside a
residual, and the *crossing*, the trie nodes where it ends with a token half read. What a token does
after a crossing depends on the residuals that wait in the frame, and so on down the stack, as far
as the token's bytes reach and no further. States at different depths, of different requests, share
all of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from hashlib import blake2b
from time import thread_time

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lipogram.decoding.reaches import Reach
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, BudgetExceeded, State
from lipogram.grammars.expansion import DONE, expand
from lipogram.grammars.table import COMPLETE, ROW, Table

_CACHE_BYTES = 64 << 20
_MASK_S = 0.5  # of CPU time for one mask: everybody else waits meanwhile
_STRIDE = 64  # states made before the time is looked at
_WHOLE_TRIE = 0  # regions: sets of trie nodes below which to go on; the first two are always there
_NOWHERE = 1

Part = tuple[int, int]  # (residual, region)


class Masker:
    """An automaton read through a vocabulary; shared by all requests that use the two.

    States are the automaton's. A token is allowed iff its bytes lead to a live state; tokens
    without bytes never are, except end-of-sequence, which is allowed iff the text is complete.
    """

    def __init__(self, automaton: Automaton, vocabulary: Vocabulary) -> None:
        self.automaton = automaton
        self.vocabulary = vocabulary
        self._trie = vocabulary.trie
        trie = self._trie
        self._arrays = (
            trie.byte,
            trie.skip,
            trie.depth,
            trie.token_offsets,
            trie.token_ids,
        )
        self._words = -(-len(vocabulary) // 32)
        self._lock = threading.Lock()
        self._deadline_s = 0.0
        self._forget()
        if not _explore_below.signatures:  # compile now: no mask should wait for that
            self._explore(automaton.items(automaton.start())[0][0], _NOWHERE)
            _set_bits(np.zeros(1, np.int32), np.zeros(1, np.int32))
            _union(np.zeros(1, np.int32), np.zeros(1, np.int32))

    def _forget(self) -> None:
        self._regions: list[NDArray[np.int32]] = []
        self._region_ids: dict[bytes, int] = {}
        self._region(np.array([-1], np.int32))  # _WHOLE_TRIE
        self._region(np.empty(0, np.int32))  # _NOWHERE
        self._reaches: dict[Part, tuple[Reach, int]] = {}
        self._by_state: dict[State, NDArray[np.int32]] = {}
        self._by_parts: dict[frozenset[Part | None], NDArray[np.int32]] = {}
        self._held_bytes = 0

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the masker holds now, without the automaton's."""
        return self._held_bytes + 100 * len(self._by_state)

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

        Cost: a copy where the state, or one that differs out of a token's reach, was seen before.
        Raises BudgetExceeded where it would take longer than others should wait.
        """
        np.copyto(out, self.mask(state))

    def mask(self, state: State) -> NDArray[np.int32]:
        """The same as a read-only array that is shared by all visits of the state."""
        mask = self._by_state.get(state)
        if mask is None:
            with self._lock:
                if self.size_bytes > _CACHE_BYTES:
                    self._forget()
                self._deadline_s = thread_time() + _MASK_S
                parts = self._parts(state)
                mask = self._by_parts.get(parts)
                if mask is None:
                    mask = self._by_parts[parts] = self._combine(parts)
                    self._held_bytes += mask.nbytes
                self._by_state[state] = mask
        return mask

    def _parts(self, state: State) -> frozenset[Part | None]:
        """The residuals that a token can reach, each with the region it is reached in.

        None stands for the end of the text: then end-of-sequence is allowed.
        """
        todo = [(node, frame, _WHOLE_TRIE) for node, frame in self.automaton.items(state)]
        seen = set(todo)
        parts: set[Part | None] = set()
        while todo:
            node, frame, region = todo.pop()
            part = (node, region)
            parts.add(part)
            crossing = self._reach(part)[1]
            if crossing != _NOWHERE:
                for rest, beyond in self.automaton.callers(frame):
                    item = (rest, beyond, crossing)
                    if item not in seen:
                        seen.add(item)
                        todo.append(item)
        if self.automaton.is_complete(state):
            parts.add(None)
        return frozenset(parts)

    def _reach(self, part: Part) -> tuple[Reach, int]:
        """The reach of a part, and its crossing as a region; from other grammars if known."""
        found = self._reaches.get(part)
        if found is None:
            node, region = part
            digest = self.automaton.digest(node)
            shared = self.vocabulary.reaches
            key = None
            reach = None
            self._check_time()
            if digest is not None:
                key = (digest, blake2b(self._regions[region].tobytes(), digest_size=16).digest())
                reach = shared.get(key)
            if reach is None:
                reach = self._explore(node, region)
                if key is not None:
                    shared.put(key, reach)
            found = self._reaches[part] = reach, self._region(reach.crossing)
            self._held_bytes += reach.size_bytes
        return found

    def _combine(self, parts: Iterable[Part | None]) -> NDArray[np.int32]:
        words = np.zeros(self._words, np.int32)
        for part in parts:
            if part is None:
                _set_bits(words, np.array(self.vocabulary.eos_ids, np.int32))
                continue
            reach, _ = self._reaches[part]
            if reach.is_bitset:
                np.bitwise_or(words, reach.tokens, out=words)
            else:
                _set_bits(words, reach.tokens)
        words.flags.writeable = False
        return words

    def _explore(self, node: int, region: int) -> Reach:
        """Walk the trie below the region with the automaton of the residual alone."""
        automaton = self.automaton
        start = automaton.residual(node)
        roots = self._regions[region]
        tokens = np.zeros(self._words, np.int32)
        crossing = np.zeros(-(-len(self._trie.byte) // 32), np.int32)
        stack = np.empty(self.vocabulary.longest_token_bytes + 1, np.int32)
        cursor = np.array([0, roots[0] + 1 if len(roots) else 0], np.int64)
        with automaton.lock:
            while (
                state := _explore_below(
                    automaton.table, roots, start, cursor, stack, *self._arrays, tokens, crossing
                )
            ) >= 0:
                automaton.expand(state)
                self._check_time()
        crossed = _set_members(crossing)
        if automaton.is_complete(start):
            crossed = _union(crossed, roots)
        ids = _set_members(tokens)
        is_bitset = len(ids) > self._words
        return Reach(tokens if is_bitset else ids, is_bitset, crossed)

    def _check_time(self) -> None:
        if thread_time() > self._deadline_s > 0:
            raise BudgetExceeded(f"one mask of the grammar takes more than {_MASK_S} s")

    def _region(self, nodes: NDArray[np.int32]) -> int:
        key = nodes.tobytes()
        region = self._region_ids.setdefault(key, len(self._regions))
        if region == len(self._regions):
            self._regions.append(nodes)
        return region


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _set_bits(words: NDArray[np.int32], ids: NDArray[np.int32]) -> None:
    for token in ids:
        words[token >> 5] |= np.int32(np.uint32(1) << np.uint32(token & 31))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _union(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int32]:
    """The members of two sorted sets, sorted."""
    members = np.empty(len(left) + len(right), np.int32)
    count = i = j = 0
    while i < len(left) or j < len(right):
        if j == len(right) or (i < len(left) and left[i] <= right[j]):
            if j < len(right) and left[i] == right[j]:
                j += 1
            members[count] = left[i]
            i += 1
        else:
            members[count] = right[j]
            j += 1
        count += 1
    return members[:count]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _set_members(words: NDArray[np.int32]) -> NDArray[np.int32]:
    count = 0
    for word in words:
        bits = np.uint32(word)
        while bits:
            bits &= bits - np.uint32(1)
            count += 1
    members = np.empty(count, np.int32)
    count = 0
    for index in range(len(words)):
        bits = np.uint32(words[index])
        position = index << 5
        while bits:
            if bits & np.uint32(1):
                members[count] = position
                count += 1
            bits >>= np.uint32(1)
            position += 1
    return members


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _explore_below(
    table: Table,
    roots: NDArray[np.int32],
    start: State,
    cursor: NDArray[np.int64],
    stack: NDArray[np.int32],
    byte: NDArray[np.uint8],
    skip: NDArray[np.int32],
    depth: NDArray[np.int32],
    token_offsets: NDArray[np.int32],
    token_ids: NDArray[np.int32],
    tokens: NDArray[np.int32],
    crossing: NDArray[np.int32],
) -> int:
    """Depth first below each root of the token trie (-1: all of it), from `start`.

    Sets the bits of the tokens that stay alive and of the inner nodes where the state is complete.
    `stack[d]` is the state at depth d. Returns -1 at the end, or a state that Python should
    expand; then go on from `cursor` (root index, node).
    """
    states, rows = table.states, table.rows
    index, node = cursor
    made = 0
    if expand(table, start) != DONE:
        return start
    while index < len(roots):
        root = roots[index]
        end = len(byte) if root < 0 else skip[root]
        stack[0 if root < 0 else depth[root]] = start
        while node < end:
            level = depth[node]
            successor = rows[states[stack[level - 1], ROW], byte[node]]
            if successor < 0:
                node = skip[node]
                continue
            stack[level] = successor
            if skip[node] > node + 1:
                if states[successor, ROW] < 0:
                    made += 1
                    if made > _STRIDE or expand(table, successor) != DONE:
                        cursor[0], cursor[1] = index, node
                        return int(successor)
                if states[successor, COMPLETE]:
                    crossing[node >> 5] |= np.int32(np.uint32(1) << np.uint32(node & 31))
            for position in range(token_offsets[node], token_offsets[node + 1]):
                token = token_ids[position]
                tokens[token >> 5] |= np.int32(np.uint32(1) << np.uint32(token & 31))
            node += 1
        index += 1
        if index < len(roots):
            node = roots[index] + 1
    return -1
