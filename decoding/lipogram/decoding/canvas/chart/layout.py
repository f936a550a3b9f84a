"""What a chart's memory holds."""

from __future__ import annotations

from typing import Final

from lipogram.grammars.engine.memory import COUNTERS

ENTRY_AT: Final = 8  # table (residual, frame, column and flags): one more than the entry
ENTRIES: Final = 10  # [., 9]
OWN_FRAME_AT: Final = 11  # table (rule, column, whether a pump has been met): one more than it is
OWN_FRAMES: Final = 13  # [., 4] of rules called in the chart
OWN_CALLERS: Final = 14  # [., 3] entry, rest, the next one of the frame; numbers are one more
ENDED: Final = 15  # [., 2] entry that ends a rule in the room where it was called, the next one
QUEUE: Final = 16  # [., 2] entry, the next of the same cost
BUCKETS: Final = 17  # by cost: one more than a place in QUEUE
COLUMNS: Final = 18  # [., 11]
MASK_BYTES: Final = 19  # by byte set: a byte of it that is a token, two more; 1: none
DEAD_ENDS: Final = 20  # table (residual, frame, place): see `opening`
OPEN_STEPS: Final = 22
TRAIL: Final = 23  # see `tracing`
WAITING: Final = 24
CHAIN: Final = 25
FIRST_BYTES: Final = 26  # [rules, 4] words: bytes with which a rule can begin
IS_FIRST_KNOWN: Final = 27  # by rule
ROOTS: Final = 28  # by byte: one more than where the trie of all tokens has it first
JUMPS: Final = 29  # [., 2] residual, node of that trie
PREFIXES: Final = 30  # [., 5] see `bridging`
IS_SMALL: Final = 31  # by byte set: 1 for one of few bytes, 2 for others
WITHIN: Final = 32  # table (room, place in a trie): one more than the column
NEXT_BYTES: Final = 34  # [columns, 4] words: how a token can go on
SOME_ROOTS: Final = 35  # as ROOTS, of a trie of some tokens
ALIKE_AT: Final = 36  # table (two parts of a column's signature, the first column): see `alike`
STEPS: Final = 38  # table (column, byte): where it leads, one more than the column; -1 nowhere
SIGNATURES: Final = 40  # [columns] words
POSSIBLE_AT: Final = 41  # table as ALIKE_AT: 1 where any texts may follow, 2 where none can
FOUND: Final = COUNTERS + 50  # the entry that is completed, and the step of `opening`
FOUND_STEP: Final = COUNTERS + 51
IS_THOROUGH: Final = COUNTERS + 53  # whether entries of a small room are kept for each cost
ROUND: Final = COUNTERS + 52  # of `opening`: dead ends of earlier ones may lead on by now

ENTRY_WIDTH: Final = 9
# E_DEBT is of an entry whose rule was called in a room before: twice the bytes that it has used
# there, plus one if there was a pump.
(E_NODE, E_FRAME, E_COLUMN, E_FLAGS, E_COST, E_HOW, E_FROM, E_WITH, E_DEBT) = range(ENTRY_WIDTH)
CONSUMED, PUMPED, DONE, KERNEL = 1, 2, 4, 8  # E_FLAGS; the first two tell entries apart
# E_HOW; KERNEL up to JUMP
BEGUN, MOVED, PART, BYTE, PUMP, JUMP, SAME, CALLED, RETURNED = range(9)
OWN_WIDTH: Final = 4
O_COLUMN, O_CALLER, O_END, O_BASE = range(OWN_WIDTH)
OWN: Final = 1 << 28  # from which frames are those of the chart
COLUMN_WIDTH: Final = 11
# The most tokens, -1 in front of a byte; whether there must be so many; the first slot and where
# the rest may be left empty; the column before; the first entry and the end of all; what a token
# costs in a room, in front of a byte what it is (-1: not known); the room of which the column is,
# and how far a token has come there: 0, or see `tokens`; whether it is a gap for any text.
(K_SIZE, K_IS_EXACT, K_CELL, K_STOP, K_BEFORE, K_FIRST, K_END, K_BYTE, K_ROOM,
 K_AT, K_IS_GAP) = range(COLUMN_WIDTH)  # fmt: skip
CURSOR: Final = COUNTERS + 45
ENTRY_LIMIT: Final = COUNTERS + 46
NODE_LIMIT: Final = COUNTERS + 47
IS_BUSY: Final = COUNTERS + 48  # left by a question that ran out of work
MODE: Final = COUNTERS + 49  # what may come in rooms
BYTES, TOKENS = range(2)
WORN: Final = 200_000  # entries, with which a chart is begun anew
