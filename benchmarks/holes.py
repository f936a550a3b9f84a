"""Whether texts are valid once their holes are filled in, and what that costs.

Instances of real schemas and C functions lose one to three pieces; the shipped models that write
from left to right and that fill masks put tokens there, at most as many as the piece had and a few
more, with the rule of the whole text and without. Judged by `json.loads` with `jsonschema`, and by
`gcc -fsyntax-only`. With `--steps`, outputs of 64 slots are made with and without a schema.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from statistics import median, quantiles
from typing import Any

from benchmarks import functions, texts
from benchmarks.documents import judged
from lipogram.decoding import Autoregressive, Denoiser, Denoising, Infill, Job, Masker, Sampling
from lipogram.decoding.errors import DecodingError
from lipogram.decoding.events import Chunk, Finish
from lipogram.decoding.models import embedded
from lipogram.decoding.train import extraction, vocabularies
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import Automaton, compile, json_schema, lark
from lipogram.grammars.errors import Error

MODELS = ("embedded-diffusion", "embedded-2k")
_LONGEST = 1000  # bytes of a text
_PIECE, _SPARE = 8, 4  # tokens


@dataclass(frozen=True)
class Task:
    """A text, its rule, and what says whether a text is valid."""

    kind: str
    text: str
    grammar: Any
    schema: Any = None

    def verdict(self, text: str) -> str:
        """What others say of a text."""
        if self.kind == "C":
            return "valid" if functions.compiles(text) else "not C"
        return judged(text, self.schema)

    def automaton(self) -> Automaton:
        """The rule, compiled."""
        if self.kind == "C":
            return compile(self.grammar)
        return compile(json_schema.parse(self.schema, key_order="any", escapes="any"))


def tasks(count: int, seed: int) -> Iterator[Task]:
    """C functions and instances of schemas in turn."""
    rng = random.Random(seed)
    grammar = lark.parse(functions.GRAMMAR)
    schemas = iter(texts.cases(40 * count, seed, None))
    for number in range(count):
        if number % 2:
            yield Task("C", functions.HEAD + functions.function(rng, number), grammar)
            continue
        while True:
            case = next(schemas)
            fitting = [
                text for text, is_valid in case.texts if is_valid and 20 < len(text) <= _LONGEST
            ]
            if case.kind == "json_schema" and fitting:
                yield Task("JSON", rng.choice(fitting), None, case.source)
                break


def with_holes(text: str, vocabulary: Vocabulary, holes: int, rng: random.Random) -> Infill:
    """The text without some of its tokens; each hole has room for a few more."""
    ids = vocabulary.encode(text.encode())
    firsts = sorted(rng.sample(range(len(ids)), min(holes, len(ids))))
    segments, sizes, known = list[bytes](), list[int](), 0
    for first, limit in zip(firsts, [*firsts[1:], len(ids)], strict=True):
        length = rng.randint(1, min(_PIECE, limit - first))
        segments.append(vocabulary.decode(ids[known:first]))
        sizes.append(length + rng.randint(0, _SPARE))
        known = first + length
    return Infill((*segments, vocabulary.decode(ids[known:])), tuple(sizes))


def fill(decoder: Any, job: Job) -> tuple[str, Finish]:
    """The whole text, and its end."""

    async def events() -> list[Any]:
        return [event async for event in decoder.generate(job)]

    *chunks, finish = asyncio.run(events())
    text = b"".join(chunk.text for chunk in chunks if isinstance(chunk, Chunk))
    return text.decode(errors="replace"), finish


def validity(count: int, seed: int, temperature: float, minutes: float) -> None:
    """Prints what was valid, by kind and number of holes, of as many texts as there is time for."""
    stop_s = time.monotonic() + 60 * minutes
    decoders = {name: decoder_of(name) for name in MODELS}
    outcomes: dict[tuple[Any, ...], Counter[str]] = {}
    tokens, witness, taken_ms = Counter[str](), Counter[str](), list[float]()
    for number, task in enumerate(tasks(count, seed)):
        if time.monotonic() > stop_s:
            break
        name, holes = MODELS[number // 2 % 2], 1 + number // 4 % 3
        decoder = decoders[name]
        vocabulary = decoder.model.vocabulary
        infill = with_holes(task.text, vocabulary, holes, random.Random(number))
        law = Sampling(temperature=temperature, seed=number)
        for rule in ("with the rule", "without"):
            found = outcomes.setdefault((rule, task.kind, holes), Counter())
            try:
                masker = Masker(task.automaton(), vocabulary) if rule != "without" else None
                begun_s = time.process_time()
                text, finish = fill(decoder, Job((), masker, law, infill=infill))
            except (Error, DecodingError) as error:
                found[type(error).__name__] += 1
                print(f"{number}: {type(error).__name__}: {str(error)[:100]}")
                continue
            found[task.verdict(text)] += 1
            if masker is not None:
                taken_ms.append(1000 * (time.process_time() - begun_s))
                tokens[name] += finish.usage.completion_tokens
                witness[name] += finish.usage.witness_tokens
                assert finish.usage.completion_tokens <= sum(infill.max_tokens)
    for (rule, kind, holes), found in sorted(outcomes.items()):
        print(f"{rule}, {kind}, {holes} holes: {dict(found)}")
    for name in MODELS:
        print(f"{name}: {tokens[name]} tokens, {witness[name]} of them from the witness")
    print(f"median {median(taken_ms):.0f} ms of CPU, {quantiles(taken_ms, n=20)[-1]:.0f} ms p95")


def decoder_of(name: str) -> Any:
    """The model of this name behind its decoder."""
    model = embedded.load(name)
    return Denoiser(model) if isinstance(model, embedded.EmbeddedMasked) else Autoregressive(model)


def overhead(steps: int, count: int) -> None:
    """Prints the CPU time of a step with a rule relative to one without: extraction, 64 slots."""
    decoder = decoder_of("embedded-diffusion")
    vocabulary = decoder.model.vocabulary
    ratios: list[tuple[float, float]] = []
    for number, item in enumerate(islice(extraction.items(20, held_out=True), count)):
        rule = Masker(compile(json_schema.parse(item.schema)), vocabulary)
        text = vocabulary.encode(item.text.encode())
        prompt = (vocabularies.USER, *text, vocabularies.END, vocabularies.ASSISTANT)
        taken = []
        for masker in (None, rule, rule):
            law, how = Sampling(seed=number), Denoising(steps=steps)
            begun_s = time.process_time()
            _, finish = fill(decoder, Job(prompt, masker, law, max_tokens=64, denoising=how))
            taken.append((time.process_time() - begun_s) / finish.usage.denoising_steps)
        ratios.append((taken[1] / taken[0], taken[2] / taken[0]))
        print(", ".join(f"{1000 * each:.1f}" for each in taken), "ms a step: free, new rule, again")
    new, again = (sorted(each) for each in zip(*ratios, strict=True))
    print(f"new rule {median(new):.2f} ({new[0]:.2f} to {new[-1]:.2f}) times the CPU time of none")
    print(f"known rule {median(again):.2f} ({again[0]:.2f} to {again[-1]:.2f}), {count} texts")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.holes", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="how many texts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--minutes", type=float, default=60, help="after these no text is begun")
    parser.add_argument("--steps", type=int, help="measure the cost of the rule at so many steps")
    options = parser.parse_args()
    if options.steps:
        overhead(options.steps, min(options.count, 10))
    else:
        validity(options.count, options.seed, options.temperature, options.minutes)


if __name__ == "__main__":
    main()
