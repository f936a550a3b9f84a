"""Counters, gauges and histograms, written as Prometheus reads them (text format 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]


class Counter:
    """Only ever grows; one number for each combination of labels' values.

    Not locked: it is counted on one thread, and read there.
    """

    kind = "counter"

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.help = help
        self._labels = tuple(labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, amount: float = 1, *values: str) -> None:
        """Counts `amount` more under these labels' values."""
        self._values[values] = self._values.get(values, 0) + amount

    def value(self, *values: str) -> float:
        """What was counted under these labels' values."""
        return self._values.get(values, 0)

    def samples(self) -> Iterator[str]:
        """The lines after the header."""
        for values, value in self._values.items():
            yield _sample(self.name, self._labels, values, value)


class Gauge:
    """Asked for when it is read: a number, or a number for each value of one label."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        help: str,
        read: Callable[[], float | Mapping[str, float]],
        label: str = "",
        *,
        kind: str = "gauge",
    ) -> None:
        self.name = name
        self.help = help
        self.kind = kind
        self._read = read
        self._label = label

    def samples(self) -> Iterator[str]:
        """The lines after the header."""
        value = self._read()
        if isinstance(value, Mapping):
            for label, each in value.items():
                yield _sample(self.name, (self._label,), (label,), each)
        else:
            yield _sample(self.name, (), (), value)


class Histogram:
    """How many observations are at most as large as each bound, how many there are, their sum."""

    kind = "histogram"

    def __init__(
        self, name: str, help: str, bounds: Sequence[float], labels: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.help = help
        self._bounds = tuple(bounds)
        self._labels = tuple(labels)
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}
        if not labels:
            self._begin(())

    def _begin(self, values: Labels) -> list[int]:
        self._sums[values] = 0.0
        self._counts[values] = [0] * (len(self._bounds) + 1)
        return self._counts[values]

    def observe(self, amount: float, *values: str) -> None:
        """Counts one observation under these labels' values."""
        counts = self._counts.get(values) or self._begin(values)
        counts[bisect_left(self._bounds, amount)] += 1
        self._sums[values] += amount

    def samples(self) -> Iterator[str]:
        """The lines after the header."""
        labels = (*self._labels, "le")
        for values, counts in self._counts.items():
            total = 0
            for bound, count in zip((*self._bounds, "+Inf"), counts, strict=True):
                total += count
                yield _sample(f"{self.name}_bucket", labels, (*values, str(bound)), total)
            yield _sample(f"{self.name}_count", self._labels, values, total)
            yield _sample(f"{self.name}_sum", self._labels, values, self._sums[values])


Family = Counter | Gauge | Histogram


def exposed(families: Sequence[Family]) -> str:
    """All of these, as a page for Prometheus."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {family.help}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        lines += family.samples()
    return "\n".join(lines) + "\n"


def _sample(name: str, labels: Labels, values: Labels, value: float) -> str:
    pairs = ",".join(
        f'{label}="{_escaped(text)}"' for label, text in zip(labels, values, strict=True)
    )
    return f"{name}{{{pairs}}} {value!r}" if pairs else f"{name} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
