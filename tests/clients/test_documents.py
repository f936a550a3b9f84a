"""JSON documents that lost a middle anywhere: with their schema, all parse once it is filled in."""

from __future__ import annotations

import json
import random
from itertools import islice

import httpx
import jsonschema
import pytest

from clients.conftest import ServerProcess
from lipogram.decoding.train import extraction

COUNT = 60


@pytest.mark.parametrize("temperature", [0, 1])
def test_all_documents_parse(server: ServerProcess, temperature: float) -> None:
    rng = random.Random(7)
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for number, item in enumerate(islice(extraction.items(7, held_out=True), COUNT)):
            text = json.dumps(item.value, ensure_ascii=False)
            first, second = sorted(rng.sample(range(len(text) + 1), 2))
            second = min(second, first + 80)
            body = {
                "model": "tiny", "prompt": text[:first], "suffix": text[second:], "seed": number,
                "max_tokens": 120, "temperature": temperature,
                "structured_outputs": {"json": item.schema},
            }  # fmt: skip
            response = client.post("/v1/completions", json=body)
            assert response.status_code == 200, response.text
            middle = response.json()["choices"][0]["text"]
            jsonschema.validate(json.loads(text[:first] + middle + text[second:]), item.schema)
