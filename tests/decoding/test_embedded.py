"""The embedded backend: shapes, batches that change nothing, caches that change nothing."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lipogram.decoding import ContextTooLong
from lipogram.decoding.models.base import Query
from lipogram.decoding.models.embedded import (
    DEFAULT,
    NAMES,
    EmbeddedCausal,
    EmbeddedMasked,
    UnreadableExport,
    load,
)
from lipogram.decoding.models.embedded.loading import folder_of
from lipogram.decoding.models.prefixes import Extension, PrefixCache, Snapshot

CAUSAL = tuple(name for name in NAMES if name != "embedded-diffusion")
# Largest difference that another batch or another cut of the prefix may make to a score.
TOLERANCE = 1e-3


def opened(name: str = DEFAULT) -> EmbeddedCausal:
    model = load(name)
    assert isinstance(model, EmbeddedCausal)
    return model


def random_query(model: EmbeddedCausal, rng: random.Random, length: int, draft: int = 0) -> Query:
    ids = [rng.randrange(10, len(model.vocabulary)) for _ in range(length + draft)]
    return Query(tuple(ids[:length]), tuple(ids[length:]))


@pytest.mark.parametrize("name", CAUSAL)
def test_a_row_for_the_prefix_and_one_for_each_drafted_token(name: str) -> None:
    model = opened(name)
    queries = [Query(()), Query((20, 30), (40, 50, 60)), Query(tuple(range(10, 210)), (7,))]
    scores = asyncio.run(model.logits(queries))
    assert [row.shape for row in scores] == [(n, len(model.vocabulary)) for n in (1, 4, 2)]
    assert all(row.dtype == np.float32 and not row.flags.writeable for row in scores)
    assert all(np.isfinite(row).all() for row in scores)


@pytest.mark.parametrize("name", CAUSAL)
def test_every_byte_has_a_token_and_every_text_its_tokens(name: str) -> None:
    vocabulary = opened(name).vocabulary
    assert {bytes([byte]) for byte in range(256)} <= set(vocabulary.tokens)
    text = "def naïve(x):\n\treturn {'a': 1}  # 日本語\r\n".encode() + b"\xff\x00"
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary.specials["<|fim_prefix|>"] == 1
    assert set(vocabulary.eos_ids) == {0, 8}


@pytest.mark.parametrize("name", CAUSAL)
def test_batch_mates_and_caches_change_nothing(name: str) -> None:
    model, rng = opened(name), random.Random(3)
    queries = [random_query(model, rng, length, draft) for length, draft in
               ((1, 0), (2, 3), (17, 0), (40, 2), (150, 0), (300, 5))]  # fmt: skip
    alone = [asyncio.run(opened(name).logits([query]))[0] for query in queries]
    together = asyncio.run(model.logits(queries))
    again = asyncio.run(model.logits(queries))
    for first, second, third in zip(alone, together, again, strict=True):
        np.testing.assert_allclose(second, first, atol=TOLERANCE)
        np.testing.assert_allclose(third, first, atol=TOLERANCE)


def test_a_cache_serves_what_branches_off() -> None:
    model, rng = opened(), random.Random(4)
    trunk = random_query(model, rng, 90).prefix
    asyncio.run(model.logits([Query(trunk)]))
    for cut in (1, 2, 45, 89, 90):
        query = Query(trunk[:cut] + random_query(model, rng, 12).prefix)
        (reused,) = asyncio.run(model.logits([query]))
        (fresh,) = asyncio.run(opened().logits([query]))
        np.testing.assert_allclose(reused, fresh, atol=TOLERANCE)


def test_a_draft_is_scored_as_if_each_of_its_tokens_had_been_asked_for() -> None:
    model = opened()
    query = random_query(model, random.Random(5), 30, 6)
    (rows,) = asyncio.run(model.logits([query]))
    for step, row in enumerate(rows):
        (single,) = asyncio.run(opened().logits([Query(query.prefix + query.draft[:step])]))
        np.testing.assert_allclose(single[0], row, atol=TOLERANCE)


def test_concurrent_callers_each_get_their_own() -> None:
    model, rng = opened(), random.Random(6)
    queries = [random_query(model, rng, length) for length in (3, 200, 5, 60, 9)]

    async def race() -> list[list[np.ndarray]]:
        return await asyncio.gather(*(model.logits([query]) for query in queries))

    alone = [asyncio.run(opened().logits([query]))[0] for query in queries]
    for (found,), expected in zip(asyncio.run(race()), alone, strict=True):
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_a_cancelled_call_ends_within_a_chunk_and_harms_nobody() -> None:
    model, rng = opened(), random.Random(7)
    long, short = random_query(model, rng, 900), random_query(model, rng, 5)

    async def scenario() -> np.ndarray:
        doomed = asyncio.create_task(model.logits([long] * 8))
        await asyncio.sleep(0)
        other = asyncio.create_task(model.logits([short]))
        doomed.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doomed
        return (await other)[0]

    found = asyncio.run(asyncio.wait_for(scenario(), 5))
    np.testing.assert_allclose(found, asyncio.run(opened().logits([short]))[0], atol=TOLERANCE)


def test_a_long_prompt_does_not_hold_up_a_short_one() -> None:
    model, rng = opened(), random.Random(8)
    finished: list[str] = []

    async def ask(name: str, query: Query) -> None:
        await model.logits([query])
        finished.append(name)

    async def scenario() -> None:
        await asyncio.gather(
            ask("long", random_query(model, rng, 1000)), ask("short", random_query(model, rng, 5))
        )

    asyncio.run(scenario())
    assert finished == ["short", "long"]


def test_what_exceeds_the_window_is_refused() -> None:
    model = opened()
    limit = model.context_tokens
    asyncio.run(model.logits([Query((20,) * (limit - 1), (30,))]))
    with pytest.raises(ContextTooLong, match=f"at most {limit + 1} tokens, found {limit + 2}"):
        asyncio.run(model.logits([Query((20,) * limit, (30,))]))


def test_an_id_outside_the_vocabulary_is_the_callers_mistake() -> None:
    model = opened()
    with pytest.raises(ValueError, match="not below 2048"):
        asyncio.run(model.logits([Query((2048,))]))


def test_the_same_prompt_is_read_once_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    model, ran = opened(), list[int]()
    query, run = random_query(model, random.Random(9), 700), model._graph.run

    def counted(rows: Sequence[Extension]) -> list[tuple[np.ndarray, Snapshot]]:
        ran.extend(len(row.tokens) for row in rows)
        return run(rows)

    async def ask(count: int) -> None:
        await asyncio.gather(*(model.logits([query]) for _ in range(count)))

    monkeypatch.setattr(model._graph, "run", counted)
    asyncio.run(ask(4))
    assert sum(ran) == 701 + 3


def test_what_is_at_hand_of_a_prompt_is_told() -> None:
    model = opened()
    first = random_query(model, random.Random(5), 40)
    assert model.cached_tokens(first.prefix) == 0
    asyncio.run(model.logits([first]))
    assert model.cached_tokens(first.prefix) == 39  # the last one is run again for its scores
    assert model.cached_tokens((*first.prefix, 20, 30)) == 40
    assert model.cached_tokens((*first.prefix[:25], 9, 9)) == 25
    assert model.cached_tokens(()) == 0


def test_the_masked_model_scores_every_slot_of_a_canvas() -> None:
    model = load("embedded-diffusion")
    assert isinstance(model, EmbeddedMasked)
    mask = model.vocabulary.mask_id
    assert mask is not None
    canvas = np.array([*model.vocabulary.encode(b"import "), mask, mask], np.int64)
    scores = asyncio.run(model.logits(canvas))
    assert scores.shape == (len(canvas), len(model.vocabulary))
    assert np.isfinite(scores).all()
    with pytest.raises(ContextTooLong):
        asyncio.run(model.logits(np.full(model.context_tokens + 1, mask)))


def test_a_folder_described_in_the_way_of_hugging_face_opens_too(tmp_path: Path) -> None:
    shipped = folder_of("embedded-byte")
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).symlink_to(shipped / name)
    described = {"max_position_embeddings": 512, "bos_token_id": 0, "eos_token_id": [0, 8]}
    (tmp_path / "config.json").write_text(json.dumps(described))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": True}))
    foreign, own, rng = load(tmp_path), opened("embedded-byte"), random.Random(10)
    assert isinstance(foreign, EmbeddedCausal)
    assert (foreign.context_tokens, foreign.vocabulary.eos_ids) == (511, (0, 8))
    queries = [random_query(own, rng, length) for length in (3, 3, 8, 8, 200)]
    pairs = zip(asyncio.run(foreign.logits(queries)), asyncio.run(own.logits(queries)), strict=True)
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_a_folder_without_an_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableExport, match=r"model\.onnx"):
        load(tmp_path)


def snapshot(*tokens: int) -> Snapshot:
    return Snapshot(np.array(tokens), (np.zeros((1, len(tokens), 4), np.float32),))


def test_the_prefix_cache_finds_the_longest_beginning_and_keeps_its_bound() -> None:
    cache = PrefixCache(max_bytes=3 * snapshot(1, 2, 3).size_bytes)
    for tokens in ((1, 2, 3), (1, 5, 6), (7, 8, 9)):
        cache.add(snapshot(*tokens))
    found = cache.longest(np.array([1, 5, 9]))
    assert found is not None
    assert found.tokens.tolist() == [1, 5]
    assert cache.longest(np.array([4])) is None
    cache.add(snapshot(2, 2, 2))
    assert cache.size_bytes == 3 * snapshot(1, 2, 3).size_bytes
    recent = cache.longest(np.array([1, 5, 6]))
    assert recent is not None
    assert len(recent.tokens) == 3
    dropped = cache.longest(np.array([1, 2, 3]))
    assert dropped is not None
    assert dropped.tokens.tolist() == [1]


def test_guesses_are_forgotten_once_the_text_goes_on_from_before_them() -> None:
    cache = PrefixCache(max_bytes=1 << 20)
    cache.add(replace(snapshot(1, 2, 8, 9), guesses=2))
    cache.add(snapshot(1, 3, 3))
    assert cache.known(np.array([1, 2, 8, 9, 5])) == 4
    cache.add(snapshot(1, 2, 8, 7))
    assert cache.known(np.array([1, 2, 8, 9, 5])) == 3
    assert cache.known(np.array([1, 3, 3])) == 3
