"""Search of an automaton for states that nothing can finish: what lexing by munch may lead into."""

from __future__ import annotations

from collections import deque

from lipogram.grammars.automaton import Automaton, State

_MAX_STATES = 400
_MAX_STEPS = 60_000


def dead_end(automaton: Automaton) -> bytes | None:
    """A shortest text that can be begun and never be finished; None where none was found.

    The search is bounded: what lies beyond some hundred states counts as finished.
    """
    texts: dict[State, bytes] = {automaton.start(): b""}
    before: dict[State, list[State]] = {}
    finished: list[State] = []
    todo = deque(texts)
    steps = 0
    while todo:
        state = todo.popleft()
        if automaton.is_complete(state) or len(texts) > _MAX_STATES or steps > _MAX_STEPS:
            finished.append(state)
        if len(texts) > _MAX_STATES or steps > _MAX_STEPS:
            continue
        for byte in sorted(automaton.next_bytes(state)):
            steps += 1
            successor = automaton.step(state, byte)
            assert successor is not None
            before.setdefault(successor, []).append(state)
            if successor not in texts:
                texts[successor] = texts[state] + bytes((byte,))
                todo.append(successor)
    return _first_without(texts, before, finished)


def _first_without(
    texts: dict[State, bytes], before: dict[State, list[State]], finished: list[State]
) -> bytes | None:
    """The first text whose state leads to none that is finished."""
    alive = set(finished)
    while finished:
        for state in before.get(finished.pop(), ()):
            if state not in alive:
                alive.add(state)
                finished.append(state)
    return next((text for state, text in texts.items() if state not in alive), None)
