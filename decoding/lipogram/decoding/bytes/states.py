"""The law of the next byte under a model of tokens.

A *cover* of a text is a token string that spells it and whose last token is the first to reach its
end; what it spells beyond is its *overhang*. Every token string that begins with the text passes
through exactly one cover, so the text's probability is the sum over its covers, and the law of
the next byte is the covers' weights by the first byte beyond (Phan et al. 2024; Vieira et al.
2024). Covers that differ in their last token alone share a *head*: the tokens before it, and the
bytes pending after them; their last tokens are a range of the sorted vocabulary. Few heads live at
a time (two or three in code), and the law of each byte costs about one scored token.

What the rows lack is bounded: all heads behind a path weigh no more than the path. So which byte a
number draws is mostly told by a part of the rows (`known`, `heavy`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.bytes.heads import Cover, Head, Law, Tokens
from lipogram.decoding.bytes.leaves import Leaves, Weights, log_sum
from lipogram.decoding.bytes.weighing import leaves_of, weighed
from lipogram.decoding.errors import BackendFailed, Unspellable
from lipogram.decoding.models.base import Logits, Query

if TYPE_CHECKING:
    from lipogram.decoding.bytes.model import ByteModel

_MANY: Final = 4096  # last tokens of a head, all of which are not judged before its row is there
_AT_A_TIME: Final = 64
_LONG_WINDOW: Final = 16  # tokens


@dataclass(frozen=True, eq=False)
class ByteState:
    """A text, read byte by byte; immutable, so that any number of texts can go on from it.

    `fixed` tokens come first, then the `trunk` that all covers share. `written` is the text since
    the prompt. No model is called before a law or covers are asked for.
    """

    model: ByteModel
    fixed: Tokens
    trunk: Tokens
    window: int  # index in the trunk from which on token strings are judged
    heads: tuple[Head, ...]
    written: bytes = b""
    dropped: float = -np.inf

    @cached_property
    def rows(self) -> dict[Tokens, Weights]:
        """Rows by path; states of the same trunk share them."""
        return {}

    @cached_property
    def _found(self) -> list[Law]:
        return []

    def advance(self, byte: int) -> ByteState:
        """The state one byte further; this one stays as it is.

        Raises Unspellable where no tokens spell the text.
        """
        after = self._read(byte)
        return self._retold(byte) if after is None else after._committed()

    def _read(self, byte: int) -> ByteState | None:
        """The state one byte further, its trunk as it is; None where no head goes on."""
        kept, dropped = self.heads, self.dropped
        for law in self._found:
            kept, dropped = law.kept, law.dropped
        heads = tuple(chain.from_iterable(self._advanced(head, bytes([byte])) for head in kept))
        if not heads:
            return None
        after = replace(self, heads=heads, written=self.written + bytes([byte]), dropped=dropped)
        after.__dict__["rows"] = self.rows
        return after

    def along(self, text: bytes) -> Iterator[ByteState]:
        """This state and those behind each byte of a text, which share their rows.

        As far as tokens spell it and the model's window goes.
        """
        yield self
        state = self
        for byte in text:
            after = state._read(byte)
            if after is None or after.most_tokens > self.model.model.context_tokens:
                return
            state = after
            yield state

    def _retold(self, byte: int) -> ByteState:
        """The state after a byte that only pruned heads would have led to: opened anew."""
        if all(dropped == -np.inf for dropped in (self.dropped, *(f.dropped for f in self._found))):
            raise Unspellable(f"the vocabulary has no tokens for byte {byte:#04x} here")
        head = self.heads[0]
        text = self.model.vocabulary.decode(self.trunk + head.path) + head.pending
        state = self.model.open([*self.fixed, text + bytes([byte])])
        return replace(state, written=self.written + bytes([byte]))

    def _advanced(self, head: Head, byte: bytes) -> list[Head]:
        lexicon = self.model.vocabulary.lexicon
        pending = head.pending + byte
        low, longer, high = lexicon.narrow(head.low, head.high, pending)
        heads = [Head(head.path, pending, longer, high)] if longer < high else []
        window = (*self.trunk[self.window :], *head.path)
        ending = [id for id in lexicon.ids[low:longer].tolist() if self.model.writes((*window, id))]
        return heads + [Head((*head.path, id), b"", 0, len(lexicon)) for id in ending]

    def _committed(self) -> ByteState:
        """The same with what all heads begin with in the trunk, so that windows stay short."""
        count = _common([head.path for head in self.heads])
        if not count:
            return self
        common = self.heads[0].path[:count]
        dropped = self.dropped
        if dropped > -np.inf:
            if any(common[:index] not in self.rows for index in range(count)):
                return self
            dropped -= self.log_weight(common)
        trunk, window = self.trunk + common, self.window
        if len(trunk) - window > _LONG_WINDOW:
            window += self.model.vocabulary.segmentation.restart(trunk[window:])
        heads = tuple(replace(head, path=head.path[count:]) for head in self.heads)
        after = replace(self, trunk=trunk, window=window, heads=heads, dropped=dropped)
        after.__dict__["rows"] = {
            path[count:]: row for path, row in self.rows.items() if path[:count] == common
        }
        return after

    @property
    def fewest_tokens(self) -> int:
        """The tokens in which prompt and text are written, at the least."""
        written = min(len(head.path) + bool(head.pending) for head in self.heads)
        return len(self.fixed) + len(self.trunk) + written

    @property
    def most_tokens(self) -> int:
        """The tokens that the model is to read for the next law, at the most."""
        return len(self.fixed) + len(self.trunk) + max(len(head.path) for head in self.heads)

    @property
    def law_found(self) -> Weights | None:
        """What `logprobs` gives, if it was asked."""
        return self._found[0].logprobs if self._is_told else None

    @property
    def _is_told(self) -> bool:
        return bool(self._found) and not self._found[0].unknown

    @property
    def leak(self) -> float:
        """The share of the text's weight that the next bytes and the end do not account for.

        The model spends it on token strings that the tokenizer does not write. ValueError before
        `logprobs`.
        """
        return self._law.leak

    @property
    def missing_mass(self) -> float:
        """A bound on the total variation between the law given and the one without pruning.

        ValueError before `logprobs`.
        """
        return self._law.missing_mass

    @property
    def _law(self) -> Law:
        if not self._is_told:
            raise ValueError("known only after logprobs() has been awaited")
        return self._found[0]

    async def logprobs(self) -> Weights:
        """Log-probabilities (nats) of the next byte, and of the end at index 256: float64[257].

        One call of the model, with a query for each head not scored yet. Read-only. Raises
        BackendFailed, also where the model gives the text no chance.
        """
        [law] = await laws([self])
        return law

    async def known(self) -> Law:
        """What the rows that are there tell of the law; no model is called."""
        if not self._is_told:
            self._found[:] = [await weighed(self)]
        return self._found[0]

    async def covers(self) -> list[Cover]:
        """All covers that the model gives a chance; tens of thousands after a space."""
        leaves, certain = await self.leaves()
        await leaves.settle(np.array([weight for _, weight in certain]))
        alive = np.flatnonzero(leaves.weights > -np.inf).tolist()
        listed = [Cover(self.trunk + head.path, b"", weight) for head, weight in certain]
        listed += [self._cover(leaves, leaf) for leaf in alive]
        return [cover for cover in listed if cover.log_weight > -np.inf]

    def _cover(self, leaves: Leaves, leaf: int) -> Cover:
        head, lexicon = self.heads[leaves.head[leaf]], self.model.vocabulary.lexicon
        rank = int(leaves.rank[leaf])
        tokens = (*self.trunk, *head.path, int(lexicon.ids[rank]))
        overhang = lexicon.texts[rank][len(head.pending) :]
        return Cover(tokens, overhang, float(leaves.weights[leaf]))

    async def leaves(self) -> tuple[Leaves, list[tuple[Head, float]]]:
        """Covers that reach beyond the text, not judged yet, and those that end with it.

        The model is called for what is not scored yet.
        """
        pending = [head for head in self.heads if head.pending and self._may_live(head)]
        whole = [head for head in self.heads if not head.pending]
        if len(whole) > 1 or pending:
            before = [head.path[:-1] for head in whole if head.path]
            await _score([(self, [*(head.path for head in pending), *before])])
        weights = [0.0 if not pending and len(whole) == 1 else self.log_weight(head.path)
                   for head in whole]  # fmt: skip
        return leaves_of(self, pending), list(zip(whole, weights, strict=True))

    def wanted(self) -> list[Tokens]:
        """The paths whose rows the law needs."""
        return [head.path for head in self.heads if not head.pending or self._may_live(head)]

    def heavy(self, share: float) -> list[Tokens]:
        """The paths whose rows the law needs, of heads that may hold so much of its weight."""
        unasked = self.unasked()
        if not unasked:
            return []
        bounds = {path: self.log_weight(path) for path in unasked}
        known = [self.log_weight(head.path) for head in self.heads if head.path in self.rows]
        floor = log_sum(np.array([*bounds.values(), *known])) + np.log(share) if share else -np.inf
        return [
            head.path for path, heads in unasked.items() if bounds[path] >= floor for head in heads
        ]

    def unasked(self) -> dict[Tokens, list[Head]]:
        """Heads whose rows are not there, by the first path on the way to them that lacks its own.

        All heads behind a path weigh no more than the path itself.
        """
        found: dict[Tokens, list[Head]] = {}
        for head in self.heads:
            if head.path not in self.rows and (not head.pending or self._may_live(head)):
                path = next(
                    head.path[:length]
                    for length in range(len(head.path) + 1)
                    if head.path[:length] not in self.rows
                )
                found.setdefault(path, []).append(head)
        return found

    def _may_live(self, head: Head) -> bool:
        """Whether some last token of a head is written; True where that is hard to tell."""
        window = (*self.trunk[self.window :], *head.path)
        if self.model.mode == "all":
            return True
        if not self.model.vocabulary.segmentation.goes_on(window, head.pending):
            return False
        if head.high - head.low > _MANY:
            return True
        steps = range(head.low, head.high, _AT_A_TIME)
        return any(
            self.judge(head, np.arange(low, min(low + _AT_A_TIME, head.high))).any()
            for low in steps
        )

    def judge(self, head: Head, ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether these last tokens of a head are written, and allowed by the rule."""
        lexicon, rule = self.model.vocabulary.lexicon, self.model.rule
        window = (*self.trunk[self.window :], *head.path)
        verdicts = np.ones(len(ranks), np.bool_)
        if self.model.mode == "valid":
            verdicts = self.model.vocabulary.segmentation.writes_each(window, lexicon.ids[ranks])
        if rule is not None and len(head.pending) > len(self.written):
            beyond = [lexicon.texts[rank][len(head.pending) :] for rank in ranks.tolist()]
            verdicts &= np.array([rule.is_live(self.written + text) for text in beyond])
        return verdicts

    def log_weight(self, path: Tokens) -> float:
        """What the covers that begin with a path weigh; the rows before its end are there."""
        return float(sum(self.rows[path[:index]][id] for index, id in enumerate(path)))

    def queries(self, paths: Sequence[Tokens]) -> list[tuple[Tokens, Query]]:
        """What to ask the model for rows of these paths and all before them: path, query."""
        wanted = {path[:length] for path in paths for length in range(len(path) + 1)}
        missing = wanted - self.rows.keys()
        asked: list[tuple[Tokens, Query]] = []
        for path in sorted(missing, key=len, reverse=True):
            if path not in missing:
                continue
            first = path
            while first and first[:-1] in missing:
                first = first[:-1]
            missing -= {path[:length] for length in range(len(first), len(path) + 1)}
            asked.append((first, Query(self.fixed + self.trunk + first, path[len(first) :])))
        return asked

    def take_rows(self, first: Tokens, query: Query, scores: Logits, is_ahead: bool) -> None:
        """Keep the rows that a query was answered with; ahead, up to one that cannot be used.

        Behind a wrong guess the rule may allow nothing. Whoever needs such a row asks again.
        """
        for count, row in enumerate(scores):
            path = first + query.draft[:count]
            window = self.trunk[self.window :] + path
            try:
                self.rows[path] = self.model.log_row(row, window, self._written_by(path))
            except BackendFailed:
                if is_ahead:
                    return
                raise

    def _written_by(self, path: Tokens) -> bytes | None:
        """What of the text after the prompt comes before the path's end; None: it is in the prompt.

        Only asked where there is a rule.
        """
        if self.model.rule is None:
            return None
        tokens, head = self.model.vocabulary.tokens, self.heads[0]
        reach = sum(len(tokens[id]) for id in head.path) + len(head.pending)
        behind = reach - sum(len(tokens[id]) for id in path)
        return self.written[: len(self.written) - behind] if behind <= len(self.written) else None


async def laws(states: Sequence[ByteState]) -> list[Weights]:
    """The laws of several states: one call of each model, all at once."""
    new = [state for state in states if not state._is_told]
    await _score([(state, state.wanted()) for state in new])
    return [(await state.known()).logprobs for state in states]


async def ask(states: Iterable[ByteState], share: float) -> None:
    """Get the rows of heads that may hold so much of a law's weight: a call for each model."""
    await _score([(state, state.heavy(share)) for state in states])


async def look_ahead(states: Iterable[ByteState], text: bytes, asks: Sequence[bool]) -> None:
    """Get the rows that laws need here and behind each byte of a text, where `asks` says so.

    One call of each model, all at once; as far as tokens spell the text and windows go.
    """
    asked = []
    for state in states:
        paths, last = [], state
        for last, is_asked in zip(state.along(text), asks, strict=False):
            paths += last.wanted() if is_asked else []
        asked.append((last, paths))
    await _score(asked, is_ahead=True)


async def _score(
    asked: Sequence[tuple[ByteState, Sequence[Tokens]]], *, is_ahead: bool = False
) -> None:
    """Get the rows of paths, and of all on the way to them: a call for each model."""
    queries: dict[int, list[tuple[ByteState, Tokens, Query]]] = {}
    for state, paths in asked:
        queries.setdefault(id(state.model.model), []).extend(
            (state, first, query) for first, query in state.queries(paths)
        )
    groups = [group for group in queries.values() if group]
    found = await asyncio.gather(
        *(group[0][0].model.model.logits([query for _, _, query in group]) for group in groups)
    )
    for group, answers in zip(groups, found, strict=True):
        for each in {state.model for state, _, _ in group}:
            each.model_passes += 1
        for (state, first, query), scores in zip(group, answers, strict=True):
            state.model.model_calls += 1 + len(query.draft)
            state.take_rows(first, query, scores, is_ahead)


def _common(paths: Sequence[Tokens]) -> int:
    """How many tokens all paths begin with."""
    shortest, longest = min(paths), max(paths)
    count = 0
    while count < min(len(shortest), len(longest)) and shortest[count] == longest[count]:
        count += 1
    return count
