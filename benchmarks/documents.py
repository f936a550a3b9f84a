"""Whether documents parse once their middle is filled in: JSON, with its schema and without.

Instances of real schemas lose a random middle; a real server fills it in, with the schema as a
constraint of the document and without. Judged by `json.loads` and `jsonschema`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import httpx
import jsonschema

from benchmarks import texts
from benchmarks.server import serving

_SHORTEST, _LONGEST = 20, 2000  # bytes of a document
_OPTIONS = {"key_order": "any", "escapes": "any"}  # texts are as people wrote them


def cuts(count: int, seed: int, longest: int) -> list[dict[str, Any]]:
    """So many schemas with a prefix and a suffix of a valid instance."""
    rng = random.Random(seed)
    found: list[dict[str, Any]] = []
    for case in texts.cases(10 * count, seed, None):
        valid = [text for text, is_valid in case.texts if is_valid]
        fitting = [text for text in valid if _SHORTEST <= len(text) <= _LONGEST]
        if case.kind == "json_schema" and fitting and len(found) < count:
            text = rng.choice(fitting)
            first = rng.randrange(len(text))
            second = min(len(text), first + rng.randint(1, longest))
            found.append({"schema": case.source, "prefix": text[:first], "suffix": text[second:]})
    return found


def fill(
    client: httpx.Client, cut: dict[str, Any], seed: int, temperature: float, with_schema: bool
) -> dict[str, Any]:
    """The server's answer, and whether the document parses and obeys its schema with it."""
    body = {
        "model": "embedded-2k", "prompt": cut["prefix"], "suffix": cut["suffix"],
        "max_tokens": 100, "seed": seed, "temperature": temperature,
    }  # fmt: skip
    if with_schema:
        body["structured_outputs"] = {"json": cut["schema"], **_OPTIONS}
    begun_s = time.perf_counter()
    response = client.post("/v1/completions", json=body)
    taken = {"ms": 1000 * (time.perf_counter() - begun_s)}
    if response.status_code != 200:
        return {**taken, "outcome": response.json()["error"]["code"]}
    middle = response.json()["choices"][0]["text"]
    return {**taken, "outcome": judged(cut["prefix"] + middle + cut["suffix"], cut["schema"])}


def judged(text: str, schema: Any) -> str:
    """What others say of a document."""
    try:
        value = json.loads(text)
    except ValueError:
        return "not JSON"
    try:
        jsonschema.validate(value, schema)
    except jsonschema.ValidationError:
        return "not the schema's"
    return "valid"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.documents", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="how many documents")
    parser.add_argument("--longest", type=int, default=60, help="characters of a middle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--out", type=Path, help="where to write the JSON")
    options = parser.parse_args()
    results: dict[str, list[dict[str, Any]]] = {"with the schema": [], "without": []}
    chosen = cuts(options.count, options.seed, options.longest)
    with serving("embedded-2k") as server, httpx.Client(base_url=server.url, timeout=60) as client:
        for number, cut in enumerate(chosen):
            for kind, answers in results.items():
                answers.append(
                    fill(client, cut, number, options.temperature, kind == "with the schema")
                )
    print(f"{len(chosen)} documents, seed {options.seed}, middles of up to {options.longest}")
    for kind, answers in results.items():
        outcomes = [answer["outcome"] for answer in answers]
        counts = {name: outcomes.count(name) for name in sorted(set(outcomes))}
        median = sorted(answer["ms"] for answer in answers)[len(answers) // 2]
        print(f"{kind}: {counts}, median {median:.0f} ms")
    if options.out:
        options.out.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
