"""What fits between a prefix and a suffix where lexemes are munched.

Munch looks at all parses at once, from left to right, so that no grammar of the middle alone says
what it does. Two automata run side by side: the grammar's own from the prefix on, which munches,
and the quotient by the suffix, which does not. The own one is asked to read the suffix wherever the
quotient is complete.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, Final

from lipogram.grammars.automaton import Automaton, State
from lipogram.grammars.completion import completion
from lipogram.grammars.errors import NoMiddle

_STRIDE_BYTES: Final = 256  # how often states are noted while a suffix is read


class MunchedMiddle(Automaton):
    """The texts that both automata go on by, complete where the suffix can be read.

    States are pairs. As with all lexemes that are munched, `shortest` and `shortest_length` leave
    munch out of account, and what may be begun need not be possible to finish: see `completion`.
    """

    max_tried_bytes = 2_000  # the quotient of a grammar that is ambiguous may need a state for each

    def __init__(
        self, whole: Automaton, prefix: bytes, suffix: bytes, quotient: tuple[Automaton, State]
    ) -> None:
        """`quotient` is at its state after the prefix. Raises NoMiddle, PrefixMismatch."""
        self.grammar, self.report = whole.grammar, whole.report
        self.lock = threading.RLock()
        self.munched, self.quotient = whole, quotient[0]
        self._prefix, self._suffix = prefix, suffix
        self._pairs: list[tuple[State, State]] = []
        self._numbers: dict[tuple[State, State], State] = {}
        self._verdicts: dict[tuple[int, State], bool] = {}
        self._start = self._number(whole.after(prefix), quotient[1])
        if completion(self, self._start) is None:
            raise NoMiddle(
                "no text was found between the prefix and the suffix: lexemes are munched across "
                "their ends",
                len(prefix),
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return Automaton.between, (self.munched, self._prefix, self._suffix)

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def size_bytes(self) -> int:
        noted = len(self._pairs) + len(self._verdicts)
        return self.munched.size_bytes + self.quotient.size_bytes + 300 * noted

    @property
    def is_worn(self) -> bool:
        return self.munched.is_worn or self.quotient.is_worn

    @property
    def max_shortest_bytes(self) -> int:
        return self.quotient.max_shortest_bytes

    def sides(self, state: State) -> tuple[State, State]:
        """The states of `munched` and `quotient` that a state stands for."""
        return self._pairs[state]

    def walk(self, state: State, text: Iterable[int]) -> State | None:
        text = bytes(text)
        munched, quotient = self._pairs[state]
        then = self.munched.walk(munched, text)
        open_ = None if then is None else self.quotient.walk(quotient, text)
        return None if then is None or open_ is None else self._number(then, open_)

    def next_bytes(self, state: State) -> frozenset[int]:
        munched, quotient = self._pairs[state]
        return self.munched.next_bytes(munched) & self.quotient.next_bytes(quotient)

    def is_complete(self, state: State) -> bool:
        munched, quotient = self._pairs[state]
        return self.quotient.is_complete(quotient) and self._reads_suffix(munched)

    def forced(self, state: State) -> bytes:
        return self.quotient.forced(self._pairs[state][1])

    def shortest(self, state: State) -> bytes:
        return self.quotient.shortest(self._pairs[state][1])

    def shortest_length(self, state: State) -> int:
        return self.quotient.shortest_length(self._pairs[state][1])

    def between(self, prefix: bytes, suffix: bytes) -> Automaton:
        return self.munched.between(self._prefix + prefix, suffix + self._suffix)

    def _number(self, munched: State, quotient: State) -> State:
        pair = munched, quotient
        number = self._numbers.get(pair)
        if number is None:
            with self.lock:
                number = self._numbers.setdefault(pair, len(self._pairs))
                if number == len(self._pairs):
                    self._pairs.append(pair)
        return number

    def _reads_suffix(self, state: State | None) -> bool:
        """Whether the suffix leads from a state to a complete one.

        Soon after different states the same are met: the verdict is kept for some on the way.
        """
        passed: list[tuple[int, State]] = []
        verdict = False
        for position in range(0, len(self._suffix), _STRIDE_BYTES):
            if state is None:
                break
            known = self._verdicts.get((position, state))
            if known is not None:
                verdict = known
                break
            passed.append((position, state))
            part = self._suffix[position : position + _STRIDE_BYTES]
            state, _ = self.munched.read(state, part, "the suffix")
        else:
            verdict = state is not None and self.munched.is_complete(state)
        self._verdicts.update(dict.fromkeys(passed, verdict))
        return verdict
