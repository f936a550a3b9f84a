"""The transformers backend: scores are those of a plain forward pass, whatever is shared."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs lipogram[transformers]")
pytest.importorskip("transformers", reason="needs lipogram[transformers]")

import torch

import tiny_transformers as tiny
from lipogram.decoding import Autoregressive, ContextTooLong, Job, Masker, Sampling
from lipogram.decoding.errors import TurnsRefused, UnsupportedModel, UnsupportedTokenizer
from lipogram.decoding.events import Chunk
from lipogram.decoding.models.base import Query
from lipogram.decoding.models.prefixes import Extension, Snapshot
from lipogram.decoding.models.transformers import TransformersCausal, load
from lipogram.grammars import compile, json_schema

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

CACHED = ("gpt2", "llama", "qwen2", "gemma2", "bloom")
KINDS = (*CACHED, "mamba")
TOLERANCE = 2e-3


def opened(kind: str, **settings: Any) -> TransformersCausal:
    window = {} if kind in ("gpt2", "llama", "qwen2", "gemma2") else {"context_tokens": 160}
    return TransformersCausal(
        tiny.model(kind), tiny.tokenizer(), name=kind, **{**window, **settings}
    )


def plain(kind: str, query: Query) -> np.ndarray:
    """What the library itself says, in one pass without a cache."""
    tokens = torch.tensor([query.prefix + query.draft])
    with torch.inference_mode():
        scores = tiny.model(kind)(tokens, use_cache=False).logits[0]
    return scores[len(query.prefix) - 1 :].numpy()


def random_query(rng: random.Random, length: int, draft: int = 0) -> Query:
    ids = [rng.randrange(3, 320) for _ in range(length + draft)]
    return Query(tuple(ids[:length]), tuple(ids[length:]))


def ask(model: TransformersCausal, queries: Sequence[Query]) -> list[np.ndarray]:
    return asyncio.run(model.logits(queries))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_a_plain_pass(kind: str) -> None:
    model, rng = opened(kind), random.Random(1)
    queries = [random_query(rng, *lengths) for lengths in ((1, 0), (5, 3), (40, 0), (140, 9))]
    for _ in range(2):  # the second time from the cache
        for query, found in zip(queries, ask(model, queries), strict=True):
            assert found.shape == (len(query.draft) + 1, 328)
            assert not found.flags.writeable
            np.testing.assert_allclose(found, plain(kind, query), atol=TOLERANCE)


@pytest.mark.parametrize("kind", CACHED)
def test_known_prefixes_are_not_run_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, rng, ran = opened(kind), random.Random(2), list[int]()
    run = model._graph.run

    def counted(rows: Sequence[Extension]) -> list[tuple[np.ndarray, Snapshot]]:
        ran.extend(len(row.tokens) for row in rows)
        return run(rows)

    monkeypatch.setattr(model._graph, "run", counted)
    trunk = random_query(rng, 100).prefix
    ask(model, [Query(trunk)])
    assert sum(ran) == 100
    ran.clear()
    query = Query((*trunk[:90], 7, 8), (9,))
    (found,) = ask(model, [query])
    assert sum(ran) == 3
    np.testing.assert_allclose(found, plain(kind, query), atol=TOLERANCE)


@pytest.mark.parametrize("kind", CACHED)
def test_rows_of_unequal_lengths_share_a_run(kind: str) -> None:
    model, rng, rows = opened(kind), random.Random(3), list[int]()
    assert model._graph.ragged
    trunks = [random_query(rng, length).prefix for length in (3, 17, 30, 60)]
    ask(model, [Query(trunk) for trunk in trunks])
    run = model._graph.run

    def counted(batch: Sequence[Extension]) -> list[tuple[np.ndarray, Snapshot]]:
        rows.append(len(batch))
        return run(batch)

    model._graph.run = counted  # type: ignore[method-assign]
    queries = [Query((*trunk, 5), (6,) * length) for length, trunk in enumerate(trunks)]
    for query, found in zip(queries, ask(model, queries), strict=True):
        np.testing.assert_allclose(found, plain(kind, query), atol=TOLERANCE)
    assert rows == [4]


def test_a_model_whose_cache_cannot_be_cut_runs_without() -> None:
    model = opened("mamba")
    assert model._graph.empty.arrays == ()


class _Leaky(torch.nn.Module):
    """A model in which the rows of a batch disturb each other."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = tiny.model("llama")
        self.config, self.dtype = self.inner.config, torch.float32

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.inner.get_input_embeddings()

    def forward(self, input_ids: torch.Tensor, attention_mask: Any = None, **rest: Any) -> Any:
        return self.inner(input_ids, **rest)  # padding is seen


def test_a_model_that_sees_padding_gets_equal_rows_alone() -> None:
    model = TransformersCausal(_Leaky(), tiny.tokenizer(), name="leaky")
    assert not model._graph.ragged
    rng = random.Random(4)
    queries = [random_query(rng, length) for length in (3, 17, 17, 60)]
    for query, found in zip(queries, ask(model, queries), strict=True):
        np.testing.assert_allclose(found, plain("llama", query), atol=TOLERANCE)


def test_what_exceeds_the_window_is_refused() -> None:
    model = opened("llama")
    assert model.context_tokens == 160
    ask(model, [Query((5,) * 159, (6,))])
    with pytest.raises(ContextTooLong, match="at most 160 tokens, found 161"):
        ask(model, [Query((5,) * 160, (6,))])


def test_a_model_without_a_window_must_be_given_one() -> None:
    with pytest.raises(UnsupportedModel, match="context_tokens"):
        TransformersCausal(tiny.model("mamba"), tiny.tokenizer(), name="mamba")


def test_an_empty_prefix_is_the_start_of_a_text() -> None:
    (found,) = ask(opened("gpt2"), [Query(())])
    np.testing.assert_allclose(found, plain("gpt2", Query((0,))), atol=TOLERANCE)


def test_a_tokenizer_that_begins_texts_is_heeded() -> None:
    tokenizer = tiny.tokenizer()
    begun = tiny.tokenizer()
    from tokenizers.processors import TemplateProcessing

    begun.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    text = tuple(tokenizer("def parse")["input_ids"])
    model = TransformersCausal(tiny.model("llama"), begun, name="begun")
    assert model.context_tokens == 159
    (found,) = ask(model, [Query(text)])
    np.testing.assert_allclose(found, plain("llama", Query((0, *text))), atol=TOLERANCE)
    (same,) = ask(model, [Query((0, *text))])
    np.testing.assert_allclose(same, found, atol=TOLERANCE)


def test_the_vocabulary_has_the_tokenizers_bytes_and_ends() -> None:
    vocabulary, tokenizer = opened("llama").vocabulary, tiny.tokenizer()
    assert len(vocabulary) == 328  # the width of the scores, more than there are tokens
    assert set(vocabulary.eos_ids) == {2}
    assert set(vocabulary.specials) >= set(tiny.SPECIALS)
    text = "def naïve(text): return '日本'\r\n"
    assert vocabulary.encode(text.encode()) == tokenizer(text)["input_ids"]


def test_a_tokenizer_without_a_fast_form_is_refused() -> None:
    with pytest.raises(UnsupportedTokenizer, match="fast tokenizer"):
        TransformersCausal(tiny.model("llama"), object(), name="slow")


def test_constrained_generation_with_a_folder_from_a_hub(tmp_path: Path) -> None:
    model = load(str(tiny.saved(tmp_path)), name="tiny", device="cpu", dtype="float32")
    schema = {
        "type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}},
        "required": ["a", "b"], "additionalProperties": False,
    }  # fmt: skip
    masker = Masker(compile(json_schema.parse(schema)), model.vocabulary)
    prompt = tuple(model.vocabulary.encode(b"def parse"))

    async def text(seed: int) -> bytes:
        job = Job(prompt, masker=masker, max_tokens=60, sampling=Sampling(seed=seed))
        events = [event async for event in Autoregressive(model).generate(job)]
        return b"".join(event.text for event in events if isinstance(event, Chunk))

    async def several() -> list[bytes]:
        return await asyncio.gather(*(text(seed) for seed in range(6)))

    found = asyncio.run(several())
    assert found == [asyncio.run(text(seed)) for seed in range(6)]
    assert all(json.loads(each)["b"] in ("x", "y") for each in found)


def test_half_precision_and_a_shorter_window(tmp_path: Path) -> None:
    folder = str(tiny.saved(tmp_path))
    model = load(folder, name="half", dtype="bfloat16", context_tokens=50, threads=1)
    assert model.context_tokens == 50
    query = random_query(random.Random(5), 30)
    found, wanted = ask(model, [query])[0], plain("llama", query)
    assert np.abs(found - wanted).max() < 0.2 * wanted.std()


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "float99"},
        {"device": "nowhere"},
        {"attention": "none_such"},
        {"quantization": {"quant_method": "none_such"}},
    ],
)
def test_what_the_library_does_not_know_is_told(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModel, match="cannot open it"):
        load(str(tiny.saved(tmp_path)), name="tiny", **options)


def test_a_source_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="cannot open it"):
        load(str(tmp_path), name="empty")


def test_the_chat_template_is_the_tokenizers_own(tmp_path: Path) -> None:
    model = load(str(tiny.saved(tmp_path)), name="tiny")
    assert model.chat is not None
    assert model.chat([{"role": "user", "content": " hi "}]) == (
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )
    refusing = tiny.tokenizer()
    refusing.chat_template = "{{ raise_exception('roles must alternate') }}"
    chat = TransformersCausal(tiny.model("llama"), refusing, name="refusing").chat
    assert chat is not None
    with pytest.raises(TurnsRefused, match="roles must alternate"):
        chat([{"role": "user", "content": "hi"}])
    assert opened("llama").chat is None
