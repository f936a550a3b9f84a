"""Residual expressions: what is left to match, as hash-consed nodes with partial derivatives.

A node is an integer. Its *heads* say how it can go on: by a byte of a set, to a rest, or by a
whole rule, to a rest (Antimirov, "Partial derivatives of regular expressions", 1996, extended by
rule calls). Heads are computed when first asked for, so counts are never unrolled and big
alternatives cost what is visited. Intersection and complement are derived deterministically
(Brzozowski 1964); whether such a node can still match anything is searched for, lazily.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded, GrammarError
from lipogram.grammars.utf8 import ByteRanges, byte_ranges

ALL_BYTES = (1 << 256) - 1
INFINITE = 1 << 60
_FEW_LITERALS = 64  # as many are alternatives like others; more are searched in a sorted list

BYTES, CHAIN, SEQUENCE, CHOICE, REPEAT, LITERALS, BOTH, NOT, CALL = range(9)
NOTHING, EMPTY = 0, 1  # the first two nodes: the empty language, the empty string

Edge = tuple[int, int]  # (byte mask, rest)
Rest = TypeVar("Rest")
Key = tuple[Any, ...]  # (operation, its arguments)


@dataclass(frozen=True, slots=True)
class Heads:
    """How a node can go on: `edges` (byte mask, rest) and `calls` (rule, rest)."""

    edges: tuple[Edge, ...]
    calls: tuple[tuple[int, int], ...] = ()


_NO_HEADS = Heads(())


def byte_mask(low: int, high: int) -> int:
    """The mask of bytes low..high."""
    return (1 << (high + 1)) - (1 << low)


def partition(edges: Iterable[tuple[int, Rest]]) -> list[tuple[int, tuple[Rest, ...]]]:
    """Disjoint byte classes with the rests that each leads to; bytes without any are left out."""
    by_mask: dict[int, list[Rest]] = {}
    for mask, rest in edges:
        by_mask.setdefault(mask, []).append(rest)
    parts: list[tuple[int, tuple[Rest, ...]]] = []
    free = ALL_BYTES
    for mask, rests in by_mask.items():
        refined: list[tuple[int, tuple[Rest, ...]]] = []
        for part, members in parts:
            common = part & mask
            if common:
                refined.append((common, (*members, *rests)))
                if part != common:
                    refined.append((part & ~mask, members))
            else:
                refined.append((part, members))
        if fresh := mask & free:
            refined.append((fresh, tuple(rests)))
            free &= ~mask
        parts = refined
    return parts


class Residuals:
    """The nodes of one grammar; grows as it is used, up to `max_nodes`."""

    def __init__(self, max_nodes: int) -> None:
        self.max_nodes = max_nodes
        self.rule_lengths: Sequence[int] = ()
        self._ids: dict[Key, int] = {}
        self._keys: list[Key] = []
        self.nullable: list[bool] = []
        self.is_boolean: list[bool] = []  # contains BOTH or NOT, so it may denote nothing
        self._lengths: list[int | None] = []
        self._heads: list[Heads | None] = []
        self._alive: dict[int, bool] = {}
        self._new(("nothing",), nullable=False, is_boolean=False, length=INFINITE)
        self._new(("empty",), nullable=True, is_boolean=False, length=0)
        self._heads[NOTHING] = self._heads[EMPTY] = _NO_HEADS
        self.anything = self.repeat(self.byte_class(ALL_BYTES), 0, None)

    def __len__(self) -> int:
        return len(self._keys)

    def _new(self, key: Key, *, nullable: bool, is_boolean: bool, length: int | None) -> int:
        self._check_room(1)
        node = self._ids[key] = len(self._keys)
        self._keys.append(key)
        self.nullable.append(nullable)
        self.is_boolean.append(is_boolean)
        self._lengths.append(length)
        self._heads.append(None)
        return node

    def _check_room(self, count: int) -> None:
        if len(self._keys) + count > self.max_nodes:
            raise BudgetExceeded(f"the grammar needs more than {self.max_nodes} residual nodes")

    # Constructors. Each returns a canonical node; NOTHING wherever nothing can match.

    def byte_class(self, mask: int) -> int:
        if not mask:
            return NOTHING
        key = (BYTES, mask)
        node = self._ids.get(key)
        return (
            node if node is not None else self._new(key, nullable=False, is_boolean=False, length=1)
        )

    def literal(self, text: bytes) -> int:
        return self.chain(text, EMPTY)

    def chain(self, text: bytes, rest: int) -> int:
        """`text` and then `rest`: one node a byte, numbered in a row; see `chain_of`."""
        if not text or rest == NOTHING:
            return rest
        key = (CHAIN, text, 0, rest)
        node = self._ids.get(key)
        if node is not None:
            return node
        count = len(text)
        self._check_room(count)
        node = self._ids[key] = len(self._keys)
        self._keys += [(CHAIN, text, offset, rest) for offset in range(count)]
        self.nullable += [False] * count
        self.is_boolean += [self.is_boolean[rest]] * count
        length = self._lengths[rest]
        self._lengths += [None] * count if length is None else range(length + count, length, -1)
        self._heads += [None] * count
        return node

    def chain_of(self, node: int) -> tuple[int, bytes, int] | None:
        """The first node, the text and the rest of the chain that a node is part of, if it is."""
        key = self._keys[node]
        return (node - key[2], key[1], key[3]) if key[0] == CHAIN else None

    def sequence(self, first: int, rest: int) -> int:
        if first == NOTHING or rest == NOTHING:
            return NOTHING
        if first == EMPTY:
            return rest
        if rest == EMPTY:
            return first
        key = self._keys[first]
        if key[0] == CHAIN and key[3] == EMPTY:
            return self.chain(key[1][key[2] :], rest)
        key = (SEQUENCE, first, rest)
        node = self._ids.get(key)
        if node is not None:
            return node
        lengths = self._lengths[first], self._lengths[rest]
        return self._new(
            key,
            nullable=self.nullable[first] and self.nullable[rest],
            is_boolean=self.is_boolean[first] or self.is_boolean[rest],
            length=None if lengths[0] is None or lengths[1] is None else lengths[0] + lengths[1],
        )

    def choice(self, options: Iterable[int]) -> int:
        flat: set[int] = set()
        for option in options:
            key = self._keys[option]
            if key[0] == CHOICE:
                flat.update(key[1])
            elif option != NOTHING:
                flat.add(option)
        if len(flat) <= 1:
            return flat.pop() if flat else NOTHING
        members = tuple(sorted(flat))
        key = (CHOICE, members)
        node = self._ids.get(key)
        if node is not None:
            return node
        known = [length for m in members if (length := self._lengths[m]) is not None]
        return self._new(
            key,
            nullable=any(self.nullable[m] for m in members),
            is_boolean=any(self.is_boolean[m] for m in members),
            length=min(known) if len(known) == len(members) else None,
        )

    def repeat(self, item: int, minimum: int, maximum: int | None) -> int:
        if maximum == 0 or item == EMPTY or (item == NOTHING and minimum == 0):
            return EMPTY
        if item == NOTHING:
            return NOTHING
        if self.nullable[item]:
            minimum = 0
        if minimum == 1 and maximum == 1:
            return item
        key = self._keys[item]
        if key[0] == REPEAT and key[2] in (0, 1):
            # x{a,b}{c,d} with a <= 1 covers every count from a*c to b*d.
            inner_minimum, inner_maximum = key[2], key[3]
            both = maximum is not None and inner_maximum is not None
            return self.repeat(
                key[1],
                inner_minimum * minimum,
                maximum * inner_maximum if both else None,
            )
        key = (REPEAT, item, minimum, maximum)
        node = self._ids.get(key)
        if node is not None:
            return node
        length = self._lengths[item]
        return self._new(
            key,
            nullable=minimum == 0,
            is_boolean=minimum > 0 and self.is_boolean[item],
            length=0 if minimum == 0 else None if length is None else minimum * length,
        )

    def literals(self, texts: Iterable[bytes]) -> int:
        members = tuple(sorted(set(texts)))
        if len(members) <= _FEW_LITERALS:
            return self.choice(map(self.literal, members))
        return self._literals(members, 0, len(members), 0)

    def _literals(self, texts: tuple[bytes, ...], low: int, high: int, depth: int) -> int:
        if low == high:
            return NOTHING
        if high - low == 1:
            return self.literal(texts[low][depth:])
        key = (LITERALS, id(texts), low, high, depth, texts)
        node = self._ids.get(key[:-1])
        if node is not None:
            return node
        node = self._new(
            key[:-1],
            nullable=len(texts[low]) == depth,
            is_boolean=False,
            length=None,
        )
        self._keys[node] = key
        return node

    def both(self, items: Iterable[int]) -> int:
        flat: set[int] = set()
        for item in items:
            key = self._keys[item]
            if key[0] == BOTH:
                flat.update(key[1])
            else:
                flat.add(item)
        flat.discard(self.anything)
        if NOTHING in flat:
            return NOTHING
        if len(flat) <= 1:
            return flat.pop() if flat else self.anything
        members = tuple(sorted(flat))
        key = (BOTH, members)
        node = self._ids.get(key)
        if node is not None:
            return node
        nullable = all(self.nullable[m] for m in members)
        return self._new(key, nullable=nullable, is_boolean=True, length=0 if nullable else None)

    def complement(self, item: int) -> int:
        if item == NOTHING:
            return self.anything
        if item == self.anything:
            return NOTHING
        key = self._keys[item]
        if key[0] == NOT:
            assert isinstance(key[1], int)
            return key[1]
        key = (NOT, item)
        node = self._ids.get(key)
        if node is not None:
            return node
        nullable = not self.nullable[item]
        return self._new(key, nullable=nullable, is_boolean=True, length=0 if nullable else None)

    def call(self, rule: int) -> int:
        length = self.rule_lengths[rule]
        if length >= INFINITE:
            return NOTHING
        key = (CALL, rule)
        node = self._ids.get(key)
        if node is not None:
            return node
        return self._new(key, nullable=length == 0, is_boolean=False, length=length)

    def chars(self, ranges: tuple[tuple[int, int], ...]) -> int:
        key = ("chars", ranges)
        node = self._ids.get(key)
        if node is None:
            sequences = [s for low, high in ranges for s in byte_ranges(low, high)]
            node = self._ids[key] = self._byte_sequences(sequences)
        return node

    def _byte_sequences(self, sequences: Sequence[ByteRanges]) -> int:
        leads: dict[ByteRanges, int] = {}
        for (low, high), *tail in sequences:
            leads[tuple(tail)] = leads.get(tuple(tail), 0) | byte_mask(low, high)
        by_lead: dict[int, list[int]] = {}
        for tail_ranges, mask in leads.items():
            rest = EMPTY
            for low, high in reversed(tail_ranges):
                rest = self.sequence(self.byte_class(byte_mask(low, high)), rest)
            by_lead.setdefault(mask, []).append(rest)
        return self.choice(
            self.sequence(self.byte_class(mask), self.choice(rests))
            for mask, rests in by_lead.items()
        )

    # What a node can do.

    def live_heads(self, node: int) -> Heads:
        """The ways to go on that end somewhere."""
        heads = self.heads(node)
        if not self.is_boolean[node]:
            return heads
        edges = [edge for edge in heads.edges if self.is_alive(edge[1])]
        return Heads(tuple(edges), heads.calls)

    def heads(self, node: int) -> Heads:
        """The ways to go on. Rests of boolean nodes may be dead: see `is_alive`."""
        found = self._heads[node]
        if found is None:
            key = self._keys[node]
            found = self._heads[node] = _DERIVE[key[0]](self, *key[1:])
        return found

    def _bytes_heads(self, mask: int) -> Heads:
        return Heads(((mask, EMPTY),))

    def _chain_heads(self, text: bytes, offset: int, rest: int) -> Heads:
        following = rest
        if offset + 1 < len(text):
            following = self._ids[(CHAIN, text, 0, rest)] + offset + 1
        return Heads(((1 << text[offset], following),))

    def _sequence_heads(self, first: int, rest: int) -> Heads:
        heads = self.heads(first)
        edges = [(mask, self.sequence(r, rest)) for mask, r in heads.edges]
        calls = [(rule, self.sequence(r, rest)) for rule, r in heads.calls]
        if self.nullable[first]:
            more = self.heads(rest)
            edges += more.edges
            calls += more.calls
        return Heads(tuple(edges), tuple(calls))

    def _choice_heads(self, options: tuple[int, ...]) -> Heads:
        all_heads = [self.heads(option) for option in options]
        return Heads(
            tuple(dict.fromkeys(edge for heads in all_heads for edge in heads.edges)),
            tuple(dict.fromkeys(call for heads in all_heads for call in heads.calls)),
        )

    def _repeat_heads(self, item: int, minimum: int, maximum: int | None) -> Heads:
        rest = self.repeat(item, max(minimum - 1, 0), None if maximum is None else maximum - 1)
        heads = self.heads(item)
        return Heads(
            tuple((mask, self.sequence(r, rest)) for mask, r in heads.edges),
            tuple((rule, self.sequence(r, rest)) for rule, r in heads.calls),
        )

    def _literals_heads(
        self, _identity: int, low: int, high: int, depth: int, texts: tuple[bytes, ...]
    ) -> Heads:
        edges = []
        while low < high and len(texts[low]) == depth:
            low += 1
        while low < high:
            byte = texts[low][depth]
            prefix = texts[low][:depth]
            stop = (
                high if byte == 255 else bisect_left(texts, prefix + bytes([byte + 1]), low, high)
            )
            edges.append((1 << byte, self._literals(texts, low, stop, depth + 1)))
            low = stop
        return Heads(tuple(edges))

    def _both_heads(self, items: tuple[int, ...]) -> Heads:
        classes: list[tuple[int, tuple[int, ...]]] = [(ALL_BYTES, ())]
        for item in items:
            classes = [
                (common, (*rests, rest))
                for mask, rests in classes
                for edge, rest in self.deterministic(item)
                if (common := mask & edge)
            ]
        return Heads(tuple((mask, self.both(rests)) for mask, rests in classes))

    def _not_heads(self, item: int) -> Heads:
        edges = []
        free = ALL_BYTES
        for mask, rest in self.deterministic(item):
            edges.append((mask, self.complement(rest)))
            free &= ~mask
        if free:
            edges.append((free, self.anything))
        return Heads(tuple(edge for edge in edges if edge[1] != NOTHING))

    def _call_heads(self, rule: int) -> Heads:
        return Heads((), ((rule, EMPTY),))

    def deterministic(self, node: int) -> list[Edge]:
        """Edges with disjoint byte classes, for a node without calls."""
        edges = self.heads(node).edges
        return [(mask, self.choice(rests)) for mask, rests in partition(edges)]

    # Whether, and by how little, a node can be completed.

    def is_alive(self, node: int) -> bool:
        """Whether the node denotes anything at all. Cost: a search, once, for boolean nodes."""
        if not self.is_boolean[node]:
            return node != NOTHING
        if self.nullable[node]:
            return True
        key = self._keys[node]
        if key[0] == SEQUENCE:
            return self.is_alive(key[1]) and self.is_alive(key[2])
        if key[0] == CHAIN:
            return self.is_alive(key[3])
        if key[0] == CHOICE:
            return any(self.is_alive(option) for option in key[1])
        if key[0] == REPEAT:
            return self.is_alive(key[1])
        known = self._alive.get(node)
        if known is None:
            self._search(node, stop=lambda n: self.nullable[n] or self._alive.get(n, False))
            known = self._alive[node]
        return known

    def _search(self, node: int, stop: Callable[[int], bool]) -> list[tuple[int, int]] | None:
        """Breadth-first from `node` to a node where `stop` holds; notes what it learns.

        Returns the path as (byte mask, node reached) steps, or None if there is none.
        """
        parents: dict[int, tuple[int, int] | None] = {node: None}
        queue = deque([node])
        while queue:
            current = queue.popleft()
            if stop(current):
                path = []
                at: int = current
                while (step := parents[at]) is not None:
                    path.append((step[1], at))
                    self._alive[at] = True
                    at = step[0]
                self._alive[node] = True
                return path[::-1]
            for mask, rest in self.heads(current).edges:
                if rest not in parents and self._alive.get(rest, True):
                    parents[rest] = (current, mask)
                    queue.append(rest)
        for visited in parents:
            self._alive[visited] = False
        return None

    def length(self, node: int) -> int:
        """The number of bytes of a shortest member; INFINITE if there is none."""
        known = self._lengths[node]
        if known is None:
            known = self._lengths[node] = self._measure(node)
        return known

    def _measure(self, node: int) -> int:
        key = self._keys[node]
        op = key[0]
        length: int
        if op == SEQUENCE:
            length = self.length(key[1]) + self.length(key[2])
        elif op == CHOICE:
            length = min(self.length(option) for option in key[1])
        elif op == REPEAT:
            length = key[2] * self.length(key[1])
        elif op == CHAIN:
            length = len(key[1]) - key[2] + self.length(key[3])
        elif op == LITERALS:
            _, _, low, high, depth, texts = key
            length = min(map(len, texts[low:high])) - depth
        else:
            path = self._search(node, stop=lambda n: self.nullable[n])
            length = INFINITE if path is None else len(path)
            for index, (_, reached) in enumerate(path or (), start=1):
                self._lengths[reached] = length - index
        return min(length, INFINITE)

    def shortest(self, node: int, rule_text: Callable[[int], bytes]) -> bytes:
        """The bytes of a shortest member of a live node; `rule_text` gives those of a rule."""
        pieces: list[bytes] = []
        todo = [node]
        while todo:
            current = todo.pop()
            key = self._keys[current]
            op = key[0]
            if op == SEQUENCE:
                todo += [key[2], key[1]]
            elif op == CHOICE:
                todo.append(min(key[1], key=self.length))
            elif op == REPEAT:
                todo += [key[1]] * key[2]
            elif op == CHAIN:
                pieces.append(key[1][key[2] :])
                todo.append(key[3])
            elif op == BYTES:
                pieces.append(_plainest(key[1]))
            elif op == LITERALS:
                _, _, low, high, depth, texts = key
                pieces.append(min(texts[low:high], key=len)[depth:])
            elif op == CALL:
                pieces.append(rule_text(key[1]))
            elif op in (BOTH, NOT):
                path = self._search(current, stop=lambda n: self.nullable[n])
                assert path is not None
                pieces += [_plainest(mask) for mask, _ in path]
        return b"".join(pieces)

    # From the IR.

    def lower(self, root: ir.Expression, rules: dict[str, int]) -> int:
        """The node of an expression; `rules` numbers the rules that it may call."""
        nodes: dict[int, int] = {}
        for expression in postorder(root):
            nodes[id(expression)] = self._lower_one(expression, nodes, rules)
        return nodes[id(root)]

    def _lower_one(
        self, expression: ir.Expression, nodes: dict[int, int], rules: dict[str, int]
    ) -> int:
        match expression:
            case ir.Literal(text):
                return self.literal(text)
            case ir.Bytes(mask):
                return self.byte_class(mask)
            case ir.Chars(ranges):
                return self.chars(ranges)
            case ir.Literals(texts):
                return self.literals(texts)
            case ir.Sequence(items):
                node = EMPTY
                for item in reversed(items):
                    node = self.sequence(nodes[id(item)], node)
                return node
            case ir.Choice(options):
                return self.choice(nodes[id(option)] for option in options)
            case ir.Repeat(item, minimum, maximum):
                return self.repeat(nodes[id(item)], minimum, maximum)
            case ir.Intersection(items):
                return self._live(self.both(nodes[id(item)] for item in items))
            case ir.Complement(item):
                return self._live(self.complement(nodes[id(item)]))
            case ir.Reference(name):
                if name not in rules:
                    raise GrammarError(
                        f"expected a regular expression under & or ~, found the rule {name!r}"
                    )
                return self.call(rules[name])

    def _live(self, node: int) -> int:
        return NOTHING if self.length(node) >= INFINITE else node


_DERIVE: dict[int, Callable[..., Heads]] = {
    BYTES: Residuals._bytes_heads,
    CHAIN: Residuals._chain_heads,
    SEQUENCE: Residuals._sequence_heads,
    CHOICE: Residuals._choice_heads,
    REPEAT: Residuals._repeat_heads,
    LITERALS: Residuals._literals_heads,
    BOTH: Residuals._both_heads,
    NOT: Residuals._not_heads,
    CALL: Residuals._call_heads,
}

_PLAIN = b"0" + bytes(range(0x61, 0x7B)) + bytes(range(0x41, 0x5B)) + bytes(range(0x20, 0x7F))


def _plainest(mask: int) -> bytes:
    for byte in _PLAIN:
        if mask >> byte & 1:
            return bytes([byte])
    return bytes([(mask & -mask).bit_length() - 1])


def children(expression: ir.Expression) -> tuple[ir.Expression, ...]:
    """The direct sub-expressions."""
    match expression:
        case ir.Sequence(items) | ir.Intersection(items):
            return items
        case ir.Choice(options):
            return options
        case ir.Repeat(item) | ir.Complement(item):
            return (item,)
    return ()


def postorder(root: ir.Expression) -> list[ir.Expression]:
    """Every distinct sub-expression object, children first; iterative, for any depth."""
    order: list[ir.Expression] = []
    seen: set[int] = set()
    stack: list[tuple[ir.Expression, bool]] = [(root, False)]
    while stack:
        expression, is_done = stack.pop()
        if is_done:
            order.append(expression)
        elif id(expression) not in seen:
            seen.add(id(expression))
            stack.append((expression, True))
            stack += [(child, False) for child in children(expression)]
    return order
