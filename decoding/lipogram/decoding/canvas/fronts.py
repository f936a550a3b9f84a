"""What all texts up to a position lead to: one state, or the set of their states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.outcomes import ENDS, outcomes
from lipogram.decoding.masking import Masker
from lipogram.grammars import BudgetExceeded, State
from lipogram.grammars.arrays import view
from lipogram.grammars.engine.memory import FUEL
from lipogram.grammars.lattice import gaps, unions

_WORK_PER_S: Final = 100_000_000
_MAX_STATES: Final = 20_000  # of a set

# Empty where no text leads. A set has one state, which stands for all, unless lexemes are munched.
Front = tuple[State, ...]
NOWHERE: Final[Front] = ()


class Fronts:
    """Steps of fronts: over texts, tokens, any token, any text.

    All work is bounded together by `left_s`; then BudgetExceeded is raised.
    """

    def __init__(self, masker: Masker) -> None:
        self.masker = masker
        self.left_s = 0.0
        self._memory = masker.automaton.memory
        self._reaches = masker.vocabulary.reaches
        self._after = np.zeros(len(masker.vocabulary), np.int32)
        if masker.has_specials:
            self._usable = masker.vocabulary.unmarked.copy()
            for token in masker.vocabulary.spellings.values():
                self._usable[token >> 5] |= np.uint32(1 << (token & 31)).astype(np.int32)
        else:
            self._usable = np.full(-(-len(masker.vocabulary) // 32), -1, np.int32)
        self._any_token: dict[State, Front] = {}
        self._any_text: dict[State, Front] = {}

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self.masker.automaton.working("deciding what fits a canvas", self.left_s):
            yield
            self.left_s = self._memory[FUEL] / _WORK_PER_S

    def start(self) -> Front:
        return (self.masker.automaton.start(),)

    def read(self, front: Front, text: bytes) -> Front:
        """The front after a fixed text."""
        data = np.frombuffer(text, np.uint8)
        with self._working():
            found = [unions.read(self._memory, state, data) for state in front]
        return self.unite([(state,) for state in found if state])

    def take(self, front: Front, token: int) -> Front:
        """The front after a token."""
        spellings = self._spellings(token)
        return self.unite([self.read(front, spelling) for spelling in spellings])

    def take_any(self, front: Front) -> Front:
        """The front after any one token."""
        found = []
        for state in front:
            if state not in self._any_token:
                ends = self.ends(state)
                self._any_token[state] = self.unite([(end,) for end, _ in ends])
            found.append(self._any_token[state])
        return self.unite(found)

    def skip(self, front: Front) -> Front:
        """The front after any text."""
        if self.masker.has_lexemes:
            return self._closure(front)
        found = []
        for state in front:
            if state not in self._any_text:
                with self._working():
                    self._any_text[state] = (gaps.anything(self._memory, state),)
            found.append(self._any_text[state])
        return self.unite(found)

    def unite(self, fronts: Iterable[Front]) -> Front:
        """The front of all texts of several fronts."""
        states = sorted({state for front in fronts for state in front})
        if len(states) < 2:
            return tuple(states)
        if self.masker.has_lexemes:
            if len(states) > _MAX_STATES:
                raise BudgetExceeded(f"a canvas needs more than {_MAX_STATES} states at once")
            return tuple(states)
        with self._working():
            return (unions.union(self._memory, np.array(states, np.int64), len(states)),)

    def is_complete(self, front: Front) -> bool:
        """Whether one of the texts is a member."""
        with self._working():
            return any(unions.is_complete(self._memory, state) for state in front)

    def ends(self, state: State) -> list[tuple[State, int]]:
        """The states that tokens lead to, each with one of the tokens."""
        return self.outcomes(state)[1]

    def outcomes(self, state: State) -> tuple[NDArray[np.int32], list[tuple[State, int]]]:
        """The state after each token, 0 if none, valid until the next call; and the distinct ones.

        Of a special token with several spellings only one state is told.
        """
        with self._working(), self._reaches.lock:
            count = outcomes(self._memory, self._reaches.memory, state, self._usable, self._after)
            found = view(self._memory, ENDS)[: 2 * count].tolist() if count else []
        return self._after, list(zip(found[::2], found[1::2], strict=True))

    def step(self, state: State, token: int) -> State | None:
        """The state after a token; one for all its spellings."""
        front = self.take((state,), token)
        return front[0] if front else None

    def _spellings(self, token: int) -> tuple[bytes, ...]:
        masker = self.masker
        text = masker.vocabulary.tokens[token]
        if text:
            is_barred = not self._usable[token >> 5] >> (token & 31) & 1
            return () if is_barred else (text,)
        return masker.vocabulary.spellings_of(token) if masker.has_specials else ()

    def _closure(self, front: Front) -> Front:
        automaton = self.masker.automaton
        seen = set(front)
        waiting = list(front)
        while waiting:
            state = waiting.pop()
            for byte in automaton.next_bytes(state):
                successor = automaton.step(state, byte)
                if successor is not None and successor not in seen:
                    seen.add(successor)
                    waiting.append(successor)
            if len(seen) > _MAX_STATES:
                raise BudgetExceeded(f"a canvas needs more than {_MAX_STATES} states at once")
        return tuple(sorted(seen))
