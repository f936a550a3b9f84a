"""Which tokens to try first when a filling is looked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Final

from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import ir

_FEW: Final = 4096  # tokens, all of which are tried
_MAX_TEXTS: Final = 2000
_SHORT_BYTES: Final = 3


def suggested(vocabulary: Vocabulary, grammar: ir.Grammar, texts: Iterable[bytes]) -> set[int]:
    """Single bytes, short punctuation, special tokens, what spells the texts and the grammar's."""
    if len(vocabulary) <= _FEW:
        return set(range(len(vocabulary)))
    found = set(_always(vocabulary))
    for text in [*texts, *_literals(grammar)]:
        for spelled in (text, b" " + text):
            found |= set(vocabulary.trie.spell(spelled) or ())
    return found


@lru_cache(maxsize=8)
def _always(vocabulary: Vocabulary) -> frozenset[int]:
    """What is tried whatever the grammar. Cost: a look at each token, once."""
    short = [
        id
        for id, text in enumerate(vocabulary.tokens)
        if len(text) == 1
        or (len(text) <= _SHORT_BYTES and text.isascii() and not any(map(_is_word, text)))
    ]
    return frozenset(short) | set(vocabulary.spellings.values())


def _is_word(byte: int) -> bool:
    return chr(byte).isalnum()


def _literals(grammar: ir.Grammar) -> Iterator[bytes]:
    """The first of the texts that the grammar has."""
    waiting: list[object] = list(grammar.rules.values())
    seen: set[int] = set()
    count = 0
    while waiting and count < _MAX_TEXTS:
        part = waiting.pop()
        if isinstance(part, bytes):
            count += 1
            yield part
        elif isinstance(part, tuple):
            waiting += part
        elif is_dataclass(part) and id(part) not in seen:
            seen.add(id(part))
            waiting += [getattr(part, field.name) for field in fields(part)]
