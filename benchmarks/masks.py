"""Cost of masks on real schemas: time to the first mask, cold and warm masks, steps."""

from __future__ import annotations

import gzip
import json
import random
import time
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lipogram.decoding import Masker, Vocabulary
from lipogram.decoding.models import embedded
from lipogram.decoding.train import extraction
from lipogram.grammars import Error, compile, json_schema

Row = dict[str, float]


def load_vocabulary(path: Path | None) -> Vocabulary:
    """A vocabulary of tokens stored as one byte array and offsets; without, an embedded model's."""
    if path is None:
        return embedded.load("embedded-4k").vocabulary
    archive = np.load(path)
    data, offsets = archive["data"].tobytes(), archive["offsets"]
    meta = json.loads(archive["meta"].tobytes())
    special = set(archive["special_ids"].tolist())
    tokens = [
        b"" if id in special else data[offsets[id] : offsets[id + 1]]
        for id in range(len(offsets) - 1)
    ]
    return Vocabulary.from_tokens(tokens, eos_ids=(int(meta["eos"]),))


def load_schemas(path: Path | None, count: int, seed: int) -> list[dict[str, Any]]:
    """A seeded sample of schemas that come with a valid instance; generated ones without a file."""
    if path is None:
        drawn = islice(extraction.items(seed, held_out=True), count)
        return [{"schema": i.schema, "tests": [{"valid": True, "data": i.value}]} for i in drawn]
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows = [row for row in rows if any(test["valid"] for test in row["tests"])]
    return random.Random(seed).sample(rows, min(count, len(rows)))


def measure(rows: list[dict[str, Any]], vocabulary: Vocabulary) -> dict[str, Row | float]:
    """Walk the first valid instance of each schema twice; all times are thread CPU time in us."""
    first: list[float] = []
    cold: list[float] = []
    warm: list[float] = []
    steps: list[float] = []
    refused = 0
    out = np.empty(-(-len(vocabulary) // 32), np.int32)
    _walk(Masker(compile(json_schema.parse({"type": "object"})), vocabulary), b"{}", out, [], [])
    for row in rows:
        text = next(json.dumps(t["data"], ensure_ascii=False) for t in row["tests"] if t["valid"])
        start = time.thread_time_ns()
        try:
            masker = Masker(compile(json_schema.parse(row["schema"])), vocabulary)
        except Error:
            refused += 1
            continue
        masker.fill(masker.start(), out)
        first.append((time.thread_time_ns() - start) / 1e3)
        _walk(masker, text.encode(), out, cold, steps)
        _walk(masker, text.encode(), out, warm, steps)
    return {
        "schemas": len(rows),
        "refused": refused,
        "first_mask_us": _summary(first),
        "cold_mask_us": _summary(cold),
        "warm_mask_us": _summary(warm),
        "step_us": _summary(steps),
    }


def _walk(masker: Masker, text: bytes, out: Any, masks: list[float], steps: list[float]) -> None:
    state: int | None = masker.start()
    for token_id in masker.vocabulary.trie.spell(text) or ():
        assert state is not None
        before = time.thread_time_ns()
        masker.fill(state, out)
        between = time.thread_time_ns()
        state = masker.step(state, token_id)
        after = time.thread_time_ns()
        if state is None:  # key order or spelling differs from the canonical one
            return
        masks.append((between - before) / 1e3)
        steps.append((after - between) / 1e3)


def _summary(values: list[float]) -> Row:
    array = np.array(values)
    quantiles = dict(zip(("p50", "p90", "p99"), np.percentile(array, (50, 90, 99)), strict=True))
    return {
        "mean": float(array.mean()),
        **{name: float(value) for name, value in quantiles.items()},
        "max": float(array.max()),
    }
