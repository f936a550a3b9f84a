"""Which bytes may come next under a rule; the symbols of a law of bytes as a vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from lipogram.decoding.bytes.heads import STOP
from lipogram.decoding.sampling import Allowed
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, State

BYTES: Final = Vocabulary.from_tokens([*(bytes([byte]) for byte in range(STOP)), b""], (STOP,))


@dataclass(frozen=True)
class ByteCourse:
    """A rule, read byte by byte, whatever the budget; see Outlook."""

    automaton: Automaton
    ignore_eos: bool
    state: State

    @cached_property
    def _following(self) -> frozenset[int]:
        return self.automaton.next_bytes(self.state)

    @cached_property
    def allowed(self) -> Allowed:
        """See Outlook.allowed: bool[257]; `ignore_eos` ends where nothing else is allowed."""
        allowed = np.zeros(len(BYTES), np.bool_)
        allowed[list(self._following)] = True
        is_complete = self.automaton.is_complete(self.state)
        allowed[STOP] = is_complete and not (self.ignore_eos and self._following)
        return allowed

    @property
    def is_over(self) -> bool:
        """See Outlook.is_over."""
        return not self._following

    @cached_property
    def only(self) -> int | None:
        """See Outlook.only."""
        is_forced = len(self._following) == 1 and not self.allowed[STOP]
        return next(iter(self._following)) if is_forced else None

    def after(self, token: int) -> ByteCourse | None:
        """See Outlook.after; the budget is the caller's."""
        if token == STOP:
            return self if self.allowed[STOP] else None
        state = self.automaton.step(self.state, token)
        return None if state is None else ByteCourse(self.automaton, self.ignore_eos, state)

    def ends(self, token: int) -> bool:
        """See Outlook.ends."""
        return token == STOP

    def forced(self) -> bytes:
        """See Outlook.forced."""
        return self.automaton.forced(self.state)
