"""Having the engine's compiled code ready before anybody waits for it."""

from __future__ import annotations

from lipogram.grammars import ir
from lipogram.grammars.automaton import Automaton, compile

# A compiled function brings what it may call with it, so few expressions do.
_GRAMMAR = ir.Grammar(
    {
        "start": ir.Sequence((ir.Literal(b"("), ir.Reference("inner"), ir.Literal(b")"))),
        "inner": ir.Choice((ir.Reference("start"), ir.Repeat(ir.ANY_CHAR, 1, 3))),
    },
    "start",
)


def warm_up() -> Automaton:
    """Load all code that automata run, or compile it: a minute on the first start ever.

    Returns the automaton that it ran, for what reads automata to be warmed up in its turn.
    """
    automaton = compile(_GRAMMAR)
    state = automaton.walk(automaton.start(), b"(")
    assert state is not None
    automaton.next_bytes(state)
    automaton.shortest(state)
    automaton.forced(automaton.start())
    return automaton
