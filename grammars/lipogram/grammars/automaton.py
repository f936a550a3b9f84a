"""The compiled grammar: one lazily expanded recursive state machine over bytes.

Left to right it runs as an Earley recogniser whose item sets are hash-consed (`engine.states`), so
that a whole configuration, stack included, is one small integer. What is here is the door to the
compiled engine: its memory, its budgets, its lock.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from lipogram.grammars import ir, special_tokens
from lipogram.grammars.arrays import view
from lipogram.grammars.coding import Coder
from lipogram.grammars.engine import exits
from lipogram.grammars.engine.layout import (
    EDGE_COUNT,
    MAX_NODES,
    MAX_STATES,
    NODE_COUNT,
    NONCE,
    ROW_COUNT,
    ROW_OF,
    ROWS,
    SECRET,
    STATE_COUNT,
)
from lipogram.grammars.engine.memory import FUEL, HELD_BYTES, new_memory
from lipogram.grammars.engine.settling import begin
from lipogram.grammars.engine.states import row_of
from lipogram.grammars.errors import (
    BudgetExceeded,
    EmptyLanguage,
    NoMiddle,
    PrefixMismatch,
    SuffixMismatch,
)
from lipogram.grammars.quotient import Quotients

State = int

_FORCED_LIMIT_BYTES = 1 << 16
_WORK_PER_S = 100_000_000
# All hashes of residuals begin with it: what is kept by hash is shared between users' grammars.
_SECRET = secrets.randbits(62)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one grammar may use, over the automaton's life; exceeding it raises BudgetExceeded.

    Times are counted in steps of work, so that a busy machine is no excuse: a second is about as
    much as an idle core does in one.
    """

    max_rules: int = 100_000
    max_depth: int = 200
    max_nodes: int = 1_000_000
    max_states: int = 100_000
    max_bytes: int = 200 << 20
    max_shortest_bytes: int = 1 << 20
    max_compile_s: float = 0.5
    max_step_s: float = 1.0  # for one state's successors: servers expand between requests' steps
    max_read_s: float = 2.0  # for reading a prefix or a suffix that is given


def compile(grammar: ir.Grammar, *, budget: Budget | None = None) -> Automaton:
    """The automaton of a grammar: immutable to its users, to be shared by threads and requests.

    Cost: linear in the size of the grammar; states are made when first visited.
    Raises EmptyLanguage, BudgetExceeded, GrammarError.
    """
    return Automaton(grammar, budget or Budget())


class Automaton:
    """Answers which bytes may come next. States are integers, valid for this automaton only.

    Equal states have equal futures.
    """

    max_tried_bytes = 20_000  # before a search for a completion gives up: about 0.1 s

    def __init__(self, grammar: ir.Grammar, budget: Budget, prefix: bytes = b"") -> None:
        """The automaton of what completes `prefix`."""
        if len(grammar.rules) > budget.max_rules:
            raise BudgetExceeded(f"the grammar has more than {budget.max_rules} rules")
        self.grammar = grammar
        self.report = grammar.report
        self.lock = threading.RLock()
        self._budget = budget
        self._prefix = b""
        self._quotients = Quotients(grammar, partial(Automaton, budget=budget))
        coder = Coder(grammar, budget.max_depth)
        self.runs = coder.runs
        memory = self.memory = new_memory(budget.max_bytes)
        memory[MAX_NODES], memory[MAX_STATES] = budget.max_nodes, budget.max_states
        memory[NONCE], memory[SECRET] = secrets.randbits(62), _SECRET
        memory[FUEL] = int(budget.max_compile_s * _WORK_PER_S)
        self._seen = (0, 0)
        self._stops: list[str] = []  # shared by those that share the memory
        try:
            coder.load(memory)
            self._start = begin(memory, coder.number(grammar.start))
            length = exits.shortest_length(memory, self._start) if self._start else 0
        except MemoryError:
            raise self.exceeded("the grammar takes too long to compile") from None
        if self._start == 0:
            raise EmptyLanguage("no text satisfies the grammar")
        self._look()
        if prefix:
            self._start, self._prefix = self.after(prefix), prefix
            length = self.shortest_length(self._start)
        self._check_shortest(length)

    def __reduce__(self) -> tuple[type[Automaton], tuple[ir.Grammar, Budget, bytes]]:
        return Automaton, (self.grammar, self._budget, self._prefix)

    def fresh(self) -> Automaton:
        """The same automaton with a memory of its own, in which nothing has been visited."""
        kind, arguments = self.__reduce__()
        return kind(*arguments)

    def __len__(self) -> int:
        """The number of states made so far."""
        return int(self.memory[STATE_COUNT]) - 1

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the automaton holds now."""
        memory = self.memory
        rows, nodes, edges = memory[ROW_COUNT], memory[NODE_COUNT], memory[EDGE_COUNT]
        own = int(memory[HELD_BYTES] + 1024 * rows + 80 * nodes + 8 * edges + 40 * len(self))
        return own + self._quotients.size_bytes

    @property
    def is_worn(self) -> bool:
        """Whether another should take its place: half of a budget is used up, or it was stopped."""
        memory, budget = self.memory, self._budget
        return bool(
            self._stops
            or 2 * memory[ROW_COUNT] > budget.max_states
            or 2 * memory[NODE_COUNT] > budget.max_nodes
            or 2 * memory[HELD_BYTES] > budget.max_bytes
        )

    @property
    def max_shortest_bytes(self) -> int:
        """The length beyond which `shortest` refuses to spell."""
        return self._budget.max_shortest_bytes

    def start(self) -> State:
        """The state before the first byte."""
        return self._start

    def step(self, state: State, byte: int) -> State | None:
        """The state after one more byte, or None if no member goes on so."""
        return self.walk(state, (byte,))

    def walk(self, state: State, text: Iterable[int]) -> State | None:
        """The state after all bytes of `text`, or None."""
        row_of, rows = self._row_of, self._rows
        for byte in text:
            try:
                successor = rows[(row_of[state] >> 1 << 8) + byte]
            except IndexError:  # made since, in a longer array
                successor = 0
            if not successor:  # row 0, of states that are not expanded, leads nowhere
                row = self._expanded(state)
                row_of, rows = self._row_of, self._rows
                successor = rows[(row >> 1 << 8) + byte]
                if not successor:
                    return None
            state = successor
        return state

    def next_bytes(self, state: State) -> frozenset[int]:
        """The bytes that some member has next; empty only if the state is complete."""
        row = self._expanded(state) >> 1 << 8
        successors = self._rows[row : row + 256]
        return frozenset(byte for byte in range(256) if successors[byte])

    def is_complete(self, state: State) -> bool:
        """Whether the text so far is itself a member."""
        try:
            row = self._row_of[state]
        except IndexError:
            row = 0
        return bool((row or self._expanded(state)) & 1)

    def accepts(self, text: bytes) -> bool:
        """Whether `text` is a member."""
        state = self.walk(self._start, text)
        return state is not None and self.is_complete(state)

    def is_live(self, text: bytes) -> bool:
        """Whether some member begins with `text`."""
        return self.walk(self._start, text) is not None

    def forced(self, state: State) -> bytes:
        """The bytes that every continuation begins with (at most 64 KiB of them)."""
        with self.working():
            out = np.empty(exits.forced_bytes(self.memory, state, _FORCED_LIMIT_BYTES), np.uint8)
            exits.spell_out(self.memory, out)
        self._look()
        return out.tobytes()

    def shortest(self, state: State) -> bytes:
        """A shortest text that completes the state. Cost: its length and the stack's depth.

        Raises BudgetExceeded where it would be longer than the budget's max_shortest_bytes.
        """
        with self.working():
            self._check_shortest(exits.shortest_length(self.memory, state))
            out = np.empty(exits.spell_state(self.memory, state), np.uint8)
            exits.spell_out(self.memory, out)
        return out.tobytes()

    def shortest_length(self, state: State) -> int:
        """The number of bytes of `shortest(state)`, without spelling it."""
        with self.working():
            return exits.shortest_length(self.memory, state)

    def between(self, prefix: bytes, suffix: bytes) -> Automaton:
        """The automaton of { w : prefix + w + suffix is a member }.

        Automata of the same suffix share their states. Prefix and suffix are text, which no special
        token matches. Cost: one run over each of the two, and compiling the grammar again where the
        suffix is new.
        Raises PrefixMismatch, SuffixMismatch, NoMiddle, BudgetExceeded.
        """
        self._refuse_marks(prefix, suffix)
        try:
            quotient = self._quotients.before(suffix) if suffix else self
        except SuffixMismatch:
            self.after(prefix)  # which, if it cannot, is to be said first
            raise
        own = self._prefix if suffix else b""
        state, fitting = quotient.read(quotient.start(), own + prefix, "the prefix")
        if state is None:
            self.after(prefix)
            if fitting < len(own):
                raise SuffixMismatch("no text of the grammar ends with the suffix", 0)
            raise NoMiddle(
                "no text of the grammar both begins with the prefix and ends with the suffix: "
                f"only the first {fitting - len(own)} of {len(prefix)} bytes of the prefix go with "
                "this suffix",
                fitting - len(own),
            )
        self._check_shortest(quotient.shortest_length(state))
        if suffix and self.grammar.lexemes:
            from lipogram.grammars.munched import MunchedMiddle

            return MunchedMiddle(self, prefix, suffix, (quotient, state))
        return quotient._from(state, prefix)

    def read(self, state: State, text: bytes, what: str) -> tuple[State | None, int]:
        """The state after all bytes of `text`, or None; and how many of them fit.

        Unlike `walk` it is bounded as a whole: BudgetExceeded where `what` takes too long to read.
        """
        left = self._budget.max_read_s
        row_of_state, rows = self._row_of, self._rows
        for position, byte in enumerate(text):
            try:
                successor = rows[(row_of_state[state] >> 1 << 8) + byte]
            except IndexError:
                successor = 0
            if not successor:
                with self.working(f"reading {what}", left):
                    row = row_of(self.memory, state)
                    left = self.memory[FUEL] / _WORK_PER_S
                    self._look()
                row_of_state, rows = self._row_of, self._rows
                successor = rows[(row >> 1 << 8) + byte]
                if not successor:
                    return None, position
            state = successor
        return state, len(text)

    def after(self, prefix: bytes) -> State:
        """The state after a prefix that is given. Raises PrefixMismatch, BudgetExceeded."""
        state, fitting = self.read(self._start, prefix, "the prefix")
        if state is None:
            raise PrefixMismatch(
                "no text of the grammar begins with the prefix: "
                f"its first {fitting} of {len(prefix)} bytes do, but not before "
                f"{prefix[fitting : fitting + 1]!r}",
                fitting,
            )
        return state

    def _refuse_marks(self, prefix: bytes, suffix: bytes) -> None:
        """A special token is spelled by bytes, which are not to be taken for it."""
        mark = special_tokens.MARK
        if (mark in prefix or mark in suffix) and special_tokens.occur(self.grammar):
            if mark in prefix:
                message = "expected text before the middle, found the byte 0xFF of special tokens"
                raise PrefixMismatch(message, prefix.find(mark))
            message = "expected text behind the middle, found the byte 0xFF of special tokens"
            raise SuffixMismatch(message, len(suffix) - 1 - suffix.rfind(mark))

    def _from(self, state: State, prefix: bytes) -> Automaton:
        """The same automaton with another start, which is after the prefix."""
        other = object.__new__(Automaton)
        other.__dict__.update(self.__dict__)
        other._start, other._prefix = state, self._prefix + prefix
        return other

    @contextmanager
    def working(self, what: str = "one step", seconds: float | None = None) -> Iterator[None]:
        """Hold the lock, with so much work allowed, by default that of one step.

        Raises BudgetExceeded, in which `what` took too long, or a budget was used up. Compiled code
        that is stopped leaves its tables half written, so nothing new is found out from then on.
        """
        with self.lock:
            if self._stops:
                raise BudgetExceeded(self._stops[0])
            seconds = self._budget.max_step_s if seconds is None else seconds
            self.memory[FUEL] = int(seconds * _WORK_PER_S)
            try:
                yield
            except MemoryError:
                raise self.exceeded(f"{what} takes too long") from None

    def _expanded(self, state: State) -> int:
        """Twice the row of a state, one more if it is complete; its successors are made."""
        with self.working():
            row = row_of(self.memory, state)
            self._look()
        return row

    def _look(self) -> None:
        """See the arrays where they are now; they are read without the lock."""
        memory = self.memory
        if self._seen != (memory[ROW_OF], memory[ROWS]):
            self._seen = (int(memory[ROW_OF]), int(memory[ROWS]))
            self._row_of, self._rows = view(memory, ROW_OF), view(memory, ROWS)

    def _check_shortest(self, length: int) -> None:
        if length > self._budget.max_shortest_bytes:
            raise BudgetExceeded(
                f"the shortest text has {length} bytes, "
                f"more than the {self._budget.max_shortest_bytes} allowed"
            )

    @property
    def stop(self) -> str | None:
        """Why nothing new is found out any more, since tables are half written; None if it is."""
        return self._stops[0] if self._stops else None

    def exceeded(self, slow: str) -> BudgetExceeded:
        """Stop for good: the budget that was used up, when compiled code raises MemoryError."""
        self._stops.append(self._excess(slow))
        return BudgetExceeded(self._stops[-1])

    def _excess(self, slow: str) -> str:
        memory, budget = self.memory, self._budget
        if memory[FUEL] < 0:
            return slow
        if memory[NODE_COUNT] >= budget.max_nodes:
            return f"the grammar needs more than {budget.max_nodes} residual nodes"
        if memory[ROW_COUNT] > budget.max_states or len(self) >= 8 * budget.max_states:
            return f"the grammar needs more than {budget.max_states} states"
        return f"the grammar needs more than {budget.max_bytes >> 20} MiB"
