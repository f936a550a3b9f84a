"""What comes before a suffix: right quotients of a grammar's language, as grammars again.

The grammar is run backwards over the suffix, read backwards. The state it is in then is what may
stand before the suffix, from right to left; read out as a grammar and turned round again, it is
the quotient. What the suffix does not touch are the grammar's own rules.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lipogram.grammars import ir
from lipogram.grammars.errors import SuffixMismatch
from lipogram.grammars.residual import residual
from lipogram.grammars.reversal import Mirror, reversed_grammar

if TYPE_CHECKING:
    from lipogram.grammars.automaton import Automaton

_KEPT: Final = 4  # editors ask again with the same suffix at every key


class Quotients:
    """The quotients of one grammar, made when first asked for; shared by threads."""

    def __init__(self, grammar: ir.Grammar, compile: Callable[[ir.Grammar], Automaton]) -> None:
        self._grammar = grammar
        self._compile = compile
        self._lock = threading.Lock()
        self._mirror = Mirror()
        self._backwards: Automaton | None = None
        self._kept: dict[bytes, Automaton] = {}

    @property
    def size_bytes(self) -> int:
        """Roughly the memory of all that is kept."""
        kept = list(self._kept.values())
        if self._backwards is not None:
            kept.append(self._backwards)
        return sum(automaton.size_bytes for automaton in kept)

    def before(self, suffix: bytes) -> Automaton:
        """The automaton of all texts that the suffix makes members.

        Its lexemes are not munched. Cost: one backward run over the suffix and compiling the
        grammar again, once for each of the last few suffixes.
        Raises SuffixMismatch, BudgetExceeded.
        """
        with self._lock:
            found = self._kept.pop(suffix, None)
            if found is None or found.is_worn:
                found = self._made(suffix)
            self._kept[suffix] = found
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
            return found

    def _made(self, suffix: bytes) -> Automaton:
        backwards = self._backwards
        if backwards is None or backwards.is_worn:
            self._backwards = None
            backwards = self._compile(reversed_grammar(self._grammar, self._mirror))
            self._backwards = backwards
        state, fitting = backwards.read(backwards.start(), suffix[::-1], "the suffix")
        if state is None:
            raise SuffixMismatch(
                "no text of the grammar ends with the suffix: "
                f"its last {fitting} of {len(suffix)} bytes do, but not after "
                f"{bytes([suffix[-1 - fitting]])!r}",
                fitting,
            )
        mirror = Mirror(self._mirror)
        with backwards.lock:
            rest = residual(backwards.memory, state, backwards.grammar, backwards.runs, mirror)
        rules = {
            name: self._grammar.rules[name] if name in self._grammar.rules else mirror(body)
            for name, body in rest.rules.items()
        }
        return self._compile(ir.Grammar(rules, rest.start, self._grammar.report))
