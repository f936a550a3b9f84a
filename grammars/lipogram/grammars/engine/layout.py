"""What an engine's memory holds: its arrays, what their rows are, and its counters."""

from __future__ import annotations

from typing import Final

from lipogram.grammars.engine.memory import COUNTERS

# Arrays that are read without a lock.
ROWS: Final = 0  # [R, 256] successors of an expanded state, 0 where there is none; row 0 is unused
ROW_OF: Final = 1  # [S] twice the state's row, plus one if complete; 0 while it is not expanded

# Residual nodes and what they are made of.
NODES: Final = 8  # [N, 16]
HASHES: Final = 9  # [N, 2] words
NODE_SLOTS: Final = 10  # open addressing: node
LISTS: Final = 11  # members of choices and intersections
EDGES: Final = 12  # [., 2] byte set, rest
CALLS: Final = 13  # [., 2] rule, rest
MASKS: Final = 14  # [., 4] words: byte sets; the first 256 are the single bytes
MASK_SLOTS: Final = 15
TEXTS: Final = 16  # one byte an element
TEXT_STARTS: Final = 17
PROGRAM: Final = 18  # all rules as postfix code
RULES: Final = 19  # [., 8]
FAMILIES: Final = 20  # [., 16]
FAMILY_ITEMS: Final = 21  # [., 8]
SETS: Final = 22  # words: sets of items that have come
SET_SLOTS: Final = 23
REGULARS: Final = 24  # [., 4]

# Configurations.
STATES: Final = 26  # [S, 8]
ITEMS: Final = 27  # [., 2] node, frame
STATE_SLOTS: Final = 28
FRAMES: Final = 29  # [., 8]
CALLERS: Final = 30  # [., 2] node, frame
FRAME_SLOTS: Final = 31

# Scratch.
STACK: Final = 34
LIST: Final = 35
BUILD: Final = 36
PENDING: Final = 37  # [., 3] node, frame, whether a lexeme has just ended
SEEN: Final = 38  # [., 2] generation, index in PENDING
OWN: Final = 39  # [rules, 2] generation, index of the frame
FOUND: Final = 40  # [., 4] byte set, rest, frame, another edge with the set
CALLED: Final = 41  # [., 4] own frame, rest, frame, flags of the rule
KEYS: Final = 42  # words
HEAP: Final = 43  # [., 3]
SEARCH: Final = 44  # [N, 4]
OUTPUT: Final = 45
REGISTERS: Final = 46
DERIVING: Final = 47
SPELLING: Final = 48
OPTIONS: Final = 49
MEASURING: Final = 50
VISITED: Final = 51
FIRSTS: Final = 52  # [N, 4] words: the bytes that a node can go on by, as far as known
LOOSE: Final = 32  # [N, 4] one more than the node without limits, by degree; their least, by degree
LOOSENING: Final = 33
LIVING: Final = 25
RESTS: Final = 55  # [N] one more than the most bytes that a rest is from a member; 0: not known
EDGES_ONLY: Final = 53  # [N] one more than the node without its calls; 0: not known

# Columns of NODES.
NODE_WIDTH: Final = 16
OP, A, B, C, D, FLAGS, LENGTH, RANK, LONGEST = range(9)
EDGE_START, EDGE_END, CALL_START, CALL_END = range(9, 13)  # EDGE_START is 1 more; 0: not derived
ALIVE: Final = 13  # of boolean nodes: 0 not known, 1 alive, 2 dead
EXACT: Final = 14  # of boolean nodes: 1 more than the exact length; 0: not known
UNFOLDED: Final = 15  # of runs: the equal node whose heads they share
NULLABLE, BOOLEAN, CALLING = 1, 2, 4  # FLAGS

(NOTHING_OP, EMPTY_OP, CONS, SEQUENCE, CHOICE, REPEAT, BOTH, NOT, CALL, LITERALS,
 MEMBERS) = range(11)  # fmt: skip
NAME: Final = 11  # no expression: LENGTH holds the call of the nameless rule of body A
NOTHING, EMPTY = 0, 1  # the first two nodes
INFINITE: Final = 1 << 30
UNBOUNDED: Final = -1

RULE_WIDTH: Final = 8
R_PROGRAM, R_BODY, R_FLAGS, R_LENGTH, R_RANK = range(5)  # R_BODY is 1 more; 0: not built
NAMELESS, LEXEME, SKIPPABLE = 1, 2, 4  # R_FLAGS, F_FLAGS; SKIPPABLE: may be empty

FAMILY_WIDTH: Final = 16
(F_FIRST, F_COUNT, F_OTHERS, F_SEPARATOR, F_MINIMUM, F_MAXIMUM, F_ANY_ORDER, F_TOP,
 F_OTHERS_LENGTH, F_OTHERS_RANK, F_SEPARATOR_LENGTH, F_SEPARATOR_RANK, F_OTHERS_NODE,
 F_SEPARATOR_NODE) = range(14)  # fmt: skip
ITEM_WIDTH: Final = 8
(I_PROGRAM, I_NODE, I_REQUIRED, I_LENGTH, I_RANK, I_NEEDED_LENGTH, I_NEEDED_COUNT,
 I_NEEDED_RANK) = range(8)  # fmt: skip

REGULAR_WIDTH: Final = 4
G_PROGRAM, G_NODE, G_LENGTH = range(3)  # G_NODE is 1 more

STATE_WIDTH: Final = 8
S_START, S_END = range(2)
FRAME_WIDTH: Final = 8
(CALLER_START, CALLER_END, FRAME_HASH, FRAME_FLAGS, EXIT_LENGTH, EXIT_NODE, EXIT_FRAME,
 EXIT_STAMP) = range(8)  # fmt: skip
ROOT: Final = 0  # the frame of the whole text

(NODE_COUNT, LIST_COUNT, EDGE_COUNT, CALL_COUNT, MASK_COUNT, RULE_COUNT,
 FAMILY_COUNT, ITEM_COUNT, SET_COUNT, REGULAR_COUNT, STATE_COUNT, STATE_ITEM_COUNT, FRAME_COUNT,
 CALLER_COUNT, ROW_COUNT, GENERATION, NONCE, ANYTHING, MAX_NODES, MAX_STATES, SEARCHES,
 NAMED_COUNT, SECRET) = range(COUNTERS, COUNTERS + 23)  # fmt: skip
