"""Token models small enough to enumerate: byte-pair encodings stated anew, and tables of scores."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise, product

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from lipogram.decoding import Vocabulary
from lipogram.decoding.encoders import BytePairs
from lipogram.decoding.models.table import TableModel

Tokens = tuple[int, ...]

TOY_TOKENS = (b"A", b"B", b"AB", b"AA", b"ABA", b"AAAB")
TOY_MERGES = ((b"A", b"B"), (b"A", b"A"), (b"AB", b"A"), (b"AA", b"AB"))


def merged(text: bytes, merges: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """Byte-pair encoding by its definition: the pair of the first merge, leftmost, again."""
    parts = [text[index : index + 1] for index in range(len(text))]
    while True:
        found = [
            (merges.index(pair), at) for at, pair in enumerate(pairwise(parts)) if pair in merges
        ]
        if not found:
            return parts
        _, at = min(found)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def toy_vocabulary(
    in_parts: bool,
    tokens: Sequence[bytes] = TOY_TOKENS,
    merges: Sequence[tuple[bytes, bytes]] = TOY_MERGES,
) -> Vocabulary:
    """The vocabulary of research on tokenization bias, judged by its parts or by encoding."""

    def encode(text: bytes) -> list[int]:
        return [tokens.index(part) for part in merged(text, merges)]

    parts = BytePairs(lambda text: [len(text)], lambda piece: tuple(encode(piece)), {}, {})
    return Vocabulary(
        [*tokens, b""],
        eos_ids=(len(tokens),),
        encoder=encode,
        byte_pairs=parts if in_parts else None,
    )


@dataclass
class Finite:
    """A random model of token strings of at most `size` bytes, over some of the tokens."""

    vocabulary: Vocabulary
    ids: Sequence[int]
    size: int
    seed: int
    spread: float = 1.5

    @property
    def end(self) -> int:
        return self.vocabulary.eos_ids[0]

    @cached_property
    def model(self) -> TableModel:
        return TableModel(self.vocabulary, cache(self._scores))

    def _scores(self, prefix: Tokens) -> np.ndarray:
        drawn = np.random.default_rng((self.seed, *prefix)).normal(0, self.spread, len(self.ids))
        scores = np.full(len(self.vocabulary), -np.inf, np.float32)
        room = self.size - len(self.vocabulary.decode(prefix))
        for id, score in zip(self.ids, drawn, strict=True):
            if len(self.vocabulary.tokens[id]) <= room:
                scores[id] = score
        scores[self.end] = 0.5
        return scores

    def row(self, prefix: Tokens) -> np.ndarray:
        """Log-probabilities, float64[V]."""
        if prefix not in self._log_rows:
            scores = self._scores(prefix).astype(np.float64)
            best = scores.max()
            self._log_rows[prefix] = scores - best - math.log(np.exp(scores - best).sum())
        return self._log_rows[prefix]

    @cached_property
    def _log_rows(self) -> dict[Tokens, np.ndarray]:
        return {}

    def strings(self) -> Iterator[tuple[Tokens, float]]:
        """Every ended token string, the end left out, with its probability."""
        waiting: list[tuple[Tokens, float]] = [((), 0.0)]
        while waiting:
            tokens, weight = waiting.pop()
            row = self.row(tokens)
            yield tokens, math.exp(weight + row[self.end])
            waiting += [((*tokens, id), weight + row[id]) for id in self.ids if row[id] > -math.inf]

    def covers(self, text: bytes) -> Iterator[tuple[Tokens, float]]:
        """Every cover of a text, with its probability; the empty one of the empty text."""
        waiting: list[tuple[Tokens, float]] = [((), 0.0)]
        while waiting:
            tokens, weight = waiting.pop()
            spelled = self.vocabulary.decode(tokens)
            if spelled.startswith(text):
                yield tokens, math.exp(weight)
            elif text.startswith(spelled):
                row = self.row(tokens)
                waiting += [
                    ((*tokens, id), weight + row[id]) for id in self.ids if row[id] > -math.inf
                ]


class Written(Finite):
    """The same, but token strings that its tokenizer does not write have no chance."""

    def _scores(self, prefix: Tokens) -> np.ndarray:
        scores = super()._scores(prefix)
        for id in self.ids:
            if not self._is_written((*prefix, id)):
                scores[id] = -np.inf
        return scores

    @cached_property
    def _is_written(self) -> Callable[[Tokens], bool]:
        return is_written(self)


def is_written(finite: Finite) -> Callable[[Tokens], bool]:
    """Whether tokens are what the tokenizer makes of some text, by encoding all short ones."""
    spells_all = finite.vocabulary.spells_all
    letters = sorted({byte for id in finite.ids for byte in finite.vocabulary.tokens[id]})
    known = [*letters, *(b".x" if spells_all else b"")]
    # Letters that the model does not know count as well: the tokenizer does.
    endings = [bytes(text) for size in range(3) for text in product(known, repeat=size)]

    @cache
    def judge(tokens: Tokens) -> bool:
        text = finite.vocabulary.decode(tokens)
        return any(
            tuple(finite.vocabulary.encode(text + ending)[: len(tokens)]) == tokens
            for ending in endings
        )

    return judge


def trained(texts: Sequence[str], size: int, pattern: str | None, **model: object) -> str:
    """A byte-level BPE trained on the spot, as a tokenizer.json with an end of text."""
    tokenizer = Tokenizer(models.BPE(**model))
    steps = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return str(tokenizer.to_str())


def with_added(text: str, *added: str) -> str:
    """The same with added tokens that are not special."""
    tokenizer = Tokenizer.from_str(text)
    tokenizer.add_tokens([AddedToken(each, special=False, normalized=False) for each in added])
    return str(tokenizer.to_str())


def ignoring_merges(text: str) -> str:
    """The same where a piece that is a token is that token, whatever merges say."""
    content = json.loads(text)
    content["model"]["ignore_merges"] = True
    return json.dumps(content)
