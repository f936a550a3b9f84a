"""What a canvas's memory holds, next to the row of its cells: slots, the witness, searches."""

from __future__ import annotations

from typing import Final

from lipogram.grammars.engine.memory import COUNTERS, Memory, get, put
from lipogram.grammars.kernels import kernel
from lipogram.grammars.lattice.ahead import can_end

SLOTS: Final = 24  # [P, 8] by position: the cell behind it, and the witness there
SLOT_WIDTH: Final = 8
# S_HOLE and S_STOP are the hole's, S_TEXT is of a gap.
S_KIND, S_CHOICE, S_HOLE, S_STOP, S_MAY_STOP, S_TOKEN, S_STATE, S_TEXT = range(8)
TEXT, SLOT, ANY_TEXT = range(3)  # S_KIND
EMPTY: Final = -1  # instead of a token: the slot and the rest of its hole stay empty
FREE: Final = -2  # S_CHOICE: any token
FEW_SLOTS: Final = 3  # in a run, in which all tokens are tried

NODES: Final = 25  # [., 4] of ways: position, state, node before, token in the slot before
N_POSITION, N_STATE, N_BEFORE, N_TOKEN = range(4)
NOT_A_SLOT: Final = -3  # N_TOKEN
OPTIONS: Final = 26  # nodes
DEPTHS: Final = 27  # [., 4] of a search: node; next option, 0 for the witness's; first; end
WAY: Final = 28  # [., 2] cell, token: what was found; for a gap EMPTY, then its bytes
KNOWN_ENDS: Final = 30  # table (state, size of a trie, whole): where in ENDS_POOL its ends are
ENDS_POOL: Final = 32  # [., 2] state, token
MET: Final = 35  # table (state, search, what is met there)
KINDS: Final = 37  # table (two halves of what a state is like, search): how many there are
PATH: Final = 39  # tokens
SEEN: Final = 40  # table (position, state, search)
LAYERS: Final = 42  # nodes, from which one more token may lead on
LEFT: Final = 43  # by position: what fillings of the cells before lead to, of `first`
UNIONS: Final = 44  # table (state, size of a trie, whole): what any of its tokens lead to
STRETCHES: Final = 46  # see `stretches`
BEFORE: Final = 47  # by stretch and position: what it leads to
ON: Final = 48  # by position: what it leads to with a token that is asked for
ASKED: Final = 50  # [., 2] state, token: what may stand in a slot that is asked for
MARKS: Final = 49  # by state: of masks
CALLS: Final = COUNTERS + 3
PROOF: Final = COUNTERS + 7  # the front from which nothing goes on with a token; 0: not known
FINDS: Final = COUNTERS + 5
HAS_ROW: Final = COUNTERS + 6  # whether a row of the witness tells what can come
IS_MUNCHED: Final = COUNTERS + 4  # whether gaps rule nothing out


@kernel
def slot_field(k: Memory, position: int, column: int) -> int:
    return get(k, SLOTS, SLOT_WIDTH * position + column)


@kernel
def set_slot_field(k: Memory, position: int, column: int, value: int) -> None:
    put(k, SLOTS, SLOT_WIDTH * position + column, value)


@kernel
def is_possible(m: Memory, k: Memory, state: int, position: int) -> bool:
    """Whether a state can be completed, as far as texts and gaps tell."""
    return k[IS_MUNCHED] != 0 or can_end(m, k, state, position)
