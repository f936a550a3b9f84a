"""What residuals do with a vocabulary, kept for all grammars that contain them.

A *reach* is the tokens that a residual allows and its *crossing*: where in the trie it may have
ended and others must go on, for tokens that it does not allow by itself. A *region* is a set of
trie nodes at which to go on. Reaches are found by walking the token trie in step with the automaton
of the residual alone. Most of the trie is never walked: where a residual goes on alike by a class
of characters (strings, identifiers), the tokens that consist of it are known from their byte sets,
and only the others are looked at.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np

from lipogram.decoding.reaches.classes import (
    describe,
)
from lipogram.decoding.reaches.layout import (
    ALLOWED,
    BITS,
    BYTE,
    CHILDREN,
    DEPTH,
    LIMIT_BYTES,
    NODES,
    REGION_NODES,
    SKIP,
    TOKEN,
    TOKEN_START,
    TOKENS,
    VISITS,
    WORDS,
)
from lipogram.decoding.reaches.regions import (
    forget,
)
from lipogram.decoding.trie import TokenTrie
from lipogram.grammars.engine.memory import (
    copy_in,
    new_memory,
)

_PAGES: Final = {
    ALLOWED: LIMIT_BYTES, CHILDREN: LIMIT_BYTES, REGION_NODES: LIMIT_BYTES,
    BITS: LIMIT_BYTES // 2, VISITS: LIMIT_BYTES // 4,
}  # fmt: skip


class Reaches:
    """The reaches of one vocabulary: a memory for compiled code, and the lock to hold meanwhile."""

    def __init__(self, trie: TokenTrie, tokens: int) -> None:
        memory = self.memory = new_memory(1 << 30, _PAGES)
        self.lock = threading.Lock()
        for array, values in (
            (BYTE, trie.byte), (SKIP, trie.skip), (DEPTH, trie.depth),
            (TOKEN_START, trie.token_offsets), (TOKEN, trie.token_ids),
        ):  # fmt: skip
            copy_in(memory, array, 0, values.astype(np.int32))
        memory[NODES], memory[TOKENS] = len(trie.byte), tokens
        memory[WORDS] = -(-tokens // 32)
        describe(memory)
        forget(memory)
