"""Residual expressions: what is left to match, as hash-consed nodes.

A node is an integer; equal expressions are equal nodes. Counts are never unrolled and big
alternatives are ranges of one sorted list: `derivatives` says how nodes go on, when asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from time import thread_time
from typing import TYPE_CHECKING, Any

from lipogram.grammars.errors import BudgetExceeded
from lipogram.grammars.utf8 import ByteRanges, byte_ranges

if TYPE_CHECKING:
    from lipogram.grammars.members import Left, Run

ALL_BYTES = (1 << 256) - 1
INFINITE = 1 << 60
_FEW_LITERALS = 64  # as many are alternatives like others; more are searched in a sorted list

BYTES, CHAIN, SEQUENCE, CHOICE, REPEAT, LITERALS, BOTH, NOT, CALL, MEMBERS, MEMBER = range(11)
NOTHING, EMPTY = 0, 1  # the first two nodes: the empty language, the empty string

Key = tuple[Any, ...]  # (operation, its arguments)


def byte_mask(low: int, high: int) -> int:
    """The mask of bytes low..high."""
    return (1 << (high + 1)) - (1 << low)


class Residuals:
    """The nodes of one grammar; grows as it is used, up to `max_nodes`."""

    def __init__(self, max_nodes: int) -> None:
        self.max_nodes = max_nodes
        self.deadline_s: float | None = (
            None  # of this thread's CPU time, so that a busy machine is no excuse
        )
        self.rule_lengths: list[int] = []
        # The bodies of rules made here, numbered after the grammar's.
        self.nameless: list[int] = []
        self._nameless_calls: dict[tuple[int, bool], int] = {}
        self._digests: dict[int, bytes | None] = {}
        self._ids: dict[Key, int] = {}
        self.keys: list[Key] = []
        self.nullable: list[bool] = []
        self.is_boolean: list[bool] = []  # contains BOTH or NOT, so it may denote nothing
        self.lengths: list[int | None] = []
        self._new(("nothing",), nullable=False, is_boolean=False, length=INFINITE)
        self._new(("empty",), nullable=True, is_boolean=False, length=0)
        self.anything = self.repeat(self.byte_class(ALL_BYTES), 0, None)

    def __len__(self) -> int:
        return len(self.keys)

    def _new(self, key: Key, *, nullable: bool, is_boolean: bool, length: int | None) -> int:
        self._check_room(1)
        node = self._ids[key] = len(self.keys)
        self.keys.append(key)
        self.nullable.append(nullable)
        self.is_boolean.append(is_boolean)
        self.lengths.append(length)
        return node

    def _check_room(self, count: int) -> None:
        if len(self.keys) + count > self.max_nodes:
            raise BudgetExceeded(f"the grammar needs more than {self.max_nodes} residual nodes")
        self.check_deadline()

    def check_deadline(self) -> None:
        """Raise BudgetExceeded if it has passed."""
        if self.deadline_s is not None and thread_time() > self.deadline_s:
            raise BudgetExceeded("the grammar takes too long to compile")

    # Constructors. Each returns a canonical node; NOTHING wherever nothing can match.

    def byte_class(self, mask: int) -> int:
        if not mask:
            return NOTHING
        key = (BYTES, mask)
        node = self._ids.get(key)
        if node is not None:
            return node
        return self._new(key, nullable=False, is_boolean=False, length=1)

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
        node = self._ids[key] = len(self.keys)
        self.keys += [(CHAIN, text, offset, rest) for offset in range(count)]
        self.nullable += [False] * count
        self.is_boolean += [self.is_boolean[rest]] * count
        length = self.lengths[rest]
        self.lengths += [None] * count if length is None else range(length + count, length, -1)
        return node

    def chain_of(self, node: int) -> tuple[int, bytes, int] | None:
        """The first node, the text and the rest of the chain that a node is part of, if it is."""
        key = self.keys[node]
        return (node - key[2], key[1], key[3]) if key[0] == CHAIN else None

    def sequence(self, first: int, rest: int) -> int:
        if first == NOTHING or rest == NOTHING:
            return NOTHING
        if first == EMPTY:
            return rest
        if rest == EMPTY:
            return first
        key = self.keys[first]
        if key[0] == CHAIN and key[3] == EMPTY:
            return self.chain(key[1][key[2] :], rest)
        key = (SEQUENCE, first, rest)
        node = self._ids.get(key)
        if node is not None:
            return node
        lengths = self.lengths[first], self.lengths[rest]
        return self._new(
            key,
            nullable=self.nullable[first] and self.nullable[rest],
            is_boolean=self.is_boolean[first] or self.is_boolean[rest],
            length=None if lengths[0] is None or lengths[1] is None else lengths[0] + lengths[1],
        )

    def choice(self, options: Iterable[int]) -> int:
        flat: set[int] = set()
        for option in options:
            key = self.keys[option]
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
        known = [length for m in members if (length := self.lengths[m]) is not None]
        return self._new(
            key,
            nullable=any(self.nullable[m] for m in members),
            is_boolean=any(self.is_boolean[m] for m in members),
            length=min(known) if len(known) == len(members) else None,
        )

    def repeat(
        self, item: int, minimum: int, maximum: int | None, *, is_named: bool = False
    ) -> int:
        """`item` so many times; as a call of a nameless rule if `is_named` and that may save."""
        if maximum == 0 or item == EMPTY or (item == NOTHING and minimum == 0):
            return EMPTY
        if item == NOTHING:
            return NOTHING
        if self.nullable[item]:
            minimum = 0
        if minimum == 1 and maximum == 1:
            return item
        key = self.keys[item]
        if key[0] == REPEAT and key[2] in (0, 1):
            # x{a,b}{c,d} with a <= 1 covers every count from a*c to b*d.
            inner_minimum, inner_maximum = key[2], key[3]
            both = maximum is not None and inner_maximum is not None
            return self.repeat(
                key[1],
                inner_minimum * minimum,
                maximum * inner_maximum if both else None,
            )
        if is_named and self.nullable[item] and maximum not in (None, 1):
            item = self._name(item, may_be_empty=False)  # else an empty turn leads to each count
        elif is_named:
            item = self.named(item)
        key = (REPEAT, item, minimum, maximum)
        node = self._ids.get(key)
        if node is not None:
            return node
        length = self.lengths[item]
        return self._new(
            key,
            nullable=minimum == 0,
            is_boolean=minimum > 0 and self.is_boolean[item],
            length=0 if minimum == 0 else None if length is None else minimum * length,
        )

    def literals(self, texts: Iterable[bytes]) -> int:
        members = tuple(sorted(set(texts)))
        if len(members) <= _FEW_LITERALS:
            return self.choice(self.chain(member, EMPTY) for member in members)
        node = self.literals_between(members, 0, len(members), 0)
        self.lengths[node] = min(map(len, members))
        return node

    def literals_between(self, texts: tuple[bytes, ...], low: int, high: int, depth: int) -> int:
        if low == high:
            return NOTHING
        if high - low == 1:
            return self.chain(texts[low][depth:], EMPTY)
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
        self.keys[node] = key
        return node

    def both(self, items: Iterable[int]) -> int:
        flat: set[int] = set()
        for item in items:
            key = self.keys[item]
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
        key = self.keys[item]
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

    def members(self, run: Run, left: Left, *, nullable: bool) -> int:
        """What is left of a run."""
        key = (MEMBERS, run, left)
        node = self._ids.get(key)
        if node is not None:
            return node
        return self._new(key, nullable=nullable, is_boolean=False, length=None)

    def member(
        self, run: Run, left: Left, low: int, high: int, depth: int, *, nullable: bool
    ) -> int:
        """A next member, of those from low to high, from byte `depth` on; then the rest."""
        key = (MEMBER, run, left, low, high, depth)
        node = self._ids.get(key)
        if node is not None:
            return node
        return self._new(key, nullable=nullable, is_boolean=False, length=None)

    def named(self, node: int) -> int:
        """A call of a nameless rule of this body, where that saves making states again.

        Alternatives are worth it; not what may end after any byte, like most repeats: a token would
        return from it at every turn.
        """
        key = self.keys[node]
        if key[0] not in (CHOICE, LITERALS) and not (key[0] == REPEAT and key[3] == 1):
            return node
        return self._name(node, may_be_empty=self.nullable[node])

    def _name(self, node: int, *, may_be_empty: bool) -> int:
        """A call of a nameless rule of this body: of its members but the empty one, if so said."""
        call = self._nameless_calls.get((node, may_be_empty))
        if call is None:
            rule = len(self.rule_lengths)
            length = self.lengths[node]
            self.nameless.append(node)
            self.rule_lengths.append(0 if may_be_empty else length or 1)
            call = self._nameless_calls[node, may_be_empty] = self._new(
                (CALL, rule),
                nullable=self.nullable[node],
                is_boolean=False,
                length=length,
            )
        return call

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

    def digest(self, node: int) -> bytes | None:
        """Equal for equal residuals of any grammar; None if it calls rules by name, or many texts.

        Cost: the nodes below that have none yet.
        """
        todo = [node]
        while todo:
            current = todo[-1]
            if current in self._digests:
                todo.pop()
                continue
            parts, below = self._digest_parts(current)
            missing = [part for part in below if part not in self._digests]
            if missing:
                todo += missing
                continue
            todo.pop()
            digests = [self._digests[part] for part in below]
            if parts is None or None in digests:
                self._digests[current] = None
                continue
            if self.keys[current][0] in (CHOICE, BOTH):
                digests.sort()  # node numbers differ from grammar to grammar
            joined = b"".join([repr(parts).encode(), *(d for d in digests if d is not None)])
            self._digests[current] = blake2b(joined, digest_size=16).digest()
        return self._digests[node]

    def _digest_parts(self, node: int) -> tuple[tuple[object, ...] | None, tuple[int, ...]]:
        """What tells a node from others, and the nodes below it."""
        match self.keys[node]:
            case (op, text, offset, rest) if op == CHAIN:
                return (op, text[offset:]), (rest,)
            case (op, first, rest) if op == SEQUENCE:
                return (op,), (first, rest)
            case (op, members) if op in (CHOICE, BOTH):
                return (op,), members
            case (op, item, minimum, maximum) if op == REPEAT:
                return (op, minimum, maximum), (item,)
            case (op, item) if op == NOT:
                return (op,), (item,)
            case (op, rule) if op == CALL:
                named = len(self.rule_lengths) - len(self.nameless)
                parts = (op, self.rule_lengths[rule] > 0)
                return (None, ()) if rule < named else (parts, (self.nameless[rule - named],))
            case (op, *_) if op in (LITERALS, MEMBERS, MEMBER):
                return None, ()
            case key:
                return key, ()
