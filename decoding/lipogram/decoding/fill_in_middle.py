"""Prompts to fill in the middle, as each family of code models was trained to read them.

The sentinels are found among a vocabulary's special tokens, so a text that spells one is only text.
Two orders exist: prefix, suffix, middle ("psm"; Bavarian et al. 2022), where the middle begins
behind a sentinel, and suffix, prefix, middle ("spm"), where it follows the prefix directly. There
the prefix is left to the job as `text`, whose last token need not end at the cursor. In psm the
prefix stays as it is: all these families were cut at characters, each part encoded apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lipogram.decoding.errors import NoInfilling
from lipogram.decoding.vocabulary import Vocabulary

Order: TypeAlias = Literal["spm", "psm"]
Orders: TypeAlias = tuple[Order, ...]

_BOTH: Orders = ("spm", "psm")


@dataclass(frozen=True, slots=True)
class File:
    """Another file of the project, or a part of one."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a job begins with: fixed tokens, and the bytes from there to the cursor.

    `ends` are special tokens that end what follows, beside end-of-sequence.
    """

    tokens: tuple[int, ...] = ()
    text: bytes = b""
    ends: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Family:
    """How one family writes an infilling prompt.

    `prefix`, `suffix` and `middle` name its sentinels; without `middle` the middle follows the
    prefix (Codestral). `orders` are those it was trained with, the default first. Where `needs`
    are special tokens too, other files are written `repository`, then for each `file`, its name, a
    line break and its text; `file` None puts names as comments. All of `marks` end a middle.
    """

    prefix: str
    suffix: str
    middle: str | None
    orders: Orders
    needs: tuple[str, ...] = ()
    repository: str | None = None
    file: str | None = None
    plain_mark: str = "#"
    marks: tuple[str, ...] = ()

    @property
    def sentinels(self) -> tuple[str, ...]:
        """The tokens that must be there."""
        middle = (self.middle,) if self.middle else ()
        return (self.prefix, self.suffix, *middle, *self.needs)


_ANGLED = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_STAR = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")

FAMILIES: dict[str, Family] = {
    "qwen": Family(
        *_ANGLED, ("psm",), ("<|repo_name|>", "<|file_sep|>"), "<|repo_name|>", "<|file_sep|>",
        marks=("<|endoftext|>", "<|fim_pad|>"),
    ),
    "codegemma": Family(
        *_ANGLED, ("psm", "spm"), ("<|file_separator|>",), None, "<|file_separator|>"
    ),
    "embedded": Family(*_ANGLED, _BOTH, ("<|file_sep|>",), None, "<|file_sep|>"),
    "angled": Family(*_ANGLED, _BOTH),
    "starcoder2": Family(
        *_STAR, ("psm", "spm"), ("<repo_name>", "<file_sep>"), "<repo_name>", "<file_sep>",
        marks=("<|endoftext|>", "<fim_pad>"),
    ),
    "starcoder": Family(
        *_STAR, ("psm", "spm"), ("<filename>",), None, "<filename>",
        marks=("<|endoftext|>", "<fim_pad>", "<reponame>"),
    ),
    "santacoder": Family("<fim-prefix>", "<fim-suffix>", "<fim-middle>", ("psm", "spm")),
    "codellama": Family("▁<PRE>", "▁<SUF>", "▁<MID>", ("psm", "spm"), marks=("▁<EOT>",)),
    "deepseek": Family(
        "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", ("psm",), marks=("<|EOT|>",)
    ),
    "codestral": Family("[PREFIX]", "[SUFFIX]", None, ("spm",), plain_mark="+++++ "),
}  # fmt: skip


class FillInMiddle:
    """The infilling format of one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """The first family all of whose sentinels are there; raises NoInfilling."""
        specials = vocabulary.specials
        named = (
            (name, family)
            for name, family in FAMILIES.items()
            if all(mark in specials for mark in family.sentinels)
        )
        found = next(named, None)
        if found is None:
            raise NoInfilling(
                "the model has no special tokens for infilling; it was not trained to"
            )
        self.name, self.family = found
        self._vocabulary = vocabulary

    @property
    def orders(self) -> Orders:
        """The orders that the model was trained with, the default first."""
        return self.family.orders

    @property
    def ends(self) -> frozenset[int]:
        """Special tokens that end a middle, beside those that end any text."""
        family, specials = self.family, self._vocabulary.specials
        names = {*family.sentinels, *family.marks, family.repository, family.file}
        return frozenset(id for name, id in specials.items() if name in names)

    def prompt(
        self,
        prefix: str,
        suffix: str,
        files: Sequence[File] = (),
        order: Order | None = None,
        name: str = "",
    ) -> Prompt:
        """The prompt after which the middle follows; `files` stand before it, the nearest last.

        `name` is that of the file itself, which families are told that know names. Raises
        ValueError for an order that the model does not know, and Unspellable.
        """
        order = order or self.orders[0]
        if order not in self.orders:
            raise ValueError(
                f"expected one of the orders {', '.join(self.orders)}, found {order!r}"
            )
        before = self._context(files, name)
        text = self._vocabulary.text_start + (self._head(files) + prefix).encode()
        ids, encode = self._vocabulary.specials, self._vocabulary.encode
        family = self.family
        after = encode(suffix.encode())
        if family.middle is None:
            return Prompt((*before, ids[family.suffix], *after, ids[family.prefix]), text)
        first, between, last = ids[family.prefix], ids[family.suffix], ids[family.middle]
        if order == "spm":
            return Prompt((*before, first, between, *after, last), text)
        return Prompt((*before, first, *encode(text), between, *after, last))

    def _context(self, files: Sequence[File], name: str) -> list[int]:
        """The other files as tokens, where the family has tokens for them."""
        family, vocabulary = self.family, self._vocabulary
        if family.file is None or not files:
            return []
        ids: list[int] = []
        if family.repository is not None:
            ids += [vocabulary.specials[family.repository], *vocabulary.encode(b"repository\n")]
        for file in files:
            ids += [vocabulary.specials[family.file], *vocabulary.encode(_titled(file).encode())]
        ids.append(vocabulary.specials[family.file])
        return ids + (vocabulary.encode(f"{name}\n".encode()) if name else [])

    def _head(self, files: Sequence[File]) -> str:
        """The other files as text, where the family has no tokens for them."""
        if self.family.file is not None:
            return ""
        return "".join(f"{self.family.plain_mark}{_titled(file)}" for file in files)


def _titled(file: File) -> str:
    text = file.text if file.text.endswith("\n") else f"{file.text}\n"
    return f"{file.name}\n{text}"
