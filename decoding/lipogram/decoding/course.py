"""The course of one output: which tokens may come next, under a rule and a budget or without.

A constrained output is a member of its language even when the budget ends it. For that a way to
close is kept at all times: a *plan*, the tokens that spell a shortest completion. A token is
admitted iff a shortest completion after it fits into what is left of the budget, or it is the
plan's next token. So the plan never outgrows the budget, and when the budget is spent nothing is
left of the plan: the text is complete.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lipogram.decoding.closing import closing, fits
from lipogram.decoding.errors import BudgetTooSmall, DeadEnd
from lipogram.decoding.masking import Masker
from lipogram.decoding.sampling import Allowed, unpack
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import State


class Course(Protocol):
    """Where an output stands. Tokens that end a text are not walked: they end the course."""

    @property
    def allowed(self) -> Allowed:
        """The tokens that the rule allows next, whatever the budget; read-only."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether the output is complete and nothing can follow."""
        ...

    @property
    def only(self) -> int | None:
        """The one token that the rule allows, if it is but one."""
        ...

    def admits(self, token: int) -> bool:
        """Whether the output can still be closed after an allowed token."""
        ...

    def closing(self) -> int | None:
        """The plan's next token; None where the output is complete as it stands."""
        ...

    def may_end(self, token: int) -> list[bool] | None:
        """For each byte of the token: may the output end before it? None: always."""
        ...

    def ends(self, token: int) -> bool:
        """Whether an allowed token ends the text, and is none that the rule itself has here."""
        ...

    def advance(self, token: int) -> None:
        """Take an admitted token that does not end the text."""
        ...


class Free:
    """No rule: every token with text, and the end unless it is to be ignored."""

    is_over = False
    only = None

    def __init__(
        self, vocabulary: Vocabulary, ignore_eos: bool, ends: frozenset[int] = frozenset()
    ) -> None:
        """Tokens of `ends` end the text too."""
        self._ends = ends.union(vocabulary.eos_ids)
        allowed = vocabulary.has_text.copy()
        allowed[list(self._ends)] = not ignore_eos
        self.allowed = allowed

    def admits(self, token: int) -> bool:
        """Always: a free text may end anywhere."""
        return True

    def closing(self) -> int | None:
        """Nothing: a free text is complete."""
        return None

    def may_end(self, token: int) -> list[bool] | None:
        """Everywhere."""
        return None

    def ends(self, token: int) -> bool:
        """End-of-sequence does."""
        return token in self._ends

    def advance(self, token: int) -> None:
        """Nothing to keep."""


@dataclass(frozen=True, slots=True)
class _Stand:
    """A state of the automaton, and the plan from there; None: a shortest completion fits."""

    state: State
    plan: tuple[int, ...] | None


class Constrained:
    """A rule, read through a masker, and `budget` tokens to obey it in."""

    def __init__(
        self,
        masker: Masker,
        budget: int,
        ignore_eos: bool,
        state: State | None = None,
        ends: frozenset[int] = frozenset(),
    ) -> None:
        """Raises BudgetTooSmall, DeadEnd.

        `state` is where the output stands already, None: at its start. `ignore_eos` ends the text
        only where nothing else is allowed. Tokens of `ends` end it where end-of-sequence may.
        """
        self._masker = masker
        self._automaton = masker.automaton
        self._vocabulary = masker.vocabulary
        self._ignore_eos = ignore_eos
        self._ends = ends.union(self._vocabulary.eos_ids)
        self._left = budget
        self._stand = _Stand(masker.start() if state is None else state, None)
        self._after: dict[int, _Stand] = {}
        if not fits(masker, self._stand.state, budget):
            raise BudgetTooSmall(
                f"the shortest text of the language takes {len(self._plan())} tokens,"
                f" but there are {budget} to spend"
            )
        self._look()

    def _look(self) -> None:
        """Find out what is allowed where the output stands."""
        self._after.clear()
        vocabulary = self._vocabulary
        allowed = unpack(self._masker.mask(self._stand.state), len(vocabulary))
        if self._masker.is_complete(self._stand.state):
            allowed[list(self._ends)] = True
        ends = [id for id in self._ends if allowed[id] and self.ends(id)]
        texts = np.count_nonzero(allowed) - len(ends)
        if self._ignore_eos and texts:
            allowed[ends] = False
            ends = []
        self.allowed = allowed
        self.is_over = texts == 0
        self.only = int(allowed.argmax()) if texts == 1 and not ends else None

    def admits(self, token: int) -> bool:
        """See Course.admits. Cost: the token's bytes; near the budget, the plan's too."""
        return self._stand_after(token) is not None

    def _stand_after(self, token: int) -> _Stand | None:
        if token in self._after:
            return self._after[token]
        state = self._masker.walk(self._stand.state, token)
        if state is None and token in self._ends and self._masker.is_complete(self._stand.state):
            state = self._stand.state
        if state is None:
            return None
        plan = None
        if not fits(self._masker, state, self._left - 1):
            if (token,) != self._plan()[:1]:
                return None
            plan = self._plan()[1:]
        self._after[token] = _Stand(state, plan)
        return self._after[token]

    def _plan(self) -> tuple[int, ...]:
        stand = self._stand
        if stand.plan is None:
            plan = closing(self._masker, stand.state)
            if plan is None:
                raise DeadEnd("no text of the language was found that the vocabulary can spell")
            self._stand = _Stand(stand.state, plan)
            return plan
        return stand.plan

    def closing(self) -> int | None:
        """See Course.closing."""
        plan = self._plan()
        return plan[0] if plan else None

    def may_end(self, token: int) -> list[bool] | None:
        """See Course.may_end."""
        state: State | None = self._stand.state
        complete = []
        for byte in self._vocabulary.tokens[token]:
            assert state is not None  # the token is allowed
            complete.append(self._automaton.is_complete(state))
            state = self._automaton.step(state, byte)
        return complete

    def ends(self, token: int) -> bool:
        """See Course.ends."""
        return token in self._ends and self._masker.walk(self._stand.state, token) is None

    def advance(self, token: int) -> None:
        """See Course.advance."""
        stand = self._stand_after(token)
        if stand is None:
            raise ValueError(f"token {token} is not admitted here")
        self._stand = stand
        self._left -= 1
        self._look()
