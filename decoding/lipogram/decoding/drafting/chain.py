"""Drafts of several drafters: at each place the one that knows best goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lipogram.decoding.course import Outlook
from lipogram.decoding.drafting.base import Drafter, Guess, Guesses, Place
from lipogram.decoding.drafting.pace import Pace
from lipogram.grammars.errors import Error

if TYPE_CHECKING:
    from lipogram.decoding.job import Job

_GOOD: Final = 0.9  # a guess this likely is taken without asking the other drafters


class Chain:
    """Drafters in the order in which they are asked, cheap ones first; serves many runs.

    `most_tokens` bounds a draft. Chains of the same model and drafters may share a `pace`.
    """

    def __init__(self, *drafters: Drafter, most_tokens: int = 16, pace: Pace | None = None) -> None:
        self.drafters = drafters
        self.most_tokens = most_tokens
        self.pace = Pace() if pace is None else pace

    def open(self, job: Job, prompt: Sequence[int]) -> Drafts:
        """Begin a run after the tokens of `prompt`, or its bytes where bytes are written."""
        opened = [(drafter.name, drafter.open(job, prompt)) for drafter in self.drafters]
        return Drafts(self, [(name, guesses) for name, guesses in opened if guesses is not None])


@dataclass(frozen=True, slots=True)
class _Drafted:
    """A token of a draft; `by` None: it was the only one allowed, and no guess."""

    token: int
    by: str | None = None
    confidence: float = 1.0


class Drafts:
    """The drafts of one run, and how they fared."""

    def __init__(self, chain: Chain, opened: Sequence[tuple[str, Guesses]]) -> None:
        self._chain = chain
        self.pace = chain.pace
        self._opened = opened
        self._draft: list[_Drafted] = []
        self._guessed: set[str] = set()  # who did already
        self._copy = np.random.default_rng(0)
        self._numbers: list[float] | None = None  # of the places of a draft, once one is needed
        self.drafted_tokens = 0
        self.accepted_tokens = 0

    async def draft(
        self, tokens: Sequence[int], course: Outlook, rng: np.random.Generator, most: int
    ) -> tuple[int, ...]:
        """At most `most` tokens that may follow; the rule allows them. `rng` stays as it is."""
        most = min(most, self._chain.most_tokens)
        self._draft = []
        self._numbers = None
        chance, counted = 1.0, list[float]()
        try:
            while len(self._draft) < most and not course.is_over:
                only = course.only
                if only is not None:
                    added = [(_Drafted(only), chance)]
                else:
                    added = await self._guesses(tokens, course, rng, chance, most)
                before = len(self._draft)
                for each, likely in added:
                    after = None if course.ends(each.token) else course.after(each.token)
                    if after is None:
                        break
                    course, chance = after, likely
                    self._draft.append(each)
                    counted += [chance] if each.by is not None else []
                if len(self._draft) == before:
                    break
        except Error:  # a rule too complex to look ahead may be simple where the output goes
            pass
        if not self.pace.pays(counted, len(self._draft) + 1):
            self._draft = []
            return ()
        # After a token that completes the output nothing is asked: its own row tells if it comes.
        self.drafted_tokens += self._drawn()
        sent = self._tokens()
        return sent[:-1] if sent and course.is_over else sent

    def _number(self, rng: np.random.Generator, most: int) -> float:
        """The number that the generator will give for this place."""
        if self._numbers is None:
            self._copy.bit_generator.state = rng.bit_generator.state
            self._numbers = self._copy.random(most).tolist()
        return self._numbers[self._drawn()]

    def _tokens(self) -> tuple[int, ...]:
        return tuple(each.token for each in self._draft)

    def _drawn(self) -> int:
        """How many tokens of the draft the model will draw, not being the only ones allowed."""
        return sum(each.by is not None for each in self._draft)

    async def _guesses(
        self,
        tokens: Sequence[int],
        course: Outlook,
        rng: np.random.Generator,
        chance: float,
        most: int,
    ) -> list[tuple[_Drafted, float]]:
        """What the best of the drafters says, with the chance that all is right up to there."""
        best: tuple[float, str, Sequence[Guess]] | None = None
        for name, guesses in self._opened:
            if not self.pace.asks(name, chance):
                continue
            place = Place(tokens, self._tokens(), course, self._number(rng, most))
            started_s = time.perf_counter()
            found = await guesses.propose(place, most - len(self._draft))
            seconds, is_first = time.perf_counter() - started_s, name not in self._guessed
            if is_first and found:
                self._guessed.add(name)
            self.pace.guessed(name, seconds / max(len(found), 1), is_first and bool(found))
            if not found:
                continue
            rate = self.pace.rate(name, found[0].confidence)
            if best is None or rate > best[0]:
                best = rate, name, found
            if rate > _GOOD:
                break
        return [] if best is None else self._worthy(best[1], best[2], chance)

    def _worthy(
        self, name: str, guesses: Sequence[Guess], chance: float
    ) -> list[tuple[_Drafted, float]]:
        """The guesses up to the first that is too unlikely to pay."""
        kept = []
        for guess in guesses:
            chance *= self.pace.rate(name, guess.confidence)
            if not self.pace.takes(chance):
                self.pace.skipped(name, guess.confidence)
                break
            kept.append((_Drafted(guess.token, name, guess.confidence), chance))
        return kept

    def judge(self, taken: Sequence[int]) -> None:
        """Compare the last draft with the tokens that were taken instead."""
        for each, token in zip(self._draft, taken, strict=False):
            is_right = each.token == token
            if each.by is not None:
                self.pace.judged(each.by, each.confidence, is_right)
                self.accepted_tokens += is_right
            if not is_right:
                break
