"""How residuals go on, byte by byte, and how they can be brought to an end.

Heads are partial derivatives (Antimirov, "Partial derivatives of regular expressions", 1996),
extended by rule calls; intersection and complement are derived deterministically (Brzozowski
1964). All of it is computed when first asked for, and kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeVar

from lipogram.grammars.members import Left, Run
from lipogram.grammars.residuals import (
    ALL_BYTES,
    BOTH,
    BYTES,
    CALL,
    CHAIN,
    CHOICE,
    EMPTY,
    INFINITE,
    LITERALS,
    MEMBER,
    MEMBERS,
    NOT,
    NOTHING,
    REPEAT,
    SEQUENCE,
    Residuals,
)

Rest = TypeVar("Rest")
Edge = tuple[int, int]  # (byte mask, rest)


@dataclass(frozen=True, slots=True)
class Heads:
    """How a node can go on: `edges` (byte mask, rest) and `calls` (rule, rest)."""

    edges: tuple[Edge, ...]
    calls: tuple[tuple[int, int], ...] = ()


_NO_HEADS = Heads(())


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


class Derivatives:
    """What the nodes of one grammar can do."""

    def __init__(self, residuals: Residuals) -> None:
        self.residuals = residuals
        self._heads: dict[int, Heads] = {NOTHING: _NO_HEADS, EMPTY: _NO_HEADS}
        self._alive: dict[int, bool] = {}

    def live_heads(self, node: int) -> Heads:
        """The ways to go on that end somewhere."""
        heads = self.heads(node)
        edges = [edge for edge in heads.edges if self.is_alive(edge[1])]
        return Heads(tuple(edges), heads.calls)

    def heads(self, node: int) -> Heads:
        """The ways to go on. Rests of boolean nodes may be dead: see `is_alive`."""
        found = self._heads.get(node)
        if found is None:
            key = self.residuals.keys[node]
            found = self._heads[node] = _DERIVE[key[0]](self, *key[1:])
        return found

    def _bytes_heads(self, mask: int) -> Heads:
        return Heads(((mask, EMPTY),))

    def _chain_heads(self, text: bytes, offset: int, rest: int) -> Heads:
        following = rest
        if offset + 1 < len(text):
            following = self.residuals.chain(text, rest) + offset + 1
        return Heads(((1 << text[offset], following),))

    def _sequence_heads(self, first: int, rest: int) -> Heads:
        residuals = self.residuals
        edges: list[Edge] = []
        calls: list[tuple[int, int]] = []
        while True:  # not by recursion: a long series of optional parts is as deep as it is long
            heads = self.heads(first)
            edges += [(mask, residuals.sequence(r, rest)) for mask, r in heads.edges]
            calls += [(rule, residuals.sequence(r, rest)) for rule, r in heads.calls]
            if not residuals.nullable[first] or residuals.keys[first][0] == CALL:
                break  # a rule that may be empty is skipped where it is called
            key = residuals.keys[rest]
            if key[0] != SEQUENCE:
                heads = self.heads(rest)
                edges += heads.edges
                calls += heads.calls
                break
            first, rest = key[1], key[2]
        return Heads(tuple(edges), tuple(calls))

    def _choice_heads(self, options: tuple[int, ...]) -> Heads:
        all_heads = [self.heads(option) for option in options]
        return Heads(
            tuple(dict.fromkeys(edge for heads in all_heads for edge in heads.edges)),
            tuple(dict.fromkeys(call for heads in all_heads for call in heads.calls)),
        )

    def _repeat_heads(self, item: int, minimum: int, maximum: int | None) -> Heads:
        rest = self.residuals.repeat(
            item, max(minimum - 1, 0), None if maximum is None else maximum - 1
        )
        heads = self.heads(item)
        return Heads(
            tuple((mask, self.residuals.sequence(r, rest)) for mask, r in heads.edges),
            tuple((rule, self.residuals.sequence(r, rest)) for rule, r in heads.calls),
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
            edges.append((1 << byte, self.residuals.literals_between(texts, low, stop, depth + 1)))
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
        return Heads(tuple((mask, self.residuals.both(rests)) for mask, rests in classes))

    def _not_heads(self, item: int) -> Heads:
        edges = []
        free = ALL_BYTES
        for mask, rest in self.deterministic(item):
            edges.append((mask, self.residuals.complement(rest)))
            free &= ~mask
        if free:
            edges.append((free, self.residuals.anything))
        return Heads(tuple(edge for edge in edges if edge[1] != NOTHING))

    def _call_heads(self, rule: int) -> Heads:
        return Heads((), ((rule, EMPTY),))

    def _members_heads(self, run: Run, left: Left) -> Heads:
        edges, calls = run.run_heads(left)
        return Heads(tuple(edges), tuple(calls))

    def _member_heads(self, run: Run, left: Left, low: int, high: int, depth: int) -> Heads:
        edges, calls = run.next_heads(left, low, high, depth)
        return Heads(tuple(edges), tuple(calls))

    def deterministic(self, node: int) -> list[Edge]:
        """Edges with disjoint byte classes, for a node without calls."""
        edges = self.heads(node).edges
        return [(mask, self.residuals.choice(rests)) for mask, rests in partition(edges)]

    def is_alive(self, node: int) -> bool:
        """Whether the node denotes anything at all. Cost: a search, once, for boolean nodes."""
        if not self.residuals.is_boolean[node]:
            return node != NOTHING
        if self.residuals.nullable[node]:
            return True
        key = self.residuals.keys[node]
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
            self._search(
                node, stop=lambda n: self.residuals.nullable[n] or self._alive.get(n, False)
            )
            known = self._alive[node]
        return known

    def _search(self, node: int, stop: Callable[[int], bool]) -> list[tuple[int, int]] | None:
        """A shortest path to where `stop` holds, as (byte mask, node reached) steps, or None.

        Best first (A*): the length of an intersection is at least that of each of its parts, so
        where one part says how to go on there is little to search. Notes what is alive and dead.
        """
        depths = {node: 0}
        parents: dict[int, tuple[int, int]] = {}
        heap = [(self._least(node), 0, node)]
        while heap:
            _, height, current = heappop(heap)  # minus the depth: deepest first among equals
            if -height > depths[current]:
                continue  # reached on a shorter path since
            if stop(current):
                path = []
                while current != node:
                    self._alive[current] = True
                    previous, mask = parents[current]
                    path.append((mask, current))
                    current = previous
                self._alive[node] = True
                return path[::-1]
            depth = 1 - height
            for mask, rest in self.heads(current).edges:
                if depth < depths.get(rest, INFINITE) and self._alive.get(rest, True):
                    depths[rest] = depth
                    parents[rest] = (current, mask)
                    heappush(heap, (depth + self._least(rest), -depth, rest))
        for visited in depths:
            self._alive[visited] = False
        return None

    def _least(self, node: int) -> int:
        """A lower bound of the length, without a search."""
        known = self.residuals.lengths[node]
        if known is not None:
            return known
        key = self.residuals.keys[node]
        op = key[0]
        if op == BOTH:
            return max(map(self._least, key[1]))
        if op == CHOICE:
            return min(map(self._least, key[1]))
        if op == SEQUENCE:
            return self._least(key[1]) + self._least(key[2])
        if op == REPEAT:
            return int(key[2]) * self._least(key[1])
        if op == CHAIN:
            return int(len(key[1]) - key[2]) + self._least(key[3])
        return (
            self.length(node) if op in (LITERALS, MEMBERS, MEMBER) else 1
        )  # what is left is not nullable

    def length(self, node: int) -> int:
        """The number of bytes of a shortest member; INFINITE if there is none."""
        known = self.residuals.lengths[node]
        if known is None:
            known = self.residuals.lengths[node] = self._measure(node)
        return known

    def _measure(self, node: int) -> int:
        key = self.residuals.keys[node]
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
        elif op == MEMBERS:
            length = key[1].length(key[2])
        elif op == MEMBER:
            length = key[1].next_length(*key[2:])
        else:
            path = self._search(node, stop=lambda n: self.residuals.nullable[n])
            length = INFINITE if path is None else len(path)
            for index, (_, reached) in enumerate(path or (), start=1):
                self.residuals.lengths[reached] = length - index
        return min(length, INFINITE)

    def shortest(self, node: int, rule_text: Callable[[int], bytes]) -> bytes:
        """The bytes of a shortest member of a live node; `rule_text` gives those of a rule."""
        pieces: list[bytes] = []
        todo = [node]
        while todo:
            current = todo.pop()
            if self.residuals.nullable[current]:
                continue  # nothing to spell, however many parts it has
            key = self.residuals.keys[current]
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
            elif op == MEMBERS:
                todo += key[1].run_way(key[2])[::-1]
            elif op == MEMBER:
                text, node, rest = key[1].next_way(*key[2:])
                pieces.append(text)
                todo += [rest, node]
            elif op in (BOTH, NOT):
                path = self._search(current, stop=lambda n: self.residuals.nullable[n])
                assert path is not None
                pieces += [_plainest(mask) for mask, _ in path]
        return b"".join(pieces)


_DERIVE: dict[int, Callable[..., Heads]] = {
    BYTES: Derivatives._bytes_heads,
    CHAIN: Derivatives._chain_heads,
    SEQUENCE: Derivatives._sequence_heads,
    CHOICE: Derivatives._choice_heads,
    REPEAT: Derivatives._repeat_heads,
    LITERALS: Derivatives._literals_heads,
    BOTH: Derivatives._both_heads,
    NOT: Derivatives._not_heads,
    CALL: Derivatives._call_heads,
    MEMBERS: Derivatives._members_heads,
    MEMBER: Derivatives._member_heads,
}

_PLAIN = b"0" + bytes(range(0x61, 0x7B)) + bytes(range(0x41, 0x5B)) + bytes(range(0x20, 0x7F))


def _plainest(mask: int) -> bytes:
    for byte in _PLAIN:
        if mask >> byte & 1:
            return bytes([byte])
    return bytes([(mask & -mask).bit_length() - 1])
