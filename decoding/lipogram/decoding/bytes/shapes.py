"""Tokens that a splitting pattern cannot tell apart: judged once, together.

A pattern sees characters through the classes and the literals that it names. So letters count as
one letter, but for those after an apostrophe, where contractions are; and digits as one digit.
Where a pattern names more than that, every text is its own shape.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SYNTAX: Final = re.compile(
    r"\\[pP]\{\^?[A-Z][a-z]?&?\}|\\[sSdDwWrntfvbBAzZ]|\(\?[a-z:=!<>|-]+|\{[0-9,]+\}"
    r"|a-z|A-Z|0-9"
)
_APOSTROPHES: Final = "'’"
# What patterns name after apostrophes: 's 't 're 've 'm 'll 'd.
_CONTRACTIONS: Final = frozenset("strevmldSTREVMLD")


def shapes(tokens: Sequence[bytes], pattern: str | None) -> NDArray[np.int64]:
    """The number of each token's shape: int64[V]; -1 where it is not text by itself."""
    of = _shape if pattern is not None and _is_known(pattern) else str
    numbers: dict[str, int] = {}
    found = np.full(len(tokens), -1, np.int64)
    for id, token in enumerate(tokens):
        try:
            text = token.decode()
        except UnicodeDecodeError:
            continue
        if text:
            found[id] = numbers.setdefault(of(text), len(numbers))
    return found


def _is_known(pattern: str) -> bool:
    """Whether the pattern names no letters or digits but those of contractions."""
    named = {character for character in _SYNTAX.sub(" ", pattern) if character.isalnum()}
    has_contractions = any(mark in pattern for mark in _APOSTROPHES)
    return pattern.isascii() and named <= (_CONTRACTIONS if has_contractions else frozenset())


def _shape(text: str) -> str:
    shape = []
    for index, character in enumerate(text):
        is_after = any(mark in text[max(0, index - 2) : index] for mark in _APOSTROPHES)
        shape.append(character if is_after and character.isalpha() else _KINDS[character])
    return "".join(shape)


class _Kinds(dict[str, str]):
    """A character's stand-in: the first one seen of its category, itself where that is not all."""

    def __init__(self) -> None:
        super().__init__()
        self._first: dict[str, str] = {}

    def __missing__(self, character: str) -> str:
        category = unicodedata.category(character)
        # Folding case joins two letters with ASCII ones; control characters are spaces or not.
        own = category == "Cc" or character in "ſK" or not (category[0] in "LN" or character > "~")
        kind = character if own else self._first.setdefault(category, character)
        self[character] = kind
        return kind


_KINDS: Final = _Kinds()
