"""What followed the same tokens before, in the prompt, in the output, or in a text foreseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from lipogram.decoding.bytes.course import BYTES
from lipogram.decoding.drafting.base import Guess, Place
from lipogram.decoding.errors import Unspellable
from lipogram.decoding.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lipogram.decoding.job import Job

_BETWEEN: Final = -1  # no token: parts two texts
_LEAD_IN: Final = 4  # tokens of the prompt's end before a text foreseen
_MOST_SEARCHED: Final = 8192  # tokens of a prompt, the last ones
_LONGEST: Final = 32  # tokens of an end that are compared: as many are as sure as more
_ROOM: Final = 1024  # tokens, at first


class Occurrences:
    """A growing sequence, searched for its end.

    Searching all of it for each draft takes 10 to 20 us in a prompt of 1,000 tokens, an index of it
    2.5 ms: more than most outputs ever search.
    """

    def __init__(self) -> None:
        self._data = np.empty(_ROOM, np.int64)
        self._count = 0

    def add(self, tokens: Sequence[int]) -> None:
        """Append tokens."""
        count = self._count + len(tokens)
        if count > len(self._data):
            self._data = np.concatenate((self._data[: self._count], np.empty(count, np.int64)))
        self._data[self._count : count] = np.fromiter(tokens, np.int64, len(tokens))
        self._count = count

    def seen(self, draft: Sequence[int]) -> tuple[int, int]:
        """The longest end of the sequence and a draft behind it that came before.

        Returns its length, as far as lengths are told apart, and how many tokens there were when it
        first had come; 0, 0 where not even the last token has.
        """
        text = self._data[: self._count]
        ending = [*text[max(0, self._count - _LONGEST) :].tolist(), *draft][-_LONGEST:]
        if not ending:
            return 0, 0
        ends, length = np.flatnonzero(text[: len(text) - (not draft)] == ending[-1]) + 1, 1
        while len(ends) and length < len(ending):
            longer = ends[ends > length]
            longer = longer[text[longer - length - 1] == ending[-length - 1]]
            if not len(longer):
                break
            ends, length = longer, length + 1
        return (length, int(ends[0])) if len(ends) else (0, 0)

    def following(self, end: int, most: int) -> list[int]:
        """At most so many tokens after the first `end`."""
        found: list[int] = self._data[end : min(end + most, self._count)].tolist()
        return found


class Ngrams:
    """Drafts what followed the longest end of the text that came before."""

    name = "prompt"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def open(self, job: Job, prompt: Sequence[int]) -> Repeats:
        """Search the prompt, and before it what the job foresees, as if it had followed once."""
        vocabulary = BYTES if job.byte_mode == "full" else self._vocabulary
        return Repeats(_foreseen(job.prediction, vocabulary), prompt)


def _foreseen(text: bytes, vocabulary: Vocabulary) -> list[int]:
    try:
        return vocabulary.encode(text) if text else []
    except Unspellable:
        return []


class Repeats:
    """The n-grams of one run."""

    def __init__(self, foreseen: Sequence[int], prompt: Sequence[int]) -> None:
        self._text = Occurrences()
        self._added = len(prompt)
        if foreseen:
            self._text.add([*prompt[-_LEAD_IN:], *foreseen[:_MOST_SEARCHED], _BETWEEN])
        self._text.add(prompt[-_MOST_SEARCHED:])

    async def propose(self, place: Place, most: int) -> list[Guess]:
        """See Guesses.propose."""
        self._text.add(place.tokens[self._added :])
        self._added = len(place.tokens)
        length, end = self._text.seen(place.draft)
        following = self._text.following(end, most) if length else []
        if _BETWEEN in following:
            following = following[: following.index(_BETWEEN)]
        confidence = 1 - 1 / (1.25 + 0.75 * length)
        return [Guess(token, confidence) for token in following]
