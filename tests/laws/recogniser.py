"""What a grammar means, step by step: Earley's algorithm over networks, nothing else.

Each rule is a network over bytes: counts are unrolled, Boolean expressions determinised by subsets
(Thompson 1968; Rabin and Scott 1959). A chart is one set of (place, origin) per byte read (Earley
1970). Places that lead nowhere are removed first, so a prefix is live iff its last set is not
empty. No code of the engine is used; enumeration judges this recogniser in turn.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from lipogram.grammars import ir

Chart = tuple[frozenset[tuple[int, int]], ...]


class Network:
    """Places joined by empty moves, moves by a byte of a set, and calls of rules."""

    def __init__(self) -> None:
        self.empty: list[set[int]] = []
        self.bytes: list[list[tuple[int, int]]] = []
        self.calls: list[list[tuple[str, int]]] = []

    def place(self) -> int:
        self.empty.append(set())
        self.bytes.append([])
        self.calls.append([])
        return len(self.empty) - 1

    def write(self, e: ir.Expression, begin: int) -> int:
        """Draw `e` from `begin` on; returns where it ends."""
        match e:
            case ir.Literal(text):
                return self._path([1 << byte for byte in text], begin)
            case ir.Bytes(mask):
                return self._path([mask], begin)
            case ir.Literals(texts):
                return self._join(self.write(ir.Literal(text), begin) for text in texts)
            case ir.Chars(ranges):
                return self._characters(ranges, begin)
            case ir.Sequence(items):
                for item in items:
                    begin = self.write(item, begin)
                return begin
            case ir.Choice(options):
                return self._join(self.write(option, self._after(begin)) for option in options)
            case ir.Repeat(item, minimum, maximum):
                return self._repeat(item, minimum, maximum, begin)
            case ir.Reference(rule):
                end = self.place()
                self.calls[begin].append((rule, end))
                return end
            case ir.Intersection() | ir.Complement():
                return self._boolean(e, begin)
        raise AssertionError(e)

    def _path(self, masks: Iterable[int], begin: int) -> int:
        for mask in masks:
            end = self.place()
            self.bytes[begin].append((mask, end))
            begin = end
        return begin

    def _characters(self, ranges: Iterable[tuple[int, int]], begin: int) -> int:
        """Spans that end alike share their ends: counts of classes would be huge without."""
        end = self.place()
        shared: dict[tuple[int, ...], int] = {(): end}
        for low, high in ranges:
            for span in utf8_spans(low, high):
                for length in range(1, len(span)):
                    rest = tuple(span[-length:])
                    if rest not in shared:
                        shared[rest] = self.place()
                        self.bytes[shared[rest]].append((rest[0], shared[rest[1:]]))
                self.bytes[begin].append((span[0], shared[tuple(span[1:])]))
        return end

    def _after(self, begin: int) -> int:
        place = self.place()
        self.empty[begin].add(place)
        return place

    def _join(self, ends: Iterable[int]) -> int:
        end = self.place()
        for each in list(ends):
            self.empty[each].add(end)
        return end

    def _repeat(self, item: ir.Expression, minimum: int, maximum: int | None, begin: int) -> int:
        for _ in range(minimum):
            begin = self.write(item, self._after(begin))
        end = self._after(begin)
        if maximum is None:
            again = self._after(begin)
            last = self.write(item, again)
            self.empty[last] |= {again, end}
        else:
            for _ in range(maximum - minimum):
                begin = self.write(item, self._after(begin))
                self.empty[begin].add(end)
        return end

    def _boolean(self, e: ir.Expression, begin: int) -> int:
        """One place for each state of the deterministic product."""
        product = Product(e)
        places = {product.start: self._after(begin)}
        end, pending = self.place(), [product.start]
        while pending:
            state = pending.pop()
            if product.accepts(state):
                self.empty[places[state]].add(end)
            moves: dict[Hashable, int] = {}
            for mask in product.classes:
                successor = product.step(state, mask)
                moves[successor] = moves.get(successor, 0) | mask
            for successor, mask in moves.items():
                if successor not in places:
                    places[successor] = self.place()
                    pending.append(successor)
                self.bytes[places[state]].append((mask, places[successor]))
        return end

    def closure(self, places: Iterable[int]) -> frozenset[int]:
        found, pending = set(places), list(places)
        while pending:
            more = self.empty[pending.pop()] - found
            found |= more
            pending += more
        return frozenset(found)


class Product:
    """A Boolean expression read deterministically: a set of places for each regular part."""

    def __init__(self, e: ir.Expression) -> None:
        self.expression = e
        self.leaves: dict[int, tuple[Network, int]] = {}
        self.steps: dict[tuple[int, Hashable, int], Hashable] = {}
        self.start = self._start(e)
        masks = {
            mask for net, _ in self.leaves.values() for moves in net.bytes for mask, _ in moves
        }
        self.classes = split_bytes(masks)

    def _start(self, e: ir.Expression) -> Hashable:
        match e:
            case ir.Intersection(items):
                return tuple(self._start(item) for item in items)
            case ir.Complement(item):
                return (self._start(item),)
        network = Network()
        begin = network.place()
        self.leaves[id(e)] = network, network.write(e, begin)
        return network.closure([begin])

    def step(self, state, some: int, e: ir.Expression | None = None) -> Hashable:
        """The state after any byte of `some`, one of the classes."""
        match e or self.expression:
            case ir.Intersection(items):
                return tuple(self.step(s, some, i) for s, i in zip(state, items, strict=True))
            case ir.Complement(item):
                return (self.step(state[0], some, item),)
            case leaf:
                key = id(leaf), state, some
                if key not in self.steps:
                    net, _ = self.leaves[id(leaf)]
                    moves = [move for place in state for move in net.bytes[place]]
                    self.steps[key] = net.closure([end for mask, end in moves if mask & some])
                return self.steps[key]

    def accepts(self, state, e: ir.Expression | None = None) -> bool:
        match e or self.expression:
            case ir.Intersection(items):
                return all(self.accepts(s, i) for s, i in zip(state, items, strict=True))
            case ir.Complement(item):
                return not self.accepts(state[0], item)
            case leaf:
                return self.leaves[id(leaf)][1] in state


def split_bytes(masks: Iterable[int]) -> list[int]:
    """The 256 bytes, divided into the fewest sets that no mask cuts."""
    classes = [(1 << 256) - 1]
    for mask in masks:
        classes = [part for c in classes for part in (c & mask, c & ~mask) if part]
    return classes


def utf8_spans(low: int, high: int) -> Iterator[list[int]]:
    """Byte sets, one after the other, that spell just the scalar values from `low` to `high`."""
    for first, last in (
        (0, 0x7F),
        (0x80, 0x7FF),
        (0x800, 0xD7FF),
        (0xE000, 0xFFFF),
        (1 << 16, 0x10FFFF),
    ):
        if max(low, first) <= min(high, last):
            yield from _spans(chr(max(low, first)).encode(), chr(min(high, last)).encode())


def _spans(low: bytes, high: bytes) -> Iterator[list[int]]:
    """Texts of one length from `low` to `high`, where bytes after the first are 80 to BF."""
    if not low:
        yield []
    elif low[0] == high[0]:
        yield from ([1 << low[0], *rest] for rest in _spans(low[1:], high[1:]))
    else:
        least, most = b"\x80" * (len(low) - 1), b"\xbf" * (len(low) - 1)
        yield from ([1 << low[0], *rest] for rest in _spans(low[1:], most))
        between = sum(1 << byte for byte in range(low[0] + 1, high[0]))
        if between:
            yield from ([between, *rest] for rest in _spans(least, most))
        yield from ([1 << high[0], *rest] for rest in _spans(least, high[1:]))


class Recogniser:
    """Reads texts of a grammar; a chart is immutable, None where no member goes on so."""

    def __init__(self, grammar: ir.Grammar) -> None:
        self.net = Network()
        self.begin = {rule: self.net.place() for rule in grammar.rules}
        ends = {rule: self.net.write(e, self.begin[rule]) for rule, e in grammar.rules.items()}
        self.rule_ended = {place: rule for rule, place in ends.items()}
        self.start_rule, self.start_end = grammar.start, ends[grammar.start]
        moves = self.net.bytes
        self.net.bytes = [[] for _ in moves]
        self.nullable = self._derivable(ends)
        self.net.bytes = moves
        self.productive = self._derivable(ends)
        self._remove_dead(ends)
        self.ends: dict[tuple[int, int], list[int]] = {}

    def _derivable(self, ends: dict[str, int]) -> set[str]:
        """The rules whose end can be reached: by nothing at all, if there are no moves."""
        found: set[str] = set()
        while True:
            new = {
                rule for rule, end in ends.items() if end in self._reached(self.begin[rule], found)
            }
            if new == found:
                return found
            found = new

    def _reached(self, place: int, rules: set[str]) -> set[int]:
        found, pending = {place}, [place]
        while pending:
            here = pending.pop()
            more = set(self._following(here, rules)) - found
            found |= more
            pending += more
        return found

    def _following(self, place: int, rules: set[str]) -> Iterator[int]:
        yield from self.net.empty[place]
        yield from (end for mask, end in self.net.bytes[place] if mask)
        yield from (end for rule, end in self.net.calls[place] if rule in rules)

    def _remove_dead(self, ends: dict[str, int]) -> None:
        before: dict[int, list[int]] = {}
        for place in range(len(self.net.empty)):
            for end in self._following(place, self.productive):
                before.setdefault(end, []).append(place)
        alive, pending = set(ends.values()), list(ends.values())
        while pending:
            more = set(before.get(pending.pop(), ())) - alive
            alive |= more
            pending += more
        net = self.net
        net.empty = [ends & alive for ends in net.empty]
        net.bytes = [[m for m in moves if m[1] in alive] for moves in net.bytes]
        net.calls = [
            [c for c in calls if c[1] in alive and c[0] in self.productive] for calls in net.calls
        ]

    def _moves(self, place: int, byte: int) -> list[int]:
        ends = self.ends.get((place, byte))
        if ends is None:
            ends = [end for mask, end in self.net.bytes[place] if mask >> byte & 1]
            self.ends[place, byte] = ends
        return ends

    def start(self) -> Chart | None:
        """The chart of the empty text."""
        if self.start_rule not in self.productive:
            return None
        return self._closed((), {(self.begin[self.start_rule], 0)})

    def step(self, chart: Chart, byte: int) -> Chart | None:
        moved = {(end, origin) for place, origin in chart[-1] for end in self._moves(place, byte)}
        return self._closed(chart, moved) if moved else None

    def _closed(self, chart: Chart, items: set[tuple[int, int]]) -> Chart:
        here, net = len(chart), self.net
        pending = list(items)

        def add(item: tuple[int, int]) -> None:
            if item not in items:
                items.add(item)
                pending.append(item)

        while pending:
            place, origin = pending.pop()
            for end in net.empty[place]:
                add((end, origin))
            for rule, end in net.calls[place]:
                add((self.begin[rule], here))
                if rule in self.nullable:
                    add((end, origin))
            rule = self.rule_ended.get(place)
            if rule is not None and origin < here:  # empty ones were crossed at the call
                for caller, beyond in chart[origin]:
                    for called, end in net.calls[caller]:
                        if called == rule:
                            add((end, beyond))
        return (*chart, frozenset(items))

    def is_complete(self, chart: Chart) -> bool:
        return (self.start_end, 0) in chart[-1]

    def walk(self, chart: Chart | None, text: bytes) -> Chart | None:
        for byte in text:
            if chart is None:
                return None
            chart = self.step(chart, byte)
        return chart

    def live(self, chart: Chart, texts: Iterable[bytes]) -> set[bytes]:
        """Which of the texts some member goes on with; common beginnings are read once."""
        read: dict[bytes, Chart | None] = {b"": chart}
        found = set()
        for text in texts:
            known = next(n for n in range(len(text), -1, -1) if text[:n] in read)
            here = read[text[:known]]
            for end in range(known, len(text)):
                here = None if here is None else self.step(here, text[end])
                read[text[: end + 1]] = here
            if here is not None:
                found.add(text)
        return found
