"""lipogram as an engine of the benchmark, and of any harness with the same protocol."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lipogram.decoding import Masker, Vocabulary, masking
from lipogram.grammars import Error, Grammar, compile, gbnf, json_schema, lark

BATCHES = (1, 32, 256)
BATCHES_TIMED = 50


class Lipogram:
    """`vocabulary` is any object with `tokens`, `eos` and `special_ids` (see tokens.Tokens)."""

    name = "lipogram"

    def __init__(self, vocabulary: Any) -> None:
        special = {*vocabulary.special_ids, vocabulary.eos}
        tokens = [b"" if id in special else token for id, token in enumerate(vocabulary.tokens)]
        self.vocabulary = Vocabulary.from_tokens(tokens, eos_ids=(vocabulary.eos,))
        self.out = np.empty(-(-len(tokens) // 32), np.int32)
        masking.warm_up(self.vocabulary)
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)  # as the server does

    def compile(self, schema: Any) -> None:
        self._compile(json_schema.parse(schema))

    def compile_cfg(self, kind: str, text: str) -> None:
        self._compile({"lark": lark, "gbnf": gbnf}[kind].parse(text))

    def _compile(self, grammar: Grammar) -> None:
        self.masker = Masker(compile(grammar), self.vocabulary)

    def reset(self) -> None:
        self.state = self.masker.start()

    def mask(self) -> Any:
        self.masker.fill(self.state, self.out)
        return self.out

    def commit(self, token_id: int) -> bool:
        state = self.masker.step(self.state, token_id)
        if state is not None:
            self.state = state
        return state is not None


def queries(engine: Lipogram, tasks: list[dict[str, Any]]) -> dict[str, list[int]]:
    """What else decoders ask, in states that texts lead to: nanoseconds of each, by name."""
    times: dict[str, list[int]] = {}

    def timed(name: str, ask: Callable[[], Any]) -> None:
        begin = time.thread_time_ns()
        ask()
        times.setdefault(name, []).append(time.thread_time_ns() - begin)

    requests: list[tuple[Masker, int]] = []
    for task in tasks:
        try:
            engine.compile(task["source"])
        except Error:
            continue
        automaton = engine.masker.automaton
        asked = (automaton.forced, automaton.shortest, automaton.shortest_length)
        for state in _states(engine, task["texts"][0]):
            engine.mask()
            requests.append((engine.masker, state))
            for ask in (*asked, automaton.is_complete):
                ask(state)  # once before, so that no state is new
                timed(ask.__name__, lambda ask=ask, state=state: ask(state))
    rng = random.Random(0)
    fill_batch = getattr(masking, "fill_batch", None)
    for size in BATCHES if fill_batch and requests else ():
        out = np.empty((size, len(engine.out)), np.int32)
        for _ in range(BATCHES_TIMED):
            some = rng.choices(requests, k=size)
            timed(f"batch of {size}", lambda some=some, out=out: fill_batch(some, out))
    return times


def _states(engine: Lipogram, token_ids: list[int]) -> Iterator[int]:
    engine.reset()
    for token_id in token_ids:
        yield engine.state
        if not engine.commit(token_id):
            return
