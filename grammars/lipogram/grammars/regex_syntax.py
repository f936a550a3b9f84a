"""What a regular expression says, dialect and flags already resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lipogram.grammars.regex_classes import Ranges

Edge = Literal["text_start", "text_end", "line_start", "line_end", "last_line_end"]


@dataclass(frozen=True, slots=True)
class Characters:
    """Any one character of the ranges."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Concatenation:
    """One after the other; none: the empty string."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alternation:
    """Any of the options."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Quantified:
    """`item` from `minimum` to `maximum` times (None: no limit)."""

    item: Node
    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Anchor:
    """The position is an edge of the text or of a line; `last_line_end` is Python's `$`.

    `breaks` are the characters that end a line.
    """

    edge: Edge
    breaks: Ranges


@dataclass(frozen=True, slots=True)
class Boundary:
    """The position is (or, negated, is not) between a word character and anything else."""

    word: Ranges
    negated: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What follows (or precedes) the position begins (ends) with a match of `item`, or must not."""

    item: Node
    behind: bool
    negated: bool
    column: int


Node = Characters | Concatenation | Alternation | Quantified | Anchor | Boundary | Look
Assertion = Anchor | Boundary | Look
NOTHING_TO_MATCH = Concatenation(())
