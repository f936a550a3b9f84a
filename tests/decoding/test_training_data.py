"""What models are trained on: reproducible, valid, and free of what they are measured on."""

import asyncio
import json
from itertools import islice

import jsonschema
import pytest

from lipogram.decoding.models.embedded import DEFAULT, NAMES, EmbeddedCausal, EmbeddedMasked, load
from lipogram.decoding.models.embedded.loading import folder_of
from lipogram.decoding.train import corpus, documents, extraction, measures

COUNT = 500


def items(*, held_out: bool, seed: int = 20) -> list[extraction.Item]:
    return list(islice(extraction.items(seed, held_out=held_out), COUNT))


def test_no_held_out_module_is_trained_on() -> None:
    training, held_out = corpus.training_modules(), corpus.held_out_modules()
    assert {module.path for module in training}.isdisjoint(module.path for module in held_out)
    assert {module.text for module in training}.isdisjoint(module.text for module in held_out)
    assert len(training) + len(held_out) == len(corpus.modules())
    assert 0.02 < len(held_out) / len(corpus.modules()) < 0.10


def test_the_split_depends_on_paths_alone() -> None:
    assert corpus.is_held_out("dataclasses.py")
    assert corpus.is_held_out("logging/handlers.py")
    assert not corpus.is_held_out("json/decoder.py")


def test_no_held_out_object_is_trained_on() -> None:
    held_out = {json.dumps(item.value, sort_keys=True) for item in items(held_out=True)}
    for seed in (20, 21, 23):
        training = {
            json.dumps(item.value, sort_keys=True) for item in items(held_out=False, seed=seed)
        }
        assert held_out.isdisjoint(training)


def test_items_are_reproducible() -> None:
    assert items(held_out=True) == items(held_out=True)
    assert items(held_out=True) != items(held_out=True, seed=21)


def test_items_obey_their_schemas_and_say_what_is_asked() -> None:
    for item in items(held_out=True):
        jsonschema.validate(item.value, item.schema)
        assert json.loads(item.answer) == item.value
        for value in strings(item.value):
            assert value in item.text


def strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case dict():
            return [found for each in value.values() for found in strings(each)]
        case list():
            return [found for each in value for found in strings(each)]
    return []


def letters(text: str) -> list[int]:
    return [100 + ord(character) for character in text]


@pytest.mark.parametrize(("suffix_first", "expected"), [(False, "1ab2ef3cd"), (True, "12ef3abcd")])
def test_infilling_moves_the_middle_to_the_end(suffix_first: bool, expected: str) -> None:
    document = documents.infilling_document("abcdef", 2, 4, suffix_first, letters)
    shown = "".join(chr(token - 100) if token > 99 else str(token) for token in document.ids)
    assert shown == f"0{expected}0"
    assert [
        weight
        for token, weight in zip(document.ids, document.weights, strict=True)
        if 0 < token < 5
    ] == [0.0] * 3


def metrics(name: str) -> dict[str, dict[str, object]]:
    recorded = json.loads((folder_of(name) / "metrics.json").read_text())
    if recorded["held_out_sha256"] != corpus.fingerprint(corpus.held_out_modules()):
        pytest.skip("the numbers belong to another Python's standard library")
    return recorded


@pytest.mark.parametrize("name", [name for name in NAMES if name != "embedded-diffusion"])
def test_the_recorded_cost_of_held_out_code_is_found_again(name: str) -> None:
    model, recorded = load(name), metrics(name)["code"]["bits_by_file"]
    assert isinstance(model, EmbeddedCausal)
    assert isinstance(recorded, dict)
    chosen = [
        m
        for m in corpus.held_out_modules()
        if m.path in ("colorsys.py", "lib2to3/fixes/fix_exec.py")
    ]
    found = asyncio.run(measures.bits_per_byte(model, chosen))["bits_by_file"]
    assert found == pytest.approx({path: recorded[path] for path in found}, rel=1e-3)


def test_the_recorded_answers_are_found_again() -> None:
    model, recorded = load(DEFAULT), json.loads((folder_of(DEFAULT) / "metrics.json").read_text())
    assert isinstance(model, EmbeddedCausal)
    found = asyncio.run(measures.extraction_rate(model, 8))["right"]
    assert found == recorded["extraction"]["right"][:8]


def test_the_recorded_masked_loss_is_found_again() -> None:
    model, recorded = load("embedded-diffusion"), metrics("embedded-diffusion")["masked_sample"]
    assert isinstance(model, EmbeddedMasked)
    found = asyncio.run(measures.masked_loss(model, measures.SAMPLE_WINDOWS))
    assert found == pytest.approx(recorded, rel=1e-3)
