"""Ensembles of the embedded models: bits a byte on held-out data, and what a byte costs.

`quality` scores held-out code and answers byte by byte under every member, and mixes these laws by
every rule; weights are chosen on other modules and items than those that are reported. `cost`
generates with each member alone and with all together, in turn. docs/benchmarks.md has figures.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from lipogram.decoding import ByteModel, Chunk, Ensemble, Finish, Job, Mixing, Sampling, Usage
from lipogram.decoding.autoregressive import Autoregressive
from lipogram.decoding.bytes.heads import STOP
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import CausalModel
from lipogram.decoding.train import corpus, extraction, vocabularies

_BEFORE = 1200  # bytes of a module that models see before those that are scored
_TUNING_SEED, _REPORTED_SEED = 71, 72
_RESAMPLES = 2000
_EPSILON = 1e-5  # of a law's weight is not looked at: bits a byte are right to six digits
_SHARES = tuple(place / 20 for place in range(1, 20))
_FURTHER_SHARES = (0.05, 0.1, 0.2, 0.3)
_STRENGTHS = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Piece:
    """Bytes to score, after a prompt that depends on the model; an answer's end is scored too."""

    before: bytes
    text: bytes
    is_answer: bool

    def prompt(self, model: CausalModel) -> list[int | bytes]:
        if not self.is_answer:
            return [self.before]
        ids = model.vocabulary.encode(self.before)
        return [vocabularies.USER, *ids, vocabularies.END, vocabularies.ASSISTANT]

    @property
    def symbols(self) -> list[int]:
        return [*self.text, STOP] if self.is_answer else list(self.text)


def code(is_tuning: bool, count: int, size: int) -> Iterator[Piece]:
    """Random pieces of held-out modules: every third module is for tuning."""
    rng = random.Random(_TUNING_SEED if is_tuning else _REPORTED_SEED)
    modules = [
        module.text.encode()
        for place, module in enumerate(corpus.held_out_modules())
        if (place % 3 == 0) == is_tuning and len(module.text) > size
    ]
    sizes = [len(text) for text in modules]
    for _ in range(count):
        [text] = rng.choices(modules, sizes)
        begin = rng.randrange(len(text) - size)
        yield Piece(text[max(0, begin - _BEFORE) : begin], text[begin : begin + size], False)


def answers(is_tuning: bool, count: int) -> Iterator[Piece]:
    """Held-out items: what is asked, and the right answer."""
    seed = _TUNING_SEED if is_tuning else _REPORTED_SEED
    for item in islice(extraction.items(seed, held_out=True), count):
        yield Piece(item.text.encode(), item.answer.encode(), True)


async def rows(model: CausalModel, piece: Piece) -> np.ndarray:
    """The model's log-law of the next byte before every byte: float64[n, 257]."""
    state, found = ByteModel(model, epsilon=_EPSILON).open(piece.prompt(model)), []
    for symbol in piece.symbols:
        found.append(await state.logprobs())
        if symbol != STOP:
            state = state.advance(symbol)
    return np.array(found)


def bits(mixing: Mixing, laws: Sequence[np.ndarray], symbols: Sequence[int]) -> float:
    """What a piece costs under a mixture of the members' laws."""
    weights, total = mixing.log_weights(len(laws)), 0.0
    for place, symbol in enumerate(symbols):
        members = np.array([law[place] for law in laws])
        total -= mixing.law(members, weights)[symbol]
        if mixing.follows_likelihood:
            weights = weights + members[:, symbol]
            weights -= weights.max()
    return total / np.log(2)


Laws = list[list[np.ndarray]]  # by piece, by member


def mean_bits(mixing: Mixing, laws: Laws, pieces: Sequence[Piece]) -> tuple[np.ndarray, np.ndarray]:
    """Bits and bytes of every piece."""
    costs = [bits(mixing, own, piece.symbols) for own, piece in zip(laws, pieces, strict=True)]
    return np.array(costs), np.array([len(piece.text) for piece in pieces])


def interval(values: np.ndarray, sizes: np.ndarray) -> tuple[float, float, float]:
    """A ratio of sums, with its 95 % interval by resampling pieces."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    ratios = values[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.percentile(ratios, (2.5, 97.5))
    return float(values.sum() / sizes.sum()), float(low), float(high)


def weights(members: int) -> list[tuple[float, ...]]:
    """Weights that are tried: each further member takes its share of those before it."""
    if members == 2:
        return [(share, 1 - share) for share in _SHARES]
    return [
        (*(weight * (1 - share) for weight in before), share)
        for before in weights(members - 1)
        for share in _FURTHER_SHARES
    ]


def recipes(members: int) -> dict[str, list[Mixing]]:
    """Every rule with all of its weights and strengths that are tried."""
    found = {
        rule: [Mixing(rule, each) for each in weights(members)]  # type: ignore[arg-type]
        for rule in ("linear", "posterior", "geometric")
    }
    found["min"] = [Mixing("min")]
    if members == 2:
        found["proxy"] = [Mixing("proxy", strength=strength) for strength in _STRENGTHS]
    return found


async def quality(options: argparse.Namespace) -> None:
    """The table of one kind of text after the other."""
    models = [embedded.load(name) for name in options.members]
    for kind in options.kinds:
        splits = []
        for is_tuning in (True, False):
            count = options.tuning if is_tuning else options.pieces
            pieces = list(
                code(is_tuning, count, options.size)
                if kind == "code"
                else answers(is_tuning, count)
            )
            splits.append((pieces, [[await rows(m, piece) for m in models] for piece in pieces]))
        sizes = [sum(len(piece.text) for piece in pieces) for pieces, _ in splits]
        print(f"\n{kind}: {sizes[1]} bytes in {options.pieces} pieces; tuned on {sizes[0]} others")
        report(options.members, *splits)


Split = tuple[list[Piece], Laws]


def report(names: Sequence[str], tuning: Split, reported: Split) -> None:
    """Members alone, then each rule of the first two and of all, beside each of these members.

    Of all, also beside the same rule of the first two: what the further members add.
    """
    pieces, laws = reported
    alone: list[np.ndarray] = []
    for place, name in enumerate(names):
        costs, sizes = mean_bits(Mixing(), [[own[place]] for own in laws], pieces)
        alone.append(costs)
        print(f"| {name} | {_shown(*interval(costs, sizes))} |")
    pairs: dict[str, np.ndarray] = {}
    for count in sorted({2, len(names)}):
        for rule, tried in recipes(count).items():
            chosen = min(
                tried,
                key=lambda mixing: mean_bits(mixing, _first(tuning[1], count), tuning[0])[0].sum(),
            )
            costs, sizes = mean_bits(chosen, _first(laws, count), pieces)
            beside = [*alone[:count], *([pairs[rule]] if count > 2 else [])]
            pairs.setdefault(rule, costs)
            told = [round(weight, 3) for weight in chosen.weights] or (chosen.strength or "")
            shown = " | ".join(_shown(*interval(costs - other, sizes)) for other in beside)
            print(f"| {rule} {told} | {_shown(*interval(costs, sizes))} | {shown} |")


def _first(laws: Laws, count: int) -> Laws:
    return [own[:count] for own in laws]


def _shown(value: float, low: float, high: float) -> str:
    return f"{value:.4f} ({low:.4f} to {high:.4f})"


async def cost(options: argparse.Namespace) -> None:
    """Members and the ensemble generate after the same prompts, in turn; CPU and wall seconds."""
    models = [embedded.load(name) for name in options.members]
    decoders = [*map(Autoregressive, models), Ensemble(models)]
    pieces = list(code(False, options.prompts + 1, 64))
    spent = np.zeros((len(decoders), 3))
    usages: list[list[Usage]] = [[] for _ in decoders]
    for number, piece in enumerate(pieces):
        for place in np.roll(np.arange(len(decoders)), number).tolist():
            others = (Prompt(text=piece.before),) * (len(models) - 1)
            is_ensemble = place == len(models)
            job = Job(
                (), text=piece.before, max_tokens=options.tokens, ignore_eos=True,
                byte_mode="full", projection="byte", sampling=Sampling(seed=number),
                top_logprobs=0 if options.logprobs else None,
                other_prompts=others if is_ensemble else (),
            )  # fmt: skip
            cpu, wall, size = time.process_time(), time.perf_counter(), 0
            async for event in decoders[place].generate(job):
                if isinstance(event, Chunk):
                    size += len(event.text)
                elif isinstance(event, Finish) and number:
                    usages[place].append(event.usage)
            if number:  # the first round warms up
                spent[place] += time.process_time() - cpu, time.perf_counter() - wall, size
    names = [*options.members, "ensemble"]
    for name, (cpu, wall, size), own in zip(names, spent, usages, strict=True):
        calls = [dict(usage.member_calls or [(name, usage.model_calls)]) for usage in own]
        counts = {member: sum(each[member] for each in calls) / size for member in calls[0]}
        told = ", ".join(f"{member} {count:.2f}" for member, count in counts.items())
        passes = sum(usage.model_passes for usage in own) / size
        print(
            f"{name}: {1e3 * cpu / size:.2f} ms CPU and {1e3 * wall / size:.2f} ms a byte"
            f" over {size:.0f} bytes; calls of each member a byte: at most {passes:.2f};"
            f" positions a byte: {told}"
        )
    each = spent[:, :2] / spent[:, 2:]  # seconds a byte
    ratio = each[-1] / each[:-1].sum(0)
    print(f"ensemble over the sum of its members: CPU {ratio[0]:.2f}, wall {ratio[1]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ensemble", description=__doc__)
    commands = parser.add_subparsers(required=True)
    scored = commands.add_parser("quality")
    scored.add_argument("--members", nargs="+", default=list(embedded.NAMES[:3]))
    scored.add_argument("--kinds", nargs="+", default=["code", "answers"])
    scored.add_argument("--pieces", type=int, default=180)
    scored.add_argument("--tuning", type=int, default=70)
    scored.add_argument("--size", type=int, default=80, help="bytes of a piece of code")
    scored.set_defaults(run=quality)
    timed = commands.add_parser("cost")
    timed.add_argument("--members", nargs="+", default=list(embedded.NAMES[:2]))
    timed.add_argument("--prompts", type=int, default=10)
    timed.add_argument("--tokens", type=int, default=32)
    timed.add_argument("--logprobs", action="store_true", help="ask for the whole law of each byte")
    timed.set_defaults(run=cost)
    options = parser.parse_args()
    asyncio.run(options.run(options))


if __name__ == "__main__":
    main()
