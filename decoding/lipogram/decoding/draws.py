"""One token for each of several slots, from scores that are perturbed once.

Gumbel noise turns a draw into a maximum, and what is refused is left out of it afterwards: the
largest of those that remain is a draw from the row masked to them (Gumbel 1954; Maddison et al.
2014). So a rule that is asked about single tokens samples exactly the masked row, without another
call of the model. Truncation (top_k, top_p, min_p) looks at the row as it is; where nothing that it
left can be taken, it looks again at what remains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding import sampling
from lipogram.decoding.errors import BackendFailed
from lipogram.decoding.job import Sampling
from lipogram.decoding.sampling import Allowed

Rows = NDArray[np.float64]  # float64[slots, columns], nats

_COLDEST = 1e-300


class Draws:
    """A draw for each row of `scores`, of the columns in `base` that may still be taken.

    `possible` bool[slots, columns] says which these are, and is kept up to date.
    """

    def __init__(
        self,
        scores: Rows,
        base: Allowed,
        possible: NDArray[np.bool_],
        law: Sampling,
        rng: np.random.Generator,
    ) -> None:
        """Raises BackendFailed where scores are not usable."""
        if np.isnan(scores).any() or np.isposinf(scores[:, base]).any():
            raise BackendFailed("the model's scores are not usable: not all are numbers")
        self._scores = scores
        self._base = base
        self._possible = possible
        self._law = law
        self._truncates = law.temperature > 0 and (law.top_k > 0 or law.top_p < 1 or law.min_p > 0)
        self._perturbed = scores
        if law.temperature > 0:
            noise = rng.standard_exponential(scores.shape)
            self._perturbed = scores / max(law.temperature, _COLDEST) - np.log(noise)
        self._kept: dict[int, Allowed] = {}  # what truncation left, by row
        self._rest: dict[int, Allowed] = {}  # what it has not left so far

    def __len__(self) -> int:
        return len(self._scores)

    @property
    def columns(self) -> int:
        """How many columns a row has."""
        return int(self._scores.shape[1])

    def column(self, row: int) -> int | None:
        """The draw of a row; None where nothing with a chance is left."""
        while True:
            kept = self._possible[row]
            if self._truncates:
                kept = kept & self._kept.get(row, False)
            scores = np.where(kept, self._perturbed[row], -np.inf)
            column = int(scores.argmax())
            if scores[column] > -np.inf:
                return column
            if not self._truncates or not self._truncate(row):
                return None

    def refuse(self, row: int, column: int) -> None:
        """Leave a column out."""
        self._possible[row, column] = False

    def restrict(self, row: int, possible: Allowed) -> None:
        """Leave out all other columns."""
        self._possible[row] &= possible

    def log_probabilities(self) -> Rows:
        """Those of all columns, at temperature 1 and before anything is left out."""
        scores = np.where(self._base, self._scores, -np.inf)
        best = scores.max(1, keepdims=True)
        scores -= np.where(best > -np.inf, best, 0.0)
        total = np.exp(scores).sum(1, keepdims=True)
        logs: Rows = scores - np.log(np.maximum(total, np.finfo(np.float64).tiny))
        return logs

    def _truncate(self, row: int) -> bool:
        """Keep what truncation leaves of the columns that it left out before; whether any."""
        rest = self._rest.get(row, self._base & (self._scores[row] > -np.inf))
        if not rest.any():
            return False
        kept = np.zeros(self.columns, np.bool_)
        kept[sampling.candidates(self._scores[row], rest, self._law).ids] = True
        self._kept[row], self._rest[row] = kept, rest & ~kept
        return True
