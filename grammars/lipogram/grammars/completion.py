"""How a text can be completed, maximal munch included."""

from __future__ import annotations

from heapq import heappop, heappush

from lipogram.grammars.automaton import Automaton, State


def completion(automaton: Automaton, state: State) -> bytes | None:
    """A shortest text that completes the state; None if none was found.

    `Automaton.shortest` leaves munch out of account. Where a grammar has lexemes that is only a
    lower bound, by which a text is searched for, best first; the search is bounded.
    """
    if not automaton.grammar.lexemes:
        return automaton.shortest(state)
    waiting = [(automaton.shortest_length(state), 0, b"", state)]
    seen = {state}
    tried = 0
    while waiting and tried < automaton.max_tried_bytes:
        _, _, text, current = heappop(waiting)
        if automaton.is_complete(current):
            return text
        for byte in sorted(automaton.next_bytes(current)):
            tried += 1
            successor = automaton.step(current, byte)
            if successor is not None and successor not in seen:
                seen.add(successor)
                length = len(text) + 1 + automaton.shortest_length(successor)
                heappush(waiting, (length, tried, text + bytes([byte]), successor))
    return None
