"""How long an editor waits for a middle: `/infill` of a real server, while somebody types.

At random cursors in held-out modules: a first request, whose prompt nobody has read yet, then one
after each key typed. Wall time until the last of 32 tokens is here, and the CPU time of the
server's process for it. docs/benchmarks.md says more.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.server import Server, serving
from lipogram.decoding.train import corpus

KEYS = 6
_LINES_BEFORE, _LINES_AFTER = 256, 64  # what llama.vim sends at most
_BYTES_PER_TOKEN = 3  # in library code, about


class Cursor:
    """A place in some held-out module, and the keys typed there: those that stand there."""

    def __init__(self, rng: random.Random, context_tokens: int) -> None:
        most = context_tokens * _BYTES_PER_TOKEN
        long = [module.text for module in corpus.held_out_modules() if len(module.text) > 2 * most]
        text = rng.choice(long)
        at = rng.randrange(most, len(text) - most)
        before = text[at - 3 * most // 4 : at].splitlines(keepends=True)[-_LINES_BEFORE:]
        after = text[at + KEYS : at + KEYS + most // 4].splitlines(keepends=True)[:_LINES_AFTER]
        self.prefix, self.suffix = "".join(before), "".join(after)
        self.typed = text[at : at + KEYS]


def ask(server: Server, client: httpx.Client, body: dict[str, Any]) -> dict[str, float]:
    """Milliseconds on the wall and of the process, and how many tokens were written."""
    cpu_s, begun_s = server.cpu_s(), time.perf_counter()
    response = client.post(f"{server.url}/infill", json=body)
    wall_s = time.perf_counter() - begun_s
    response.raise_for_status()
    reply = response.json()
    return {
        "wall_ms": 1000 * wall_s,
        "cpu_ms": 1000 * (server.cpu_s() - cpu_s),
        "written": reply["tokens_predicted"],
        "read": reply["tokens_evaluated"],
    }


def measured(server: Server, options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """By what was asked: first requests at a cursor, and those after a key."""
    rng = random.Random(options.seed)
    results: dict[str, list[dict[str, float]]] = defaultdict(list)
    with httpx.Client(timeout=60) as client:
        for context in options.contexts:
            for _ in range(options.count):
                cursor = Cursor(rng, context)
                for keys in range(KEYS + 1):
                    body = {
                        "input_prefix": cursor.prefix + cursor.typed[:keys],
                        "input_suffix": cursor.suffix,
                        "n_predict": options.tokens,
                        "ignore_eos": True,
                        "repeat_suffix": True,
                        "fim_order": options.order,
                        "boundary": options.boundary,
                        "seed": 1,
                    }
                    kind = "key" if keys else "first"
                    results[f"{context} {kind}"].append(ask(server, client, body))
    return dict(results)


def table(results: dict[str, list[dict[str, float]]]) -> str:
    """One line for each size of context and kind of request."""
    lines = [
        "| tokens around the cursor | request | requests | wall, ms: median / p95 / max"
        " | CPU, ms: median / p95 |",
        "|---|---|---|---|---|",
    ]
    for name, answers in results.items():
        kind = "after a key" if name.endswith("key") else "first there"
        wall = [answer["wall_ms"] for answer in answers]
        cpu = [answer["cpu_ms"] for answer in answers]
        read = np.mean([answer["read"] for answer in answers])
        lines.append(
            f"| {read:,.0f} | {kind} | {len(answers)}"
            f" | {np.median(wall):.0f} / {np.percentile(wall, 95):.0f} / {max(wall):.0f}"
            f" | {np.median(cpu):.0f} / {np.percentile(cpu, 95):.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.editor", description=__doc__)
    parser.add_argument("--model", default="embedded-2k")
    parser.add_argument("--count", type=int, default=20, help="cursors for each size of context")
    parser.add_argument("--contexts", type=int, nargs="+", default=[256, 512, 1024, 1800])
    parser.add_argument("--tokens", type=int, default=32, help="of a middle")
    parser.add_argument("--order", choices=("spm", "psm"), default="spm")
    parser.add_argument("--boundary", choices=("exact", "heal", "none"), default="exact")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    options = parser.parse_args()
    with serving(options.model) as server:
        results = measured(server, options)
    print(f"{options.model}, {options.order}, {options.boundary}, {options.tokens} tokens a middle")
    print(table(results))
    if options.out:
        about = {key: str(value) for key, value in vars(options).items()}
        options.out.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
