"""A process of its own with an engine that speculates: constrained and free requests in one batch.

Prints, as JSON, each text with whether its rule accepts it, and the errors.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from lipogram.decoding import Chunk, Job, Masker, Sampling
from lipogram.decoding.models.base import Query
from lipogram.decoding.models.vllm import VllmModel, load
from lipogram.grammars import compile, json_schema, regex

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "tags": {"type": "array", "maxItems": 3}},
    "required": ["name", "tags"],
    "additionalProperties": False,
}


async def said(model: VllmModel, job: Job) -> tuple[str, bool]:
    text = b""
    async for event in model.generate(job):
        if isinstance(event, Chunk):
            text += event.text
    accepted = job.masker is None or job.masker.automaton.accepts(text)
    return text.decode("latin-1"), accepted


async def mixed(model: VllmModel, temperature: float) -> dict[str, Any]:
    """Forty requests at a time: two rules and none."""
    grammars = (json_schema.parse(SCHEMA), regex.parse("(ab|cd){4,20}"))
    rules = [*(Masker(compile(grammar), model.vocabulary) for grammar in grammars), None]
    prompt = tuple(model.vocabulary.encode(b"def parse(text): return text.strip(), text.strip("))
    jobs = [
        Job(prompt, rules[index % 3], Sampling(temperature, seed=index), max_tokens=48)
        for index in range(40)
    ]
    found = await asyncio.gather(*(said(model, job) for job in jobs), return_exceptions=True)
    errors = [repr(each) for each in found if isinstance(each, BaseException)]
    texts = [each for each in found if not isinstance(each, BaseException)]
    return {"errors": errors, "texts": texts}


def main() -> None:
    folder, settings = sys.argv[1], json.loads(sys.argv[2])
    model = load(folder, name="tiny", **settings)
    found = {name: asyncio.run(mixed(model, t)) for name, t in (("greedy", 0.0), ("drawn", 1.0))}
    [rows] = asyncio.run(model.logits([Query((5, 6, 7), (8,))]))
    print("RESULT " + json.dumps({**found, "rows": list(rows.shape)}))


if __name__ == "__main__":
    main()
