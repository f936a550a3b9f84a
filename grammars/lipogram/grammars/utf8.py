"""Code-point ranges as UTF-8 byte ranges (RFC 3629)."""

from __future__ import annotations

from collections.abc import Iterator

ByteRanges = tuple[tuple[int, int], ...]

_LENGTH_LIMITS = ((0x00, 0x7F), (0x80, 0x7FF), (0x800, 0xFFFF), (0x10000, 0x10FFFF))


def byte_ranges(low: int, high: int) -> Iterator[ByteRanges]:
    """Sequences of inclusive byte ranges that together encode exactly `low`..`high`.

    Surrogates must have been cut out. A sequence is a product: every choice of one byte from
    each of its ranges is a character of the range.
    """
    for first, last in _LENGTH_LIMITS:
        start, stop = max(low, first), min(high, last)
        if start <= stop:
            yield from _same_length(chr(start).encode(), chr(stop).encode())


def _same_length(low: bytes, high: bytes) -> Iterator[ByteRanges]:
    if len(low) == 1 or low[0] == high[0]:
        if len(low) == 1:
            yield ((low[0], high[0]),)
        else:
            for rest in _same_length(low[1:], high[1:]):
                yield ((low[0], low[0]), *rest)
        return
    tail = len(low) - 1
    first, last = low[0], high[0]
    if any(byte != 0x80 for byte in low[1:]):
        for rest in _same_length(low[1:], b"\xbf" * tail):
            yield ((first, first), *rest)
        first += 1
    has_partial_end = any(byte != 0xBF for byte in high[1:])
    if has_partial_end:
        last -= 1
    if first <= last:
        yield ((first, last), *(((0x80, 0xBF),) * tail))
    if has_partial_end:
        for rest in _same_length(b"\x80" * tail, high[1:]):
            yield ((high[0], high[0]), *rest)
