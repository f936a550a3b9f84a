"""How far to draft: as far as a guess is likely enough to spare more time than it takes.

Everything is measured on the way: how often guesses of one drafter and one confidence were right,
what a pass of the model takes by its width, what a guess takes. So drafts are long where they are
good, and a drafter that does not pay is not asked, but for a try now and then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

_BUCKETS: Final = 10  # of confidence
_EXPECTED: Final = 0.75  # of a drafter nothing is known of
_PRIOR: Final = 4.0  # tries that a drafter's own confidence weighs as much as
_MEMORY: Final = 256.0  # tries, after which older ones fade
_RECENT: Final = 9  # guesses whose cost is remembered
_SKIPPED: Final = 200  # places, after which what a drafter costs is found out anew, at first
_MOST_SKIPPED: Final = 1 << 14
_FADE_SKIPPED: Final = 0.999
_MARGIN: Final = 1.5  # by which a guess must pay: masks and draws for it are not measured
_WIDTH_SHARE: Final = 0.08  # of a pass, that one more position takes until it is measured
_PASSES: Final = 32  # remembered, of one position and of more
_FEWEST_PASSES: Final = 4
_RUN: Final = 32  # guesses of a run, until they are counted
_RUNS: Final = 16  # after which older ones fade


def _usual(seconds: Iterable[float]) -> float:
    """What something takes when nothing comes between: of eight times the second shortest.

    Whatever else the machine does lengthens a pass oftener than a guess, so means or medians would
    compare a wait with work.
    """
    ranked = sorted(seconds)
    return ranked[len(ranked) // 8]


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
    """Seconds that a guess takes, with its share of what the first one of a run takes more."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._firsts: deque[float] = deque(maxlen=_RECENT)
        self._runs = self._guesses = 0.0
        self._skipped, self._patience = 0, _SKIPPED
        self._found: float | None = None

    @property
    def is_known(self) -> bool:
        return len(self._recent) > _RECENT // 2

    def seconds(self) -> float:
        if not self.is_known:
            return 0.0
        if self._found is None:
            first = _usual(self._firsts) if self._firsts else 0.0
            self._found = _usual(self._recent) + first * self._runs / (self._guesses + _RUN)
        return self._found

    def learn(self, seconds: float, is_first: bool) -> None:
        self._found = None
        (self._firsts if is_first else self._recent).append(seconds)
        self._runs += is_first
        self._guesses += 1
        if self._runs > _RUNS:
            self._runs, self._guesses = self._runs / 2, self._guesses / 2

    def paid(self) -> None:
        self._skipped, self._patience = 0, _SKIPPED

    def skip(self) -> None:
        """Be forgotten in the end, later each time."""
        self._skipped += 1
        if self._skipped >= self._patience:
            self._recent.clear()
            self._firsts.clear()
            self._runs = self._guesses = 0.0
            self._skipped, self._patience = 0, min(2 * self._patience, _MOST_SKIPPED)


class _PassTime:
    """Seconds of a pass: of one position, and a line over the widths of wider ones."""

    def __init__(self) -> None:
        self._narrow: deque[float] = deque(maxlen=_PASSES)
        self._wide: deque[tuple[int, float]] = deque(maxlen=_PASSES)
        self._found: tuple[float, float, float] | None = None

    def learn(self, width: int, seconds: float) -> None:
        if width > 1:
            self._wide.append((width, seconds))
        else:
            self._narrow.append(seconds)
        self._found = None

    def line(self) -> tuple[float, float, float]:
        """What one position takes; what two take, and each one more.

        Shares of a pass before some were seen.
        """
        if self._found is None:
            self._found = self._fitted()
        return self._found

    def _fitted(self) -> tuple[float, float, float]:
        one = _usual(self._narrow) if len(self._narrow) >= _FEWEST_PASSES else None
        if len(self._wide) < _FEWEST_PASSES:
            one = 1.0 if one is None else one
            return one, one * (1 + _WIDTH_SHARE), one * _WIDTH_SHARE
        # Through the middles of the narrower half and of the wider one (Wald 1940).
        ranked = sorted(self._wide)
        halves = ranked[: len(ranked) // 2], ranked[len(ranked) // 2 :]
        widths = [sum(width for width, _ in half) / len(half) for half in halves]
        seconds = [_usual(each for _, each in half) for half in halves]
        spread, width, middle = widths[1] - widths[0], sum(widths) / 2, sum(seconds) / 2
        # One imagined observation keeps the slope in bounds where all widths were alike.
        usual_slope = middle * _WIDTH_SHARE / (1 + _WIDTH_SHARE * width)
        slope = (spread * (seconds[1] - seconds[0]) + usual_slope) / (spread * spread + 1)
        slope = min(max(slope, 0.0), middle / width)
        two = max(middle - slope * (width - 2), middle / 10)
        return max(two - slope, middle / 10) if one is None else one, two, slope


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
        one_s, _, width_s = self._pass.line()
        rate = self._whole.setdefault(name, _Rate(_EXPECTED))
        cost = self._cost.setdefault(name, _Cost())
        needed = _MARGIN * (width_s + cost.seconds()) / one_s
        if rate.value() <= needed:
            rate.fade(_FADE_SKIPPED)
            cost.skip()
        elif cost.is_known:
            cost.paid()
        return chance * rate.value() > needed

    def takes(self, chance: float) -> bool:
        """Whether a guess that is right with this chance is worth its place in the pass."""
        one_s, _, width_s = self._pass.line()
        return chance * one_s > _MARGIN * width_s

    def pays(self, chances: Sequence[float], width: int) -> bool:
        """Whether a draft that makes a pass so wide is worth it, by the chances of its guesses."""
        one_s, two_s, width_s = self._pass.line()
        return sum(chances) * one_s > two_s + (width - 2) * width_s - one_s

    def skipped(self, name: str, confidence: float) -> None:
        """A guess was left out; where its like always are, they are tried again in the end."""
        rate = self._of(name, confidence)
        if not self.takes(rate.value()):
            rate.fade(_FADE_SKIPPED)

    def judged(self, name: str, confidence: float, is_right: bool) -> None:
        """A guess was found right or wrong."""
        self._of(name, confidence).learn(is_right)
        self._whole.setdefault(name, _Rate(_EXPECTED)).learn(is_right)

    def guessed(self, name: str, seconds: float, is_first: bool = False) -> None:
        """Asking a drafter took so long, for each guess that it made; the first one of a run?"""
        self._cost.setdefault(name, _Cost()).learn(seconds, is_first)

    def passed(self, width: int, seconds: float) -> None:
        """A pass of the model over this many positions took so long."""
        self._pass.learn(width, seconds)
