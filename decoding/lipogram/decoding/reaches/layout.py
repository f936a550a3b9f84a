"""What a vocabulary's memory holds: its arrays, what their rows are, and its counters."""

from __future__ import annotations

from typing import Final

from lipogram.grammars.engine.memory import COUNTERS

# Arrays of a vocabulary's memory. Nodes are those of its trie.
BYTE: Final = 8
SKIP: Final = 9
DEPTH: Final = 10
TOKEN_START: Final = 11
TOKEN: Final = 12
CHARGE: Final = 13  # the class byte that a node needs: ASCII or lead; -1 none; 255 no character
BELOW: Final = 14  # [., 4] words: the class bytes that the nodes below one need; see BELOW_AT
CHARS_BELOW: Final = 15  # the most characters of a token below the node
IS_OPEN: Final = 16  # whether the node stands inside a character
CHARS: Final = 17  # by token: its characters
CLASS_ROWS: Final = 18  # [., 4]
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
# Scratch.
OPEN: Final = (
    31  # [., 3] nodes on the path before which a residual may end: stop, node, tokens so far
)
PATH: Final = 34  # by depth: twice the row of the state there, plus one if it is complete
TOKENS_OUT: Final = 35
CROSSED: Final = 36
NODE_BITS: Final = 37
LEFT_OUT: Final = 41  # [., 2] ranges of nodes
REGION_BYTES: Final = 45  # [., 4] words: the bytes by which a region goes on
# Scratch of one mask. What has numbers: regions, residuals, places to return to, parts, meetings.
KEYS: Final = 38  # [., 4] generation and kind, what two numbers it is, its own
KEY_SLOTS: Final = 39  # the same by hash
STANDING: Final = 40  # by number: the region
RESIDUALS: Final = 42  # [., 4]
PLACES: Final = 43  # [., 4]
PARTS: Final = 44  # [., 4]
REACHED: Final = 46  # by meeting of a residual and a region: the reach
CROSSINGS: Final = 47  # by meeting: twice the number of the crossing, 0: none; plus one if complete
LINKS: Final = 48  # [., 2] a part that waits, the next in its list
QUEUE: Final = 49  # parts to go on with
RELEVANT: Final = 50  # sets of regions: at which a residual can go on
RETURNED: Final = 51  # at which a place was returned to
DONE: Final = 52  # at which a part stands
FRESH: Final = 53  # and has not gone on yet
RESTS_FOUND: Final = 55  # of one residual
BYTES_BELOW: Final = 56  # by node: the most bytes of a token below it, from the node on
BELOW_AT: Final = 58  # by node: its row of BELOW, which others may share
SHORT_BYTES: Final = 57  # by bytes: one more than where in BITS the tokens of at most so many are
LONG: Final = 31  # tokens of more than FEW_CHARS characters
IMAGE: Final = 54  # one such set: where what has been gone on with leads

(NODES, TOKENS, WORDS, CLASSES, VISIT_COUNT, BITS_COUNT, REGIONS, REGION_NODE_COUNT, CHILD_COUNT,
 ALLOWED_COUNT, REACHES, TOKEN_COUNT_OUT, CROSSED_COUNT, GENERATION, MAX_CHARS, LEFT_OUT_COUNT,
 KEY_COUNT, LINK_COUNT, MAX_BYTES, QUEUED, WIDTH, LONG_COUNT,
 NUMBERED) = range(COUNTERS, COUNTERS + 23)  # fmt: skip

CLASS_WIDTH: Final = 4
K_STAY, K_VISIT, K_VISIT_END = range(3)
REGION_WIDTH: Final = 8
G_START, G_END, G_INDEX = range(3)  # G_INDEX is 1 more than the place of 257 offsets in CHILDREN
REACH_WIDTH: Final = 8
H_REGION, H_START, H_COUNT, H_IS_BITS, H_CROSSING, H_COMPLETE = range(6)
KEY_WIDTH: Final = 4
KINDS: Final = 6  # NUMBERED is the counter of the first, the others' follow
LAST_GENERATION: Final = (1 << 31) // KINDS - 1
REGION, RESIDUAL, PLACE, PART, MEETING, WAITING = range(KINDS)
RESIDUAL_WIDTH: Final = 4
S_NODE, S_CALLS, S_CHECKED = range(3)  # S_CHECKED: how many regions
NO_CALLS, SOME, ONLY_NAMELESS = range(3)  # S_CALLS; UNREAD until it is gone on with
PLACE_WIDTH: Final = 4
W_FRAME, W_REGION, W_CALLERS = range(3)  # W_FRAME: -1 - rule where it is called at W_REGION
PART_WIDTH: Final = 4
P_RESIDUAL, P_PLACE, P_IS_QUEUED = range(3)
UNREAD: Final = -1  # also W_CALLERS of a frame whose callers are not linked yet
WHOLE: Final = 0  # the region of the whole trie
NOWHERE: Final = 1
ENDLESS: Final = 1 << 20
FEW_BYTES: Final = 16  # a class of fewer is walked like anything else
MANY_ALIKE: Final = 160  # bytes by which a state goes on as its base does
FEW_NODES: Final = 48  # so is a part of the trie with fewer
FEW_RESTS: Final = 512  # a residual that can come to more is taken with its limits
FEW_CHARS: Final = 16
LEAST_SPAN: Final = 24
SHORT_SPANS: Final = (96, 64, 48, 32, LEAST_SPAN)  # bytes up to which tokens are taken together
NO_CHARACTER: Final = 255
LIMIT_BYTES: Final = 64 << 20
