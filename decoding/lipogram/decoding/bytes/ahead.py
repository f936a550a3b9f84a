"""Drafts of bytes: for all of a draft's places the models are asked at once."""

from __future__ import annotations

import time
from collections import deque

import numpy as np

from lipogram.decoding.bytes.mixed import MixedState
from lipogram.decoding.course import Outlook
from lipogram.decoding.drafting.chain import Drafts


class Ahead:
    """Looks ahead on one run, whose bytes so far are `text`; nothing of the run depends on it.

    The scores that the laws up to the end of a draft need are there before they are asked for.
    Each byte is then drawn from its law as it would be without.
    """

    def __init__(self, drafts: Drafts, text: bytes) -> None:
        self._drafts = drafts
        self._text = bytearray(text)
        self._begin = len(text)  # of the last draft
        self._left: deque[int] | None = None  # of it; None: no scores are there for this place
        self._is_first = True

    @property
    def counts(self) -> tuple[int, int]:
        """How many bytes were guessed, and how many of those were right."""
        return self._drafts.drafted_tokens, self._drafts.accepted_tokens

    async def look(
        self, state: MixedState, course: Outlook, rng: np.random.Generator, most: int
    ) -> None:
        """Guess at most so many bytes and ask for their scores, if none are there for the next."""
        if self._left is not None:
            return
        self.judge()
        draft = bytes(await self._drafts.draft(self._text, course, rng, most))
        self._begin, self._left = len(self._text), deque(draft)
        asks = [True]
        for byte in draft:
            after = course.after(byte)
            assert after is not None  # drafts keep to the rule
            course = after
            asks.append(course.only is None or state.needs_every_law)
        started_s = time.perf_counter()
        await state.look_ahead(draft, asks)
        if not self._is_first:
            self._drafts.pace.passed(sum(asks), time.perf_counter() - started_s)
        self._is_first = False

    def took(self, byte: int) -> None:
        """A byte was written."""
        self._text.append(byte)
        if self._left is not None and (not self._left or self._left.popleft() != byte):
            self._left = None

    def judge(self) -> None:
        """Tell the drafters which of their last guesses were right."""
        self._drafts.judge(self._text[self._begin :])
