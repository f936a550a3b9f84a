"""From texts and roles to a model's prompt tokens. Special tokens come from here alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Protocol, cast

from lipogram.decoding.errors import TurnsRefused
from lipogram.decoding.models.base import Script
from lipogram.decoding.vocabulary import Vocabulary

_NAMED_TURNS = {role: (f"<|{role}|>", "<|end|>") for role in ("system", "user", "assistant")}
_PLAIN_TURNS = {role: (f"{role}: ", "\n") for role in ("system", "user", "assistant")}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; `role` is system, user or assistant."""

    role: str
    text: str


class ChatTemplate(Protocol):
    """How a conversation is put to a model; `stops` end an answer where no token does.

    Only a template's own text can name special tokens, never a turn's.
    """

    @property
    def stops(self) -> tuple[bytes, ...]: ...

    def render(self, turns: Sequence[Turn], vocabulary: Vocabulary) -> tuple[int, ...]:
        """The prompt after which the answer follows; raises Unspellable, TurnsRefused."""
        ...


@dataclass(frozen=True, slots=True)
class TurnTemplate:
    """The same around every turn of a role.

    `turns` has the text before and after each role's (a missing role is put as the user's),
    `reply` opens the answer; names of special tokens in them stand for the tokens.
    """

    turns: Mapping[str, tuple[str, str]]
    reply: str
    stops: tuple[bytes, ...] = ()

    @classmethod
    def fitting(cls, vocabulary: Vocabulary) -> TurnTemplate:
        """Turns between `<|role|>` and `<|end|>` where the vocabulary has them, else lines."""
        names = {name for marks in _NAMED_TURNS.values() for name in marks}
        if names <= vocabulary.specials.keys():
            return cls(_NAMED_TURNS, "<|assistant|>")
        return cls(_PLAIN_TURNS, "assistant:", (b"\nuser:",))

    def render(self, turns: Sequence[Turn], vocabulary: Vocabulary) -> tuple[int, ...]:
        """See ChatTemplate."""
        pieces: list[int | bytes] = []
        for turn in turns:
            before, after = self.turns.get(turn.role, self.turns["user"])
            pieces += _spelled(before, vocabulary)
            pieces.append(turn.text.encode())
            pieces += _spelled(after, vocabulary)
        pieces += _spelled(self.reply, vocabulary)
        return _encoded(pieces, vocabulary)


@dataclass(frozen=True, slots=True)
class ScriptTemplate:
    """A model's own template, which may do with the turns' texts what it likes.

    So special tokens' names in them are broken up by a character that no text has, which goes
    again when what the script has written is taken apart.
    """

    script: Script
    stops: tuple[bytes, ...] = ()

    def render(self, turns: Sequence[Turn], vocabulary: Vocabulary) -> tuple[int, ...]:
        """See ChatTemplate. Where the script knows no system's turn, the user's begins with it."""
        mark = _unused(turns)
        names = _names(vocabulary)
        guarded = [
            Turn(turn.role, re.sub(f"(?s)(?=(?:{names}))(.)", rf"\1{mark}", turn.text))
            for turn in _joined(turns)
        ]
        try:
            text = self._run(guarded)
        except TurnsRefused:
            if len(guarded) < 2 or [turn.role for turn in guarded[:2]] != ["system", "user"]:
                raise
            first = Turn("user", f"{guarded[0].text}\n\n{guarded[1].text}")
            text = self._run([first, *guarded[2:]])
        pieces = _spelled(text, vocabulary, mark)
        return _encoded(
            [p.replace(mark.encode(), b"") if isinstance(p, bytes) else p for p in pieces],
            vocabulary,
        )

    def _run(self, turns: Sequence[Turn]) -> str:
        return self.script([{"role": turn.role, "content": turn.text} for turn in turns])


def _joined(turns: Sequence[Turn]) -> list[Turn]:
    """Adjacent turns of one role as one: many scripts insist that roles take turns."""
    return [
        Turn(role, "\n\n".join(turn.text for turn in group))
        for role, group in groupby(turns, key=lambda turn: turn.role)
    ]


def _unused(turns: Sequence[Turn]) -> str:
    """A character for private use that none of the texts has."""
    used = set(chain.from_iterable(turn.text for turn in turns))
    return next(chr(code) for code in range(0xF0000, 0x10FFFE) if chr(code) not in used)


def _encoded(pieces: Sequence[int | bytes], vocabulary: Vocabulary) -> tuple[int, ...]:
    """The tokens of texts and special ids; adjacent texts are encoded as one."""
    ids: list[int] = []
    for is_text, group in groupby(pieces, key=lambda piece: isinstance(piece, bytes)):
        if is_text:
            ids += vocabulary.encode(b"".join(cast("Iterator[bytes]", group)))
        else:
            ids += cast("Iterator[int]", group)
    return tuple(ids)


def _names(vocabulary: Vocabulary) -> str:
    """An expression of all special tokens' names, which matches nothing where there are none."""
    return "|".join(map(re.escape, sorted(vocabulary.specials, key=len, reverse=True))) or "(?!)"


def _spelled(text: str, vocabulary: Vocabulary, mark: str = "") -> list[int | bytes]:
    """A template's text: bytes, and the ids of the special tokens that it names.

    A name of one character that a mark follows is none.
    """
    specials = vocabulary.specials
    behind = f"(?!{mark})" if mark else ""
    parts = re.split(f"((?:{_names(vocabulary)}){behind})", text)
    return [specials[part] if part in specials else part.encode() for part in parts if part]
