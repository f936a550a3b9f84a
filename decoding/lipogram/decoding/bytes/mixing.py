"""How the laws of several models become one law of the next byte."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.bytes.leaves import Weights, log_sum
from lipogram.decoding.errors import InvalidEnsemble

MixingRule: TypeAlias = Literal["linear", "posterior", "geometric", "min", "proxy"]

MOST_STRENGTH: Final = 10.0
_WEIGHTED: Final = ("linear", "posterior", "geometric")
# A log-chance that an anti-expert is taken to give at the least: a byte that it finds impossible
# would outweigh all others, however unlikely the expert finds it.
_LEAST: Final = math.log(1e-6)


@dataclass(frozen=True, slots=True)
class Mixing:
    """The rule by which members' laws p of the next byte (or the end) become one.

    "linear" is the mean under `weights`, the same at every byte. "posterior" is the mean under
    weights that each byte's likelihood moves: the law of texts is exactly the mixture of the
    members' laws of texts. "geometric" is the product of p to the power of its weight, "min" the
    least p, each renormalised at every byte. "proxy" is expert * (expert / anti-expert) to the
    power of `strength`, renormalised, the first member being the expert.

    Weights count relative to their sum; none are equal ones. A member without weight, or that gave
    the text so far no chance, has no say.
    """

    rule: MixingRule = "linear"
    weights: tuple[float, ...] = ()
    strength: float | None = None

    def check(self, members: int) -> None:
        """Raises InvalidEnsemble where rule, weights and so many members do not go together."""
        if self.rule not in get_args(MixingRule):
            raise InvalidEnsemble(
                f"expected a rule of {', '.join(get_args(MixingRule))}, found {self.rule!r}"
            )
        if self.rule == "proxy" and members != 2:
            raise InvalidEnsemble(
                f"expected two members for rule proxy, expert and anti-expert, found {members}"
            )
        if self.strength is not None and self.rule != "proxy":
            raise InvalidEnsemble("a strength goes with rule proxy alone")
        if not 0 <= self._strength <= MOST_STRENGTH:
            raise InvalidEnsemble(
                f"expected a strength from 0 to {MOST_STRENGTH:g}, found {self.strength}"
            )
        if self.weights:
            self._check_weights(members)

    def _check_weights(self, members: int) -> None:
        if self.rule not in _WEIGHTED:
            raise InvalidEnsemble(f"rule {self.rule} has no weights")
        if len(self.weights) != members:
            raise InvalidEnsemble(
                f"expected a weight for each of {members} members, found {len(self.weights)}"
            )
        for weight in self.weights:
            if not 0 <= weight < math.inf:
                raise InvalidEnsemble(f"expected weights of at least 0, found {weight}")
        if not any(self.weights):
            raise InvalidEnsemble("expected a weight above 0, found none")

    @property
    def _strength(self) -> float:
        return 1.0 if self.strength is None else self.strength

    @property
    def follows_likelihood(self) -> bool:
        """Whether the weights change with what the members thought of each byte."""
        return self.rule == "posterior"

    def log_weights(self, members: int) -> Weights:
        """The weights to begin with (nats): float64[members]."""
        weights = np.array(self.weights or (1.0,) * members)
        with np.errstate(divide="ignore"):
            logs: Weights = np.log(weights / weights.max())
        return logs

    def law(self, rows: NDArray[np.float64], log_weights: Weights) -> Weights:
        """One law of the log-laws of the members that have a say: float64[257], -inf where none
        has a chance; read-only.
        """
        if len(rows) == 1:
            row: Weights = rows[0]
            return row
        weights = log_weights - log_sum(log_weights)
        match self.rule:
            case "linear" | "posterior":
                row = np.logaddexp.reduce(rows + weights[:, None])
            case "geometric":
                row = (rows * np.exp(weights)[:, None]).sum(0)
            case "min":
                row = rows.min(0)
            case "proxy":
                row = np.full(rows.shape[1], -np.inf)
                alive = rows[0] > -np.inf
                expert, other = rows[0][alive], np.maximum(rows[1][alive], _LEAST)
                row[alive] = expert + self._strength * (expert - other)
        total = log_sum(row)
        row = row - total if total > -np.inf else row
        row.flags.writeable = False
        return row
