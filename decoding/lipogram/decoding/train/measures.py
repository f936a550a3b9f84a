"""What is measured on held-out data: compression of code, extraction, and denoising."""

import json
import lzma
import math
import random
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np

from lipogram.decoding import Autoregressive, Job, Masker, Sampling
from lipogram.decoding.events import Chunk
from lipogram.decoding.models.base import CausalModel, Logits, MaskedModel, Query
from lipogram.decoding.train import corpus, documents, extraction, vocabularies
from lipogram.decoding.train.corpus import Module
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import compile, json_schema

EVALUATION_SEED = 20
SAMPLE_WINDOWS = 10
_NOISE_SEED = 5


def xz_bits_per_byte() -> dict[str, float]:
    """`xz -9` of the held-out files one by one, in one stream, and in one after all training files.

    The last knows what the models know: its window holds all of the training files.
    """
    texts = [module.text.encode() for module in corpus.held_out_modules()]
    whole, known = (
        b"".join(module.text.encode() for module in modules)
        for modules in (corpus.held_out_modules(), corpus.training_modules())
    )
    sizes = {
        "files": sum(_xz_bytes(text) for text in texts),
        "one_stream": _xz_bytes(whole),
        "after_training_data": _xz_bytes(known + whole) - _xz_bytes(known),
    }
    return {name: 8 * size / len(whole) for name, size in sizes.items()}


def _xz_bytes(text: bytes) -> int:
    return len(lzma.compress(text, preset=9))


async def bits_per_byte(model: CausalModel, modules: Iterable[Module]) -> dict[str, Any]:
    """Cost of each file and its end, coded one by one, in all and by file.

    Long files slide through the window by halves, so that a token is scored with at least half a
    window before it.
    """
    bits: dict[str, float] = {}
    size = tokens = 0
    for module in modules:
        text = module.text.encode()
        ids = (*model.vocabulary.encode(text), vocabularies.END_OF_TEXT)
        bits[module.path] = round(await _cost(model, ids) / math.log(2), 1)
        size += len(text)
        tokens += len(ids)
    return {
        "bits_per_byte": sum(bits.values()) / size,
        "bytes": size,
        "bytes_per_token": size / tokens,
        "bits_by_file": bits,
    }


async def _cost(model: CausalModel, ids: tuple[int, ...]) -> float:
    window, half = model.context_tokens, model.context_tokens // 2
    total, known = 0.0, 0
    while known < len(ids):
        start = max(0, known - half)
        stop = min(len(ids), start + window)
        (rows,) = await model.logits([Query(ids[start:known], ids[known:stop])])
        total += cross_entropy(rows[:-1], ids[known:stop])
        known = stop
    return total


def cross_entropy(rows: Logits, chosen: Iterable[int]) -> float:
    """Sum over rows of the chosen tokens' costs, in nats."""
    wide = rows.astype(np.float64)
    top = wide.max(1, keepdims=True)
    logs = wide - top - np.log(np.exp(wide - top).sum(1, keepdims=True))
    return float(-logs[np.arange(len(rows)), list(chosen)].sum())


async def extraction_answer(model: CausalModel, item: extraction.Item) -> dict[str, Any]:
    """The object that greedy decoding under the item's schema gives."""
    vocabulary = model.vocabulary
    masker = Masker(compile(json_schema.parse(item.schema)), vocabulary)
    prompt = (
        vocabularies.USER,
        *vocabulary.encode(item.text.encode()),
        vocabularies.END,
        vocabularies.ASSISTANT,
    )
    job = Job(prompt, masker, Sampling(temperature=0.0), max_tokens=400)
    events = [event async for event in Autoregressive(model).generate(job)]
    text = b"".join(event.text for event in events if isinstance(event, Chunk))
    answer: dict[str, Any] = json.loads(text)
    return answer


async def extraction_rate(model: CausalModel, count: int) -> dict[str, Any]:
    """How often the object is exactly right, with Wilson's 95 % interval, and which ones are."""
    items = islice(extraction.items(EVALUATION_SEED, held_out=True), count)
    right = [await extraction_answer(model, item) == item.value for item in items]
    low, high = wilson(sum(right), count)
    marks = "".join("01"[each] for each in right)
    return {"items": count, "exact": sum(right) / count, "low": low, "high": high, "right": marks}


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate."""
    z, rate = 1.96, right / count
    middle = rate + z * z / (2 * count)
    spread = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return (middle - spread) / scale, (middle + spread) / scale


async def masked_loss(model: MaskedModel, windows: int) -> dict[str, float]:
    """Nats a masked token, of the model and of training's token frequencies, on code and items."""
    rng = random.Random(_NOISE_SEED)
    encode = _encoder(model.vocabulary)
    counts = _frequencies(encode, len(model.vocabulary))
    code = documents.code_documents(corpus.held_out_modules(), encode, rng, 700, 0.0)
    items = extraction.items(EVALUATION_SEED, held_out=True)
    answers = (documents.item_document(item, encode) for item in items)
    result: dict[str, float] = {}
    for kind, stream in (("code", code), ("items", answers)):
        model_nats = unigram_nats = masked_tokens = 0.0
        for document in islice(stream, windows):
            ids = np.array(document.ids[: model.context_tokens], np.int64)
            masked, _ = documents.noise(ids.tolist(), rng)
            rows = await model.logits(np.where(masked, vocabularies.MASK, ids))
            model_nats += cross_entropy(rows[masked], ids[masked])
            unigram_nats += float(-np.log(counts[ids[masked]]).sum())
            masked_tokens += float(masked.sum())
        result |= {
            f"{kind}_masked_tokens": masked_tokens,
            f"{kind}_nats": model_nats / masked_tokens,
            f"{kind}_unigram_nats": unigram_nats / masked_tokens,
        }
    return result


def _encoder(vocabulary: Vocabulary) -> documents.Encode:
    return lambda text: vocabulary.encode(text.encode())


def _frequencies(encode: documents.Encode, size: int) -> np.ndarray:
    """Smoothed shares of each token in a tenth of the training modules and 2,000 training items."""
    counts = Counter[int]()
    for module in corpus.training_modules()[::10]:
        counts.update(encode(module.text))
    for item in islice(extraction.items(EVALUATION_SEED, held_out=False), 2000):
        counts.update(documents.item_document(item, encode).ids)
    table: np.ndarray = np.array([counts[token] + 1.0 for token in range(size)])
    shares: np.ndarray = table / table.sum()
    return shares
