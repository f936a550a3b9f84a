"""What a vocabulary's memory holds: its arrays, what their rows are, and its counters."""

from __future__ import annotations

from typing import Final

# Arrays of a vocabulary's memory. Nodes are those of its trie.
BYTE: Final = 8
SKIP: Final = 9
DEPTH: Final = 10
TOKEN_START: Final = 11
TOKEN: Final = 12
CHARGE: Final = 13  # the class byte that a node needs: ASCII or lead; -1 none; 255 no character
BELOW: Final = 14  # [N, 4] words: the class bytes that the nodes below need
CHARS_BELOW: Final = 15  # the most characters of a token below the node
IS_OPEN: Final = 16  # whether the node stands inside a character
CHARS: Final = 17  # by token: its characters
CLASS_ROWS: Final = 18  # [., 8]
CLASS_WORDS: Final = 19  # [., 4] words
VISITS: Final = 20  # [., 2] node (-1 - node for one outside the class), where to go on without it
BITS: Final = 21  # bit sets of tokens
SHORT: Final = 22  # by count of characters: 1 more than where in BITS the tokens of so many are
REGION_ROWS: Final = 23  # [., 8]
REGION_NODES: Final = 24
REGION_SLOTS: Final = 25
CHILDREN: Final = 26
REACH_ROWS: Final = 27  # [., 8]
REACH_KEYS: Final = 28  # [., 2] words
REACH_SLOTS: Final = 29
ALLOWED: Final = 30
INNER: Final = 31  # nodes with children inside a class
# Scratch.
PATH: Final = 34  # by depth: the row of the state there
TOKENS_OUT: Final = 35
CROSSED: Final = 36
NODE_BITS: Final = 37
PENDING: Final = 38  # [., 3] residual, frame, region
SEEN: Final = 39  # [., 2]
PARTS: Final = 40
LEFT_OUT: Final = 41  # [., 2] ranges of nodes
OWN: Final = 42  # [., 4] frames of rules that are called within a mask
OWN_SLOTS: Final = 44
REGION_BYTES: Final = 45  # [., 4] words: the bytes by which a region goes on
LINKS: Final = 43  # [., 3] a pair, the next in its list

_COUNTERS: Final = 128
(NODES, TOKENS, WORDS, CLASSES, VISIT_COUNT, BITS_COUNT, REGIONS, REGION_NODE_COUNT, CHILD_COUNT,
 REACHES, ALLOWED_COUNT, INNER_COUNT, TOKEN_COUNT_OUT, CROSSED_COUNT, GENERATION, MAX_CHARS,
 LEFT_OUT_COUNT, OWN_COUNT, LINK_COUNT, MAX_BYTES) = range(_COUNTERS, _COUNTERS + 20)  # fmt: skip

CLASS_WIDTH: Final = 8
K_STAY, K_VISIT, K_VISIT_END, K_INNER, K_INNER_END = range(5)
REGION_WIDTH: Final = 8
G_START, G_END, G_INDEX = range(3)  # G_INDEX is 1 more than the place of 257 offsets in CHILDREN
REACH_WIDTH: Final = 8
H_REGION, H_START, H_COUNT, H_IS_BITS, H_CROSSING, H_COMPLETE = range(6)
OWN_WIDTH: Final = 4
O_REGION, O_CALLERS, O_RETURNS = 1, 2, 3  # after the rule
WHOLE: Final = 0  # the region of the whole trie
NOWHERE: Final = 1
ENDLESS: Final = 1 << 20
FEW_BYTES: Final = 16  # a class of fewer is walked like anything else
MANY_ALIKE: Final = 160  # bytes by which a state goes on as its base does
FEW_NODES: Final = 48  # so is a part of the trie with fewer
NO_CHARACTER: Final = 255
LIMIT_BYTES: Final = 64 << 20
