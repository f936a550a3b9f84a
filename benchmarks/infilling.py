"""What the boundary at the cursor is worth: random spans of held-out code, filled in three ways.

For each span, in both orders of the prompt, and for each way to cut it (none, heal, exact): the
log-probability of the true middle, summed over the covers that this way leaves, and whether the
greedy middle is the true one. docs/benchmarks.md says more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lipogram.decoding import Autoregressive, Chunk, Job, Sampling
from lipogram.decoding.bytes.model import ByteModel
from lipogram.decoding.models import embedded
from lipogram.decoding.models.embedded.causal import EmbeddedCausal
from lipogram.decoding.train import corpus

BOUNDARIES = ("none", "heal", "exact")
ORDERS = ("prefix first", "suffix first", "prefix alone")
_BEFORE, _AFTER = 600, 300  # characters of context
_RESAMPLED = 2000
_EPSILON = 1e-5


class Span:
    """A middle of some held-out module, cut at random characters."""

    def __init__(self, rng: random.Random, longest: int) -> None:
        text = rng.choice(corpus.held_out_modules()).text
        first = rng.randrange(1, len(text))
        second = min(len(text), first + rng.randint(1, longest))
        self.prefix = text[max(0, first - _BEFORE) : first].encode()
        self.middle = text[first:second].encode()
        self.suffix = text[second : second + _AFTER].encode()


def prompt(model: EmbeddedCausal, span: Span, order: str) -> tuple[tuple[int, ...], bytes, bytes]:
    """Fixed tokens, the text before the cursor, and what the model writes before the middle."""
    start = model.configuration.start_ids
    if order == "prefix alone":
        return start, span.prefix, b""
    fim = model.configuration.infilling
    assert fim is not None
    suffix = tuple(model.vocabulary.encode(span.suffix))
    if order == "suffix first":
        ids = (*start, fim.prefix_id, fim.suffix_id, *suffix, fim.middle_id)
        return ids, span.prefix, b""
    # The cursor's token is unfinished: its text opens the middle, and prefixes end where tokens do.
    return (*start, fim.prefix_id), span.prefix, span.suffix


def cut(
    model: EmbeddedCausal, span: Span, order: str, boundary: str
) -> tuple[tuple[int, ...], bytes]:
    """Tokens that are fixed, and text before the cursor whose tokens are open.

    Where the middle follows a sentinel ("prefix first") there is no token to complete unless the
    text of the prefix's last token is moved behind the sentinel: "heal" and "exact" do that.
    """
    ids, text, suffix = prompt(model, span, order)
    vocabulary = model.vocabulary
    tokens = vocabulary.encode(text)
    if order != "prefix first":
        if boundary == "exact":
            return ids, text
        kept = len(tokens) - (boundary == "heal" and len(tokens) > 0)
        return (*ids, *tokens[:kept]), vocabulary.decode(tokens[kept:])
    fim = model.configuration.infilling
    assert fim is not None
    kept = len(tokens) - (boundary != "none" and len(tokens) > 0)
    fixed = (*ids, *tokens[:kept], fim.suffix_id, *vocabulary.encode(suffix), fim.middle_id)
    return fixed, vocabulary.decode(tokens[kept:])


async def log_probability(
    model: ByteModel, fixed: Sequence[int], text: bytes, middle: bytes
) -> float:
    """Of the middle's bytes after the text, nats: by the chain rule over the law of bytes."""
    state = model.open([*fixed, text])
    total = 0.0
    for byte in middle:
        total += float((await state.logprobs())[byte])
        state = state.advance(byte)
    return total


async def greedy(model: EmbeddedCausal, span: Span, order: str, boundary: str) -> bytes:
    """The middle that is written."""
    fixed, text = cut(model, span, order, boundary)
    job = Job(
        fixed, text=text, sampling=Sampling(temperature=0),
        boundary="none" if boundary == "none" else "heal" if boundary == "heal" else "exact",
        max_tokens=len(model.vocabulary.encode(span.middle)) + 4,
    )  # fmt: skip
    events = [event async for event in Autoregressive(model).generate(job)]
    return b"".join(event.text for event in events if isinstance(event, Chunk))


async def measured(model: EmbeddedCausal, spans: Sequence[Span]) -> dict[str, Any]:
    """By order and boundary: log-probabilities and exact matches, a number for each span."""
    by_bytes = ByteModel(model, epsilon=_EPSILON)
    results: dict[str, Any] = {}
    for order in ORDERS:
        for boundary in BOUNDARIES:
            scores, matches = [], []
            for number, span in enumerate(spans):
                fixed, text = cut(model, span, order, boundary)
                scores.append(await log_probability(by_bytes, fixed, text, span.middle))
                written = await greedy(model, span, order, boundary)
                matches.append(written.startswith(span.middle))
                if sys.stderr.isatty():
                    print(f"\r{order}, {boundary}: {number + 1}", end="", file=sys.stderr)
            results[f"{order}/{boundary}"] = {"log_probability": scores, "exact": matches}
    return results


def interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The mean and its 95 % interval, by the bootstrap over spans."""
    data = np.array(values, np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(data), (_RESAMPLED, len(data)))
    low, high = np.percentile(data[drawn].mean(axis=1), [2.5, 97.5])
    return float(data.mean()), float(low), float(high)


def table(results: dict[str, Any]) -> str:
    """One line an order and boundary: the means, and the difference to `none`."""
    lines = [
        "| prompt | boundary | log P(middle) | against none | exact match |",
        "|---|---|---|---|---|",
    ]
    for order in ORDERS:
        base = results[f"{order}/none"]["log_probability"]
        for boundary in BOUNDARIES:
            found = results[f"{order}/{boundary}"]
            mean, low, high = interval(found["log_probability"])
            gain = interval(np.subtract(found["log_probability"], base).tolist())
            share = interval(found["exact"])
            lines.append(
                f"| {order} | {boundary} | {mean:.2f} ({low:.2f} to {high:.2f})"
                f" | {gain[0]:+.2f} ({gain[1]:+.2f} to {gain[2]:+.2f})"
                f" | {share[0]:.1%} ({share[1]:.1%} to {share[2]:.1%}) |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.infilling", description=__doc__)
    parser.add_argument("--model", default="embedded-2k")
    parser.add_argument("--count", type=int, default=300, help="how many spans")
    parser.add_argument("--longest", type=int, default=40, help="characters of a middle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    spans = [Span(rng, options.longest) for _ in range(options.count)]
    model = embedded.load(options.model)
    assert isinstance(model, EmbeddedCausal)
    begun = time.process_time()
    results = asyncio.run(measured(model, spans))
    inside = [len(model.vocabulary.encode(s.prefix)) + len(model.vocabulary.encode(s.middle))
              > len(model.vocabulary.encode(s.prefix + s.middle)) for s in spans]  # fmt: skip
    # fmt: off
    print(f"{options.model}: {len(spans)} spans, seed {options.seed}; the cursor is inside a token"
          f" in {np.mean(inside):.0%}; {time.process_time() - begun:.0f} s of CPU time")
    # fmt: on
    print(table(results))
    if options.out:
        about = {key: str(value) for key, value in vars(options).items()}
        options.out.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
