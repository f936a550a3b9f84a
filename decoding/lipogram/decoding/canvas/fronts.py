"""What all texts up to a position lead to: one state, or the set of their states."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.compiled.outcomes import ENDS, outcomes
from lipogram.decoding.canvas.compiled.ways import spellings
from lipogram.decoding.masking import Masker
from lipogram.decoding.reaches import Reaches
from lipogram.decoding.sampling import unpack
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, BudgetExceeded, State
from lipogram.grammars.arrays import view
from lipogram.grammars.engine.memory import FLOOR, FUEL, PAUSED
from lipogram.grammars.lattice import gaps, unions

WORK_PER_S: Final = 100_000_000
_MAX_STATES: Final = 20_000  # of a set
_KEPT: Final = 4  # automata that canvases share
_GRACE: Final = 10_000_000  # work in which the engine may bring to an end what it writes
_SLOW: Final = "deciding what fits a canvas takes too long"

# Empty where no text leads. A set has one state, which stands for all, unless lexemes are munched.
Front = tuple[State, ...]
NOWHERE: Final[Front] = ()


class Working:
    """Holds an automaton's lock while compiled code works, as long as `left_s` lasts.

    What is stopped leaves tables half written, so that nothing goes on with this one: those of a
    canvas, and where the engine was not done within some grace, the automaton's for good.
    """

    def __init__(self, automaton: Automaton, shared: Working | None = None) -> None:
        """`shared` is another whose work is counted together with this one's."""
        self._automaton = automaton
        self._memory = automaton.memory
        self._left: list[int] = [0] if shared is None else shared._left
        self.is_stopped = False

    @property
    def left_s(self) -> float:
        return self._left[0] / WORK_PER_S

    @left_s.setter
    def left_s(self, seconds: float) -> None:
        self._left[0] = int(seconds * WORK_PER_S)

    def __enter__(self) -> None:
        if self._left[0] <= 0:  # a step that is short would cost nothing, by its grace
            raise BudgetExceeded(_SLOW)
        self._automaton.lock.acquire()
        if self.is_stopped or self._automaton.stop is not None:
            self._automaton.lock.release()
            raise BudgetExceeded(self._automaton.stop or _SLOW)
        self._memory[FUEL], self._memory[FLOOR] = self._left[0], -_GRACE
        self._memory[PAUSED] = 0

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._left[0] = max(int(self._memory[FUEL]), 0)
        self._memory[FLOOR] = 0
        try:
            if kind is MemoryError:
                self.is_stopped = True
                if self._memory[PAUSED]:
                    raise BudgetExceeded(_SLOW) from None
                raise self._automaton.exceeded(_SLOW) from None
        finally:
            self._automaton.lock.release()


@lru_cache(maxsize=_KEPT)
def _kept(automaton: Automaton) -> list[Automaton]:
    """The one of the same grammar that canvases share."""
    return [automaton.fresh()]


class Fronts:
    """Steps of fronts: over texts, tokens, any token, any text.

    All work is bounded together, by `working`; then BudgetExceeded is raised.
    """

    def __init__(
        self, automaton: Automaton, vocabulary: Vocabulary, some: Reaches, own: Automaton
    ) -> None:
        """`some` is of the tokens to be tried first; `own` is the automaton's, to be written to."""
        self._automaton = automaton
        masker = self.masker = Masker(own, vocabulary)
        self.some_reaches = some
        self.working = Working(masker.automaton)
        self._memory = masker.automaton.memory
        self._reaches = masker.vocabulary.reaches
        self._after = np.zeros(len(masker.vocabulary), np.int32)
        usable = spellings(masker.vocabulary, masker.has_specials).usable
        self.usable = unpack(usable, len(masker.vocabulary))  # tokens that grammars may have
        self._any_token: dict[State, Front] = {}
        self._any_text: dict[State, Front] = {}

    @property
    def is_worn(self) -> bool:
        """Whether others should take their place."""
        return self.working.is_stopped or self.masker.automaton.is_worn

    def anew(self) -> Fronts:
        """The same in the same memory, unless that is worn."""
        own = self.masker.automaton
        return self.fresh() if own.is_worn else self._within(own)

    def fresh(self) -> Fronts:
        """The same in a memory of its own; the work is counted together."""
        return self._within(self._automaton.fresh())

    def shared(self) -> Fronts:
        """The same in the memory that canvases of the automaton share, with what they found out."""
        kept = _kept(self._automaton)
        if kept[0].is_worn:
            kept[0] = self._automaton.fresh()
        return self._within(kept[0])

    def _within(self, own: Automaton) -> Fronts:
        other = Fronts(self._automaton, self.masker.vocabulary, self.some_reaches, own)
        other.working = Working(own, self.working)
        return other

    def start(self) -> Front:
        return (self.masker.automaton.start(),)

    def read(self, front: Front, text: bytes) -> Front:
        """The front after a fixed text."""
        found = [after for state in front if (after := self.step_over(state, text))]
        return self.unite([(state,) for state in found]) if len(found) > 1 else tuple(found)

    def step_over(self, state: State, text: bytes) -> State:
        """The state after a fixed text; 0 if none."""
        with self.working:
            return unions.read(self._memory, state, np.frombuffer(text, np.uint8))

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
                with self.working:
                    after = gaps.skip(self._memory, state)
                if after < 0:
                    raise BudgetExceeded("a gap for any text has too many readings")
                self._any_text[state] = (after,)
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
        with self.working:
            return (unions.union(self._memory, np.array(states, np.int64), len(states)),)

    def is_complete(self, front: Front) -> bool:
        """Whether one of the texts is a member."""
        with self.working:
            return any(unions.is_complete(self._memory, state) for state in front)

    def ends(self, state: State) -> list[tuple[State, int]]:
        """The states that tokens lead to, each with one of the tokens."""
        return self.outcomes(state)[1]

    def outcomes(self, state: State) -> tuple[NDArray[np.int32], list[tuple[State, int]]]:
        """The state after each token, 0 if none, valid until the next call; and the distinct ones.

        Of a special token with several spellings only one state is told.
        """
        with self.working, self._reaches.lock:
            count = outcomes(self._memory, self._reaches.memory, state, self.usable, self._after)
            found = view(self._memory, ENDS)[: 2 * count].tolist() if count else []
        return self._after, list(zip(found[::2], found[1::2], strict=True))

    def step(self, state: State, token: int) -> State | None:
        """The state after a token; one for all its spellings."""
        spellings = self._spellings(token)
        if len(spellings) == 1:
            return self.step_over(state, spellings[0]) or None
        front = self.take((state,), token)
        return front[0] if front else None

    def _spellings(self, token: int) -> tuple[bytes, ...]:
        masker = self.masker
        text = masker.vocabulary.tokens[token]
        if text:
            return (text,) if self.usable[token] else ()
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
