"""What followed the same tokens before, in the prompt, in the output, or in a text foreseen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lipogram.decoding.bytes.course import BYTES
from lipogram.decoding.drafting.base import Guess, Place
from lipogram.decoding.errors import Unspellable
from lipogram.decoding.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lipogram.decoding.job import Job

_BETWEEN: Final = -1  # no token: parts two texts
_LEAD_IN: Final = 4  # tokens of the prompt's end before a text foreseen
_MOST_INDEXED: Final = 8192  # tokens of a prompt, the last ones: some tens of milliseconds


class SuffixAutomaton:
    """All substrings of a growing sequence (Blumer et al. 1985); each token costs a few steps."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self._next: list[dict[int, int]] = [{}]
        self._link = [-1]
        self._length = [0]
        self._end = [0]  # after how many tokens the substrings of a state first end
        self._whole = 0

    def add(self, token: int) -> None:
        """Append a token."""
        self.tokens.append(token)
        state, new = self._whole, self._state({}, 0, self._length[self._whole] + 1)
        self._end[new] = len(self.tokens)
        while state >= 0 and token not in self._next[state]:
            self._next[state][token] = new
            state = self._link[state]
        if state >= 0:
            self._link[new] = self._linked(state, token)
        self._whole = new

    def _linked(self, state: int, token: int) -> int:
        """The state of the longest suffix that came before; split off if it has none yet."""
        target = self._next[state][token]
        if self._length[target] == self._length[state] + 1:
            return target
        clone = self._state(dict(self._next[target]), self._link[target], self._length[state] + 1)
        self._end[clone] = self._end[target]
        self._link[target] = clone
        while state >= 0 and self._next[state].get(token) == target:
            self._next[state][token] = clone
            state = self._link[state]
        return clone

    def _state(self, following: dict[int, int], link: int, length: int) -> int:
        self._next.append(following)
        self._link.append(link)
        self._length.append(length)
        self._end.append(0)
        return len(self._next) - 1

    def seen(self, draft: Sequence[int]) -> tuple[int, int]:
        """The longest end of the sequence and a draft behind it that came before.

        Returns its length, and how many tokens there were when it first had come; 0, 0 where not
        even the last token has.
        """
        state = max(self._link[self._whole], 0)
        length = self._length[state]
        for token in draft:
            while state and token not in self._next[state]:
                state = self._link[state]
                length = self._length[state]
            if token in self._next[state]:
                state, length = self._next[state][token], length + 1
        return length, self._end[state] if length else 0


class Ngrams:
    """Drafts what followed the longest end of the text that came before."""

    name = "prompt"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def open(self, job: Job, prompt: Sequence[int]) -> Repeats:
        """Index the prompt, and before it what the job foresees, as if it had followed once."""
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
        self._index = SuffixAutomaton()
        self._added = len(prompt)
        if foreseen:
            self._add([*prompt[-_LEAD_IN:], *foreseen[:_MOST_INDEXED], _BETWEEN])
        self._add(prompt[-_MOST_INDEXED:])

    def _add(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            self._index.add(token)

    async def propose(self, place: Place, most: int) -> list[Guess]:
        """See Guesses.propose."""
        self._add(place.tokens[self._added :])
        self._added = len(place.tokens)
        length, end = self._index.seen(place.draft)
        following = self._index.tokens[end : end + most] if length else []
        if _BETWEEN in following:
            following = following[: following.index(_BETWEEN)]
        confidence = 1 - 1 / (1.25 + 0.75 * length)
        return [Guess(token, confidence) for token in following]
