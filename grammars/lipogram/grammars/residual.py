"""What a state of an automaton still takes, as a grammar again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from lipogram.grammars import ir, special_tokens
from lipogram.grammars.arrays import view
from lipogram.grammars.engine import layout as at
from lipogram.grammars.engine.memory import Memory
from lipogram.grammars.engine.runs import AFTER, BEGUN
from lipogram.grammars.reversal import Mirror

_ARRAYS = (
    at.NODES, at.LISTS, at.MASKS, at.RULES, at.STATES, at.ITEMS, at.FRAMES, at.CALLERS, at.SETS,
    at.TEXTS, at.TEXT_STARTS,
)  # fmt: skip
_CHAR_BYTES = 4
_MAX_SPANS = 4096  # series of byte sets that are looked at for characters
_CONTINUATION = ((1 << 64) - 1) << 128
_LEADS = (
    (1, 0, (1 << 128) - 1), (2, 0xC0, ((1 << 30) - 1) << 0xC2), (3, 0xE0, ((1 << 16) - 1) << 0xE0),
    (4, 0xF0, ((1 << 5) - 1) << 0xF0),
)  # fmt: skip


def residual(
    memory: Memory,
    state: int,
    grammar: ir.Grammar,
    runs: Sequence[ir.Members],
    mirror: Mirror,
) -> ir.Grammar:
    """The grammar of what completes a state of an engine that runs a grammar read backwards.

    `runs` are the grammar's runs of members by the numbers that the engine has for them. Rules that
    are called from now on are the grammar's own; frames that the state returns to become rules of
    new names. Byte sets that spell characters backwards become images in the mirror of such
    characters. Cost: linear in the frames and residuals that the state can reach. The engine's lock
    is to be held.
    """
    return _Reader(memory, grammar, runs, mirror).grammar(state)


class _Reader:
    """Reads items, frames and nodes out of an engine's memory."""

    def __init__(
        self, memory: Memory, grammar: ir.Grammar, runs: Sequence[ir.Members], mirror: Mirror
    ) -> None:
        self._arrays = {number: view(memory, number) for number in _ARRAYS}
        self._grammar = grammar
        self._names = list(grammar.rules)
        self._runs = runs
        self._mirror = mirror
        self._has_specials = special_tokens.occur(grammar)
        self._prefix = "~"
        while any(name.startswith(self._prefix) for name in self._names):
            self._prefix += "~"
        self._done: dict[int, ir.Expression] = {at.NOTHING: ir.NOTHING, at.EMPTY: ir.EMPTY}

    # Frames.

    def grammar(self, state: int) -> ir.Grammar:
        items = self._pairs(at.STATES, state * at.STATE_WIDTH + at.S_START, at.ITEMS)
        callers = self._callers([frame for _, frame in items])
        uses: dict[int, int] = {}
        for pairs in (items, *callers.values()):
            for _, frame in pairs:
                uses[frame] = uses.get(frame, 0) + 1
        # What is returned to in one way from one place is written in place.
        self._inline = {
            frame: pairs[0]
            for frame, pairs in callers.items()
            if len(pairs) == 1 and uses[frame] == 1
        }
        rules = {self._prefix: self._ways(items)}
        for frame, pairs in callers.items():
            if frame not in self._inline:
                rules[f"{self._prefix}{frame}"] = self._ways(pairs)
        return ir.Grammar({**self._grammar.rules, **rules}, self._prefix, self._grammar.report)

    def _callers(self, frames: list[int]) -> dict[int, list[tuple[int, int]]]:
        """What awaits each frame that can be reached: (rest, frame to return to)."""
        found: dict[int, list[tuple[int, int]]] = {}
        while frames:
            frame = frames.pop()
            if frame != at.ROOT and frame not in found:
                found[frame] = self._pairs(at.FRAMES, frame * at.FRAME_WIDTH, at.CALLERS)
                frames += [caller for _, caller in found[frame]]
        return found

    def _pairs(self, table: int, place: int, pairs: int) -> list[tuple[int, int]]:
        """The (node, frame) pairs between the two ends that stand in a table, each once."""
        start, end = self._arrays[table][place : place + 2].tolist()
        flat = self._arrays[pairs][2 * start : 2 * end].tolist()
        return list(dict.fromkeys(zip(flat[::2], flat[1::2], strict=True)))

    def _ways(self, pairs: list[tuple[int, int]]) -> ir.Expression:
        options = []
        for node, frame in pairs:
            parts = [self._expression(node)]
            while frame in self._inline:
                node, frame = self._inline[frame]
                parts.append(self._expression(node))
            if frame != at.ROOT:
                parts.append(ir.Reference(f"{self._prefix}{frame}"))
            options.append(ir.sequence(*parts))
        return _any(options)

    # Nodes.

    def _fields(self, node: int) -> tuple[int, int, int, int]:
        place = node * at.NODE_WIDTH
        op, a, b, c = self._arrays[at.NODES][place : place + 4].tolist()
        return op, a, b, c

    def _expression(self, node: int) -> ir.Expression:
        """The expression of a node, those of its parts first."""
        done, waiting = self._done, [node]
        while waiting:
            current = waiting[-1]
            if current not in done:
                missing = [part for part in self._parts(current) if part not in done]
                if missing:
                    waiting += missing
                    continue
                done[current] = self._made(current)
            waiting.pop()
        return done[node]

    def _chain(self, node: int) -> tuple[list[int], list[int], int]:
        """What a sequence or a chain of byte sets is made of: sets, or nodes; and its end."""
        sets: list[int] = []
        nodes: list[int] = []
        op, a, b, _ = self._fields(node)
        first = op
        while op == first:
            (sets if op == at.CONS else nodes).append(a)
            node = b
            op, a, b, _ = self._fields(node)
        return sets, nodes, node

    def _parts(self, node: int) -> list[int]:
        op, a, b, _ = self._fields(node)
        if op in (at.CONS, at.SEQUENCE):
            _, nodes, end = self._chain(node)
            return [*nodes, end]
        if op in (at.CHOICE, at.BOTH):
            members: list[int] = self._arrays[at.LISTS][a : a + b].tolist()
            return members
        if op in (at.REPEAT, at.NOT):
            return [a]
        if op == at.CALL and a >= len(self._names):
            return [self._body(a)]
        return []

    def _body(self, rule: int) -> int:
        """The body of a nameless rule.

        It may be empty, which the rule may not be: only where the empty text makes no difference.
        """
        return int(self._arrays[at.RULES][rule * at.RULE_WIDTH + at.R_BODY]) - 1

    def _made(self, node: int) -> ir.Expression:
        op, a, b, c = self._fields(node)
        parts = [self._done[part] for part in self._parts(node)]
        if op == at.CONS:
            sets, _, _ = self._chain(node)
            return ir.sequence(*map(self._byte, sets), *parts)
        if op == at.SEQUENCE:
            return ir.sequence(*parts)
        if op == at.CHOICE:
            return self._choice(self._parts(node))
        if op == at.REPEAT:
            return ir.Repeat(parts[0], b, None if c < 0 else c)
        if op == at.BOTH:
            return ir.Intersection(tuple(parts))
        if op == at.NOT:
            return ir.Complement(parts[0])
        if op == at.CALL:
            return parts[0] if parts else ir.Reference(self._names[a])
        if op == at.LITERALS:
            return ir.Literals(tuple(self._text(text, c) for text in range(a, b)))
        return self._members(a, b, c)

    def _byte(self, number: int) -> ir.Expression:
        """A byte set; one byte is a literal, unless that could be taken for a special token's."""
        if number < 255 or (number == 255 and self._has_specials):
            return ir.Literal(bytes([number]))
        words = self._arrays[at.MASKS][8 * number : 8 * number + 8]
        return ir.Bytes(int.from_bytes(words.tobytes(), "little"))

    def _text(self, number: int, depth: int) -> bytes:
        start, end = self._arrays[at.TEXT_STARTS][number : number + 2].tolist()
        return bytes(self._arrays[at.TEXTS][start + depth : end].tolist())

    def _members(self, family: int, where: int, packed: int) -> ir.Expression:
        run, count, phase = self._runs[family], packed >> 2, packed & 3
        if phase == BEGUN:
            return run
        left = [index for index in range(len(run.items)) if not self._has_come(run, where, index)]
        places = {index: place for place, index in enumerate(left)}
        required = frozenset(places[index] for index in run.required if index in places)
        minimum = max(run.minimum - count, 0)
        maximum = None if run.maximum is None else run.maximum - count
        items = tuple(run.items[index] for index in left)
        options: list[ir.Expression] = []
        if maximum != 0 and (items or run.others != ir.NOTHING):
            least = max(minimum, 1)
            rest = replace(run, items=items, required=required, minimum=least, maximum=maximum)
            options.append(ir.sequence(run.separator, rest) if phase == AFTER else rest)
        if phase == AFTER and not minimum and not required:
            options.append(ir.EMPTY)
        return _any(options)

    def _has_come(self, run: ir.Members, where: int, index: int) -> bool:
        """As `engine.runs.has_come`: `where` is a position, or a set of 64-bit words."""
        if not run.any_order:
            return index < where
        return bool(self._arrays[at.SETS][2 * where + (index >> 5)] >> (index & 31) & 1)

    def _choice(self, nodes: list[int]) -> ir.Expression:
        """A choice, in which what are characters read backwards are one set of characters."""
        ranges: list[tuple[int, int]] = []
        others: list[ir.Expression] = []
        for node in nodes:
            option = self._done[node]
            found = _characters(option)
            if found is None:
                others.append(option)
            else:
                ranges += found
        if ranges:
            others.append(self._mirror(ir.chars(ranges)))
        return _any(others)


def _any(options: list[ir.Expression]) -> ir.Expression:
    """A choice that keeps its options as they are: images must not be taken apart."""
    return options[0] if len(options) == 1 else ir.Choice(tuple(options))


# Characters.


def _characters(expression: ir.Expression) -> list[tuple[int, int]] | None:
    """The code points that the texts of an expression are, read backwards; None if others are."""
    spans = _spans(expression, _CHAR_BYTES)
    if spans is None:
        return None
    ranges: list[tuple[int, int]] = []
    for span in spans:
        found = _code_points(span[::-1])
        if found is None:
            return None
        ranges += found
    return ranges


def _spans(expression: ir.Expression, room: int) -> list[tuple[int, ...]] | None:
    """All series of byte sets, as masks, of at most `room`; None if there are more or longer."""
    match expression:
        case ir.Literal(text):
            return [tuple(1 << byte for byte in text)] if len(text) <= room else None
        case ir.Bytes(mask):
            return [(mask,)] if room else None
        case ir.Choice(options):
            found: list[tuple[int, ...]] = []
            for option in options:
                spans = _spans(option, room)
                if spans is None or len(found) > _MAX_SPANS:
                    return None
                found += spans
            return found
        case ir.Sequence(items):
            series: list[tuple[int, ...]] = [()]
            for item in items:
                spans = _spans(item, room)
                if spans is None or len(spans) * len(series) > _MAX_SPANS:
                    return None
                series = [(*first, *then) for first in series for then in spans]
                if any(len(span) > room for span in series):
                    return None
            return series
    return None


@lru_cache(maxsize=1024)
def _code_points(span: tuple[int, ...]) -> tuple[tuple[int, int], ...] | None:
    """The code points whose UTF-8 is a series of these byte sets; None unless all texts are."""
    for length, base, leads in _LEADS:
        if len(span) == length and not span[0] & ~leads:
            if any(mask & ~_CONTINUATION for mask in span[1:]):
                return None
            if _is_beyond(span):
                return None
            bits = 6 * (length - 1)
            return tuple(
                found
                for first, last in _byte_runs(span[0])
                for found in _joined(first - base, last - base, span[1:], bits)
            )
    return None


def _is_beyond(span: tuple[int, ...]) -> bool:
    """Whether some texts are overlong, surrogates or beyond U+10FFFF, after these leads."""
    below = {0xE0: (1 << 0xA0) - 1, 0xF0: (1 << 0x90) - 1}
    above = {0xED: ~((1 << 0xA0) - 1), 0xF4: ~((1 << 0x90) - 1)}
    return any(span[0] >> lead & 1 and span[1] & bad for lead, bad in (below | above).items())


def _joined(first: int, last: int, tail: tuple[int, ...], bits: int) -> Iterator[tuple[int, int]]:
    """Ranges of code points whose high bits are `first`..`last`, the others from the tail."""
    if all(mask == _CONTINUATION for mask in tail):
        yield first << bits, (last << bits) + (1 << bits) - 1
        return
    for high in range(first, last + 1):
        for low, top in _byte_runs(tail[0]):
            above = high << 6
            yield from _joined(above + low - 0x80, above + top - 0x80, tail[1:], bits - 6)


def _byte_runs(mask: int) -> Iterator[tuple[int, int]]:
    """Ranges of consecutive bytes in a set."""
    byte = 0
    while mask >> byte:
        rest = mask >> byte
        byte += (rest & -rest).bit_length() - 1
        length = ((mask >> byte) + 1 & ~(mask >> byte)).bit_length() - 1
        yield byte, byte + length - 1
        byte += length
