"""Byte-level tokenizers: no normaliser, every byte has a token, each splits text its own way."""

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = (
    "<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>",
    "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|mask|>",
)  # fmt: skip
(
    END_OF_TEXT,
    FIM_PREFIX,
    FIM_SUFFIX,
    FIM_MIDDLE,
    FILE_SEPARATOR,
    SYSTEM,
    USER,
    ASSISTANT,
    END,
    MASK,
) = range(10)

WORDS = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
IDENTIFIERS = (
    r"[\r\n]+[ \t]*| ?\p{Lu}?\p{Ll}+| ?\p{Lu}+(?!\p{Ll})| ?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]{1,4}|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True)
class Encoder:
    """A tokenizer, with the ids of its special tokens fixed at 0 to 9."""

    tokenizer: Tokenizer

    def __call__(self, text: str) -> list[int]:
        """Token ids of ordinary text."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def train(texts: Iterable[str], size: int, pattern: str) -> Tokenizer:
    """A byte-level BPE of `size` tokens with specials; `pattern` splits text before merging."""
    tokenizer = _byte_level(models.BPE(), pattern)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(text, normalized=False, special=True) for text in SPECIALS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def byte_vocabulary() -> Tokenizer:
    """One token a byte, in byte order after the specials: a BPE without merges."""
    vocabulary = {text: index for index, text in enumerate(SPECIALS)}
    for byte, character in enumerate(_byte_characters()):
        vocabulary[character] = len(SPECIALS) + byte
    tokenizer = _byte_level(models.BPE(vocab=vocabulary, merges=[]), None)
    tokenizer.add_special_tokens(
        [AddedToken(text, normalized=False, special=True) for text in SPECIALS]
    )
    return tokenizer


def _byte_level(model: models.BPE, pattern: str | None) -> Tokenizer:
    tokenizer = Tokenizer(model)
    steps = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _byte_characters() -> list[str]:
    """The printable stand-in of each byte in the GPT-2 convention."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte) if byte in plain else chr(next(spare)) for byte in range(256)]
