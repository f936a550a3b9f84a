"""Texts that certainly differ: each from another class.

Whether a text has come before is nothing that rules can remember. A checksum of it is: texts of
different checksums differ, and of few texts seldom two have the same by chance.
"""

from __future__ import annotations

from functools import cache

from lipogram.grammars import ir

_GROUP_BITS = 3  # of the first byte: they cost next to nothing
_SUM_BITS = 3  # of all bytes, exclusive-or'd: each bit doubles what a reader has to keep apart
CLASSES = 1 << (_GROUP_BITS + _SUM_BITS)
FEW_CLASSES = 1 << _SUM_BITS

_ALL = (1 << 256) - 1
_ANY = ir.Repeat(ir.Bytes(_ALL))


def _code(byte: int) -> int:
    """Bits in which bytes that occur together in texts differ."""
    return byte * 0x9E3779B1 >> 7


@cache
def of_class(number: int, classes: int = CLASSES) -> ir.Expression:
    """The byte strings of one class of this many: CLASSES, or FEW_CLASSES that cost less."""
    facts = []
    for bit in range(_SUM_BITS):
        mask = sum(1 << byte for byte in range(256) if _code(byte) >> bit & 1)
        facts.append(_parity(mask, number >> bit & 1))
    if classes == CLASSES:
        group = number >> _SUM_BITS
        first = sum(1 << byte for byte in range(256) if _code(byte) % (1 << _GROUP_BITS) == group)
        grouped: ir.Expression = ir.Sequence((ir.Bytes(first), _ANY))
        facts.append(grouped if group else ir.optional(grouped))
    return ir.Intersection(tuple(facts))


def _parity(mask: int, parity: int) -> ir.Expression:
    """Strings in which bytes of the set come an even (0) or an odd (1) number of times."""
    counted, gap = ir.Bytes(mask), ir.Repeat(ir.Bytes(_ALL & ~mask))
    even = ir.Sequence((gap, ir.Repeat(ir.Sequence((counted, gap, counted, gap)))))
    return ir.Sequence((gap, counted, even)) if parity else even
