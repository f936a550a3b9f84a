"""Languages of texts that end as soon as they can."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lipogram.grammars import ir

_ANY_BYTES = ir.Repeat(ir.Bytes((1 << 256) - 1))
_SOME_BYTES = ir.Repeat(ir.Bytes((1 << 256) - 1), 1)


def nonempty(language: ir.Expression) -> ir.Expression:
    """The members but the empty one."""
    return ir.Intersection((language, _SOME_BYTES))


def shortest(language: ir.Expression) -> ir.Expression:
    """The members of which no proper prefix is a member."""
    return ir.Intersection((language, ir.Complement(ir.sequence(language, _SOME_BYTES))))


def before(language: ir.Expression, ends: ir.Expression) -> ir.Expression | None:
    """The members after which an end completes a shortest member of `language ends`.

    The ends are listed texts or single characters; None for others.
    """
    taken = ir.Complement(ir.sequence(language, ends, _ANY_BYTES))
    if isinstance(ends, ir.Chars):
        return ir.Intersection((language, taken))
    texts = _listed(ends)
    if texts is None:
        return None
    firsts = [end for end in texts if not any(end != t and end.startswith(t) for t in texts)]
    options = [
        ir.Intersection((language, taken, *_no_overlap(language, end, firsts))) for end in firsts
    ]
    return ir.choice(*options)


def _no_overlap(
    language: ir.Expression, end: bytes, ends: Iterable[bytes]
) -> Iterator[ir.Expression]:
    """No other end is complete before this one, having begun before it."""
    for other in ends:
        for length in range(1, len(other)):
            rest = other[length:]
            if end.startswith(rest) and end != rest:
                yield ir.Complement(ir.sequence(language, ir.Literal(other[:length])))


def _listed(expression: ir.Expression) -> tuple[bytes, ...] | None:
    match expression:
        case ir.Literal(text):
            return (text,)
        case ir.Literals(texts):
            return texts
        case ir.Choice(options) if options:
            parts = [_listed(option) for option in options]
            return None if None in parts else tuple(t for part in parts if part for t in part)
        case _:
            return None
