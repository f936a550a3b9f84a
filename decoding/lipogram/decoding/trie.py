"""The byte trie of a vocabulary: flat arrays in depth-first order, walked by compiled loops.

The root is left out. Nodes stand in lexicographic depth-first order: a node's first child, if any,
is the next node, and `skip` leads past its whole subtree, so that a walk which rejects a byte
drops every token below it in one assignment.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.kernels import exported

_UNREACHED: Final = np.int32(2**31 - 1)


@dataclass(frozen=True, slots=True, eq=False)
class TokenTrie:
    """Tokens by their bytes: N nodes, T tokens.

    `byte` uint8[N] and `depth` int32[N] (1 = a token's first byte) label the nodes; `skip`
    int32[N] is the next node outside the node's subtree, N at the end. Node n ends the tokens
    `token_ids[token_offsets[n]:token_offsets[n + 1]]`, ascending: several where tokens share
    their bytes. `roots` int32[256] is the node of each first byte, -1 if none.
    """

    byte: NDArray[np.uint8]
    skip: NDArray[np.int32]
    depth: NDArray[np.int32]
    token_offsets: NDArray[np.int32]
    token_ids: NDArray[np.int32]
    roots: NDArray[np.int32]

    @classmethod
    def build(cls, tokens: Iterable[tuple[int, bytes]]) -> TokenTrie:
        """Arrange tokens by their bytes (b"" is left out); O(total bytes), 0.2 s for 100,000.

        A token may come more than once, with different bytes.
        """
        ids, texts = array("i"), []
        for id, token in tokens:
            if token:
                ids.append(id)
                texts.append(token)
        order = sorted(range(len(ids)), key=ids.__getitem__)  # pairs would take four times as much
        order.sort(key=texts.__getitem__)
        texts = [texts[index] for index in order]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        data = np.frombuffer(b"".join(texts), np.uint8)
        byte, depth = np.empty(len(data), np.uint8), np.empty(len(data), np.int32)
        node_of_token = np.empty(len(ends) - 1, np.int64)
        nodes = _grow(data, ends, byte, depth, node_of_token)
        byte, depth = byte[:nodes].copy(), depth[:nodes].copy()
        counts = np.bincount(node_of_token, minlength=len(byte))
        roots = np.full(256, -1, np.int32)
        first = np.flatnonzero(depth == 1)
        roots[byte[first]] = first
        skip = np.empty(len(depth), np.int32)
        _skip_subtrees(depth, skip)
        return cls(
            byte,
            skip,
            depth,
            np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
            np.frombuffer(ids, np.int32)[order],
            roots,
        )

    def spell(self, text: bytes) -> list[int] | None:
        """The fewest tokens whose bytes are `text`, longest first among equals; None if none.

        Of tokens with the same bytes the highest id is taken: SentencePiece's byte pieces come
        first and only stand in for characters that have no piece. O(len(text) * longest token).
        """
        data = np.frombuffer(text, np.uint8)
        token, length = np.empty(len(text), np.int32), np.empty(len(text), np.int32)
        if not _spell(
            data,
            self.byte,
            self.skip,
            self.token_offsets,
            self.token_ids,
            self.roots,
            token,
            length,
        ):
            return None
        ids, position = [], 0
        while position < len(text):
            ids.append(int(token[position]))
            position += int(length[position])
        return ids


@exported
def _grow(
    data: NDArray[np.uint8],
    ends: NDArray[np.int64],
    byte: NDArray[np.uint8],
    depth: NDArray[np.int32],
    node_of_token: NDArray[np.int64],
) -> int:
    """Write the nodes in order of sorted texts `data[ends[i]:ends[i+1]]`; returns their number."""
    nodes, previous, previous_length = 0, 0, 0
    for token in range(len(ends) - 1):
        begin, length = ends[token], ends[token + 1] - ends[token]
        shared = 0
        while (
            shared < length
            and shared < previous_length
            and data[begin + shared] == data[previous + shared]
        ):
            shared += 1
        for offset in range(shared, length):
            byte[nodes] = data[begin + offset]
            depth[nodes] = offset + 1
            nodes += 1
        node_of_token[token] = nodes - 1
        previous, previous_length = begin, length
    return nodes


@exported
def _skip_subtrees(depth: NDArray[np.int32], skip: NDArray[np.int32]) -> None:
    """Write for each node the next one that is not deeper."""
    for node in range(len(depth) - 1, -1, -1):
        following = node + 1
        while following < len(depth) and depth[following] > depth[node]:
            following = skip[following]
        skip[node] = following


@exported
def _spell(
    data: NDArray[np.uint8],
    byte: NDArray[np.uint8],
    skip: NDArray[np.int32],
    token_offsets: NDArray[np.int32],
    token_ids: NDArray[np.int32],
    roots: NDArray[np.int32],
    token: NDArray[np.int32],
    length: NDArray[np.int32],
) -> bool:
    """Write the token to take at each position, and its length; False if the text has none."""
    size = len(data)
    count = np.full(size + 1, _UNREACHED, np.int32)
    count[size] = 0
    for begin in range(size - 1, -1, -1):
        node, end = roots[data[begin]], begin + 1
        while node >= 0:
            is_token = token_offsets[node] < token_offsets[node + 1]
            if is_token and count[end] != _UNREACHED and count[end] < count[begin]:
                count[begin] = count[end] + 1
                token[begin] = token_ids[token_offsets[node + 1] - 1]
                length[begin] = end - begin
            stop = skip[node]
            node += 1
            if end == size:
                break
            while node < stop and byte[node] != data[end]:
                node = skip[node]
            if node >= stop:
                break
            end += 1
    return bool(count[0] != _UNREACHED)
