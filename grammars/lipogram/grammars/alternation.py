"""Alternatives of a grammar text, many of which may be plain texts."""

from __future__ import annotations

from collections.abc import Iterable

from lipogram.grammars import ir

_FEW_TEXTS = 16


def union(options: Iterable[ir.Expression]) -> ir.Expression:
    """Any of the options; many plain texts become one node."""
    texts: dict[bytes, None] = {}
    others: list[ir.Expression] = []
    for option in options:
        if isinstance(option, ir.Literal):
            texts[option.text] = None
        else:
            others.append(option)
    if len(texts) < _FEW_TEXTS:
        return ir.choice(*map(ir.Literal, texts), *others)
    return ir.choice(ir.Literals(tuple(texts)), *others)
