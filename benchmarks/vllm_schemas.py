"""The same schemas, model and seeds through vLLM's own constraint backends and through ours.

`python -m benchmarks.vllm_schemas` in the environment that `make test-vllm` makes. Each backend has
a process of its own, because an engine keeps the first one it meets. The model has random weights,
so what is judged is the constraint alone; `jsonschema` judges.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import Any

import jsonschema

from benchmarks.texts import find
from lipogram.decoding.models.embedded.loading import folder_of

BACKENDS = ("lipogram", "xgrammar", "guidance")
SETTINGS: dict[str, Any] = {
    "dtype": "float32", "enforce_eager": True, "block_size": 32, "max_model_len": 1024,
    "max_num_seqs": 32, "disable_log_stats": True,
}  # fmt: skip
PROMPT = "Fill in the form.\n"


def schemas(count: int, seed: int) -> list[Any]:
    """A sample of real schemas that have a valid instance."""
    path = find("jsonschemabench-dev.jsonl.gz")
    if path is None:
        raise SystemExit("jsonschemabench-dev.jsonl.gz is not here; set LIPOGRAM_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if any(test["valid"] for test in row["tests"])]
    return [row["schema"] for row in random.Random(seed).sample(rows, count)]


def make_model(folder: Path) -> None:
    """Two layers with random weights and the tokens of embedded-4k."""
    import torch
    import transformers

    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder_of("embedded-4k") / "tokenizer.json"), eos_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=256, max_position_embeddings=2048,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    transformers.Qwen2ForCausalLM(config).save_pretrained(folder)


def judge(text: str, schema: Any) -> str:
    """`valid`, `invalid` under the schema, or `cut`: no JSON at all."""
    try:
        value = json.loads(text)
    except ValueError:
        return "cut"
    kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        return "valid" if kind(schema).is_valid(value) else "invalid"
    except Exception:  # a reference that the judge cannot follow
        return "unjudged"


def by_engine(folder: Path, backend: str, tasks: list[Any], options: Any) -> dict[str, Any]:
    """Through one of vLLM's own backends."""
    from lipogram.decoding.models.vllm.interfaces import (
        EngineArgs,
        LLMEngine,
        SamplingParams,
        StructuredOutputsParams,
        repair,
    )

    repair()

    engine = LLMEngine.from_engine_args(
        EngineArgs(model=str(folder), structured_outputs_config={"backend": backend}, **SETTINGS)
    )
    outcomes: Counter[str] = Counter()
    texts: dict[str, str] = {}
    tokens = 0
    started_s, cpu_s = time.perf_counter(), time.process_time()
    for index, schema in enumerate(tasks):
        for sample in range(options.samples):
            parameters = SamplingParams(
                max_tokens=options.tokens, seed=sample,
                structured_outputs=StructuredOutputsParams(json=schema),
            )  # fmt: skip
            try:
                engine.add_request(f"{index}-{sample}", PROMPT, parameters)
            except Exception:
                outcomes["refused"] += 1
    while engine.has_unfinished_requests():
        for output in engine.step():
            if output.finished:
                [own] = output.outputs
                tokens += len(own.token_ids)
                name = output.request_id.split("-")[:2]
                if own.finish_reason not in ("stop", "length"):
                    outcomes["error"] += 1
                else:
                    texts["-".join(name)] = own.text
    spent = time.perf_counter() - started_s, time.process_time() - cpu_s
    for name, text in texts.items():
        outcomes[judge(text, tasks[int(name.split("-")[0])])] += 1
    return {"outcomes": outcomes, "tokens": tokens, "wall_s": spent[0], "cpu_s": spent[1]}


def by_lipogram(folder: Path, tasks: list[Any], options: Any) -> dict[str, Any]:
    """The same through our rules in the same engine."""
    from lipogram.decoding import Chunk, Job, Masker, Sampling
    from lipogram.decoding.masking import warm_up
    from lipogram.decoding.models.vllm import load
    from lipogram.grammars import Error, compile, json_schema

    model = load(str(folder), name="random", **SETTINGS)
    warm_up(model.vocabulary)
    prompt = tuple(model.vocabulary.encode(PROMPT.encode()))
    outcomes: Counter[str] = Counter()
    tokens = 0

    async def one(masker: Masker, schema: Any, seed: int) -> None:
        nonlocal tokens
        text = b""
        job = Job(prompt, masker, Sampling(seed=seed), max_tokens=options.tokens)
        try:
            async with aclosing(model.generate(job)) as events:
                async for event in events:
                    if isinstance(event, Chunk):
                        text += event.text
                    else:
                        tokens += event.usage.completion_tokens
        except Error as error:
            outcomes[f"refused: {type(error).__name__}"] += 1
            return
        outcomes[judge(text.decode(), schema)] += 1

    async def run() -> None:
        tasks_ = []
        for schema in tasks:
            try:
                masker = Masker(compile(json_schema.parse(schema)), model.vocabulary)
            except Error:
                outcomes["refused"] += options.samples
                continue
            tasks_ += [one(masker, schema, seed) for seed in range(options.samples)]
        await asyncio.gather(*tasks_)

    started_s, cpu_s = time.perf_counter(), time.process_time()
    asyncio.run(run())
    spent = time.perf_counter() - started_s, time.process_time() - cpu_s
    model.close()
    return {"outcomes": outcomes, "tokens": tokens, "wall_s": spent[0], "cpu_s": spent[1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schemas", type=int, default=40)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backend", choices=BACKENDS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.backend:
        tasks = schemas(options.schemas, options.seed)
        found = (
            by_lipogram(options.folder, tasks, options)
            if options.backend == "lipogram"
            else by_engine(options.folder, options.backend, tasks, options)
        )
        print("RESULT " + json.dumps(found))
        return
    print("| backend | valid | invalid | cut | refused | error | tokens | us a token, CPU (wall) |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder))
        for backend in BACKENDS:
            command = [sys.executable, "-m", "benchmarks.vllm_schemas", "--backend", backend]
            command += ["--folder", folder, "--schemas", str(options.schemas)]
            command += ["--samples", str(options.samples), "--tokens", str(options.tokens)]
            command += ["--seed", str(options.seed)]
            done = subprocess.run(command, capture_output=True, text=True)
            lines = [x for x in done.stdout.splitlines() if x.startswith("RESULT ")]
            if not lines:
                raise SystemExit(f"{backend} failed: {done.stderr[-2000:]}")
            print(_row(backend, json.loads(lines[0].removeprefix("RESULT "))), flush=True)


def _row(backend: str, found: dict[str, Any]) -> str:
    outcomes = Counter(found["outcomes"])
    refused = sum(n for name, n in outcomes.items() if name.startswith("refused"))
    counts = [outcomes[name] for name in ("valid", "invalid", "cut")]
    per_token = [1e6 * found[name] / max(found["tokens"], 1) for name in ("cpu_s", "wall_s")]
    cells = [backend, *counts, refused, outcomes["error"], found["tokens"]]
    times = f"{per_token[0]:,.0f} ({per_token[1]:,.0f})"
    return f"| {' | '.join(map(str, cells))} | {times} |"


if __name__ == "__main__":
    main()
