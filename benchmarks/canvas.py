"""How long a canvas takes to say what fits: checks, commits, masks of slots; JSON and C-like.

Valid documents are masked, or get holes; then a slot is drawn at random, a few tokens are checked
there (the document's own, others of the document, any), its mask is made now and then, and one that
fits is committed. docs/benchmarks.md says more.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import programs, texts
from lipogram.decoding import Canvas, Hole, Vocabulary
from lipogram.grammars import Automaton, BudgetExceeded, compile, json_schema, lark

CHECKED = 8  # tokens at each slot
MASKED = 8  # of so many slots one is asked for its mask


@dataclass
class Document:
    name: str
    automaton: Automaton
    tokens: list[int]


@dataclass
class Figures:
    """CPU seconds, and verdicts."""

    construct: list[float] = field(default_factory=list)
    check: list[float] = field(default_factory=list)
    mask: list[float] = field(default_factory=list)
    commit: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    def timed(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        started_s = time.thread_time()
        result = call(*arguments)
        getattr(self, name).append(time.thread_time() - started_s)
        return result

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = {"verdicts": dict(self.verdicts), "refused": self.refused}
        for name in ("construct", "check", "mask", "commit"):
            times = np.array(getattr(self, name) or [np.nan]) * 1e6
            found[name] = {f"p{p}": float(np.percentile(times, p)) for p in (50, 90, 99)}
            found[name] |= {"max": float(times.max()), "count": len(times)}
        return found


def masked(rng: random.Random, document: Document, vocabulary: Vocabulary) -> list[bytes | Hole]:
    """Some of the tokens masked, each in its place."""
    share = rng.choice((0.1, 0.3, 0.6))
    return _parts(document, vocabulary, [rng.random() < share for _ in document.tokens], 0)


def holed(rng: random.Random, document: Document, vocabulary: Vocabulary) -> list[bytes | Hole]:
    """One to eight holes of up to 32 tokens, with room for some more."""
    hidden = [False] * len(document.tokens)
    for _ in range(rng.randint(1, 8)):
        start = rng.randrange(len(hidden))
        for at in range(start, min(start + rng.randint(1, 32), len(hidden))):
            hidden[at] = True
    return _parts(document, vocabulary, hidden, rng.choice((0, 4, 16)))


def _parts(
    document: Document, vocabulary: Vocabulary, hidden: list[bool], room: int
) -> list[bytes | Hole]:
    parts: list[bytes | Hole] = []
    at = 0
    while at < len(hidden):
        end = at
        while end < len(hidden) and hidden[end] == hidden[at]:
            end += 1
        if not hidden[at]:
            parts.append(vocabulary.decode(document.tokens[at:end]))
        elif room:
            parts.append(Hole(max_tokens=end - at + room))
        else:
            parts.append(Hole(exact_tokens=end - at))
        at = end
    return parts


KINDS = {"masked": masked, "holed": holed}


def drive(
    seed: str, kind: str | None, document: Document, vocabulary: Vocabulary, figures: Figures,
    slots: int,
) -> None:  # fmt: skip
    """Fill up to so many slots of one canvas; the same slots and tokens whatever fits."""
    rng = random.Random(seed)
    drawn = rng.choice(sorted(KINDS, reverse=True))
    parts = KINDS[kind or drawn](rng, document, vocabulary)
    try:
        canvas = figures.timed("construct", Canvas, document.automaton, vocabulary, parts)
    except BudgetExceeded as error:
        figures.refused.append(f"{document.name}: {error}")
        return
    out = np.empty(-(-len(vocabulary) // 32), np.int32)
    order = rng.sample(range(len(canvas)), min(slots, len(canvas)))
    for step, slot in enumerate(order):
        rng = random.Random(f"{seed} {step}")
        candidates = [canvas.witness()[slot], rng.randrange(len(vocabulary))]
        candidates += rng.sample(document.tokens, min(CHECKED - 2, len(document.tokens)))
        fitting = []
        for token in candidates:
            verdict = figures.timed("check", canvas.check, slot, token)
            figures.verdicts[verdict] += 1
            if verdict == "accept":
                fitting.append(token)
        if step % MASKED == 0:
            unknown = canvas.statistics.unknown
            figures.timed("mask", canvas.mask, slot, out)
            is_whole = canvas.statistics.unknown == unknown
            figures.verdicts["whole mask" if is_whole else "part of a mask"] += 1
        token = rng.choice(fitting)
        figures.timed("commit", canvas.commit, slot, token)
    assert document.automaton.accepts(canvas.text())


def json_documents(vocabulary: Vocabulary, count: int, seed: int) -> Iterator[Document]:
    """Instances of real schemas, of 64 to 1,024 tokens."""
    for case in texts.cases(1000, seed, "indent"):
        if case.kind != "json_schema" or not count:
            return
        members = [text for text, is_valid in case.texts if is_valid]
        tokens = vocabulary.encode(members[0].encode())
        if not 64 <= len(tokens) <= 1024:
            continue
        try:
            automaton = compile(json_schema.parse(case.source))
        except Exception:
            continue
        if automaton.accepts(members[0].encode()):
            count -= 1
            yield Document(f"schema {case.source.get('title', '')}", automaton, tokens)


def c_documents(vocabulary: Vocabulary, count: int, seed: int) -> Iterator[Document]:
    """Random programs of 256 and 1,024 tokens."""
    automaton = compile(lark.parse(programs.GRAMMAR))
    for number in range(count):
        size = (256, 1024)[number % 2]
        text = programs.program(random.Random(f"{seed} {number}"), int(2.2 * size)).encode()
        assert automaton.accepts(text)
        yield Document(f"program {number}", automaton, vocabulary.encode(text))


DOCUMENTS = {"JSON": json_documents, "C-like": c_documents}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocabulary", default="cl100k_base")
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--slots", type=int, default=64, help="filled in each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(DOCUMENTS))
    parser.add_argument("--kind", choices=sorted(KINDS), help="of canvas; both by default")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    tokens, _ = texts.vocabulary(arguments.vocabulary)
    vocabulary = Vocabulary.from_tokens(tokens.tokens, (tokens.eos,))
    results: dict[str, Any] = {
        "command": sys.argv, "python": platform.python_version(), "machine": platform.processor(),
    }  # fmt: skip
    for name, documents in DOCUMENTS.items():
        if arguments.only in (None, name):
            figures = Figures()
            found = documents(vocabulary, arguments.documents, arguments.seed)
            for number, document in enumerate(found):
                seed = f"{arguments.seed} {number}"
                drive(seed, arguments.kind, document, vocabulary, figures, arguments.slots)
            results[name] = figures.summary()
            print(name, json.dumps(results[name], indent=1), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
