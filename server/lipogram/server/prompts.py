"""From texts and roles to a model's prompt tokens. Special tokens come from here alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lipogram.decoding.vocabulary import Vocabulary

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; `role` is system, user or assistant."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """How a conversation is put to a model.

    With `openers` a turn is its role's token, the text and the `closer` token; without, it is a
    line `role: text`, and the answer ends before the next line of the user's.
    """

    openers: tuple[tuple[str, int], ...]
    closer: int | None

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> ChatTemplate:
        """The template whose special tokens this vocabulary has."""
        names = {role: f"<|{role}|>" for role in _ROLES}
        if all(name in vocabulary.specials for name in (*names.values(), "<|end|>")):
            openers = tuple((role, vocabulary.specials[name]) for role, name in names.items())
            return cls(openers, vocabulary.specials["<|end|>"])
        return cls((), None)

    @property
    def stops(self) -> tuple[bytes, ...]:
        """Stop strings that the template itself needs."""
        return () if self.openers else (b"\nuser:",)

    def render(self, turns: Sequence[Turn], vocabulary: Vocabulary) -> tuple[int, ...]:
        """The prompt after which the assistant's answer follows; raises Unspellable."""
        if self.closer is None:
            lines = "".join(f"{turn.role}: {turn.text}\n" for turn in turns)
            return tuple(vocabulary.encode((lines + "assistant:").encode()))
        openers = dict(self.openers)
        ids: list[int] = []
        for turn in turns:
            ids += [openers[turn.role], *vocabulary.encode(turn.text.encode()), self.closer]
        return (*ids, openers["assistant"])


def infilling(vocabulary: Vocabulary, prefix: Sequence[int], suffix: str) -> tuple[int, ...] | None:
    """Prefix, suffix and middle behind the sentinels of those names; None where there are none."""
    names = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
    if not all(name in vocabulary.specials for name in names):
        return None
    before, between, after = (vocabulary.specials[name] for name in names)
    return (before, *prefix, between, *vocabulary.encode(suffix.encode()), after)
