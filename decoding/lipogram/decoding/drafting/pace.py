"""How far to draft: as far as a guess is likely enough to spare more time than it takes.

Everything is measured on the way: how often guesses of one drafter and one confidence were right,
what a pass of the model takes by its width, what a guess takes. So drafts are long where they are
good, and a drafter that does not pay is not asked, but for a try now and then.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

_BUCKETS: Final = 10  # of confidence
_EXPECTED: Final = 0.75  # of a drafter nothing is known of
_PRIOR: Final = 4.0  # tries that a drafter's own confidence weighs as much as
_MEMORY: Final = 256.0  # tries, after which older ones fade
_RECENT: Final = 9  # guesses whose cost is remembered
_SKIPPED: Final = 200  # places, after which what a drafter costs is found out anew
_FADE_PASSES: Final = 0.98
_FADE_SKIPPED: Final = 0.999
_MARGIN: Final = 1.5  # by which a guess must pay: masks and draws for it are not measured
_WIDTH_SHARE: Final = 0.08  # of a pass, that one more position takes until it is measured
_FEWEST_PASSES: Final = 4


class _Rate:
    """How often something was right, forgetting slowly."""

    def __init__(self, prior: float) -> None:
        self._prior, self._right, self._tries = prior, 0.0, 0.0

    def value(self) -> float:
        return (self._right + _PRIOR * self._prior) / (self._tries + _PRIOR)

    def learn(self, is_right: bool) -> None:
        self._right += is_right
        self._tries += 1
        if self._tries > _MEMORY:
            self.fade(0.5)

    def fade(self, factor: float) -> None:
        self._right *= factor
        self._tries *= factor


class _Cost:
    """Seconds that a guess usually takes: the median of the last ones, whatever the first took."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._skipped = 0

    def seconds(self) -> float:
        return median(self._recent) if len(self._recent) > _RECENT // 2 else 0.0

    def learn(self, seconds: float) -> None:
        self._recent.append(seconds)

    def skip(self) -> None:
        self._skipped += 1
        if self._skipped % _SKIPPED == 0:
            self._recent.clear()


class _PassTime:
    """Seconds of a pass, as a line over its width, fitted to what was seen lately."""

    def __init__(self) -> None:
        self._weight = self._width = self._seconds = self._squares = self._products = 0.0

    def learn(self, width: int, seconds: float) -> None:
        sums = (self._weight, self._width, self._seconds, self._squares, self._products)
        new = (1.0, width, seconds, width * width, width * seconds)
        self._weight, self._width, self._seconds, self._squares, self._products = (
            _FADE_PASSES * old + each for old, each in zip(sums, new, strict=True)
        )

    def line(self) -> tuple[float, float]:
        """What a pass takes, and each position more; shares of a pass before some were seen."""
        if self._weight < _FEWEST_PASSES * _FADE_PASSES**_FEWEST_PASSES:
            return 1.0, _WIDTH_SHARE
        width, seconds = self._width / self._weight, self._seconds / self._weight
        spread = self._squares / self._weight - width * width
        joint = self._products / self._weight - width * seconds
        # One imagined observation keeps the slope in bounds where all widths were alike.
        slope = (joint + _WIDTH_SHARE * seconds) / (spread + 1)
        slope = min(max(slope, 0.0), seconds / max(width, 1.0))
        return max(seconds - slope * width, seconds / 10) + slope, slope


class Pace:
    """What one model and its drafters have shown so far, for all runs."""

    def __init__(self) -> None:
        self._rates: dict[tuple[str, int], _Rate] = {}
        self._whole: dict[str, _Rate] = {}
        self._cost: dict[str, _Cost] = {}
        self._pass = _PassTime()

    def rate(self, name: str, confidence: float) -> float:
        """How likely a guess of this drafter and confidence is right."""
        return self._of(name, confidence).value()

    def _of(self, name: str, confidence: float) -> _Rate:
        bucket = min(int(confidence * _BUCKETS), _BUCKETS - 1)
        if (name, bucket) not in self._rates:
            self._rates[name, bucket] = _Rate((bucket + 0.5) / _BUCKETS)
        return self._rates[name, bucket]

    def asks(self, name: str, chance: float) -> bool:
        """Whether to ask a drafter for a guess that counts with this chance."""
        whole_s, width_s = self._pass.line()
        rate = self._whole.setdefault(name, _Rate(_EXPECTED))
        cost = self._cost.setdefault(name, _Cost())
        needed = _MARGIN * (width_s + cost.seconds()) / whole_s
        if rate.value() <= needed:
            rate.fade(_FADE_SKIPPED)
            cost.skip()
        return chance * rate.value() > needed

    def takes(self, chance: float) -> bool:
        """Whether a guess that is right with this chance is worth its place in the pass."""
        whole_s, width_s = self._pass.line()
        return chance * whole_s > _MARGIN * width_s

    def skipped(self, name: str, confidence: float) -> None:
        """A guess was left out; where its like always are, they are tried again in the end."""
        rate = self._of(name, confidence)
        if not self.takes(rate.value()):
            rate.fade(_FADE_SKIPPED)

    def judged(self, name: str, confidence: float, is_right: bool) -> None:
        """A guess was found right or wrong."""
        self._of(name, confidence).learn(is_right)
        self._whole.setdefault(name, _Rate(_EXPECTED)).learn(is_right)

    def guessed(self, name: str, seconds: float) -> None:
        """Asking a drafter took so long, for each guess that it made."""
        self._cost.setdefault(name, _Cost()).learn(seconds)

    def passed(self, width: int, seconds: float) -> None:
        """A pass of the model over this many positions took so long."""
        self._pass.learn(width, seconds)
