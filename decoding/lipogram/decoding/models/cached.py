"""Left-to-right models with a cache: concurrent calls share runs and reuse known prefixes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.errors import BackendFailed, ContextTooLong
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.prefixes import Extension, PrefixCache, Snapshot
from lipogram.decoding.vocabulary import Vocabulary

_SHORT_TOKENS = 16
# Handing a pass to a thread and back takes up to 1 ms: passes shorter than this are not handed on.
_QUICK_S = 0.006


class DecoderGraph(Protocol):
    """What runs a decoder: new tokens after cached ones in, scores and longer caches out.

    At most `chunk_tokens` new tokens a row and `max_rows` rows a run. Where it is not `ragged`, all
    rows of a run have equally many tokens cached and equally many new ones.
    """

    empty: Snapshot
    chunk_tokens: int
    max_rows: int
    ragged: bool
    cached_bytes_per_token: int
    weight_bytes: int

    def run(self, rows: Sequence[Extension]) -> list[tuple[Logits, Snapshot]]:
        """For each row the scores of its new tokens from `wanted` on, and its grown snapshot."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model beside its weights.

    `context_tokens` is its window, in which the `start_ids` stand before every text; where it has
    none, `empty_ids` do before an empty one.
    """

    name: str
    context_tokens: int
    start_ids: tuple[int, ...]
    empty_ids: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Work:
    """A query on its way: scores are wanted from index `wanted` of `tokens` on."""

    tokens: NDArray[np.int64]
    wanted: int
    done: asyncio.Future[Logits]
    snapshot: Snapshot
    begun: bool = False
    rows: list[Logits] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Tokens not yet run."""
        return len(self.tokens) - len(self.snapshot.tokens)


class CachedCausal:
    """A graph behind `CausalModel`.

    Long prefixes run in chunks between which others have their turn, and a cancelled call stops
    after the chunk under way. All of it is used from one event loop at a time, which runs a lone
    quick pass itself while no other model has any to run.
    """

    _driven: ClassVar[set[CachedCausal]] = set()

    def __init__(
        self, graph: DecoderGraph, vocabulary: Vocabulary, facts: Facts, *, cache_bytes: int
    ) -> None:
        self._graph = graph
        self._vocabulary = vocabulary
        self._facts = facts
        self._cache = PrefixCache(cache_bytes)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=facts.name)
        self._pending: list[_Work] = []
        self._driver: asyncio.Task[None] | None = None
        self._last_pass_s = float("inf")  # of one row and few tokens

    @property
    def name(self) -> str:
        """The model's name."""
        return self._facts.name

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens, one for each score."""
        return self._vocabulary

    @property
    def context_tokens(self) -> int:
        """The longest prefix plus draft that can be scored, the start of text not counted."""
        return self._facts.context_tokens - len(self._facts.start_ids)

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        """Scores after each prefix and each step of its draft; see `CausalModel`.

        A row differs by rounding from what it is alone. Raises ContextTooLong, BackendFailed.
        """
        works = [self._work(query) for query in queries]
        self._pending += works
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        try:
            if len(works) == 1:
                return [await works[0].done]
            return list(await asyncio.gather(*(work.done for work in works)))
        finally:
            for work in works:
                work.done.cancel()

    def cached_tokens(self, prefix: tuple[int, ...]) -> int:
        """How many of the first tokens are read already; the last is always run for its scores."""
        tokens = self._started(prefix)
        known = self._cache.known(np.array(tokens[:-1], np.int64))
        return max(0, known - (len(tokens) - len(prefix)))

    def states(self, prefix: tuple[int, ...]) -> NDArray[np.float32]:
        """See `Showing`; none where the graph does not show them."""
        tokens = self._started(prefix)
        snapshot = self._cache.peek(np.array(tokens, np.int64))
        if snapshot is None or snapshot.states is None:
            return np.zeros((0, 0), np.float32)
        return snapshot.states.copy()[len(tokens) - len(prefix) :].astype(np.float32)

    @property
    def size_bytes(self) -> int:
        """Bytes of the weights, as they are stored."""
        return self._graph.weight_bytes

    def close(self) -> None:
        """Let the worker thread go; no call may follow."""
        self._worker.shutdown(cancel_futures=True)

    def _work(self, query: Query) -> _Work:
        prefix, limit = self._started(query.prefix), self._facts.context_tokens
        count = len(prefix) + len(query.draft)
        if count > limit:
            raise ContextTooLong(f"{self.name}: expected at most {limit} tokens, found {count}")
        tokens = np.array(prefix + query.draft, np.int64)
        if tokens.min() < 0 or tokens.max() >= len(self._vocabulary):
            raise ValueError(f"{self.name}: a token id is not below {len(self._vocabulary)}")
        done = asyncio.get_running_loop().create_future()
        return _Work(tokens, len(prefix) - 1, done, self._graph.empty)

    def _started(self, prefix: tuple[int, ...]) -> tuple[int, ...]:
        """The prefix behind the start of a text, if it does not begin with it itself."""
        start = self._facts.start_ids
        if prefix and prefix[: len(start)] == start:
            return prefix
        return (start or self._facts.empty_ids) + prefix

    async def _drive(self) -> None:
        """Run while anything is pending; callers that became ready together are taken together."""
        self._driven.add(self)
        try:
            await asyncio.sleep(0)
            while self._pending:
                chosen = [work for work in self._pending if not work.done.done()]
                await self._turn(chosen)
                self._pending = [work for work in self._pending if not work.done.done()]
        finally:
            self._driven.discard(self)

    async def _turn(self, chosen: list[_Work]) -> None:
        """Run what `_advance` does of these, and answer those that are done."""
        try:
            self._look_up(chosen)
            if self._is_quick(chosen):
                self._advance(chosen)
            elif chosen:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._worker, self._advance, chosen)
        except Exception as failure:
            for work in chosen:
                if not work.done.done():
                    work.done.set_exception(BackendFailed(f"{self.name}: {failure}"))
        for work in chosen:
            if work.left == 0 and not work.done.done():
                work.done.set_result(_joined(work.rows))

    def _is_quick(self, works: Sequence[_Work]) -> bool:
        """Whether others will hardly wait for it."""
        few = len(works) == 1 and works[0].left <= _SHORT_TOKENS
        return few and self._last_pass_s < _QUICK_S and self._driven == {self}

    def _advance(self, works: Sequence[_Work]) -> None:
        """One turn: what is nearly done, and a chunk of the oldest other, or more if it is alone.

        What has not begun looks again for a prefix that another has left since.
        """
        short = [work for work in works if work.left <= _SHORT_TOKENS][: self._graph.max_rows]
        for group in self._groups(short):
            begun_s = time.perf_counter()
            self._run(group)
            if len(group) == 1:
                self._last_pass_s = time.perf_counter() - begun_s
        self._look_up(works)
        long = next((work for work in works if work.left > _SHORT_TOKENS), None)
        while long is not None and long.left > _SHORT_TOKENS and not long.done.done():
            self._run([long])
            if self._pending != [long]:
                break

    def _look_up(self, works: Sequence[_Work]) -> None:
        for work in works:
            if not work.begun:
                work.snapshot = self._cache.longest(work.tokens[: work.wanted]) or self._graph.empty

    def _groups(self, works: list[_Work]) -> list[list[_Work]]:
        """Those that gain by running together."""
        groups: list[list[_Work]] = []
        for work in sorted(works, key=lambda work: (len(work.snapshot.tokens), work.left)):
            if groups and self._fit([*groups[-1], work]):
                groups[-1].append(work)
            else:
                groups.append([work])
        return groups

    def _fit(self, works: list[_Work]) -> bool:
        """Padding caches must not move more memory than the weights that are then shared."""
        first, last = works[0], works[-1]
        equal = (len(first.snapshot.tokens), first.left) == (len(last.snapshot.tokens), last.left)
        padded = len(works) * len(last.snapshot.tokens) * self._graph.cached_bytes_per_token
        return (equal or self._graph.ragged) and padded <= self._graph.weight_bytes

    def _run(self, works: list[_Work]) -> None:
        extensions = []
        for work in works:
            work.begun = True
            start = len(work.snapshot.tokens)
            tokens = work.tokens[start : start + self._graph.chunk_tokens]
            wanted, left = max(0, work.wanted - start), work.left - len(tokens)
            extensions.append(Extension(work.snapshot, tokens, wanted, left))
        for work, (scores, grown) in zip(works, self._graph.run(extensions), strict=True):
            if len(scores):
                work.rows.append(scores[:, : len(self._vocabulary)])
            work.snapshot = grown
            if work.left == 0:
                self._cache.add(replace(grown, guesses=len(work.tokens) - work.wanted - 1))


def _joined(rows: list[Logits]) -> Logits:
    scores = np.concatenate(rows) if len(rows) > 1 else rows[0]
    scores.setflags(write=False)
    return scores
