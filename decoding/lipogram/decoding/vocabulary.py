"""A vocabulary: what each token is in bytes, which end a text, and how text becomes tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding import encoders, tokenizer_json
from lipogram.decoding.bytes.lexicon import Lexicon
from lipogram.decoding.bytes.segmentation import Merging, Reencoding, Segmentation
from lipogram.decoding.encoders import BytePairs, Encoder
from lipogram.decoding.errors import Unspellable, UnsupportedTokenizer
from lipogram.decoding.reaches import Reaches
from lipogram.decoding.trie import TokenTrie
from lipogram.grammars import ir, special_tokens

_TEXTS_REMEMBERED: Final = 64
_LONGEST_REMEMBERED: Final = 1 << 14  # bytes


class Vocabulary:
    """The tokens of a model; immutable, compared by identity, safe to share between threads.

    `tokens[id]` is the token's bytes, b"" where it is special: no text ever matches it. `eos_ids`
    end a text; `mask_id` is an unknown slot of a masked-diffusion model; `specials` names special
    ids: all but `mask_id` are allowed where a grammar has them (`ir.special`), and nowhere else.
    `text_start` is what the tokenizer puts before a text's first byte (SentencePiece's dummy
    space): `encode` never adds it, whoever begins a text does. Several tokens may share bytes.
    """

    def __init__(
        self,
        tokens: Sequence[bytes],
        *,
        eos_ids: Iterable[int] = (),
        mask_id: int | None = None,
        specials: Mapping[str, int] | None = None,
        text_start: bytes = b"",
        encoder: Encoder | None = None,
        byte_pairs: BytePairs | None = None,
    ) -> None:
        """`encoder` None encodes with the fewest tokens; `byte_pairs` is the same taken apart.

        Raises ValueError for ids out of range.
        """
        self.eos_ids = tuple(dict.fromkeys(eos_ids))
        self.mask_id = mask_id
        self.specials: Mapping[str, int] = MappingProxyType(dict(specials or {}))
        self.text_start = text_start
        texts = list(tokens)
        unspoken = {*self.eos_ids, *self.specials.values(), *([] if mask_id is None else [mask_id])}
        for id in unspoken:
            if not 0 <= id < len(texts):
                raise ValueError(f"special token id {id} is not one of the {len(texts)} tokens")
            texts[id] = b""
        self.tokens = tuple(texts)
        self._encoder = encoder
        self._byte_pairs = byte_pairs

    @classmethod
    def from_tokens(
        cls,
        tokens: Sequence[bytes],
        eos_ids: Iterable[int] = (),
        mask_id: int | None = None,
        specials: Mapping[str, int] | None = None,
    ) -> Vocabulary:
        """A vocabulary of bare tokens (id -> bytes, b"" special), encoding with the fewest."""
        return cls(tokens, eos_ids=eos_ids, mask_id=mask_id, specials=specials)

    @classmethod
    def from_tokenizer_json(
        cls,
        source: Path | str,
        *,
        eos_ids: Iterable[int] | None = None,
        mask_id: int | None = None,
        specials: Iterable[str] = (),
        size: int | None = None,
    ) -> Vocabulary:
        """Read a Hugging Face tokenizer.json: a path, or the JSON text itself.

        `eos_ids` and `mask_id` None are guessed from well-known names. `specials` names added
        tokens that are special though the file does not say so; those like `<|name|>` always
        are. `size` is the width of the model's scores: fewer tokens are padded, special ones beyond
        it are left out. Raises UnsupportedTokenizer.
        """
        file = tokenizer_json.read(source, frozenset(specials))
        width = size or len(file.tokens)
        if any(file.tokens[width:]):
            raise UnsupportedTokenizer(
                f"expected at most {width} tokens, one for each score, found {len(file.tokens)}"
            )
        tokens = file.tokens[:width] + (b"",) * (width - len(file.tokens))
        names = {name: id for name, id in file.specials.items() if id < width}
        named = names.items()
        if eos_ids is None:
            eos_ids = sorted(id for name, id in named if name in tokenizer_json.EOS_NAMES)
        if mask_id is None:
            mask_id = next((id for name, id in named if name in tokenizer_json.MASK_NAMES), None)
        vocabulary = cls(
            tokens,
            eos_ids=eos_ids,
            mask_id=mask_id,
            specials=names,
            text_start=file.text_start,
            byte_pairs=file.byte_pairs,
        )
        vocabulary._encoder = encoders.pipeline(
            file.tokenizer, vocabulary.tokens, file.space, vocabulary.spell
        )
        return vocabulary

    @classmethod
    def from_tiktoken(
        cls,
        ranks: Mapping[bytes, int],
        pattern: str,
        specials: Mapping[str, int],
        eos_ids: Iterable[int] = (),
    ) -> Vocabulary:
        """tiktoken's form: bytes -> id in the order of the merges, and the splitting pattern."""
        tokens = [b""] * (max((*ranks.values(), *specials.values()), default=-1) + 1)
        for token, id in ranks.items():
            tokens[id] = token
        vocabulary = cls(tokens, eos_ids=eos_ids, specials=specials)
        own = dict(ranks)
        vocabulary._encoder = encoders.byte_pairs(own, pattern, vocabulary.spell)
        vocabulary._byte_pairs = encoders.taken_apart(own, pattern, vocabulary.spell)
        return vocabulary

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def trie(self) -> TokenTrie:
        """All tokens with text as a byte trie; built on first use."""
        return TokenTrie.build(enumerate(self.tokens))

    @cached_property
    def spellings(self) -> Mapping[bytes, int]:
        """How grammars spell the tokens that have no text (`ir.special`): by name and by id."""
        spelled = {ir.special(name).text: id for name, id in self.specials.items()}
        spelled.update(
            (ir.special(f"[{id}]").text, id) for id, text in enumerate(self.tokens) if not text
        )
        return MappingProxyType({text: id for text, id in spelled.items() if id != self.mask_id})

    @cached_property
    def _spellings_of(self) -> Mapping[int, tuple[bytes, ...]]:
        found: dict[int, tuple[bytes, ...]] = {}
        for text, id in self.spellings.items():
            found[id] = (*found.get(id, ()), text)
        return found

    def spellings_of(self, id: int) -> tuple[bytes, ...]:
        """The byte strings that grammars have where the token is allowed, names before ids."""
        text = self.tokens[id]
        return (text,) if text else self._spellings_of.get(id, ())

    @cached_property
    def longest_token_bytes(self) -> int:
        """The bytes of the longest token."""
        return max(map(len, self.tokens), default=0)

    @cached_property
    def reaches(self) -> Reaches:
        """What maskers have found out about residuals, for other grammars that contain them."""
        return self.reaches_of(None)

    def reaches_of(self, ids: Set[int] | None) -> Reaches:
        """The same of some tokens, None for all."""
        spelled = ((id, text) for text, id in self.spellings.items() if ids is None or id in ids)
        texts = enumerate(self.tokens) if ids is None else ((id, self.tokens[id]) for id in ids)
        return Reaches(TokenTrie.build(chain(texts, spelled)), len(self))

    @cached_property
    def lexicon(self) -> Lexicon:
        """The tokens with text in the order of their bytes."""
        return Lexicon(self.trie.token_ids, self.tokens)

    @cached_property
    def segmentation(self) -> Segmentation:
        """Which token strings the tokenizer writes."""
        if self._byte_pairs is not None:
            return Merging(self.tokens, self.encode, self._byte_pairs)
        return Reencoding(self.tokens, self.encode)

    @cached_property
    def has_text(self) -> NDArray[np.bool_]:
        """Which tokens are not special: bool[V], read-only."""
        spoken = np.array([bool(token) for token in self.tokens], np.bool_)
        spoken.flags.writeable = False
        return spoken

    @cached_property
    def ends(self) -> NDArray[np.int32]:
        """The end-of-sequence tokens as a mask; read-only."""
        bits = np.zeros(-(-len(self) // 32) * 32, np.bool_)
        bits[list(self.eos_ids)] = True
        return _packed(bits)

    @cached_property
    def unmarked(self) -> NDArray[np.int32]:
        """The tokens whose text has no byte that marks special tokens, as a mask; read-only."""
        bits = np.zeros(-(-len(self) // 32) * 32, np.bool_)
        bits[: len(self)] = [special_tokens.MARK not in text for text in self.tokens]
        return _packed(bits)

    @cached_property
    def spells_all(self) -> bool:
        """Whether every byte is a token, so that any text can be spelled."""
        return len({token for token in self.tokens if len(token) == 1}) == 256

    def encode(self, text: bytes) -> list[int]:
        """The text's tokens as the model's tokenizer forms them; never a special one.

        Any bytes, UTF-8 or not. Raises Unspellable where no tokens spell them.
        """
        encode = self._remembering if len(text) <= _LONGEST_REMEMBERED else self._encoded
        return list(encode(text))

    @cached_property
    def _remembering(self) -> Callable[[bytes], tuple[int, ...]]:
        """One request asks for the same text several times."""
        return lru_cache(_TEXTS_REMEMBERED)(self._encoded)

    def _encoded(self, text: bytes) -> tuple[int, ...]:
        return tuple(self.spell(text) if self._encoder is None else self._encoder(text))

    def spell(self, text: bytes) -> list[int]:
        """The fewest tokens whose bytes are `text`; raises Unspellable."""
        ids = self.trie.spell(text)
        if ids is None:
            raise Unspellable(f"the vocabulary has no tokens that spell {text[:80]!r}")
        return ids

    def decode(self, ids: Iterable[int]) -> bytes:
        """The tokens' bytes, joined; special tokens have none."""
        return b"".join([self.tokens[id] for id in ids])


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.int32]:
    """A mask of 32 tokens a word; read-only."""
    words = np.packbits(bits, bitorder="little").view("<i4").astype(np.int32)
    words.flags.writeable = False
    return words
