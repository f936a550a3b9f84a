"""Which token strings a tokenizer writes: of the many that spell a text, mostly one.

A byte-pair encoding is judged from its parts: no token may lie across the end of a piece, and
within a piece every two neighbours must be what merging their joint text gives, which is enough
(the last token determines all before it). So it is known of texts that are still to be continued
what only their end would show by encoding them. Other tokenizers are asked to encode the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from lipogram.decoding.bytes.shapes import shapes
from lipogram.decoding.encoders import BytePairs, Encoder

_JUDGED: Final = 1 << 17  # verdicts remembered
_PIECES_KEPT: Final = 4  # pieces at the end of a text that what follows might split otherwise
_TOKENS_KEPT: Final = 16

# What may follow, one of each kind that patterns tell apart: where they look ahead, a text may then
# be split before its last character; or it turns out that a contraction had begun.
_NEXT: Final = ("a", "A", "0", " ", "\n", ".")
_CONTRACTION: Final = re.compile("['’][lrv]", re.IGNORECASE)
_CONTRACTED: Final = ("l", "L", "e", "E")
_APOSTROPHES: Final = (b"'", "’".encode())

_WINDOWS: Final = 256  # whose outcomes are remembered
_NEITHER, _SPLIT, _JOINED = range(3)


class Segmentation(Protocol):
    """Judges windows: tokens from a place on where the tokenizer could have begun as well."""

    def writes(self, tokens: tuple[int, ...], is_end: bool = False) -> bool:
        """Whether the tokenizer writes these tokens for a text that goes on, or ends, here."""
        ...

    def writes_each(self, window: tuple[int, ...], ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each of the tokens: whether they are written after the window; bool[len(ids)]."""
        ...

    def goes_on(self, tokens: tuple[int, ...], text: bytes) -> bool:
        """False only if the tokenizer writes these tokens for no text that goes on with `text`."""
        ...

    def restart(self, tokens: Sequence[int]) -> int:
        """An index from which on windows may begin, for tokens that go on; 0 always is one."""
        ...


class Reencoding:
    """Any tokenizer: it writes what it makes of its own text again."""

    def __init__(self, tokens: Sequence[bytes], encode: Encoder) -> None:
        self._tokens = tokens
        self._encode = encode
        self._longest = max(map(len, tokens), default=0)
        self.writes = lru_cache(_JUDGED)(self._writes)

    def _writes(self, tokens: tuple[int, ...], is_end: bool = False) -> bool:
        texts = [self._tokens[id] for id in tokens]
        count = len(tokens)
        if not is_end:
            # Bytes that begin a character are judged when it is complete.
            pending = len(unfinished(b"".join(texts)))
            while pending > 0 and len(texts[count - 1]) == 1:
                count, pending = count - 1, pending - 1
            if pending:
                count = len(tokens)
        return self._encode(b"".join(texts[:count])) == list(tokens[:count])

    def writes_each(self, window: tuple[int, ...], ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Segmentation.writes_each."""
        return np.array([self.writes((*window, id)) for id in ids.tolist()], np.bool_)

    def goes_on(self, tokens: tuple[int, ...], text: bytes) -> bool:
        """See Segmentation.goes_on."""
        return True

    def restart(self, tokens: Sequence[int]) -> int:
        """See Segmentation.restart."""
        return _far_enough(self._tokens, tokens, _TOKENS_KEPT, self._longest)


class Merging:
    """A byte-pair encoding."""

    def __init__(self, tokens: Sequence[bytes], encode: Encoder, parts: BytePairs) -> None:
        self._tokens = tokens
        self._encode = encode
        self._longest = max(map(len, tokens), default=0)
        self._parts = parts
        longest_first = sorted(parts.added, key=len, reverse=True)
        self._added = re.compile(f"({'|'.join(map(re.escape, longest_first))})")
        self._shapes = shapes(tokens, parts.pattern)
        self._endings = {text[-1:] for text in (each.encode() for each in parts.added)}
        self._merges_to = lru_cache(2 * _JUDGED)(self._merged)
        self._outcomes = lru_cache(_WINDOWS)(lambda window: dict[int, int]())
        self.writes = lru_cache(_JUDGED)(self._writes)

    def _writes(self, tokens: tuple[int, ...], is_end: bool = False) -> bool:
        text = b"".join([self._tokens[id] for id in tokens])
        tail = unfinished(text)
        try:
            head = text[: len(text) - len(tail)].decode()
        except UnicodeDecodeError:
            return self._encode(text) == list(tokens)
        if is_end:
            return self._encode(text) == list(tokens) if tail else self._fits(tokens, head, True)
        if tail:
            return any(self._fits(tokens, head + char, False) for char in completions(tail))
        if self._fits(tokens, head, False):
            return True
        following = _looked_ahead(self._tokens[tokens[-1]])
        return any(self._fits(tokens, head + char, False) for char in following)

    def writes_each(self, window: tuple[int, ...], ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Segmentation.writes_each; tokens of one shape are split alike."""
        before = b"".join([self._tokens[id] for id in window[-4:]])[-4:]
        is_plain = not unfinished(before) and not any(mark in before for mark in _APOSTROPHES)
        outcomes = self._outcomes(window)
        verdicts = []
        for id, shape in zip(ids.tolist(), self._shapes[ids].tolist(), strict=True):
            if shape < 0 or not is_plain or self._tokens[id][-1:] in self._endings:
                verdicts.append(self.writes((*window, id)))
                continue
            outcome = outcomes.get(shape)
            if outcome is None:
                outcome = outcomes[shape] = self._joined((*window, id))
            if outcome == _JOINED:
                is_written = self._merges_to((window[-1], id))
            else:
                is_written = outcome == _SPLIT and self._merges_to((id,))
            verdicts.append(
                is_written or (bool(_looked_ahead(self._tokens[id])) and self.writes((*window, id)))
            )
        return np.array(verdicts, np.bool_)

    def _joined(self, tokens: tuple[int, ...]) -> int:
        """How the last token goes on from the others, whatever it merges to."""
        text = b"".join([self._tokens[id] for id in tokens])
        try:
            string = text.decode()
        except UnicodeDecodeError:
            return _NEITHER
        position = index = 0
        for piece, added in self._pieces(string):
            position += len(piece)
            inside: list[int] = []
            size = position - len(piece)
            while index < len(tokens) and size < position:
                inside.append(tokens[index])
                size += len(self._tokens[tokens[index]])
                index += 1
            if size > position or (added is not None and inside != [added]):
                return _NEITHER
            if index == len(tokens):
                is_joined = len(inside) > 1
                pairs = pairwise(inside[:-1])
                return (
                    (_JOINED if is_joined else _SPLIT)
                    if all(self._merges_to(pair) for pair in pairs)
                    else _NEITHER
                )
            if not self._writes_piece(inside, piece, added, True):
                return _NEITHER
        return _NEITHER

    def goes_on(self, tokens: tuple[int, ...], text: bytes) -> bool:
        """See Segmentation.goes_on."""
        whole = b"".join([self._tokens[id] for id in tokens]) + text
        try:
            head = whole.decode()
        except UnicodeDecodeError:
            return True
        return any(self._fits(tokens, head + char, False) for char in ("", *_NEXT))

    def _fits(self, tokens: tuple[int, ...], text: str, is_end: bool) -> bool:
        """Whether the pieces of `text`, which begins as the tokens do, are written so."""
        size = sum(len(self._tokens[id]) for id in tokens)
        goes_on = not is_end and size == len(text.encode())
        position = index = 0
        for piece, added in self._pieces(text):
            end = position + len(piece)
            inside: list[int] = []
            while index < len(tokens) and position < end:
                inside.append(tokens[index])
                position += len(self._tokens[tokens[index]])
                index += 1
            if not inside:
                break
            is_open = end > size or (end == size and goes_on)
            if position > end or not self._writes_piece(inside, piece, added, not is_open):
                return False
        return True

    def _writes_piece(
        self, inside: list[int], piece: bytes, added: int | None, is_closed: bool
    ) -> bool:
        if added is not None:
            return inside == [added]
        whole = self._parts.whole.get(piece)
        if whole is not None and (is_closed or inside == [whole]):
            return inside == [whole]
        if len(inside) == 1:
            return self._merges_to((inside[0],))
        return all(self._merges_to(pair) for pair in pairwise(inside))

    def _merged(self, tokens: tuple[int, ...]) -> bool:
        text = b"".join([self._tokens[id] for id in tokens])
        return self._parts.merged(text) == tokens

    def _pieces(self, text: str) -> Iterator[tuple[bytes, int | None]]:
        """The pieces' bytes, and the token if it is an added one."""
        parts = self._added.split(text) if self._parts.added else [text]
        for number, part in enumerate(parts):
            if number % 2:
                yield part.encode(), self._parts.added[part]
            elif part:
                begin = 0
                for end in self._parts.pieces(part):
                    yield part[begin:end].encode(), None
                    begin = end

    def restart(self, tokens: Sequence[int]) -> int:
        """See Segmentation.restart."""
        texts = [self._tokens[id] for id in tokens]
        text = b"".join(texts)
        try:
            ends = _running(len(piece) for piece, _ in self._pieces(text.decode()))
        except UnicodeDecodeError:
            ends = []
        starts = {0, *ends[: -_PIECES_KEPT or None]}
        found = position = 0
        for index, token in enumerate(texts):
            if position in starts:
                found = index
            position += len(token)
        return max(found, _far_enough(self._tokens, tokens, _TOKENS_KEPT, self._longest))


def _looked_ahead(token: bytes) -> tuple[str, ...]:
    """What to try after a token that the tokenizer might write only with something after it."""
    text = token.decode(errors="replace")
    return _NEXT if len(text) == 1 else _CONTRACTED if _CONTRACTION.fullmatch(text) else ()


def _running(lengths: Iterator[int]) -> list[int]:
    total, sums = 0, []
    for length in lengths:
        total += length
        sums.append(total)
    return sums


def _far_enough(texts: Sequence[bytes], tokens: Sequence[int], count: int, size: int) -> int:
    """Where a character begins, and at least `count` tokens and `size` bytes follow; else 0."""
    for index in range(len(tokens) - 1, -1, -1):
        text = texts[tokens[index]]
        size -= len(text)
        if len(tokens) - index >= count and size <= 0 and not 0x80 <= text[0] < 0xC0:
            return index
    return 0


def unfinished(text: bytes) -> bytes:
    """The bytes at the end that begin a UTF-8 character and do not complete it."""
    for size in range(1, min(3, len(text)) + 1):
        lead = text[-size]
        if lead >= 0xC2:
            length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            is_begun = lead < 0xF5 and length > size and next(completions(text[-size:]), None)
            return text[-size:] if is_begun else b""
        if lead < 0x80:
            break
    return b""


def completions(beginning: bytes) -> Iterator[str]:
    """Characters of every general category that begin with these bytes; none if no such bytes."""
    return iter(_completions(beginning))


@cache
def _completions(beginning: bytes) -> tuple[str, ...]:
    lead = beginning[0]
    length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    codes = {2: range(0x80, 0x800), 3: range(0x800, 0x10000), 4: range(0x10000, 0x110000)}[length]
    payload = lead & (0xFF >> (length + 1))
    for byte in beginning[1:]:
        payload = payload << 6 | (byte & 0x3F)
    shift = 6 * (length - len(beginning))
    found: dict[str, str] = {}
    for code in range(payload << shift, (payload + 1) << shift):
        if code in codes and not 0xD800 <= code < 0xE000:
            found.setdefault(unicodedata.category(chr(code)), chr(code))
    return tuple(found.values())
