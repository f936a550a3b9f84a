"""The four models: shape, tokenizer and data of each."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from tokenizers import Tokenizer

from lipogram.decoding.train import batches, corpus, documents, extraction, vocabularies
from lipogram.decoding.train.architecture import Batch, Shape

TOKENIZER_ITEMS = 20_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `lipogram train NAME` makes; `pattern` None means one token a byte.

    Rows hold `length` tokens, which may be fewer than the model's context: the causal ones, whose
    positions are relative, were found to be as good at twice the length.
    """

    shape: Shape
    pattern: str | None
    rows: int
    length: int
    item_share: float
    infill_share: float
    minutes: float

    def tokenizer(self, seed: int) -> Tokenizer:
        """Trains the tokenizer on the training data alone."""
        if self.pattern is None:
            return vocabularies.byte_vocabulary()
        items = islice(extraction.items(seed, held_out=False), TOKENIZER_ITEMS)
        texts = [module.text for module in corpus.training_modules()]
        texts += [f"{item.text}\n{item.answer}" for item in items]
        return vocabularies.train(texts, self.shape.vocabulary_size, self.pattern)

    def batches(self, tokenizer: Tokenizer, seed: int) -> Iterator[Batch]:
        """The endless training data."""
        rng, encode = random.Random(seed), vocabularies.Encoder(tokenizer)
        modules = corpus.training_modules()
        sample = "".join(module.text for module in modules[:40])
        size = int(len(sample) / len(encode(sample)) * self.length * 0.97)
        code = documents.code_documents(modules, encode, rng, size, self.infill_share)
        items = (
            documents.item_document(item, encode) for item in extraction.items(seed, held_out=False)
        )
        rows = batches.packed_rows(batches.mixed(code, items, self.item_share), self.length)
        if self.shape.causal:
            return batches.causal_batches(rows, self.length, self.rows)
        return batches.masked_batches(rows, self.length, self.rows, rng)


def _causal(
    vocabulary_size: int, layers: int, orders: tuple[int, ...], buckets: int, window: int
) -> Shape:
    windows = tuple(0 if layer in (1, layers - 2) else window for layer in range(layers))
    return Shape(vocabulary_size, 192, 3, windows, orders, buckets, 128, 2048)


_BYTES = 256 + len(vocabularies.SPECIALS)

RECIPES = {
    "embedded-2k": Recipe(
        _causal(2048, 5, (2, 3), 12_289, 128), vocabularies.WORDS, 4, 1024, 0.5, 0.8, 70
    ),
    "embedded-4k": Recipe(
        _causal(4096, 5, (2, 3), 12_289, 128), vocabularies.IDENTIFIERS, 4, 1024, 0.3, 0.5, 43
    ),
    "embedded-byte": Recipe(_causal(_BYTES, 5, (2, 3, 5), 6_151, 128), None, 4, 1024, 0.3, 0.5, 32),
    "embedded-diffusion": Recipe(
        replace(_causal(2048, 5, (2, 3), 12_289, 128), causal=False, context_tokens=1024),
        vocabularies.WORDS,
        8,
        512,
        0.35,
        0.0,
        24,
    ),
}
