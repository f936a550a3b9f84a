"""Texts with holes, filled token by token in any order, under a grammar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.decisions import Decisions
from lipogram.decoding.canvas.fitting import Fitting
from lipogram.decoding.canvas.fronts import Fronts
from lipogram.decoding.canvas.holes import Gap, Hole, Part, Slot, cells
from lipogram.decoding.canvas.joint import Joint, LogProbabilities
from lipogram.decoding.canvas.lattice import EMPTY, Lattice
from lipogram.decoding.canvas.suggestions import suggested
from lipogram.decoding.errors import HolesTooSmall, TokenRejected, Unfillable, UnsupportedJob
from lipogram.decoding.sampling import pack
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, BudgetExceeded
from lipogram.grammars.munched import MunchedMiddle

Verdict = Literal["accept", "reject", "unknown"]

_MAX_WANTED: Final = 64  # tokens in a hole, when looking for how many would do
_LEAST: Final = -1e6  # nats: of what the witness has though it is impossible
_WANTED_S: Final = 0.1  # of work for that


@dataclass(slots=True)
class Statistics:
    """What a canvas was asked, how much it left undecided, and the work it took."""

    checks: int = 0
    unknown: int = 0
    work_s: float = 0.0


class Canvas:
    """Fixed texts and holes; every answer takes all holes into account.

    Slots are numbered from 0 over all holes and keep their numbers. A token is accepted iff some
    tokens for all other slots make the whole a member. At any time there is a witness, so that a
    canvas can always be filled.
    """

    def __init__(
        self,
        automaton: Automaton,
        vocabulary: Vocabulary,
        parts: Sequence[Part],
        *,
        max_check_s: float = 1.0,
        max_construction_s: float = 10.0,
    ) -> None:
        """Both limits are counted in work, like the budgets of automata.

        Raises HolesTooSmall, Unfillable, UnsupportedJob, BudgetExceeded.
        """
        if isinstance(automaton, MunchedMiddle):
            raise UnsupportedJob(
                "expected the automaton of a whole text, found one of a middle with munched "
                "lexemes: give its prefix and suffix as parts of the canvas"
            )
        self.statistics = Statistics()
        self._vocabulary = vocabulary
        self._max_check_s = max_check_s
        texts = [part for part in parts if isinstance(part, bytes)]
        first = suggested(vocabulary, automaton.grammar, texts)
        some = vocabulary.reaches_of(first)
        # Begun in memory of its own, since what is met then is much, and of little use later.
        steps = Fronts(automaton, vocabulary, some, automaton.fresh())
        steps.working.left_s = max_construction_s
        self._decisions = Decisions(steps, cells(parts))
        if not self._decisions.can_begin():
            raise self._misfit(parts)
        self._decisions = self._decisions.renewed()

    def __len__(self) -> int:
        """The number of slots."""
        return len(self._decisions.lattice.position_of)

    @property
    def committed(self) -> tuple[int | None, ...]:
        """By slot: the token committed there, -1 for none, None while it is masked."""
        found = (self._decisions.lattice.choices(slot) for slot in range(len(self)))
        return tuple(None if choices is None else choices[0] for choices in found)

    def check(self, slot: int, token: int) -> Verdict:
        """Whether a token fits a slot, given what is committed.

        -1 leaves the slot and the rest of its hole empty, where the hole has at most so many
        tokens; so does a token that ends texts, unless the grammar has it there.
        """
        self.statistics.checks += 1
        self._decisions.steps.working.left_s = self._max_check_s
        try:
            return "accept" if self._fits(slot, token) else "reject"
        except BudgetExceeded:
            self.statistics.unknown += 1
            return "unknown"
        finally:
            self._account()

    def mask(self, slot: int, out: NDArray[np.int32]) -> None:
        """Write the tokens that fit: int32[ceil(V/32)], bit j of word i is token 32*i + j.

        Tokens that end texts are among them iff the slot may stay empty. What cannot be told
        within the limit is left out and counted as unknown.
        """
        self.statistics.checks += 1
        self._decisions.steps.working.left_s = self._max_check_s
        size = len(self._vocabulary)
        fitting = np.zeros(size, np.bool_)
        choices = self._decisions.lattice.choices(slot)
        if choices is not None:
            fitting[[token for token in choices if token != EMPTY]] = True
        elif not Fitting(self._decisions, slot, fitting).is_found():
            self.statistics.unknown += 1
        self._account()
        for token in self._vocabulary.eos_ids:
            fitting[token] = self.check(slot, token) == "accept"
        out[:] = pack(fitting)

    def commit(self, slot: int, token: int) -> None:
        """Put a token into a slot. Raises TokenRejected where `check` does not accept it."""
        verdict = self.check(slot, token)
        if verdict != "accept":
            raise TokenRejected(f"expected a token that fits slot {slot}, found {token}: {verdict}")
        if self._decisions.lattice.choices(slot) is None:
            self._put(slot, token)

    def commit_all(self, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Put in tokens in turn, as far as each fits with those before it; those put in."""
        accepted = []
        for slot, token in pairs:
            if self.check(slot, token) == "accept":
                if self._decisions.lattice.choices(slot) is None:
                    self._put(slot, token)
                accepted.append((slot, token))
        return accepted

    def remask(self, slot: int) -> None:
        """Take a committed token out again; the witness keeps it."""
        self._decisions.remask(slot)

    def witness(self) -> list[int]:
        """Tokens by slot, -1 for those left empty, which with the fixed texts make a member."""
        return self._decisions.witness()

    def text(self) -> bytes:
        """The member that the witness makes."""
        board = self._decisions.board
        places = range(self._decisions.lattice.end)
        return b"".join([board.text(place, board.token(place)) for place in places])

    def most_likely(
        self, log_probabilities: Mapping[int, LogProbabilities], top_k: int = 8
    ) -> list[int]:
        """The likeliest filling by the `top_k` tokens of each slot and the witness's, by slot.

        `log_probabilities` has a row, float64[V], for each slot that may change; slots left empty
        are as likely as an end of text in each of them. Raises UnsupportedJob, BudgetExceeded.
        """
        try:
            return self._filled(self._joint(log_probabilities, top_k).most_likely())
        finally:
            self._account()

    def sample(
        self,
        log_probabilities: Mapping[int, LogProbabilities],
        rng: np.random.Generator,
        top_k: int = 8,
    ) -> list[int]:
        """A filling drawn in proportion to its probability among those of `most_likely`."""
        try:
            return self._filled(self._joint(log_probabilities, top_k).sample(rng))
        finally:
            self._account()

    def _joint(self, log_probabilities: Mapping[int, LogProbabilities], top_k: int) -> Joint:
        self._decisions.steps.working.left_s = self._max_check_s
        lattice = self._decisions.lattice
        if any(isinstance(cell, Gap) for cell in lattice.cells):
            raise UnsupportedJob("expected holes with numbers of tokens, found one without")
        steps = self._decisions.steps
        scores = [self._scores(slot, log_probabilities, top_k) for slot in range(len(self))]
        choices = [tuple(own) for own in scores]
        return Joint(Lattice(steps, lattice.cells, choices), scores)

    def _scores(
        self, slot: int, log_probabilities: Mapping[int, LogProbabilities], top_k: int
    ) -> dict[int, float]:
        """The log-probabilities of what a slot may take."""
        lattice = self._decisions.lattice
        choices = lattice.choices(slot)
        kept = self._decisions.board.token(lattice.position_of[slot])
        row = log_probabilities.get(slot)
        if choices is not None or row is None:
            return {kept if choices is None else choices[0]: 0.0}
        found = {int(token): float(row[token]) for token in np.argsort(-row, kind="stable")[:top_k]}
        found[kept] = float(row[kept])
        for token in self._vocabulary.eos_ids:
            found.pop(token, None)
        cell = lattice.cells[lattice.position_of[slot]]
        assert isinstance(cell, Slot)
        found.pop(EMPTY, None)
        if cell.may_be_empty:
            rest = range(slot, slot + cell.hole.stop - lattice.position_of[slot])
            found[EMPTY] = sum(self._end_score(log_probabilities.get(other)) for other in rest)
        return {token: max(score, _LEAST) for token, score in found.items()}

    def _end_score(self, row: LogProbabilities | None) -> float:
        """How likely a text ends in a slot; where nothing is said of that, it costs nothing."""
        if row is None or not self._vocabulary.eos_ids:
            return 0.0
        return float(np.logaddexp.reduce(row[list(self._vocabulary.eos_ids)]))

    def _filled(self, tokens: Mapping[int, int]) -> list[int]:
        return [tokens.get(slot, EMPTY) for slot in range(len(self))]

    def _account(self) -> None:
        """Count the work of an answer, and take new memory where it used up much."""
        self.statistics.work_s += self._max_check_s - self._decisions.steps.working.left_s
        if self._decisions.steps.is_worn:
            self._decisions = self._decisions.renewed()

    def _fits(self, slot: int, token: int) -> bool:
        choices = self._decisions.lattice.choices(slot)
        if choices is not None:
            return token in choices or (choices == (EMPTY,) and self._ends(token))
        if self._ends(token):
            return self._decisions.fits(slot, token) or self._decisions.fits(slot, EMPTY)
        return self._decisions.fits(slot, token)

    def _ends(self, token: int) -> bool:
        return token in self._vocabulary.eos_ids

    def _put(self, slot: int, token: int) -> None:
        """Commit a token that fits; a mere end of texts leaves the slot empty."""
        self._decisions.steps.working.left_s = self._max_check_s
        if self._ends(token) and not self._decisions.fits(slot, token):
            token = EMPTY
        self._decisions.commit(slot, token)

    def _misfit(self, parts: Sequence[Part]) -> Unfillable:
        """Why nothing fills the canvas."""
        gaps = [Hole() if isinstance(part, Hole) else part for part in parts]
        found = cells(gaps)
        if not Lattice(self._decisions.steps, found, []).can_end(self._decisions.steps.start(), 0):
            return Unfillable("no text of the grammar consists of these parts, whatever is between")
        self._decisions.steps.working.left_s = _WANTED_S
        try:
            wanted = self._wanted(parts)
        except BudgetExceeded:
            wanted = None
        if wanted is None:
            return Unfillable("no numbers of tokens were found that fill these holes")
        return HolesTooSmall(
            "these holes cannot be filled with so many tokens; "
            f"with at most {wanted} in each they can",
            wanted,
        )

    def _wanted(self, parts: Sequence[Part]) -> int | None:
        """The least number of tokens with which all holes can be filled, if none has more."""
        if self._is_enough(parts, 0):
            return 0
        size = 1
        while not self._is_enough(parts, size):
            size *= 2
            if size > _MAX_WANTED:
                return None
        low, high = size // 2, size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._is_enough(parts, middle) else (middle, high)
        return high

    def _is_enough(self, parts: Sequence[Part], size: int) -> bool:
        """Whether holes of at most so many tokens can be filled."""
        roomy = [
            Hole(max_tokens=size) if isinstance(part, Hole) and not part.is_open else part
            for part in parts
        ]
        found = cells(roomy)
        slots = sum(isinstance(cell, Slot) for cell in found)
        return Lattice(self._decisions.steps, found, [None] * slots).can_end(
            self._decisions.steps.start(), 0
        )
