"""The likeliest filling, or a random one, where slots are scored independently."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.holes import Gap, Slot, Text
from lipogram.decoding.canvas.lattice import EMPTY, Lattice
from lipogram.grammars import BudgetExceeded, State

LogProbabilities = NDArray[np.float64]  # float64[V], nats
_MAX_STATES = 50_000  # of all positions

# For each position and state: weighted arrows from earlier ones, with the slot's token or EMPTY.
_Arrow = tuple[int, State, int, float]


class Joint:
    """All fillings of a lattice by some tokens a slot, as a graph of states by position.

    A text leads to one state, so that each filling is one path, however ambiguous the grammar.
    """

    def __init__(self, lattice: Lattice, scores: Sequence[Mapping[int, float]]) -> None:
        """`scores` are log-probabilities, by slot; that of EMPTY is the empty rest's.

        Raises BudgetExceeded.
        """
        self._lattice = lattice
        self._scores = scores
        self._arrows: list[dict[State, list[_Arrow]]] = [{} for _ in range(lattice.end + 1)]
        self._reach()

    def most_likely(self) -> dict[int, int]:
        """The tokens of the likeliest filling, by slot."""
        best = self._totals(max)

        def choose(arrows: Sequence[_Arrow]) -> _Arrow:
            return max(arrows, key=lambda arrow: best[arrow[0]][arrow[1]] + arrow[3])

        return self._walk_back(choose, lambda ends: max(ends, key=lambda end: best[-1][end]))

    def sample(self, rng: np.random.Generator) -> dict[int, int]:
        """The tokens of a random filling, in proportion to its probability, by slot."""
        totals = self._totals(_log_sum)

        def draw(weights: Sequence[float]) -> int:
            chances = np.exp(np.array(weights) - max(weights))
            return int(rng.choice(len(weights), p=chances / chances.sum()))

        def choose(arrows: Sequence[_Arrow]) -> _Arrow:
            return arrows[draw([totals[at][state] + w for at, state, _, w in arrows])]

        return self._walk_back(choose, lambda ends: ends[draw([totals[-1][end] for end in ends])])

    def _reach(self) -> None:
        """Draw the arrows that lead on, position by position."""
        lattice, steps = self._lattice, self._lattice.steps
        start = steps.start()[0]
        self._arrows[0][start] = []
        count = 0
        for position, cell in enumerate(lattice.cells):
            for state in self._arrows[position]:
                count += 1
                if count > _MAX_STATES:
                    raise BudgetExceeded(f"the fillings lead to more than {_MAX_STATES} states")
                if isinstance(cell, Text):
                    after = steps.step_over(state, cell.text)
                    if after:
                        self._add(position, state, position + 1, after, EMPTY, 0.0)
                    continue
                assert not isinstance(cell, Gap)  # refused before
                self._take(position, cell, state)

    def _take(self, position: int, cell: Slot, state: State) -> None:
        lattice = self._lattice
        for token, score in self._scores[cell.number].items():
            if token == EMPTY:
                if lattice.may_stop(position):
                    self._add(position, state, cell.hole.stop, state, EMPTY, score)
                continue
            after = lattice.steps.step(state, token)
            if after is not None and lattice.can_end((after,), position + 1):
                self._add(position, state, position + 1, after, token, score)

    def _add(
        self, begin: int, state: State, end: int, after: State, token: int, score: float
    ) -> None:
        self._arrows[end].setdefault(after, []).append((begin, state, token, score))

    def _totals(self, total: Callable[[list[float]], float]) -> list[dict[State, float]]:
        """What the weights of all ways to a state come to."""
        found: list[dict[State, float]] = []
        for states in self._arrows:
            found.append(
                {
                    state: total([found[at][before] + w for at, before, _, w in arrows])
                    if arrows
                    else 0.0
                    for state, arrows in states.items()
                }
            )
        return found

    def _walk_back(
        self,
        choose: Callable[[Sequence[_Arrow]], _Arrow],
        choose_end: Callable[[Sequence[State]], State],
    ) -> dict[int, int]:
        lattice = self._lattice
        ends = [end for end in self._arrows[-1] if lattice.steps.is_complete((end,))]
        position, state = lattice.end, choose_end(ends)
        tokens: dict[int, int] = {}
        while position:
            position, state, token, _ = choose(self._arrows[position][state])
            cell = lattice.cells[position]
            if isinstance(cell, Slot):
                tokens[cell.number] = token
        return tokens


def _log_sum(weights: list[float]) -> float:
    top = max(weights)
    return top + math.log(sum(math.exp(weight - top) for weight in weights))
