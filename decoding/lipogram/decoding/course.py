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


class Outlook(Protocol):
    """What may come next where an output stands: all that those who guess ahead want to know.

    Immutable, so that drafts run ahead and are taken back for nothing. Tokens that end a text are
    not walked: they end the course. The symbols of a law of bytes are tokens, too.
    """

    @property
    def state(self) -> State | None:
        """The automaton's state; None where there is no rule."""
        ...

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

    def after(self, token: int) -> Outlook | None:
        """The same one token further; None for a token after which the output cannot be closed.

        Any token may be asked for; one that ends the text leaves the output where it stands.
        """
        ...

    def ends(self, token: int) -> bool:
        """Whether an allowed token ends the text, and is none that the rule itself has here."""
        ...

    def forced(self) -> bytes:
        """The bytes with which every output goes on."""
        ...


class Course(Outlook, Protocol):
    """Where an output of tokens stands, and how it can be closed."""

    def after(self, token: int) -> Course | None:
        """See Outlook.after."""
        ...

    def closing(self) -> int | None:
        """The plan's next token; None where the output is complete as it stands."""
        ...

    def may_end(self, token: int) -> list[bool] | None:
        """For each byte of the token: may the output end before it? None: always."""
        ...


class Free:
    """No rule: every token with text, and the end unless it is to be ignored."""

    is_over = False
    only = None
    state = None

    def __init__(
        self, vocabulary: Vocabulary, ignore_eos: bool, ends: frozenset[int] = frozenset()
    ) -> None:
        """Tokens of `ends` end the text too."""
        self._ends = ends.union(vocabulary.eos_ids)
        allowed = vocabulary.has_text.copy()
        allowed[list(self._ends)] = not ignore_eos
        self.allowed = allowed

    def after(self, token: int) -> Free | None:
        """Itself: a free text may end anywhere."""
        return self if self.allowed[token] else None

    def closing(self) -> int | None:
        """Nothing: a free text is complete."""
        return None

    def may_end(self, token: int) -> list[bool] | None:
        """Everywhere."""
        return None

    def ends(self, token: int) -> bool:
        """End-of-sequence does."""
        return token in self._ends

    def forced(self) -> bytes:
        """Nothing."""
        return b""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What all courses of one output share."""

    masker: Masker
    ignore_eos: bool
    ends: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Look:
    """What a course allows, found out when first asked for."""

    allowed: Allowed
    is_over: bool
    only: int | None


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
        rule = _Rule(masker, ignore_eos, ends.union(masker.vocabulary.eos_ids))
        self._stand(rule, masker.start() if state is None else state, budget, None)
        if not fits(masker, self.state, budget):
            raise BudgetTooSmall(
                f"the shortest text of the language takes {len(self._planned())} tokens,"
                f" but there are {budget} to spend"
            )

    def _stand(
        self, rule: _Rule, state: State, left: int, plan: tuple[int, ...] | None
    ) -> Constrained:
        """Stand in a state with tokens `left`; `plan` None: a shortest completion fits."""
        self._rule, self.state, self._left, self._plan = rule, state, left, plan
        self._after: dict[int, Constrained | None] = {}
        self._found: _Look | None = None
        return self

    @property
    def allowed(self) -> Allowed:
        """See Course.allowed."""
        return self._look().allowed

    @property
    def is_over(self) -> bool:
        """See Course.is_over."""
        return self._look().is_over

    @property
    def only(self) -> int | None:
        """See Course.only."""
        return self._look().only

    def _look(self) -> _Look:
        """Find out what is allowed where the output stands."""
        if self._found is not None:
            return self._found
        masker, rule = self._rule.masker, self._rule
        allowed = unpack(masker.mask(self.state), len(masker.vocabulary))
        if masker.is_complete(self.state):
            allowed[list(rule.ends)] = True
        ends = [id for id in rule.ends if allowed[id] and self.ends(id)]
        texts = np.count_nonzero(allowed) - len(ends)
        if rule.ignore_eos and texts:
            allowed[ends] = False
            ends = []
        only = int(allowed.argmax()) if texts == 1 and not ends else None
        self._found = _Look(allowed, texts == 0, only)
        return self._found

    def after(self, token: int) -> Constrained | None:
        """See Course.after. Cost: the token's bytes; near the budget, the plan's too."""
        if token not in self._after:
            self._after[token] = self._stepped(token)
        return self._after[token]

    def _stepped(self, token: int) -> Constrained | None:
        masker = self._rule.masker
        state = masker.walk(self.state, token)
        if state is None and token in self._rule.ends and masker.is_complete(self.state):
            state = self.state
        if state is None:
            return None
        plan = None
        if not fits(masker, state, self._left - 1):
            if (token,) != self._planned()[:1]:
                return None
            plan = self._planned()[1:]
        return object.__new__(Constrained)._stand(self._rule, state, self._left - 1, plan)

    def _planned(self) -> tuple[int, ...]:
        if self._plan is None:
            self._plan = closing(self._rule.masker, self.state)
            if self._plan is None:
                raise DeadEnd("no text of the language was found that the vocabulary can spell")
        return self._plan

    def closing(self) -> int | None:
        """See Course.closing."""
        plan = self._planned()
        return plan[0] if plan else None

    def may_end(self, token: int) -> list[bool] | None:
        """See Course.may_end."""
        automaton = self._rule.masker.automaton
        state: State | None = self.state
        complete = []
        for byte in self._rule.masker.vocabulary.tokens[token]:
            assert state is not None  # the token is allowed
            complete.append(automaton.is_complete(state))
            state = automaton.step(state, byte)
        return complete

    def ends(self, token: int) -> bool:
        """See Course.ends."""
        is_end = token in self._rule.ends
        return is_end and self._rule.masker.walk(self.state, token) is None

    def forced(self) -> bytes:
        """See Course.forced."""
        return self._rule.masker.automaton.forced(self.state)
