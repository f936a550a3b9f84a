"""From a request's constraint to a masker: proved by a worker that can be killed, then cached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, Literal

from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton
from lipogram.grammars import compile as compile_grammar
from lipogram.grammars.errors import GrammarError, NoMiddle, PrefixMismatch
from lipogram.server.cache import ByteCache
from lipogram.server.compile_messages import Compiled, Failed, Task
from lipogram.server.constraints import Constraint, Place
from lipogram.server.errors import GrammarRejected
from lipogram.server.metrics import Metrics
from lipogram.server.settings import Settings
from lipogram.server.workers import WorkerPool

_VERDICTS_BYTES = 4 << 20
_VERDICT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Rule:
    """A masker, and the syntax its grammar turned out to be written in."""

    masker: Masker
    syntax: str


Key = tuple[Constraint, int]
Question = tuple[Constraint, bytes]
"""A constraint alone, or with the digest of a place."""


class Compiler:
    """Compiles constraints off the event loop; each is compiled once, refusals included.

    A cached rule costs a dictionary look-up. Requests for the same new constraint share the work,
    and it goes on when one of them leaves. The rule of a place in a document is made of the cached
    one, which keeps what the last few suffixes leave to stand before them: while somebody types,
    only what is before the cursor is read again.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._pool = WorkerPool(
            settings.compile_workers, settings.compile_seconds, settings.compile_mib
        )
        self._key_order = settings.key_order
        self._rules: ByteCache[Key, Rule] = ByteCache(settings.cache_mib << 20, _rule_bytes)
        self._refusals: ByteCache[Question, Failed] = ByteCache(_VERDICTS_BYTES, _verdict_bytes)
        self._proofs: ByteCache[Question, Literal[True]] = ByteCache(
            _VERDICTS_BYTES, _verdict_bytes
        )
        self._under_way: dict[tuple[Key, bytes], asyncio.Task[Rule]] = {}

    @property
    def ready(self) -> bool:
        """Whether a worker is up."""
        return self._pool.ready

    @property
    def cache_bytes(self) -> int:
        """What all kept rules weigh."""
        return self._rules.bytes

    @property
    def cache_evictions(self) -> int:
        """Rules that had to make room."""
        return self._rules.evictions

    @property
    def workers_lost(self) -> int:
        """Workers that were killed or died."""
        return self._pool.lost

    @property
    def workers_idle(self) -> int:
        """Workers that wait for a grammar."""
        return self._pool.idle

    async def start(self) -> None:
        """Begins to start the workers."""
        await self._pool.start()

    async def close(self) -> None:
        """Ends the workers, whatever they are doing."""
        for task in tuple(self._under_way.values()):
            task.cancel()
        await self._pool.close()

    async def rule(self, constraint: Constraint, vocabulary: Vocabulary) -> Rule:
        """The rule of a constraint for a vocabulary.

        Raises GrammarRejected, and NotReady while the server stops.
        """
        key = (constraint, id(vocabulary))
        rule = self._rules.get(key)
        self._metrics.cache_queries.add()
        if rule is not None and not rule.masker.automaton.is_worn:
            self._metrics.cache_hits.add()
            return rule
        return await self._shared((key, b""), self._make(key, vocabulary))

    async def middle(self, constraint: Constraint, vocabulary: Vocabulary, place: Place) -> Rule:
        """The rule of what stands at a place of a document that obeys the constraint.

        Raises GrammarRejected, with NoMiddle where nothing can stand there; and NotReady.
        """
        key = (constraint, id(vocabulary))
        return await self._shared((key, place.digest), self._make_middle(key, vocabulary, place))

    def forget(self, constraint: Constraint, vocabulary: Vocabulary) -> None:
        """Drops a rule whose automaton has used up its budget."""
        self._rules.drop((constraint, id(vocabulary)))

    async def check(self, constraint: Constraint, samples: int, seed: int) -> Compiled:
        """The worker's own findings about a constraint; raises GrammarRejected."""
        return await self._proved(Task(constraint, samples, seed, self._key_order))

    async def _shared(self, key: tuple[Key, bytes], work: Coroutine[Any, Any, Rule]) -> Rule:
        """What the work gives, or the same work that is under way already."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(work)
            task.add_done_callback(lambda done: self._finished(key, done))
        else:
            work.close()
        return await asyncio.shield(task)

    async def _make(self, key: Key, vocabulary: Vocabulary) -> Rule:
        compiled = await self._proved(Task(key[0], key_order=self._key_order))
        try:
            rule = await asyncio.to_thread(self._build, compiled, vocabulary)
        except GrammarError as error:
            raise _rejected(error, key[0]) from error
        self._rules.put(key, rule)
        return rule

    def _build(self, compiled: Compiled, vocabulary: Vocabulary) -> Rule:
        return self._rule(compile_grammar(compiled.grammar), vocabulary, compiled.syntax)

    async def _make_middle(self, key: Key, vocabulary: Vocabulary, place: Place) -> Rule:
        rule = await self.rule(key[0], vocabulary)
        automaton = rule.masker.automaton
        # Reading a prefix is bounded by itself; a suffix makes a new grammar, and munch searches.
        asked = place if automaton.grammar.lexemes else replace(place, prefix=b"")
        question = (key[0], asked.digest)
        try:
            if self._proofs.get(question) is None:
                await self._proved(Task(key[0], key_order=self._key_order, place=place))
            middle = await asyncio.to_thread(automaton.between, place.prefix, place.suffix)
        except GrammarError as error:
            raise _rejected(error, key[0], place) from error
        self._proofs.put(question, True)
        return self._rule(middle, vocabulary, rule.syntax)

    def _rule(self, automaton: Automaton, vocabulary: Vocabulary, syntax: str) -> Rule:
        return Rule(Masker(automaton, vocabulary, self._metrics.mask_time.observe), syntax)

    def _finished(self, key: tuple[Key, bytes], task: asyncio.Task[Rule]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # retrieved here too: everybody who asked may have left

    async def _proved(self, task: Task) -> Compiled:
        place = task.place
        question = (task.constraint, b"" if place is None else place.digest)
        outcome: Compiled | Failed | None = self._refusals.get(question)
        if outcome is None:
            started_s = time.perf_counter()
            outcome = await self._pool.perform(task)
            what = "compiled" if isinstance(outcome, Compiled) else "refused"
            self._metrics.compile_time.observe(time.perf_counter() - started_s, what)
        if isinstance(outcome, Compiled):
            return outcome
        self._refusals.put(question, outcome)
        raise _rejected(outcome.error, task.constraint, place, outcome.source)


def _rejected(
    error: GrammarError, constraint: Constraint, place: Place | None = None, source: int = 0
) -> GrammarRejected:
    """The error with the member that is at fault: a text of the place, or a grammar."""
    if place is not None and isinstance(error, NoMiddle):
        is_prefix = isinstance(error, PrefixMismatch)
        return GrammarRejected(error, place.prefix_param if is_prefix else place.suffix_param)
    return GrammarRejected(error, constraint.sources[source].param)


def _rule_bytes(rule: Rule) -> int:
    return rule.masker.automaton.size_bytes + rule.masker.size_bytes


def _verdict_bytes(verdict: object) -> int:
    return _VERDICT_BYTES
