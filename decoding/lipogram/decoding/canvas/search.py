"""Looks for one filling, from a position to where a known one can be taken up again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from lipogram.decoding.canvas.fronts import Front, Fronts
from lipogram.decoding.canvas.holes import Slot, Text
from lipogram.decoding.canvas.lattice import EMPTY, Lattice
from lipogram.decoding.canvas.upper import Upper
from lipogram.decoding.canvas.witness import Witness
from lipogram.grammars import State

_MAX_OPTIONS: Final = 12  # fillings of one run of free slots
_MAX_LAYERS: Final = 20  # tokens in a run, before others are put in
_MAX_STATES: Final = 96  # that one more token leads to
_MAX_RUNS: Final = 40  # filled beyond the first way tried

Wanted = tuple[int, int]  # a slot and what it must take
Layer = list[tuple[State, int]]  # states, each with a token that leads there


@dataclass(slots=True, eq=False)
class Step:
    """A way to a position: a token after another way, or none over a text."""

    position: int
    state: State
    before: Step | None
    slot: int = -1
    token: int = EMPTY

    def tokens(self) -> list[tuple[int, int]]:
        """Slots and their tokens, last first."""
        found = []
        step: Step | None = self
        while step is not None:
            if step.slot >= 0:
                found.append((step.slot, step.token))
            step = step.before
        return found


class Search:
    """Depth first over runs of free slots; a run is filled by the fewest tokens that will do.

    A filling of a run must let the text behind it be read, and what is left be possible with any
    texts for the other holes; with that most searches do not need to turn back.
    """

    def __init__(
        self, lattice: Lattice, upper: Upper | None, known: Witness, effort: int = 1
    ) -> None:
        self._lattice = lattice
        self._steps: Fronts = lattice.steps
        self._upper = upper
        self._known = known
        self._effort = effort

    def find(self, start: Step, wanted: Wanted | None = None) -> Step | None:
        """A way on to where the known filling goes on, or to the end.

        The known filling is met only behind the slot of `wanted`.
        """
        lattice = self._lattice
        met_from = start.position if wanted is None else lattice.position_of[wanted[0]] + 1
        tries = _MAX_RUNS * self._effort
        waiting: list[Iterator[Step]] = [iter([start])]
        seen: set[tuple[int, State]] = set()
        while waiting:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                continue
            on = self._over_fixed(step, met_from)
            if on is None or (on.position, on.state) in seen:
                continue
            if wanted is not None and self._passes(on, wanted):
                continue
            seen.add((on.position, on.state))
            if on.position >= met_from and on.state == self._known.states[on.position]:
                return on
            if on.position == lattice.end:
                if self._steps.is_complete((on.state,)):
                    return on
                continue
            if not self._can_end(on):
                continue
            tries -= 1
            if tries < 0:
                return None
            waiting.append(self._fillings(on, wanted))
        return None

    def _passes(self, step: Step, wanted: Wanted) -> bool:
        """Whether a way goes over a slot without what it must take."""
        place = self._lattice.position_of[wanted[0]]
        while step.position > place:
            if step.before is None or step.before.position <= place:
                is_empty = step.slot >= 0 and step.token == EMPTY
                return (step.slot, step.token) != wanted and not (is_empty and wanted[1] == EMPTY)
            step = step.before
        return False

    def _over_fixed(self, step: Step, met_from: int) -> Step | None:
        """Over texts and committed tokens, to a free slot, the end or the known filling."""
        lattice = self._lattice
        while step.position < lattice.end:
            if step.position >= met_from and step.state == self._known.states[step.position]:
                return step
            cell = lattice.cells[step.position]
            if isinstance(cell, Text):
                over = self._steps.step_over(step.state, cell.text)
                if not over:
                    return None
                step = Step(step.position + 1, over, step)
                continue
            choices = lattice.choices(cell.number) if isinstance(cell, Slot) else None
            if choices is None or not isinstance(cell, Slot):
                return step
            if choices[0] == EMPTY:
                step = Step(cell.hole.stop, step.state, step, cell.number, EMPTY)
                continue
            after = self._steps.step(step.state, choices[0])
            if after is None:
                return None
            step = Step(step.position + 1, after, step, cell.number, choices[0])
        return step

    def _fillings(self, start: Step, wanted: Wanted | None) -> Iterator[Step]:
        """Ways over the run of free slots at a position: as known, or by few tokens."""
        lattice = self._lattice
        cell = lattice.cells[start.position]
        if not isinstance(cell, Slot):
            return  # a gap
        end = start.position
        while end < cell.hole.stop and lattice.is_free(end):
            end += 1
        if wanted is not None:
            place = lattice.position_of[wanted[0]]
            if start.position <= place < end:
                if wanted[1] == EMPTY:
                    yield from self._few(start, place, cell.hole.stop, None)
                    return
                for step in self._few(start, place, None, wanted[1]):
                    after = self._steps.step(step.state, wanted[1])
                    assert after is not None  # it was tried
                    yield Step(place + 1, after, step, *wanted)
                return
        kept = self._kept(start, end)
        if kept is not None:
            yield kept
        may_stop = lattice.may_stop(start.position)
        if wanted is not None and wanted[1] != EMPTY:
            may_stop &= lattice.position_of[wanted[0]] not in cell.hole
        yield from self._few(start, end, cell.hole.stop if may_stop else None, None)

    def _kept(self, step: Step, end: int) -> Step | None:
        """The known filling of a run, from another state."""
        lattice = self._lattice
        while step.position < end:
            cell = lattice.cells[step.position]
            assert isinstance(cell, Slot)
            token = self._known.tokens[cell.number]
            if token == EMPTY:
                if self._known.states[step.position] is None:
                    return None
                return Step(cell.hole.stop, step.state, step, cell.number, EMPTY)
            after = self._steps.step(step.state, token)
            if after is None:
                return None
            step = Step(step.position + 1, after, step, cell.number, token)
        return step

    def _few(self, start: Step, end: int, stop: int | None, ahead: int | None) -> Iterator[Step]:
        """Ways over the slots up to a position, from where a token `ahead` and the texts go on.

        With `stop` the slots may be left empty from anywhere on; that is the hole's end.
        """
        size = end - start.position
        least = size if stop is None else 0
        behind = end if stop is None else stop
        goes_on = self._going_on(behind, ahead)
        if least == 0 and goes_on(start.state):
            yield self._along(start, [], end, stop)
        front: Front = (start.state,)
        layers: list[Layer] = []
        met: set[tuple[State, int]] = set()
        for count in range(1, min(size, _MAX_LAYERS) + 1):
            layer = [end for state in front for end in self._steps.some_ends(state)]
            for state, token in layer:
                on = goes_on(state)
                if not on or (on, min(count, least)) in met:
                    continue
                tokens = self._back(start.state, layers, token, goes_on)
                if tokens is not None and count < least:
                    tokens = self._padded(start.state, tokens, least - count)
                if tokens is not None:
                    yield self._along(start, tokens, end, stop)
                    met.add((on, min(count, least)))
                    if len(met) == _MAX_OPTIONS * self._effort:
                        return
            if count == size:
                return
            place = start.position + count
            layer = self._few_kinds(layer, place)
            layers.append(layer)
            front = self._steps.unite([(state,) for state, _ in layer])

    def _going_on(self, position: int, token: int | None) -> Callable[[State], State]:
        """What tells to which state, from one at a position, a token and the texts behind lead.

        0 where there is none, or where it cannot be gone on from.
        """
        verdicts: dict[State, State] = {}

        def goes_on(state: State) -> State:
            known = verdicts.get(state)
            if known is None:
                after = state if token is None else self._steps.step(state, token)
                on = None
                if after is not None:
                    on = self._over_fixed(
                        Step(position + (token is not None), after, None), self._lattice.end
                    )
                is_well = on is not None and self._can_end(on)
                known = verdicts[state] = on.state if on is not None and is_well else 0
            return known

        return goes_on

    def _back(
        self, start: State, layers: list[Layer], token: int, goes_on: Callable[[State], State]
    ) -> list[int] | None:
        """Tokens of one text, where layers are of many: each must lead to what goes on."""
        tokens = [token]
        for layer in reversed(layers):
            for state, before in layer:
                if self._goes_by(state, tokens, goes_on):
                    tokens.insert(0, before)
                    break
            else:
                return None
        return tokens if self._goes_by(start, tokens, goes_on) else None

    def _goes_by(self, state: State, tokens: list[int], goes_on: Callable[[State], State]) -> bool:
        for token in tokens:
            after = self._steps.step(state, token)
            if after is None:
                return False
            state = after
        return goes_on(state) != 0

    def _padded(self, state: State, tokens: list[int], count: int) -> list[int] | None:
        """The tokens with `count` more, which make no difference where they are put in."""
        for index in range(len(tokens) + 1):
            for after, token in self._steps.some_ends(state):
                if after == state:
                    return [*tokens[:index], *[token] * count, *tokens[index:]]
            if index < len(tokens):
                following = self._steps.step(state, tokens[index])
                assert following is not None  # the tokens were tried
                state = following
        return None

    def _along(self, step: Step, tokens: list[int], end: int, stop: int | None) -> Step:
        """The way on by these tokens, up to `end`, or to `stop` where they are fewer."""
        for token in tokens:
            cell = self._lattice.cells[step.position]
            assert isinstance(cell, Slot)
            after = self._steps.step(step.state, token)
            assert after is not None  # the tokens were tried
            step = Step(step.position + 1, after, step, cell.number, token)
        if stop is None:
            return step
        if step.position < stop:
            cell = self._lattice.cells[step.position]
            assert isinstance(cell, Slot)
            step = Step(stop, step.state, step, cell.number, EMPTY)
        return step

    def _few_kinds(self, layer: Layer, position: int) -> Layer:
        """States that a layer should go on from: two of each kind, after short tokens and long."""
        upper = self._upper
        if upper is None:
            return layer[:_MAX_STATES]
        kinds: Counter[frozenset[int]] = Counter()
        found: Layer = []
        texts = self._steps.masker.vocabulary.tokens
        for option in sorted(layer, key=lambda option: len(texts[option[1]])):
            kind = upper.residuals(option[0])
            if kinds[kind] < 2 and upper.can_end(option[0], position):
                kinds[kind] += 1
                found.append(option)
        half = _MAX_STATES // 2
        return found if len(found) <= _MAX_STATES else found[:half] + found[-half:]

    def _can_end(self, step: Step) -> bool:
        return self._is_possible(step.state, step.position)

    def _is_possible(self, state: State, position: int) -> bool:
        return self._upper is None or self._upper.can_end(state, position)
