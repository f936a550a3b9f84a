"""Drafts of bytes: where the models are to be asked, they are asked for a whole draft at once."""

from __future__ import annotations

import time

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
        self._unshared_s: float | None = None  # of a pass without one

    @property
    def counts(self) -> tuple[int, int]:
        """How many bytes were guessed, and how many of those were right."""
        self._judge()
        return self._drafts.drafted_tokens, self._drafts.accepted_tokens

    @property
    def needs_law(self) -> bool:
        """No more of a law is needed than without drafts."""
        return False

    async def look(
        self, state: MixedState, course: Outlook, rng: np.random.Generator, most: int, share: float
    ) -> None:
        """Guess at most so many bytes and ask for their scores, if heads of `share` lack some."""
        if not state.lacks(share):
            return
        self._judge()
        is_first, pace, begin = self._unshared_s is None, self._drafts.pace, self._begin
        if self._unshared_s:
            pace.passed(1, self._unshared_s / (len(self._text) - begin))
        draft = bytes(await self._drafts.draft(self._text, course, rng, most))
        self._begin, started_s = len(self._text), time.perf_counter()
        if draft:
            await state.look_ahead(draft, asks(draft, course, state.needs_every_law))
        else:
            await state.ask(share)
        seconds = time.perf_counter() - started_s
        # A pass without a draft may serve several bytes; the first pass reads the prompt.
        self._unshared_s = 0.0 if draft or is_first else seconds
        if draft and not is_first:
            pace.passed(1 + len(draft), seconds)

    def first(self, rng: np.random.Generator) -> None:
        """Every byte is drawn as ever."""

    def took(self, byte: int) -> None:
        """A byte was written."""
        self._text.append(byte)

    def _judge(self) -> None:
        """Tell the drafters which of their last guesses were right."""
        self._drafts.judge(self._text[self._begin :])


def asks(draft: bytes, course: Outlook, is_always: bool) -> list[bool]:
    """Whether the law here, and behind each byte of a draft, has to be known."""
    asked = [True]
    for byte in draft:
        after = course.after(byte)
        assert after is not None  # drafts keep to the rule
        course = after
        asked.append(course.only is None or is_always)
    return asked
