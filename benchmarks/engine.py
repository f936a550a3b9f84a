"""lipogram as an engine of the benchmark, and of any harness with the same protocol."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from lipogram.decoding import Masker, Vocabulary, masking
from lipogram.grammars import Grammar, compile, gbnf, json_schema, lark

BATCHES = (1, 32, 256)
MOST_STATES = 2000


class Lipogram:
    """`vocabulary` is any object with `tokens`, `eos` and `special_ids` (see tokens.Tokens)."""

    name = "lipogram"

    def __init__(self, vocabulary: Any) -> None:
        special = {*vocabulary.special_ids, vocabulary.eos}
        tokens = [b"" if id in special else token for id, token in enumerate(vocabulary.tokens)]
        self.vocabulary = Vocabulary.from_tokens(tokens, eos_ids=(vocabulary.eos,))
        self.out = np.empty(-(-len(tokens) // 32), np.int32)

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


class Queries:
    """What else decoders ask, in states that texts led to: nanoseconds for each name."""

    def __init__(self) -> None:
        self.requests: list[tuple[Masker, int]] = []
        self.times: dict[str, list[int]] = {}

    def visit(self, engine: Lipogram, token_ids: list[int]) -> None:
        """Time the queries of every state on the way, each asked once before."""
        engine.reset()
        automaton = engine.masker.automaton
        for token_id in token_ids:
            for ask in (
                automaton.forced,
                automaton.shortest,
                automaton.shortest_length,
                automaton.is_complete,
            ):
                ask(engine.state)
                self._time(ask.__name__, lambda ask=ask: ask(engine.state))
            if len(self.requests) < MOST_STATES:
                self.requests.append((engine.masker, engine.state))
            if not engine.commit(token_id):
                return

    def batches(self) -> dict[str, list[int]]:
        """All times, with those of filling the masks of many requests in one call."""
        fill_batch = getattr(masking, "fill_batch", None)
        if fill_batch is None or not self.requests:
            return self.times
        words = -(-len(self.requests[0][0].vocabulary) // 32)
        for size in BATCHES:
            out = np.empty((size, words), np.int32)
            for begin in range(0, len(self.requests) - size + 1, size):
                some = self.requests[begin : begin + size]
                self._time(f"batch of {size}", lambda some=some, out=out: fill_batch(some, out))
        return self.times

    def _time(self, name: str, ask: Callable[[], Any]) -> None:
        begin = time.thread_time_ns()
        ask()
        self.times.setdefault(name, []).append(time.thread_time_ns() - begin)
