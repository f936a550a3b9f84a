"""What drafts spare: passes a byte and time, each drafter beside none, on the same prompts.

`extraction` writes held-out items' objects under their schemas, `code` goes on held-out modules.
Prompt by prompt all drafters have their turn, in an order that is drawn anew, so that they share
the machine's noise; the model has read the prompt before, so that the first one does not pay for
all. What they learn on the way they keep; the first prompts, which are not counted, warm them up.
docs/benchmarks.md says more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from lipogram.decoding import Autoregressive, Chain, Forced, Job, Masker, Ngrams, Sampling
from lipogram.decoding.drafting.base import Drafter
from lipogram.decoding.drafting.heads import Heads, HeadWeights
from lipogram.decoding.drafting.small import SmallModel
from lipogram.decoding.events import Finish
from lipogram.decoding.models import embedded
from lipogram.decoding.models.base import Query
from lipogram.decoding.train import corpus, extraction
from lipogram.grammars import compile, json_schema

_PROMPT_CHARACTERS = 1200
_RESAMPLES = 2000


@dataclass
class Count:
    """What one drafter took, prompt by prompt."""

    bytes: list[int] = field(default_factory=list)
    passes: list[int] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    drafted: int = 0
    accepted: int = 0


def extraction_jobs(model: embedded.EmbeddedCausal, seed: int) -> Iterator[Job]:
    """The model's chat turn of each held-out item, under the item's schema."""
    vocabulary = model.vocabulary
    user, end, assistant = (vocabulary.specials[f"<|{n}|>"] for n in ("user", "end", "assistant"))
    for item in extraction.items(seed, held_out=True):
        masker = Masker(compile(json_schema.parse(item.schema)), vocabulary)
        text = vocabulary.encode(item.text.encode())
        yield Job((user, *text, end, assistant), masker, max_tokens=400)


def code_jobs(model: embedded.EmbeddedCausal, seed: int) -> Iterator[Job]:
    """Beginnings of held-out modules, cut at a line."""
    rng = random.Random(seed)
    modules = [each for each in corpus.held_out_modules() if len(each.text) > 600]
    while True:
        text = rng.choice(modules).text
        cut = text.rfind("\n", 0, rng.randrange(300, len(text))) + 1
        prompt = model.vocabulary.encode(text[max(0, cut - _PROMPT_CHARACTERS) : cut].encode())
        yield Job(tuple(prompt), max_tokens=64)


def chains(model: embedded.EmbeddedCausal, small: Sequence[str]) -> dict[str, Chain | None]:
    """No drafts, each drafter by itself, the cheap ones together, and with each of the others."""
    vocabulary = model.vocabulary
    cheap: list[Drafter] = [Forced(vocabulary), Ngrams(vocabulary)]
    found: dict[str, Chain | None] = {
        "none": None,
        "grammar": Chain(cheap[0]),
        "prompt": Chain(cheap[1]),
        "grammar, prompt": Chain(*cheap),
    }
    if model.draft_heads is not None:
        heads = Heads(model, HeadWeights.read(model.draft_heads, len(vocabulary)))
        found["heads"] = Chain(heads)
        found["auto: grammar, prompt, heads"] = Chain(*cheap, heads)
    for name in small:
        other = embedded.load(name)
        assert isinstance(other, embedded.EmbeddedCausal)
        found[f"grammar, prompt, {name}"] = Chain(*cheap, SmallModel(other, vocabulary))
    return found


async def run(
    model: embedded.EmbeddedCausal, jobs: Sequence[Job], options: argparse.Namespace
) -> dict[str, Count]:
    """All jobs with all drafters; the texts must be the same."""
    found = chains(model, options.small)
    counts = {name: Count() for name in found}
    rng, different = random.Random(options.seed), 0
    for number, job in enumerate(jobs):
        law = Sampling(temperature=options.temperature, seed=number)
        texts = set()
        await model.logits([Query(job.prompt)])
        for name in rng.sample(sorted(found), len(found)):
            one = replace(job, sampling=law, drafters=found[name])
            started_s, cpu_s = time.perf_counter(), time.process_time()
            *chunks, finish = [event async for event in Autoregressive(model).generate(one)]
            wall_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
            assert isinstance(finish, Finish)
            text = b"".join(chunk.text for chunk in chunks)
            texts.add(text)
            if number >= options.warm_up:
                _add(counts[name], len(text), finish, wall_s, cpu_s)
        different += len(texts) > 1
    if different:
        print(f"{different} of {len(jobs)} texts differ by rounding")
    return counts


def _add(count: Count, size: int, finish: Finish, wall_s: float, cpu_s: float) -> None:
    count.bytes.append(size)
    count.passes.append(finish.usage.model_passes)
    count.wall_s.append(wall_s)
    count.cpu_s.append(cpu_s)
    count.drafted += finish.usage.drafted_tokens
    count.accepted += finish.usage.accepted_tokens


def figures(counts: dict[str, Count]) -> list[dict[str, Any]]:
    """A row for each drafter: passes a byte, and how many times fewer and faster than none."""
    plain = counts["none"]
    return [
        {
            "drafters": name,
            "passes a byte": sum(count.passes) / sum(count.bytes),
            "fewer passes": ratio(plain.passes, count.passes),
            "faster, CPU": ratio(plain.cpu_s, count.cpu_s),
            "faster, wall": ratio(plain.wall_s, count.wall_s),
            "accepted": count.accepted / count.drafted if count.drafted else None,
        }
        for name, count in counts.items()
    ]


def ratio(plain: Sequence[float], other: Sequence[float]) -> list[float]:
    """Of the sums, with a 95 % interval by resampling prompts."""
    one, two = np.array(plain, float), np.array(other, float)
    rng = np.random.default_rng(1)
    chosen = rng.integers(0, len(one), (_RESAMPLES, len(one)))
    drawn = one[chosen].sum(1) / two[chosen].sum(1)
    return [one.sum() / two.sum(), *np.percentile(drawn, (2.5, 97.5)).tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=("extraction", "code"))
    parser.add_argument("--model", default=embedded.DEFAULT)
    parser.add_argument("--small", nargs="*", default=[], help="models that draft too")
    parser.add_argument("--count", type=int, default=100, help="prompts that count")
    parser.add_argument("--warm-up", type=int, default=10, help="prompts before those")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=21)
    options = parser.parse_args()
    model = embedded.load(options.model)
    if not isinstance(model, embedded.EmbeddedCausal):
        raise SystemExit(f"{options.model} does not write from left to right")
    jobs = (extraction_jobs if options.task == "extraction" else code_jobs)(model, options.seed)
    chosen = list(islice(jobs, options.warm_up + options.count))
    for row in figures(asyncio.run(run(model, chosen, options))):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
