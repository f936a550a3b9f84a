"""The compiled grammar: one lazily expanded recursive state machine over bytes.

Left to right it runs as an Earley recogniser whose item sets are hash-consed, so that a whole
configuration, stack included, is one small integer (a graph-structured stack: Tomita 1985;
Earley 1970). An item is a residual expression and the *frame* that it returns to when done. A
frame is (configuration, rule): the places in that configuration which await the rule. Frames hold
configurations, configurations hold frames of earlier configurations: equal contents get equal
numbers, at any depth, on any path. A rule called in tail position returns to its caller's frame
(Leo 1991), so right recursion is a loop.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars import ir
from lipogram.grammars.analysis import ShortestMembers, check_depth
from lipogram.grammars.errors import BudgetExceeded, EmptyLanguage
from lipogram.grammars.residuals import ALL_BYTES, EMPTY, INFINITE, Residuals, partition

State = int
Item = tuple[int, int]  # (residual, frame)

DEAD = -1
_ROOT = 0  # the frame of the whole text
_FORCED_LIMIT_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Budget:
    """What one grammar may use, over the automaton's life; exceeding it raises BudgetExceeded.

    The defaults bound memory to about 200 MB.
    """

    max_rules: int = 100_000
    max_depth: int = 200
    max_nodes: int = 300_000
    max_states: int = 100_000


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
        if len(grammar.rules) > budget.max_rules:
            raise BudgetExceeded(f"the grammar has more than {budget.max_rules} rules")
        for body in grammar.rules.values():
            check_depth(body, budget.max_depth)
        self.grammar = grammar
        self.report = grammar.report
        self._budget = budget
        self._lock = threading.RLock()
        self._residuals = Residuals(budget.max_nodes)
        self._members = ShortestMembers(grammar, self._residuals)
        if self._members.length(grammar.start) >= INFINITE:
            raise EmptyLanguage("no text satisfies the grammar")
        self._names = tuple(grammar.rules)
        self._rules = {name: index for index, name in enumerate(self._names)}
        self._residuals.rule_lengths = self._members.lengths
        self._bodies: list[int | None] = [None] * len(self._rules)
        self._rule_texts: dict[int, bytes] = {}

        self._kernels: list[frozenset[Item]] = []
        self._ids: dict[frozenset[Item], State] = {}
        self._complete: list[bool] = []
        self._frames: dict[tuple[State, int], int] = {}
        self._frame_states: list[State] = [0]  # by frame: the configuration it belongs to
        self._callers: list[tuple[Item, ...]] = [()]  # by frame: what goes on when it returns
        self._exit_lengths: dict[int, tuple[int, Item | None]] = {_ROOT: (0, None)}
        # row_of[state] is -1 until the state is expanded; rows[row_of[state], byte] is a state.
        self.rows: NDArray[np.int32] = np.full((64, 256), DEAD, np.int32)
        self.row_of: NDArray[np.int32] = np.full(256, -1, np.int32)
        self._row_count = 0
        self._start = self._intern(frozenset({(self._body(self._rules[grammar.start]), _ROOT)}))

    def __reduce__(self) -> tuple[type[Automaton], tuple[ir.Grammar, Budget]]:
        return Automaton, (self.grammar, self._budget)

    def __len__(self) -> int:
        """The number of states made so far."""
        return len(self._kernels)

    @property
    def size_bytes(self) -> int:
        """Roughly the memory that the automaton holds now."""
        items = sum(map(len, self._callers)) + 4 * len(self._kernels)
        return self.rows.nbytes + 400 * len(self._residuals) + 120 * items

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
        return self._complete[state]

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
        """A shortest text that completes the state. Cost: its length and the stack's depth."""
        self._row(state)
        with self._lock:
            item = min(self._kernels[state], key=self._item_length)
            pieces = []
            step: Item | None = item
            while step is not None:
                node, frame = step
                pieces.append(self._residuals.shortest(node, self._rule_text))
                step = self._exit_lengths[frame][1]
            return b"".join(pieces)

    def shortest_length(self, state: State) -> int:
        """The number of bytes of `shortest(state)`, without spelling it."""
        self._row(state)
        with self._lock:
            return min(self._item_length(item) for item in self._kernels[state])

    def expand(self, state: State) -> None:
        """Make the successors of a state, unless they are made. Called by readers of `rows`."""
        with self._lock:
            if self.row_of[state] < 0:
                self._expand(state)

    def _row(self, state: State) -> NDArray[np.int32]:
        row = self.row_of[state]
        if row < 0:
            self.expand(state)
            row = self.row_of[state]
        return self.rows[row]  # type: ignore[no-any-return]

    def _body(self, rule: int) -> int:
        body = self._bodies[rule]
        if body is None:
            expression = self.grammar.rules[self._names[rule]]
            body = self._bodies[rule] = self._residuals.lower(expression, self._rules)
        return body

    def _intern(self, kernel: frozenset[Item]) -> State:
        state = self._ids.get(kernel)
        if state is not None:
            return state
        state = len(self._kernels)
        if state >= 8 * self._budget.max_states:
            raise BudgetExceeded(f"the grammar needs more than {state} states")
        if state >= len(self.row_of):
            self.row_of = np.concatenate([self.row_of, np.full_like(self.row_of, -1)])
        self._ids[kernel] = state
        self._kernels.append(kernel)
        self._complete.append(False)
        return state

    def _expand(self, state: State) -> None:
        """Close the kernel under calls and returns, then group what comes next by byte."""
        edges, is_complete = self._close(state)
        if self._row_count >= self._budget.max_states:
            raise BudgetExceeded(f"the grammar needs more than {self._budget.max_states} states")
        if self._row_count == len(self.rows):
            self.rows = np.concatenate([self.rows, np.full_like(self.rows, DEAD)])
        row = self.rows[self._row_count]
        for mask, groups in partition(edges.items()):
            kernel = frozenset(item for items in groups for item in items)
            row[_byte_indexes(mask)] = self._intern(kernel)
        self._complete[state] = is_complete
        self.row_of[state] = self._row_count  # last: readers take no lock
        self._row_count += 1

    def _close(self, state: State) -> tuple[dict[int, set[Item]], bool]:
        residuals = self._residuals
        edges: dict[int, set[Item]] = {}
        own_frames: dict[int, int] = {}
        callers: dict[int, dict[Item, None]] = {}
        is_complete = False
        items = list(self._kernels[state])
        seen = set(items)

        def add(item: Item) -> None:
            if item not in seen:
                seen.add(item)
                items.append(item)

        while items:
            node, frame = items.pop()
            if residuals.nullable[node]:
                if frame == _ROOT:
                    is_complete = True
                for item in self._callers[frame]:  # none yet for frames of this state: see below
                    add(item)
            heads = residuals.heads(node)
            for mask, rest in heads.edges:
                if not residuals.is_boolean[rest] or residuals.is_alive(rest):
                    edges.setdefault(mask, set()).add((rest, frame))
            for rule, rest in heads.calls:
                if rest == EMPTY:
                    add((self._body(rule), frame))
                    continue
                own = own_frames.get(rule)
                if own is None:
                    own = own_frames[rule] = self._frame(state, rule)
                    callers[own] = {}
                callers[own][(rest, frame)] = None
                add((self._body(rule), own))
                if not residuals.rule_lengths[rule]:  # an empty rule returns at once
                    add((rest, frame))
        for own, waiting in callers.items():
            self._callers[own] = tuple(waiting)
        return edges, is_complete

    def _frame(self, state: State, rule: int) -> int:
        frame = self._frames.setdefault((state, rule), len(self._callers))
        if frame == len(self._callers):
            self._callers.append(())
            self._frame_states.append(state)
        return frame

    def _rule_text(self, rule: int) -> bytes:
        text = self._rule_texts.get(rule)
        if text is None:
            text = self._rule_texts[rule] = self._members.text(self._names[rule])
        return text

    def _item_length(self, item: Item) -> int:
        node, frame = item
        return self._residuals.length(node) + self._exit_length(frame)

    def _exit_length(self, frame: int) -> int:
        """The fewest bytes from the return of `frame` to the end of the text."""
        if frame not in self._exit_lengths:
            for group in self._unmeasured_groups(frame):
                self._measure_group(group)
        return self._exit_lengths[frame][0]

    def _unmeasured_groups(self, frame: int) -> Iterator[list[int]]:
        """Frames that `frame` may return through, by configuration, earliest first."""
        groups: dict[State, list[int]] = {}
        seen = {frame}
        todo = [frame]
        while todo:
            current = todo.pop()
            groups.setdefault(self._frame_states[current], []).append(current)
            for _, caller in self._callers[current]:
                if caller not in seen and caller not in self._exit_lengths:
                    seen.add(caller)
                    todo.append(caller)
        for state in sorted(groups):
            yield groups[state]

    def _measure_group(self, group: list[int]) -> None:
        """Frames of one configuration may return through each other: relax until nothing falls."""
        lengths: dict[int, tuple[int, Item | None]] = dict.fromkeys(group, (INFINITE, None))
        is_changed = True
        while is_changed:
            is_changed = False
            for frame in group:
                for item in self._callers[frame]:
                    node, caller = item
                    beyond = lengths.get(caller) or self._exit_lengths[caller]
                    length = self._residuals.length(node) + beyond[0]
                    if length < lengths[frame][0]:
                        lengths[frame] = (length, item)
                        is_changed = True
        self._exit_lengths.update(lengths)


@lru_cache(maxsize=4096)
def _byte_indexes(mask: int) -> NDArray[np.intp]:
    bits = np.frombuffer((mask & ALL_BYTES).to_bytes(32, "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(bits, bitorder="little"))
