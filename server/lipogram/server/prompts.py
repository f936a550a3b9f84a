"""From texts and roles to a model's prompt tokens. Special tokens come from here alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import cast

from lipogram.decoding.vocabulary import Vocabulary

_NAMED_TURNS = {role: (f"<|{role}|>", "<|end|>") for role in ("system", "user", "assistant")}
_PLAIN_TURNS = {role: (f"{role}: ", "\n") for role in ("system", "user", "assistant")}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; `role` is system, user or assistant."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a conversation is put to a model.

    `turns` has the text before and after each role's (a missing role is put as the user's),
    `reply` opens the answer; names of special tokens in them stand for the tokens. `stops` end
    an answer where no token does.
    """

    turns: Mapping[str, tuple[str, str]]
    reply: str
    stops: tuple[bytes, ...] = ()

    @classmethod
    def fitting(cls, vocabulary: Vocabulary) -> ChatTemplate:
        """Turns between `<|role|>` and `<|end|>` where the vocabulary has them, else lines."""
        names = {name for marks in _NAMED_TURNS.values() for name in marks}
        if names <= vocabulary.specials.keys():
            return cls(_NAMED_TURNS, "<|assistant|>")
        return cls(_PLAIN_TURNS, "assistant:", (b"\nuser:",))

    def render(self, turns: Sequence[Turn], vocabulary: Vocabulary) -> tuple[int, ...]:
        """The prompt after which the answer follows; raises Unspellable.

        Only the template's own text can name special tokens, never a turn's.
        """
        pieces: list[int | bytes] = []
        for turn in turns:
            before, after = self.turns.get(turn.role, self.turns["user"])
            pieces += _spelled(before, vocabulary)
            pieces.append(turn.text.encode())
            pieces += _spelled(after, vocabulary)
        pieces += _spelled(self.reply, vocabulary)
        ids: list[int] = []
        for is_text, group in groupby(pieces, key=lambda piece: isinstance(piece, bytes)):
            if is_text:
                ids += vocabulary.encode(b"".join(cast("Iterator[bytes]", group)))
            else:
                ids += cast("Iterator[int]", group)
        return tuple(ids)


def _spelled(text: str, vocabulary: Vocabulary) -> list[int | bytes]:
    """A template's text: bytes, and the ids of the special tokens that it names."""
    specials = vocabulary.specials
    if not specials:
        return [text.encode()]
    names = "|".join(map(re.escape, sorted(specials, key=len, reverse=True)))
    parts = re.split(f"({names})", text)
    return [specials[part] if part in specials else part.encode() for part in parts if part]
