"""One text as several models read it, each in its own tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from lipogram.decoding.bytes.drawing import certain
from lipogram.decoding.bytes.leaves import Weights, log_sum
from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.bytes.states import ByteState, ask, laws, look_ahead
from lipogram.decoding.errors import BackendFailed, Unspellable
from lipogram.decoding.sampling import Allowed

# Of a law's weight: the rows of heads that may hold as much are asked for before the next try.
SHARES: Final = (0.02, 0.001, 0.0)


@dataclass(frozen=True, eq=False)
class MixedState:
    """Where the members stand behind the same bytes, and what each has to say (`log_weights`).

    Immutable, like the members' own states. A member of weight -inf is not asked any more.
    `length` counts the bytes since the cursor.
    """

    members: tuple[ByteState, ...]
    mixing: Mixing
    log_weights: Weights
    length: int = 0

    @classmethod
    def begun(cls, members: Iterable[ByteState], mixing: Mixing) -> MixedState:
        """At the cursor, behind which every member has a prompt of its own."""
        states = tuple(members)
        return cls(states, mixing, mixing.log_weights(len(states)))

    @cached_property
    def _found(self) -> list[Weights]:
        return []

    @property
    def needs_every_law(self) -> bool:
        """Whether the law must be known also before a byte that is not drawn."""
        return self.mixing.follows_likelihood and len(self.members) > 1

    @property
    def tokens(self) -> int:
        """The fewest tokens in which the first member writes prompt and text.

        A byte that it cannot write, and each one after that, counts as a token.
        """
        first = self.members[0]
        return first.fewest_tokens + self.length - len(first.written)

    @property
    def room(self) -> int:
        """How many bytes may follow, before a member's window may be full."""
        return min(
            self.members[index].model.model.context_tokens - self.members[index].most_tokens
            for index in self._heard
        )

    @property
    def _heard(self) -> list[int]:
        """The members that have a say."""
        heard: list[int] = np.flatnonzero(self.log_weights > -np.inf).tolist()
        return heard

    @property
    def _heard_states(self) -> list[ByteState]:
        return [self.members[index] for index in self._heard]

    async def logprobs(self) -> Weights:
        """Log-probabilities (nats) of the next byte, and of the end at index 256: float64[257].

        One call of each model, all at once. Raises BackendFailed, also where the members that
        are left agree on nothing.
        """
        if not self._found:
            rows = await laws(self._heard_states)
            law = self.mixing.law(np.array(rows), self.log_weights[self._heard])
            if law.max() == -np.inf:
                raise BackendFailed("the members of the ensemble agree on no next byte")
            self._found.append(law)
        return self._found[0]

    @property
    def is_mean(self) -> bool:
        """Whether the law is a mean of the members' laws, under weights that no byte moves."""
        return self.mixing.rule == "linear" or len(self.members) == 1

    def lacks(self, share: float) -> bool:
        """Whether models were not asked yet for heads that may hold so much of the weight."""
        return any(state.heavy(share) for state in self._heard_states)

    async def ask(self, share: float) -> None:
        """Ask for those: one call of each model, all at once. Raises BackendFailed."""
        await ask(self._heard_states, share)

    async def drawn(self, chance: float, allowed: Allowed, temperature: float) -> int | None:
        """What a number draws from the law of allowed symbols, at a temperature of at most 1.

        Models are asked for no more than what decides it. None where that is told by the whole law
        alone: by rules that are not means, and where rounding decides. Raises BackendFailed.
        """
        if not self.is_mean:
            return None
        heard = self._heard_states
        weights = np.exp(self.log_weights[self._heard])
        weights /= weights.sum()
        for share in SHARES:
            await self.ask(share)
            found = [await member.known() for member in heard]
            rows = np.exp([law.logprobs for law in found])
            unknown = float(weights @ [law.unknown for law in found])
            symbol = certain(weights @ rows, unknown, allowed, temperature, chance)
            # A member that gives the symbol no chance is not heard any more: that must be known.
            if symbol is not None and rows[:, symbol].all():
                return symbol
            if not unknown:
                break
        return None

    async def look_ahead(self, text: bytes, asks: Sequence[bool]) -> None:
        """Get all scores that the laws here and behind each byte of a text need.

        Of those that `asks` names, and as far as members can spell the text: one call of each
        model, all at once. Raises BackendFailed.
        """
        await look_ahead(self._heard_states, text, asks)

    def advance(self, byte: int) -> MixedState:
        """The state one byte further; this one stays as it is.

        Raises Unspellable where no member that has a say can spell the text.
        """
        weights = self._weights_after(byte)
        members = list(self.members)
        for index, member in enumerate(members):
            if weights[index] == -np.inf and (index or len(member.written) < self.length):
                continue  # the first goes on being counted
            try:
                members[index] = member.advance(byte)
            except Unspellable:
                weights[index] = -np.inf
                if weights.max() == -np.inf:
                    raise
        weights -= log_sum(weights)
        return MixedState(tuple(members), self.mixing, weights, self.length + 1)

    def _weights_after(self, byte: int) -> Weights:
        chances = np.array([self._chance(index, byte) for index in range(len(self.members))])
        weights = np.where(chances > -np.inf, self.log_weights, -np.inf)
        if weights.max() == -np.inf:
            return self.log_weights.copy()  # a rule forces the byte, whatever they think of it
        if self.mixing.follows_likelihood:
            weights += np.where(weights > -np.inf, chances, 0.0)
        return weights

    def _chance(self, index: int, byte: int) -> float:
        """What a member thinks of a byte; 0 where it was not asked."""
        law = self.members[index].law_found
        return 0.0 if law is None else float(law[byte])
