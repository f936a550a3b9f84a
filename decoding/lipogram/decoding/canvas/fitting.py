"""The tokens that fit one slot of a canvas: those alike are decided together."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.canvas.board import Way
from lipogram.decoding.canvas.chart.alike import NOWHERE, UNTOLD
from lipogram.decoding.canvas.compiled.stretches import REJECTED, UNDECIDED
from lipogram.decoding.canvas.decisions import ALL_S, LEAST_S, Decisions
from lipogram.decoding.canvas.holes import Slot
from lipogram.decoding.canvas.lattice import EMPTY
from lipogram.grammars import BudgetExceeded, State

_MAX_TRIED: Final = 4000  # tokens, one by one
_TRIED_BLINDLY: Final = 4  # of them, before others are looked at
_FEW: Final = 16  # tokens for which it is worth while to look at all at once
_AGAIN: Final = 16  # that are tried with more work in the end
_MANY: Final = 1000  # for which a walk from where a proof begins is
_ONE_S: Final = 0.02  # of work, for one of them
_AGAIN_S: Final = 0.1
_ROUNDS: Final = 3  # in which tokens are classed


class Fitting:
    """Sorts tokens by whether they fit a free slot.

    Where one fits, so do all that lead to where the rest of its filling can come; where one does
    not, neither do those that lead to the same.
    """

    def __init__(self, decisions: Decisions, slot: int, fitting: NDArray[np.bool_]) -> None:
        """Tokens that fit are set in `fitting`."""
        self._decisions, self._board = decisions, decisions.board
        self._slot, self._position = slot, decisions.lattice.position_of[slot]
        self._fitting = fitting
        self._left = self._board.usable()
        known, misfits = decisions.known(slot)
        self._accepted = [token for token in known if token != EMPTY]
        self._left[[token for token in misfits if token != EMPTY]] = False
        self._undecided = np.zeros(len(fitting), np.bool_)
        self._classes = np.full(len(fitting), UNTOLD, np.uint64)
        self._rounds = _ROUNDS  # that may tell more classes
        self._walked: State | None = None
        self._after = np.zeros(0, np.int32)  # the states after tokens there

    def is_found(self) -> bool:
        """Find all tokens that fit; whether that was possible in time."""
        try:
            kept = self._board.token(self._position)
            for token in (kept, *self._accepted[:_FEW]):
                if token != EMPTY:
                    self._move_alike(token)
            for token in self._accepted:
                self._left[token], self._fitting[token] = False, True
            return self._try_all() and self._try_again()
        except BudgetExceeded:
            return False

    def _try_all(self) -> bool:
        """Whether every token was tried, with little work at each."""
        is_hard = self._board.is_wide(self._position)
        blindly = _TRIED_BLINDLY if is_hard else 0
        for tried in range(_MAX_TRIED):
            if tried == blindly and np.count_nonzero(self._left) > _FEW:
                self._board.keep_possible(self._position, self._left)
            if is_hard and tried >= _TRIED_BLINDLY:
                self._classify()
            if not self._left.any():
                return True
            if not is_hard:
                verdict = self._board.decide_one_of(self._position, self._left)
                if verdict == REJECTED:
                    return True
                is_hard = verdict == UNDECIDED
            if is_hard:
                self._try_one(self._chosen())
            else:
                self._move_alike(self._decisions.note(self._slot, self._board.way()))
        return False

    def _try_again(self) -> bool:
        """Whether all tokens are decided in the end, with more work where few are not yet."""
        tokens = np.flatnonzero(self._undecided & ~self._fitting)
        if len(tokens) > _AGAIN:
            return False
        for token in tokens:
            self._fitting[token] = self._decisions.fits(self._slot, int(token), _AGAIN_S)
        return True

    def _classify(self) -> None:
        """Find out which of the tokens left are alike, if none of them has a class."""
        is_few = np.count_nonzero(self._left) <= _FEW
        if not self._rounds or is_few or self._is_told():
            return
        self._classes = self._board.classes(self._position, self._left)
        self._rounds = self._rounds - 1 if self._is_told() else 0
        self._left &= self._classes != NOWHERE

    def _is_told(self) -> bool:
        """Whether a token that is left has a class."""
        return bool((self._classes[self._left] != UNTOLD).any())

    def _chosen(self) -> int:
        """A token that is left, of a class if possible."""
        tokens = np.flatnonzero(self._left & (self._classes != UNTOLD))
        if len(tokens) == 0:
            tokens = np.flatnonzero(self._left)
        return int(tokens[len(tokens) // 2])

    def _try_one(self, token: int) -> None:
        """Decide one of the tokens that are left, and with it those alike, if that is easy."""
        is_told = self._classes[token] != UNTOLD
        self._left[token] = False
        alike = self._left & (self._classes == self._classes[token])
        if is_told:
            self._left &= ~alike
        try:
            limit_s = _ONE_S if self._board.has_row else ALL_S
            is_fitting = self._decisions.fits(self._slot, token, limit_s)
        except BudgetExceeded:
            if self._decisions.steps.working.left_s < LEAST_S:
                raise
            self._undecided[token] = True
            self._undecided |= alike & is_told
            return
        is_many = np.count_nonzero(self._left) > _MANY
        if is_fitting and is_told:
            self._fitting |= alike
            self._fitting[token] = True
        if is_fitting and (is_many or not is_told):
            self._move_alike(token)
        elif not is_fitting and not self._rounds and is_many:
            self._leave_out(token, self._decisions.proof)

    def _leave_out(self, token: int, proof: State | None) -> None:
        """Leave out the tokens that lead to the same as one from where a proof begins."""
        if proof is None:
            return
        if proof != self._walked:
            self._walked = proof
            self._after = self._decisions.steps.outcomes(proof)[0].copy()
        self._left &= self._after != self._after[token]

    def _move_alike(self, token: int) -> None:
        """Move the tokens that fit where one does that is known to, with the rest of its way."""
        self._left[token], self._fitting[token] = False, True
        way = self._decisions.way_of(self._slot, token)
        before = self._before(way)
        if self._board.has_row and not way.texts:
            self._board.move_fitting(self._position, before, way, self._left, self._fitting)
            return
        after = self._decisions.steps.outcomes(before)[0]
        if after[token]:
            alike = self._left & (after == after[token])
            self._fitting |= alike
            self._left &= ~alike

    def _before(self, way: Way) -> State:
        """The state before the slot on a way."""
        if not way.tokens:
            return self._known(self._position)
        tokens, texts = dict(way.tokens), dict(way.texts)
        place = min(self._position, *tokens, *texts)
        state = self._known(place)
        cells, steps = self._decisions.lattice.cells, self._decisions.steps
        while place < self._position:
            cell = cells[place]
            after: State | None
            token = tokens.get(place, self._board.token(place))
            place += 1
            if isinstance(cell, Slot) and token == EMPTY:
                place = cell.hole.stop
                continue
            if isinstance(cell, Slot):
                after = steps.step(state, token)
            else:
                text = texts.get(place - 1)
                text = self._board.text(place - 1, EMPTY) if text is None else text
                after = steps.step_over(state, text)
            assert after is not None  # the way was found so
            state = after
        return state

    def _known(self, position: int) -> State:
        state = self._board.state(position)
        assert state is not None  # the token is there
        return state
