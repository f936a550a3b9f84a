"""What bytes cost over tokens: prompts cut anywhere, and the law of bytes beside genlm-bytes.

`cuts` counts the tokens that an exact opening has a model score beyond those of the plain prompt.
`peer` runs one table model under both engines, turn by turn; it needs an interpreter that has
genlm-bytes. docs/benchmarks.md says more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks import texts
from lipogram.decoding import Vocabulary
from lipogram.decoding.bytes.heads import Mode
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.bytes.states import ByteState
from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import Logits, Query
from lipogram.decoding.models.table import TableModel
from lipogram.decoding.train import corpus

_LONGEST = 1500  # bytes of a prompt
_WIDE = 64  # candidates of the peer that judges
_WEIGHT_OF_UNSEEN = 1e-4  # of a token's successors, in all


def vocabulary(name: str) -> Vocabulary:
    """A vocabulary of the test data, or an embedded model's."""
    if name in embedded.NAMES:
        return embedded.load(name).vocabulary
    path = texts.find(f"vocabularies/{name}.npz")
    if path is None:
        raise SystemExit(f"vocabularies/{name}.npz is not here; set LIPOGRAM_TEST_DATA")
    archive = np.load(path)
    data, meta = archive["data"].tobytes(), json.loads(archive["meta"].tobytes())
    special = set(archive["special_ids"].tolist())
    tokens = [data[begin:end] for begin, end in pairwise(archive["offsets"])]
    ranks = {token: id for id, token in enumerate(tokens) if token and id not in special}
    names = {f"<special {id}>": id for id in special}
    return Vocabulary.from_tiktoken(ranks, meta["pat_str"], names, (meta["eos"],))


class Scored:
    """A model that counts the distinct token strings that it is asked to score after."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.name, self.vocabulary, self.context_tokens = "even", vocabulary, 10**6
        self.prefixes: set[tuple[int, ...]] = set()
        self._row = np.zeros(len(vocabulary), np.float32)

    async def logits(self, queries: Sequence[Query]) -> list[Logits]:
        for query in queries:
            tokens = query.prefix + query.draft
            self.prefixes |= {tokens[:size] for size in range(len(query.prefix), len(tokens) + 1)}
        return [np.tile(self._row, (1 + len(query.draft), 1)) for query in queries]

    def tokens(self) -> int:
        """The tokens of the smallest tree that has all of them."""
        nodes = {prefix[:size] for prefix in self.prefixes for size in range(1, len(prefix) + 1)}
        return len(nodes)


async def extra_tokens(own: Vocabulary, text: bytes) -> tuple[int, float]:
    """Tokens scored beyond the prompt's and the next, by the whole opening; milliseconds."""
    model = Scored(own)
    begun = time.thread_time()
    await ByteModel(model).open([text]).leaves()
    spent_ms = 1e3 * (time.thread_time() - begun)
    if not model.prefixes:
        return 0, spent_ms
    # A cover's last token is scored when the run goes on, as the plain prompt's last one is.
    return model.tokens() + 1 - len(own.encode(text)), spent_ms


def cuts(options: argparse.Namespace) -> None:
    """Random prompts of held-out code."""
    for name in options.vocabularies:
        own, rng = vocabulary(name), random.Random(options.seed)
        own.segmentation.writes_each((), own.lexicon.ids[:1])
        found, inside = [], 0
        for _ in range(options.count):
            text = rng.choice(corpus.held_out_modules()).text.encode()
            end = rng.randrange(1, len(text))
            begin = max(0, end - rng.randint(20, _LONGEST))
            found.append(asyncio.run(extra_tokens(own, text[begin:end])))
            ends = np.cumsum([len(own.tokens[id]) for id in own.encode(text[begin : end + 200])])
            inside += end - begin not in ends
        extra, spent = (np.array(column) for column in zip(*found, strict=True))
        print(
            f"{name}: {len(found)} cuts, {inside / len(found):.0%} inside a token; extra tokens"
            f" mean {extra.mean():.2f}, p50 {np.median(extra):.0f}, p95"
            f" {np.percentile(extra, 95):.0f}, max {extra.max()}; opening, thread CPU ms"
            f" p50 {np.median(spent):.1f}, p95 {np.percentile(spent, 95):.1f}"
        )


class Pairs:
    """A table of pairs of tokens, counted in code as its tokenizer writes it."""

    def __init__(self, own: Vocabulary, modules: int) -> None:
        self.vocabulary = own
        self._even = np.full(len(own), np.log(_WEIGHT_OF_UNSEEN / len(own)), np.float32)
        self._even[~own.has_text] = -np.inf
        self._even[own.eos_ids[0]] = np.log(_WEIGHT_OF_UNSEEN)
        self._following: dict[int, Counter[int]] = {}
        for module in corpus.training_modules()[:modules]:
            ids = [own.eos_ids[0], *own.encode(module.text.encode()), own.eos_ids[0]]
            for left, right in pairwise(ids):
                self._following.setdefault(left, Counter())[right] += 1
        self._rows: dict[int, np.ndarray] = {}

    def row(self, prefix: Sequence[int]) -> np.ndarray:
        """Log-probabilities after a prefix: float32[V]."""
        last = prefix[-1] if prefix else self.vocabulary.eos_ids[0]
        if last not in self._rows:
            row = np.exp(self._even.astype(np.float64))
            seen = self._following.get(last, Counter())
            for id, count in seen.items():
                row[id] += count / seen.total()
            with np.errstate(divide="ignore"):
                self._rows[last] = np.log(row / row.sum()).astype(np.float32)
        return self._rows[last]


Laws = list[np.ndarray]


async def own_laws(table: Pairs, text: bytes, mode: Mode, epsilon: float) -> Laws:
    """The law after each byte."""
    model = TableModel(table.vocabulary, table.row, context_tokens=10**6)
    state: ByteState = ByteModel(model, mode, epsilon).open([b""])
    laws = []
    for byte in text:
        laws.append(np.exp(await state.logprobs()))
        state = state.advance(byte)
    return laws


def peer(table: Pairs, width: int) -> Callable[[bytes], Awaitable[Laws]]:
    """genlm-bytes with so many candidates."""
    import torch
    from genlm.backend.llm.base import AsyncLM
    from genlm.backend.tokenization import Token
    from genlm.bytes import BeamParams, ByteBeamState

    own = table.vocabulary
    eos = own.eos_ids[0]
    end = b"<|endoftext|>"

    class Table(AsyncLM):  # type: ignore[misc]
        def __init__(self) -> None:
            self.tokenizer = argparse.Namespace(bos_token_id=eos)
            self.byte_vocab = [
                Token(id, text or (end if id == eos else b"\xff<special %d>" % id))
                for id, text in enumerate(own.tokens)
            ]

        async def next_token_logprobs(self, token_ids: Sequence[int]) -> Any:
            return torch.from_numpy(table.row(token_ids))

        def next_token_logprobs_sync(self, token_ids: Sequence[int]) -> Any:
            return torch.from_numpy(table.row(token_ids))

        async def batch_next_token_logprobs(self, token_ids_list: Any) -> Any:
            return torch.stack([torch.from_numpy(table.row(ids)) for ids in token_ids_list])

        def add_new_lora(self, *_: Any) -> None: ...
        def set_lora(self, *_: Any) -> None: ...
        def clear_lora(self, *_: Any) -> None: ...

    model = Table()
    kept: list[Any] = []

    async def laws(text: bytes) -> Laws:
        if not kept:
            parameters = BeamParams(width, eos_byte_strings=[end])
            kept.append(await ByteBeamState.initial(model, parameters))
        state, found = kept[0], []
        for byte in text:
            row = np.exp(np.asarray((await state.logp_next()).ps, np.float64))
            law = np.append(row[:256], row[257])
            found.append(law / law.sum())
            state = await (state.prune() << byte)
        return found

    return laws


async def beside(options: argparse.Namespace) -> None:
    """Speed, and total variation to the law that the peer finds with many candidates, in turns."""
    own = vocabulary(options.vocabularies[0])
    own.segmentation.writes_each((), own.lexicon.ids[:1])
    table = Pairs(own, options.modules)
    rng = random.Random(options.seed)
    samples = []
    for _ in range(options.count):
        text = rng.choice(corpus.held_out_modules()).text.encode()
        begin = rng.randrange(max(1, len(text) - options.bytes))
        samples.append(text[begin : begin + options.bytes])
    engines: dict[str, Callable[[bytes], Awaitable[Laws]]] = {
        "lipogram valid, epsilon 0": lambda text: own_laws(table, text, "valid", 0.0),
        "lipogram valid, epsilon 1e-4": lambda text: own_laws(table, text, "valid", 1e-4),
        "lipogram all, epsilon 0.1": lambda text: own_laws(table, text, "all", 0.1),
        "lipogram all, epsilon 1e-5": lambda text: own_laws(table, text, "all", 1e-5),
        **{f"genlm-bytes, K={width}": peer(table, width) for width in (1, 2, 4, 8)},
    }
    judge = peer(table, _WIDE)
    spent, far = Counter[str](), Counter[str]()
    for text in samples:
        exact = await judge(text)
        for name, laws in engines.items():
            if text is samples[0]:
                await laws(text[:20])  # what is lazy is made
            begun = time.process_time()
            found = await laws(text)
            spent[name] += time.process_time() - begun
            far[name] += sum(abs(a - b).sum() / 2 for a, b in zip(exact, found, strict=True))
    total = sum(map(len, samples))
    print(f"{len(samples)} texts of {options.bytes} bytes, {options.vocabularies[0]}")
    print(f"| engine | bytes per CPU second | mean distance to K={_WIDE} |\n|---|---|---|")
    for name in engines:
        print(f"| {name} | {total / spent[name]:.0f} | {far[name] / total:.1e} |")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.byte_level", description=__doc__)
    parser.add_argument("what", choices=("cuts", "peer"))
    parser.add_argument("--vocabularies", nargs="+", default=["cl100k_base", "tekken_131k"])
    parser.add_argument("--count", type=int, default=500, help="how many cuts or texts")
    parser.add_argument("--bytes", type=int, default=80, help="bytes of a text")
    parser.add_argument("--modules", type=int, default=120, help="files that pairs are counted in")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.what == "cuts":
        cuts(options)
    else:
        asyncio.run(beside(options))


if __name__ == "__main__":
    main()
