"""The compiled grammar: one lazily expanded recursive state machine over bytes.

Left to right it runs as an Earley recogniser whose item sets are hash-consed, so that a whole
configuration, stack included, is one small integer (a graph-structured stack: Tomita 1985;
Earley 1970). An item is a residual expression and the *frame* that it returns to when done. A
frame is (configuration, rule): the places in that configuration which await the rule. Frames hold
configurations, configurations hold frames of earlier configurations: equal contents get equal
numbers, at any depth, on any path. A rule called in tail position returns to its caller's frame
(Leo 1991), so right recursion is a loop; unless the rule has a frame of its own already.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import thread_time

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars import ir
from lipogram.grammars.analysis import ShortestMembers, check_depth
from lipogram.grammars.derivatives import Derivatives
from lipogram.grammars.errors import BudgetExceeded, EmptyLanguage
from lipogram.grammars.exits import Exits, Item
from lipogram.grammars.expansion import NEEDS_BODY, NEEDS_HEADS, expand, warm_up
from lipogram.grammars.lowering import lower
from lipogram.grammars.residuals import INFINITE, Residuals
from lipogram.grammars.table import (
    BODY,
    CALL_END,
    CALL_START,
    CALLERS,
    COMPLETE,
    DEAD,
    EDGE_END,
    EDGE_START,
    FRAME_STATE,
    ITEM_START,
    ITEMS,
    MASK,
    NODE,
    PENDING,
    REQUEST,
    REST,
    ROOT,
    ROW,
    ROWS,
    RULE,
    STATES,
    grown,
    intern_tail,
    new_table,
    with_room,
)

State = int

_FORCED_LIMIT_BYTES = 1 << 16
_ITEMS_PER_ROW = 160  # at most, on average
_FEW_STATES = 1 << 12  # with a budget of fewer, single states may still be this large


@dataclass(frozen=True, slots=True)
class Budget:
    """What one grammar may use, over the automaton's life; exceeding it raises BudgetExceeded.

    The defaults bound memory to about 200 MB.
    """

    max_rules: int = 100_000
    max_depth: int = 200
    max_nodes: int = 300_000
    max_states: int = 100_000
    max_shortest_bytes: int = 1 << 20
    max_compile_s: float = 2.0
    max_step_s: float = 1.0  # for one state's successors: servers expand between requests' steps


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

    def __init__(self, grammar: ir.Grammar, budget: Budget) -> None:
        warm_up()
        if len(grammar.rules) > budget.max_rules:
            raise BudgetExceeded(f"the grammar has more than {budget.max_rules} rules")
        for body in grammar.rules.values():
            check_depth(body, budget.max_depth)
        self.grammar = grammar
        self.report = grammar.report
        self._budget = budget
        self.lock = threading.RLock()
        self._residuals = Residuals(budget.max_nodes)
        self._residuals.deadline_s = thread_time() + budget.max_compile_s
        self._derivatives = Derivatives(self._residuals)
        self._members = ShortestMembers(grammar, self._derivatives)
        shortest = self._members.length(grammar.start)
        if shortest >= INFINITE:
            raise EmptyLanguage("no text satisfies the grammar")
        self._check_shortest(shortest)
        self._names = tuple(grammar.rules)
        self._rules = {name: index for index, name in enumerate(self._names)}
        self._residuals.rule_lengths = list(self._members.lengths)
        self._rule_texts: dict[int, bytes] = {}

        self._exits = Exits(self._derivatives.length, self.callers, self.state_of)
        self.table = new_table(len(self._rules))
        self._mask_ids = {1 << byte: byte for byte in range(256)}
        self._edge_count = self._call_count = 0
        self._start = self.residual(self._body(self._rules[grammar.start]))
        self.expand(self._start)
        self._residuals.deadline_s = None

    def __reduce__(self) -> tuple[type[Automaton], tuple[ir.Grammar, Budget]]:
        return Automaton, (self.grammar, self._budget)

    def __len__(self) -> int:
        """The number of states made so far."""
        return int(self.table.counts[STATES])

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the automaton holds now."""
        return sum(array.nbytes for array in self.table) + 600 * len(self._residuals)

    @property
    def max_shortest_bytes(self) -> int:
        """The length beyond which `shortest` refuses to spell."""
        return self._budget.max_shortest_bytes

    def start(self) -> State:
        """The state before the first byte."""
        return self._start

    def step(self, state: State, byte: int) -> State | None:
        """The state after one more byte, or None if no member goes on so."""
        successor = int(self._row(state)[byte])
        return None if successor == DEAD else successor

    def walk(self, state: State, text: bytes) -> State | None:
        """The state after all bytes of `text`, or None."""
        for byte in text:
            successor = int(self._row(state)[byte])
            if successor == DEAD:
                return None
            state = successor
        return state

    def next_bytes(self, state: State) -> frozenset[int]:
        """The bytes that some member has next; empty only if the state is complete."""
        return frozenset(np.flatnonzero(self._row(state) != DEAD).tolist())

    def is_complete(self, state: State) -> bool:
        """Whether the text so far is itself a member."""
        self._row(state)
        return bool(self.table.states[state, COMPLETE])

    def accepts(self, text: bytes) -> bool:
        """Whether `text` is a member."""
        state = self.walk(self._start, text)
        return state is not None and self.is_complete(state)

    def is_live(self, text: bytes) -> bool:
        """Whether some member begins with `text`."""
        return self.walk(self._start, text) is not None

    def forced(self, state: State) -> bytes:
        """The bytes that every continuation begins with (at most 64 KiB of them)."""
        forced = bytearray()
        while len(forced) < _FORCED_LIMIT_BYTES and not self.is_complete(state):
            successors = np.flatnonzero(self._row(state) != DEAD)
            if len(successors) != 1:
                break
            forced.append(int(successors[0]))
            state = int(self._row(state)[forced[-1]])
        return bytes(forced)

    def shortest(self, state: State) -> bytes:
        """A shortest text that completes the state. Cost: its length and the stack's depth.

        Raises BudgetExceeded where it would be longer than the budget's max_shortest_bytes.
        """
        self._check_shortest(self.shortest_length(state))
        with self.lock:
            return b"".join(
                self._derivatives.shortest(node, self._rule_text)
                for node in self._exits.nearest(self.items(state))
            )

    def shortest_length(self, state: State) -> int:
        """The number of bytes of `shortest(state)`, without spelling it."""
        with self.lock:
            return self._exits.length(self.items(state))

    # For readers of the table: a state is a set of items (residual, frame it returns to).

    def items(self, state: State) -> list[Item]:
        """What the state waits for: some member goes on with a text of one of the items."""
        states = self.table.states
        return _pairs(self.table.items, states[state, ITEM_START], states[state + 1, ITEM_START])

    def callers(self, frame: int) -> list[Item]:
        """The items that go on when `frame` returns; none for ROOT, the end of the text."""
        start, end = self.table.frames[frame, :FRAME_STATE]
        return _pairs(self.table.callers, start, end)

    def state_of(self, frame: int) -> State:
        """The state whose calls the frame is for."""
        return int(self.table.frames[frame, FRAME_STATE])

    def digest(self, node: int) -> bytes | None:
        """Equal for equal residuals of any grammar; None where that is not known."""
        with self.lock:
            return self._residuals.digest(node)

    def residual(self, node: int) -> State:
        """The state of the automaton of one residual alone: complete where the residual ends."""
        with self.lock:
            self._make_room(1)
            end = int(self.table.counts[ITEMS])
            table = self.table
            table.items[end] = node, ROOT
            return int(intern_tail(table.states, table.items, table.slots, table.counts, end + 1))

    def expand(self, state: State) -> None:
        """Make the successors of a state, unless they are made."""
        with self.lock:
            compile_deadline_s = self._residuals.deadline_s
            if compile_deadline_s is None:
                self._residuals.deadline_s = thread_time() + self._budget.max_step_s
            try:
                while status := expand(self.table, state):
                    self._supply(status, int(self.table.counts[REQUEST]))
            finally:
                self._residuals.deadline_s = compile_deadline_s

    def _supply(self, status: int, request: int) -> None:
        """Give the compiled code what it stopped for, and all of its kind: it starts anew."""
        self._residuals.check_deadline()
        table = self.table
        if status == NEEDS_HEADS:
            for node in table.todo[request : table.counts[PENDING], NODE].tolist():
                if self.table.heads[node, EDGE_START] < 0:
                    self._publish(node)
        elif status == NEEDS_BODY:
            calls = slice(table.heads[request, CALL_START], table.heads[request, CALL_END])
            for rule in table.calls[calls, RULE].tolist():
                if self.table.rules[rule, BODY] < 0:
                    body = self._body(rule)
                    self._grow()
                    is_empty = not self._residuals.rule_lengths[rule]
                    self.table.rules[rule] = body, is_empty, rule >= len(self._names)
        else:
            self._make_room(request)

    def _row(self, state: State) -> NDArray[np.int32]:
        table = self.table
        row = table.states[state, ROW]
        if row < 0 or row >= len(table.rows):  # not made, or made since in a longer table
            self.expand(state)
            table = self.table
            row = table.states[state, ROW]
        return table.rows[row]  # type: ignore[no-any-return]

    def _body(self, rule: int) -> int:
        if rule >= len(self._names):
            return self._residuals.nameless[rule - len(self._names)]
        expression = self.grammar.rules[self._names[rule]]
        return lower(expression, self._rules, self._derivatives)

    def _publish(self, node: int) -> None:
        """Write a residual's heads where compiled code reads them; a chain's all at once."""
        chain = self._residuals.chain_of(node)
        if chain is not None:
            self._publish_chain(*chain)
            return
        heads = self._derivatives.live_heads(node)
        edges = [(self._mask_id(mask), rest) for mask, rest in heads.edges]
        self._grow(edges=self._edge_count + len(edges), calls=self._call_count + len(heads.calls))
        edge_end, call_end = self._edge_count + len(edges), self._call_count + len(heads.calls)
        if edges:
            self.table.edges[self._edge_count : edge_end] = edges
        if heads.calls:
            self.table.calls[self._call_count : call_end] = heads.calls
        is_nullable = self._residuals.nullable[node]
        row = (self._edge_count, edge_end, self._call_count, call_end, is_nullable)
        self.table.heads[node] = row
        self._edge_count, self._call_count = edge_end, call_end

    def _publish_chain(self, first: int, text: bytes, rest: int) -> None:
        count = len(text)
        start, end = self._edge_count, self._edge_count + count
        self._grow(edges=end)
        edges = self.table.edges[start:end]
        edges[:, MASK] = np.frombuffer(text, np.uint8)
        edges[:, REST] = np.arange(first + 1, first + count + 1)
        edges[-1, REST] = rest
        heads = self.table.heads[first : first + count]
        heads[:, EDGE_START] = np.arange(start, end)
        heads[:, EDGE_END] = np.arange(start + 1, end + 1)
        heads[:, CALL_START:] = 0
        self._edge_count = end

    def _mask_id(self, mask: int) -> int:
        known = self._mask_ids.setdefault(mask, len(self._mask_ids))
        if known == len(self._mask_ids) - 1:
            self._grow(masks=known + 1, mask_stamp=known + 1)
            self.table.masks[known] = np.frombuffer(mask.to_bytes(32, "little"), np.uint64)
        return known

    def _grow(self, **lengths: int) -> None:
        rules = len(self._residuals.rule_lengths)
        self.table = grown(
            self.table, heads=len(self._residuals), rules=rules, own=rules, **lengths
        )

    def _make_room(self, size: int) -> None:
        rows = self.table.counts[ROWS]
        if rows >= self._budget.max_states or len(self) >= 8 * self._budget.max_states:
            raise BudgetExceeded(f"the grammar needs more than {rows} states")
        items = int(self.table.counts[ITEMS] + self.table.counts[CALLERS]) + 16 * size
        if items > _ITEMS_PER_ROW * max(self._budget.max_states, _FEW_STATES):
            raise BudgetExceeded("the grammar can go on in too many ways at once")
        self._grow()
        self.table = with_room(self.table, size)

    def _check_shortest(self, length: int) -> None:
        if length > self._budget.max_shortest_bytes:
            raise BudgetExceeded(
                f"the shortest text has {length} bytes, "
                f"more than the {self._budget.max_shortest_bytes} allowed"
            )

    def _rule_text(self, rule: int) -> bytes:
        text = self._rule_texts.get(rule)
        if text is None:
            if rule < len(self._names):
                text = self._members.text(self._names[rule])
            else:
                text = self._derivatives.shortest(self._body(rule), self._rule_text)
            self._rule_texts[rule] = text
        return text


def _pairs(array: NDArray[np.int32], start: int, end: int) -> list[Item]:
    return [(node, frame) for node, frame in array[start:end].tolist()]
