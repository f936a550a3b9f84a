"""Lexemes of a Lark grammar that may run into their neighbours, shown by example.

The search looks at ASCII texts and at so many states of each terminal; what it finds is true.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from time import thread_time

from lipogram.grammars import ir
from lipogram.grammars import lark_tree as tree
from lipogram.grammars.automaton import Automaton, Budget, State, compile
from lipogram.grammars.errors import GrammarError
from lipogram.grammars.lark_neighbours import Neighbours
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.lark_terminals import Terminals

_MAX_STATES = 48
_MAX_PAIRS = 400
_SHOWN = 3
_MAX_SEARCH_S = 0.25
_BUDGET = Budget(max_nodes=20_000, max_states=2_000, max_compile_s=0.1, max_step_s=0.1)
_ASCII = (*b"axyzA1", *range(0x20, 0x7F), *b"\n\t\r")  # examples read well with these first
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]+")


@dataclass(frozen=True, slots=True)
class _Terminal:
    """A lexeme with more than one text; `ends` are the states where one may end, by a text."""

    automaton: Automaton
    ends: dict[State, bytes]
    goes_on: frozenset[int]  # bytes after the end of one text that go on to another


class Overlaps:
    """Finds the pairs among neighbouring lexemes."""

    def __init__(
        self,
        source: LarkSource,
        terminals: Terminals,
        neighbours: Neighbours,
        ignored: Sequence[tree.Node],
    ) -> None:
        self._source = source
        self._terminals = terminals
        self._neighbours = neighbours
        self._ignored = ignored
        self._deadline_s = thread_time() + _MAX_SEARCH_S
        self._known: dict[int, _Terminal | None] = {}
        self._automata: dict[int, Automaton | None] = {}
        self._firsts: dict[int, frozenset[int]] = {}

    def warnings(self) -> Iterator[str]:
        """A few of each kind: regexes that look out, texts that overrun, words without an end."""
        for kind in (self._outlooks, self._overruns, self._words):
            yield from _few(list(_while_small(kind())))

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """The neighbours, until the time is up."""
        return takewhile(lambda _: thread_time() < self._deadline_s, self._neighbours.pairs())

    def _overruns(self) -> Iterator[str]:
        lexemes = self._neighbours.lexemes
        for first, second in self._pairs():
            terminal = self._terminal(first)
            if terminal is None or terminal.goes_on.isdisjoint(self._first_bytes(second)):
                continue
            name, after = named(lexemes[first]), named(lexemes[second])
            where = self._source.where(_offset(lexemes[first]))
            if self._holds(terminal, lexemes[second]):
                yield (
                    f"{where}: {name} may itself hold the {after} that is to follow it; "
                    f"where the first {after} is meant to end it, write a rule [suffix={after}]"
                )
            elif example := self._example(terminal, second):
                text, longest = example
                yield f"{where}: in {text} the {name} before {after} may be longer, up to {longest}"

    def _holds(self, terminal: _Terminal, marker: tree.Node) -> bool:
        """Whether a text of the terminal may end with the whole marker."""
        if not isinstance(marker, tree.Text) or len(marker.text) < 2:
            return False
        automaton, text = terminal.automaton, marker.text.encode()
        after = (automaton.walk(state, text) for state in terminal.ends)
        return any(state is not None and automaton.is_complete(state) for state in after)

    def _words(self) -> Iterator[str]:
        """Words directly before what would make them longer words, in the eyes of a lexer."""
        lexemes = self._neighbours.lexemes
        seen: set[int] = set()
        for first, second in self._pairs():
            word = lexemes[first]
            if first in seen or not isinstance(word, tree.Text) or not _WORD.fullmatch(word.text):
                continue
            following = self._first_bytes(second)
            for number, lexeme in enumerate(lexemes):
                if example := self._glued(word.text, following, number):
                    seen.add(first)
                    yield (
                        f"{self._source.where(word.at)}: {named(word)} may be followed by "
                        f"{named(lexemes[second])} without a space, as in {shown(example)}, "
                        f"which begins a {named(lexeme)} too"
                    )
                    break

    def _outlooks(self) -> Iterator[str]:
        """Lexemes whose regexes look for what stands beside them, which is not theirs to see."""
        pairs = list(self._pairs())
        for number, node in enumerate(self._neighbours.lexemes):
            if thread_time() > self._deadline_s or not self._terminals.joiner.looks(node):
                continue
            following = [self._first_bytes(second) for first, second in pairs if first == number]
            is_first = all(second != number for _, second in pairs)
            if following:
                following += [_starts(_compiled(self._terminals, node)) for node in self._ignored]
            with suppress(GrammarError):
                text = self._terminals.joiner.overlooked(
                    node, frozenset().union(*following), is_first
                )
                if text is not None:
                    yield (
                        f"{self._source.where(_offset(node))}: {named(node)} sees its own text "
                        f"only, so it may stand in {shown(text.encode())}"
                    )

    def _glued(self, word: str, following: frozenset[int], number: int) -> bytes | None:
        """The word and a byte of what follows, if together they begin a text of the lexeme."""
        terminal = self._terminal(number)
        if terminal is None:
            return None
        automaton = terminal.automaton
        state = automaton.walk(automaton.start(), word.encode())
        if state is None or not automaton.is_complete(state):
            return None
        further = automaton.next_bytes(state)
        glued = [byte for byte in further & following if 0x20 < byte < 0x7F]
        if 0x20 in further or not glued:  # free text is no word
            return None
        return word.encode() + bytes((max(glued),))

    def _example(self, terminal: _Terminal, second: int) -> tuple[str, str] | None:
        """A text of the two, and what of it the first alone may take."""
        other = self._automaton(second)
        if other is None:
            return None
        ours = terminal.automaton
        seen: dict[tuple[State, State], tuple[bytes, bytes]] = {}
        todo: deque[tuple[State, State]] = deque()
        for state, text in terminal.ends.items():
            seen[state, other.start()] = text, b""
            todo.append((state, other.start()))
        while todo and len(seen) < _MAX_PAIRS:
            pair = todo.popleft()
            begun, taken = seen[pair]
            if taken and ours.is_complete(pair[0]):
                whole = begun + taken + other.shortest(pair[1])
                return shown(whole), shown(begun + taken)
            both = ours.next_bytes(pair[0]) & other.next_bytes(pair[1])
            for byte in (byte for byte in _ASCII if byte in both):
                successor = ours.step(pair[0], byte), other.step(pair[1], byte)
                if successor[0] is None or successor[1] is None:
                    continue
                following = successor[0], successor[1]
                if following not in seen:
                    seen[following] = begun, taken + bytes((byte,))
                    todo.append(following)
        return None

    def _terminal(self, number: int) -> _Terminal | None:
        """None for a plain text, too: it goes on nowhere."""
        if number not in self._known:
            is_text = isinstance(self._neighbours.lexemes[number], tree.Text)
            automaton = None if is_text else self._automaton(number)
            self._known[number] = None if automaton is None else _explored(automaton)
        return self._known[number]

    def _first_bytes(self, number: int) -> frozenset[int]:
        if number not in self._firsts:
            node = self._neighbours.lexemes[number]
            if isinstance(node, tree.Text) and not node.ignore_case:
                self._firsts[number] = frozenset(node.text.encode()[:1])
            else:
                self._firsts[number] = _starts(self._automaton(number))
        return self._firsts[number]

    def _automaton(self, number: int) -> Automaton | None:
        """None for a lexeme that is not regular, too large, or a rule with attributes."""
        if number not in self._automata:
            node = self._neighbours.lexemes[number]
            self._automata[number] = _compiled(self._terminals, node)
        return self._automata[number]


def named(node: tree.Node) -> str:
    """The lexeme as the grammar writes it."""
    match node:
        case tree.Text(text):
            return shown(text.encode())
        case tree.Name(name):
            return name
        case tree.Pattern(pattern, flags):
            return f"/{pattern}/{flags}"
        case tree.Span(low, high):
            return f"{json.dumps(low)}..{json.dumps(high)}"
        case _:
            return "lexeme"


def regular(terminals: Terminals, node: tree.Node) -> ir.Expression | None:
    """The lexeme's language; None for one that is not regular, too large, or a rule's."""
    if isinstance(node, tree.Embedded | tree.Special):
        return None
    if isinstance(node, tree.Name) and not tree.is_terminal_name(node.name):
        return None
    with suppress(GrammarError):
        return terminals.regular(node)
    return None


def _compiled(terminals: Terminals, node: tree.Node) -> Automaton | None:
    language = regular(terminals, node)
    if language is not None:
        with suppress(GrammarError):
            return compile(ir.Grammar({"lexeme": language}, "lexeme"), budget=_BUDGET)
    return None


def _starts(automaton: Automaton | None) -> frozenset[int]:
    """The bytes that a lexeme may begin with; any, for what is not known."""
    return frozenset(range(256)) if automaton is None else automaton.next_bytes(automaton.start())


def _explored(automaton: Automaton) -> _Terminal:
    texts = {automaton.start(): b""}
    todo = deque(texts)
    ends: dict[State, bytes] = {}
    goes_on: set[int] = set()
    while todo:
        state = todo.popleft()
        following = automaton.next_bytes(state)
        if automaton.is_complete(state):
            ends[state] = texts[state]
            goes_on |= following
        for byte in (byte for byte in _ASCII if byte in following):
            successor = automaton.step(state, byte)
            if successor is not None and successor not in texts and len(texts) < _MAX_STATES:
                texts[successor] = texts[state] + bytes((byte,))
                todo.append(successor)
    return _Terminal(automaton, ends, frozenset(goes_on))


def _offset(lexeme: tree.Node) -> int:
    assert isinstance(lexeme, tree.Name | tree.Text | tree.Pattern | tree.Span)
    return lexeme.at


def shown(text: bytes) -> str:
    """A text in quotes."""
    return json.dumps(text.decode(errors="backslashreplace"), ensure_ascii=False)


def _while_small(found: Iterator[str]) -> Iterator[str]:
    with suppress(GrammarError):  # the search became too large
        yield from found


def _few(found: list[str]) -> Iterator[str]:
    yield from found[:_SHOWN]
    if len(found) > _SHOWN:
        yield f"{found[_SHOWN].split(': ')[0]}: and {len(found) - _SHOWN} more such places"
