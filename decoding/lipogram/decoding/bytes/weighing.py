"""What a state's rows of scores, as far as they are there, tell of the next byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.bytes.heads import STOP, Head, Law
from lipogram.decoding.bytes.leaves import NEGLIGIBLE, Leaves, Weights, log_sum, sums_by_byte
from lipogram.decoding.errors import BackendFailed

if TYPE_CHECKING:
    from lipogram.decoding.bytes.states import ByteState


def leaves_of(state: ByteState, heads: Sequence[Head]) -> Leaves:
    """The last tokens of heads whose rows are there."""
    ids = state.model.vocabulary.lexicon.ids
    numbers = {id(head): number for number, head in enumerate(state.heads)}
    ranges = [np.arange(head.low, head.high) for head in heads]
    weights = [
        state.log_weight(head.path) + state.rows[head.path][ids[head.low : head.high]]
        for head in heads
    ]
    return Leaves(
        np.repeat(
            np.array([numbers[id(head)] for head in heads], np.int64),
            [len(each) for each in ranges],
        ),
        np.concatenate([np.arange(0), *ranges]),
        np.concatenate([np.zeros(0), *weights]),
        lambda number, ranks: state.judge(state.heads[number], ranks),
    )


async def weighed(state: ByteState) -> Law:
    """The law of the next byte; heads whose rows are not there may give theirs to any.

    Raises BackendFailed where the model gives the text no chance.
    """
    unasked = state.unasked()
    bounds = {path: state.log_weight(path) for path in unasked}
    bound = {id(head): bounds[path] for path, heads in unasked.items() for head in heads}
    asked = [head for head in state.heads if head.path in state.rows]
    whole = [head for head in asked if not head.pending]
    reaching = leaves_of(state, [head for head in asked if head.pending])
    going = leaves_of(state, whole)
    ends = np.array([_end_weight(state, head) for head in whole])
    unjudged = await _settled(reaching, going, ends, state.model.epsilon)
    by_head = np.array([
        bound[id(head)] if id(head) in bound
        else log_sum(reaching.weights[reaching.head == number]) if head.pending
        else state.log_weight(head.path)
        for number, head in enumerate(state.heads)
    ])  # fmt: skip
    is_waiting = np.array([id(head) in bound for head in state.heads])
    law, unknown = _by_symbol(state, (reaching, going), ends), log_sum(np.array([*bounds.values()]))
    total, covers = log_sum(np.array([*law, unknown])), log_sum(by_head)
    if total == -np.inf:
        raise BackendFailed("the model gives no continuation of the text a chance")
    missing = np.exp(state.dropped - np.logaddexp(total, state.dropped))
    missing += np.exp(min(unjudged - total, 0))
    logprobs = law - total
    logprobs.flags.writeable = False
    stays = _staying(state, by_head, is_waiting)
    return Law(
        logprobs,
        max(0.0, float(-np.expm1(total - covers))),
        float(min(1.0, missing)),
        tuple(head for head, stay in zip(state.heads, stays, strict=True) if stay),
        log_sum(np.array([state.dropped, *by_head[~stays]])),
        float(np.exp(unknown - total)),
    )


def _end_weight(state: ByteState, head: Head) -> float:
    window = state.trunk[state.window :] + head.path
    if state.model.mode == "valid" and not state.model.writes(window, is_end=True):
        return -np.inf
    return state.log_weight(head.path) + log_sum(state.rows[head.path][list(state.model.ends)])


async def _settled(reaching: Leaves, going: Leaves, ends: Weights, epsilon: float) -> float:
    """Judge both kinds of leaves as one; returns the log-weight left unjudged."""
    both = Leaves(
        np.concatenate([reaching.head, going.head]),
        np.concatenate([reaching.rank, going.rank]),
        np.concatenate([reaching.weights, going.weights]),
        reaching.judge,
    )
    unjudged = await both.settle(ends, max(NEGLIGIBLE, epsilon))
    reaching.weights, going.weights = np.split(both.weights, [len(reaching.weights)])
    return unjudged


def _by_symbol(state: ByteState, kinds: Sequence[Leaves], ends: Weights) -> Weights:
    """Log-weights of leaves by the first byte beyond the text, and of ends: float64[257]."""
    sums = []
    for leaves in kinds:
        for number in np.unique(leaves.head).tolist():
            own, depth = leaves.head == number, len(state.heads[number].pending)
            following = state.model.vocabulary.lexicon.bytes_at(leaves.rank[own], depth)
            sums.append(sums_by_byte(leaves.weights[own], following))
    law = np.full(STOP + 1, -np.inf)
    law[:STOP] = np.logaddexp.reduce(sums, initial=-np.inf)
    law[STOP] = log_sum(ends)
    return law


def _staying(
    state: ByteState, by_head: Weights, is_waiting: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which heads to go on with; those that are waiting may weigh anything."""
    best = by_head[~is_waiting].max(initial=-np.inf)
    floor = best + np.log(state.model.epsilon) if state.model.epsilon else -np.inf
    stays = (by_head >= floor) | is_waiting
    stays[np.argsort(-by_head, kind="stable")[: state.model.kept_heads]] = True
    whole = [number for number, head in enumerate(state.heads) if not head.pending]
    if whole:  # any byte may follow the heaviest of these, however unlikely
        stays[max(whole, key=by_head.__getitem__)] = True
    return stays
