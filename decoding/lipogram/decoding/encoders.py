"""Text to token ids, for the tokenizers of the two file formats that models come with.

Text is bytes. Where it is not UTF-8, the stretch that is not is spelled with the fewest tokens,
and the rest is encoded as usual. No encoder ever yields a special token from text: a user who
writes `<|endoftext|>` gets the tokens of those thirteen characters.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from tokenizers import Encoding, Regex, Tokenizer
from tokenizers.pre_tokenizers import Split

Encoder: TypeAlias = Callable[[bytes], list[int]]


@dataclass(frozen=True, slots=True)
class BytePairs:
    """A byte-pair encoding taken apart: text is split into pieces, and each piece is merged.

    `pieces` gives the ends of a text's pieces, in characters; `merged` merges bytes as if they
    were one piece, by merges alone. A piece that is in `whole` is that token, whatever merges say;
    a text of `added` becomes that token before anything is split. `pattern` are the regular
    expressions that split, None where something else does.
    """

    pieces: Callable[[str], list[int]]
    merged: Callable[[bytes], tuple[int, ...]]
    whole: Mapping[bytes, int]
    added: Mapping[str, int]
    pattern: str | None = None


_PIECES_REMEMBERED: Final = 1 << 16
_LONGEST_REMEMBERED: Final = 64  # bytes; longer pieces rarely come again

# What surrogateescape makes of bytes that are not UTF-8.
_UNDECODABLE: Final = re.compile("([\udc80-\udcff]+)")


def byte_pairs(ranks: Mapping[bytes, int], pattern: str, spell: Encoder) -> Encoder:
    """tiktoken's encoding: split by `pattern`, then merge the adjacent pair of lowest rank first.

    `ranks` are the token ids, in the order of the merges. O(n log n) in the longest piece.
    """
    pieces = Split(Regex(pattern), "isolated")

    def merged(piece: bytes) -> tuple[int, ...]:
        whole = ranks.get(piece)
        return (whole,) if whole is not None else _merge(piece, ranks, spell)

    remembered = lru_cache(_PIECES_REMEMBERED)(merged)

    def encode(text: bytes) -> list[int]:
        ids: list[int] = []
        for stretch, is_foreign in _stretches(text, _UNDECODABLE):
            split = [(stretch, (0, 0))] if is_foreign else pieces.pre_tokenize_str(stretch)
            for piece, _ in split:
                raw = piece.encode("utf-8", "surrogateescape")
                ids.extend(remembered(raw) if len(raw) <= _LONGEST_REMEMBERED else merged(raw))
        return ids

    return encode


def taken_apart(ranks: Mapping[bytes, int], pattern: str, spell: Encoder) -> BytePairs:
    """tiktoken's encoding as splits and merges."""
    split = Split(Regex(pattern), "isolated")

    def pieces(text: str) -> list[int]:
        return [end for _, (_, end) in split.pre_tokenize_str(text)]

    return BytePairs(pieces, lambda piece: _merge(piece, ranks, spell), ranks, {}, pattern)


def pipeline(
    tokenizer: Tokenizer, tokens: tuple[bytes, ...], space: str | None, spell: Encoder
) -> Encoder:
    """The encoding of a Hugging Face tokenizer, true to the text's bytes.

    Special and unknown tokens are spelled out instead, and so is text that the tokenizer would
    rewrite. `space` is the character that stands for a space in it: as text it is spelled out.
    """
    tokenizer.encode_special_tokens = True
    foreign = re.compile(f"([\udc80-\udcff{space or ''}]+)")

    def spelled(stretch: str, encoding: Encoding) -> Iterator[int]:
        for id, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True):
            if tokens[id]:
                yield id
            else:
                yield from spell(stretch[begin:end].encode())

    def encode(text: bytes) -> list[int]:
        ids: list[int] = []
        for stretch, is_foreign in _stretches(text, foreign):
            raw = stretch.encode("utf-8", "surrogateescape")
            found: list[int] = []
            if not is_foreign:
                encoding = tokenizer.encode(stretch, add_special_tokens=False)
                found = encoding.ids
                if not all(map(tokens.__getitem__, found)):
                    found = list(spelled(stretch, encoding))
            ids.extend(found if b"".join([tokens[id] for id in found]) == raw else spell(raw))
        return ids

    return encode


def _stretches(text: bytes, foreign: re.Pattern[str]) -> Iterator[tuple[str, bool]]:
    """The text in stretches that are not (False) and that are (True) foreign to the encoder."""
    parts = foreign.split(text.decode("utf-8", "surrogateescape"))
    return ((part, index % 2 == 1) for index, part in enumerate(parts) if part)


def _merge(piece: bytes, ranks: Mapping[bytes, int], spell: Encoder) -> tuple[int, ...]:
    """Byte-pair merging with a heap of candidate pairs; equal ranks merge leftmost first."""
    size = len(piece)
    after = list(range(1, size + 1))  # where the part that begins here ends
    before = list(range(-1, size - 1))  # where the part to the left of it begins
    heap: list[tuple[int, int, int]] = []  # (rank, begin, end) of two adjacent parts

    def offer(begin: int) -> None:
        if after[begin] < size:
            end = after[after[begin]]
            rank = ranks.get(piece[begin:end])
            if rank is not None:
                heapq.heappush(heap, (rank, begin, end))

    for begin in range(size):
        offer(begin)
    while heap:
        _, begin, end = heapq.heappop(heap)
        middle = after[begin]
        if middle < 0 or middle >= end or after[middle] != end:
            continue  # one of the two parts has been merged otherwise since
        after[begin], after[middle] = end, -1
        if end < size:
            before[end] = begin
        offer(begin)
        if before[begin] >= 0:
            offer(before[begin])
    ids: list[int] = []
    begin = 0
    while begin < size:
        part = piece[begin : after[begin]]
        rank = ranks.get(part)
        ids.extend([rank] if rank is not None else spell(part))
        begin = after[begin]
    return tuple(ids)
