"""Having the engine's compiled code ready before anybody waits for it."""

from __future__ import annotations

from lipogram.grammars import ir
from lipogram.grammars.automaton import Automaton, compile

# A compiled function brings what it may call with it, so few expressions do.
_RULES: dict[str, ir.Expression] = {
    "start": ir.Sequence((ir.Literal(b"("), ir.Reference("inner"), ir.Literal(b")"))),
    "inner": ir.Choice((ir.Reference("start"), ir.Reference("text"))),
    "text": ir.Repeat(ir.ANY_CHAR, 1, 3),
}
_GRAMMARS = (
    ir.Grammar(_RULES, "start"),
    ir.Grammar(_RULES, "start", lexemes=frozenset({"text"})),
)


def warm_up() -> tuple[Automaton, ...]:
    """Load all code that automata run, or compile it: minutes on the first start ever.

    Returns the automata that ran it, with lexemes and without, for what reads automata to be
    warmed up in its turn.
    """
    return tuple(map(_visited, _GRAMMARS))


def _visited(grammar: ir.Grammar) -> Automaton:
    automaton = compile(grammar)
    state = automaton.walk(automaton.start(), b"(")
    assert state is not None
    automaton.next_bytes(state)
    automaton.shortest(state)
    automaton.forced(automaton.start())
    return automaton
