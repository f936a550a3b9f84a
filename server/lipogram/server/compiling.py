"""From a request's constraint to a masker: proved by a worker that can be killed, then cached."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from lipogram.decoding.masking import Masker
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import compile as compile_grammar
from lipogram.grammars.errors import GrammarError
from lipogram.server.cache import ByteCache
from lipogram.server.compile_messages import Compiled, Failed, Task
from lipogram.server.constraints import Constraint
from lipogram.server.errors import GrammarRejected
from lipogram.server.metrics import Metrics
from lipogram.server.settings import Settings
from lipogram.server.workers import WorkerPool

_REFUSALS_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Rule:
    """A masker, and the syntax its grammar turned out to be written in."""

    masker: Masker
    syntax: str


Key = tuple[Constraint, int]


class Compiler:
    """Compiles constraints off the event loop; each is compiled once, refusals included.

    A cached rule costs a dictionary look-up. Requests for the same new constraint share the work,
    and it goes on when one of them leaves.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._pool = WorkerPool(
            settings.compile_workers, settings.compile_seconds, settings.compile_mib
        )
        self._key_order = settings.key_order
        self._rules: ByteCache[Key, Rule] = ByteCache(settings.cache_mib << 20, _rule_bytes)
        self._refusals: ByteCache[Constraint, Failed] = ByteCache(_REFUSALS_BYTES, lambda _: 4096)
        self._under_way: dict[Key, asyncio.Task[Rule]] = {}

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
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._make(key, vocabulary))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)

    def forget(self, constraint: Constraint, vocabulary: Vocabulary) -> None:
        """Drops a rule whose automaton has used up its budget."""
        self._rules.drop((constraint, id(vocabulary)))

    async def check(self, constraint: Constraint, samples: int, seed: int) -> Compiled:
        """The worker's own findings about a constraint; raises GrammarRejected."""
        return await self._proved(Task(constraint, samples, seed, self._key_order))

    async def _make(self, key: Key, vocabulary: Vocabulary) -> Rule:
        compiled = await self._proved(Task(key[0], key_order=self._key_order))
        try:
            rule = await asyncio.to_thread(self._build, compiled, vocabulary)
        except GrammarError as error:
            raise GrammarRejected(error, key[0].sources[0].param) from error
        self._rules.put(key, rule)
        return rule

    def _build(self, compiled: Compiled, vocabulary: Vocabulary) -> Rule:
        automaton = compile_grammar(compiled.grammar)
        return Rule(Masker(automaton, vocabulary, self._metrics.mask_time.observe), compiled.syntax)

    def _finished(self, key: Key, task: asyncio.Task[Rule]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # retrieved here too: everybody who asked may have left

    async def _proved(self, task: Task) -> Compiled:
        constraint = task.constraint
        outcome: Compiled | Failed | None = self._refusals.get(constraint)
        if outcome is None:
            started_s = time.perf_counter()
            outcome = await self._pool.perform(task)
            what = "compiled" if isinstance(outcome, Compiled) else "refused"
            self._metrics.compile_time.observe(time.perf_counter() - started_s, what)
        if isinstance(outcome, Compiled):
            return outcome
        self._refusals.put(constraint, outcome)
        param = constraint.sources[outcome.source].param
        raise GrammarRejected(outcome.error, param)


def _rule_bytes(rule: Rule) -> int:
    return rule.masker.automaton.size_bytes + rule.masker.size_bytes
