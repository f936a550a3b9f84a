"""The symbol that a random number draws from a law of which a part is not known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.sampling import Allowed

_ROUNDING = 1e-12  # of shares: of what differs by less, rounding decides


def certain(
    known: NDArray[np.float64], unknown: float, allowed: Allowed, temperature: float, chance: float
) -> int | None:
    """The allowed symbol that `chance` draws at a temperature of at most 1, if there is but one.

    The law is at least `known`, and the probability `unknown` may be of any symbols. None: that
    might change which one it is.
    """
    ids = np.flatnonzero(allowed)
    shares = known[ids]
    best = int(shares.argmax()) if len(ids) else 0
    if not len(ids) or not shares[best] > 0:
        return None
    if temperature == 0:
        second = np.delete(shares, best).max(initial=0.0)
        return int(ids[best]) if shares[best] * (1 - _ROUNDING) > second + unknown else None
    scale = shares[best]

    def heated(values: NDArray[np.float64] | float) -> NDArray[np.float64]:
        with np.errstate(over="ignore"):
            powers: NDArray[np.float64] = (np.asarray(values) / scale) ** (1 / temperature)
        return powers

    def with_unknown(some: NDArray[np.float64]) -> float:
        """The most that these may weigh: all that is unknown falls to the heaviest of them."""
        if not len(some):
            return 0.0
        most = some.max()
        return float(heated(some).sum() + heated(most + unknown) - heated(most))

    sums = np.cumsum(heated(shares))
    index = min(int(np.searchsorted(sums, chance * sums[-1], side="right")), len(ids) - 1)
    before = float(sums[index - 1]) if index else 0.0
    is_reached = (1 - chance) * sums[index] > chance * with_unknown(shares[index + 1 :])
    is_not_passed = (1 - chance) * with_unknown(shares[:index]) <= chance * (sums[-1] - before)
    return int(ids[index]) if is_reached and is_not_passed else None
