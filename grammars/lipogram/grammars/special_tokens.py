"""Special tokens as grammar texts write them: `<|name|>`, `<name>`, `<[5]>`, `<[5,7-9]>`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from lipogram.grammars import ir
from lipogram.grammars.alternation import union
from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported

MAX_IDS = 1000
MARK = b"\xff"
"""The byte around a spelled special token, which UTF-8 never has."""

_LEAVES = frozenset((ir.Bytes, ir.Chars, ir.Reference))
_PARTS: dict[type, Callable[[Any], Iterable[ir.Expression]]] = {
    ir.Sequence: lambda sequence: sequence.items,
    ir.Choice: lambda choice: choice.options,
    ir.Intersection: lambda intersection: intersection.items,
    ir.Repeat: lambda repeat: (repeat.item,),
    ir.Complement: lambda complement: (complement.item,),
    ir.Members: lambda members: (*members.items, members.others, members.separator),
}
_SPELLED = re.compile(rb"(\xff[^\xff]+\xff)")
_IDS = re.compile(r"[0-9]{1,9}(?:-[0-9]{1,9})?(?:,[0-9]{1,9}(?:-[0-9]{1,9})?)*")


def names(written: str) -> tuple[str, ...]:
    """The names of the tokens that one mention stands for, as `ir.special` takes them.

    Raises Unsupported for mentions of all tokens but some, GrammarError for what is no list of
    ids, BudgetExceeded for more than 1,000 ids.
    """
    if written.startswith("!") or written.startswith(("<[^", "<[*")):
        raise Unsupported(
            f"tokens by exclusion are not supported, found {written}: "
            "a grammar does not know which others there are"
        )
    if not written.startswith("<["):
        return (written,)
    ids = written[2:-2].replace(" ", "")
    if not written.endswith("]>") or not _IDS.fullmatch(ids):
        raise GrammarError(f"expected token ids such as <[5]> or <[5,7-9]>, found {written}")
    found: dict[int, None] = {}
    for part in ids.split(","):
        first, _, last = part.partition("-")
        span = range(int(first), int(last or first) + 1)
        if not span:
            raise GrammarError(f"expected an increasing range, found {part} in {written}")
        if len(found) + len(span) > MAX_IDS:
            raise BudgetExceeded(f"expected at most {MAX_IDS} token ids, found {written}")
        found.update(dict.fromkeys(span))
    return tuple(f"[{number}]" for number in found)


def expression(names: Iterable[str]) -> ir.Expression:
    """Any one of the special tokens with these names."""
    return union(map(ir.special, names))


def occur(grammar: ir.Grammar) -> bool:
    """Whether the grammar has special tokens. Cost: linear in its size, unless it is text."""
    if grammar.is_text:
        return False
    waiting = list(grammar.rules.values())
    seen: set[int] = set()
    for part in waiting:  # which grows
        kind = type(part)
        if kind is ir.Literal:
            if MARK in part.text:  # type: ignore[union-attr]
                return True
        elif kind is ir.Literals:
            if MARK in b"".join(part.texts):  # type: ignore[union-attr]
                return True
        elif kind not in _LEAVES and id(part) not in seen:
            seen.add(id(part))
            waiting += _PARTS[kind](part)
    return False


def pieces(text: bytes) -> list[bytes]:
    """A member cut up: ordinary texts at even indexes, spelled special tokens at odd ones."""
    return _SPELLED.split(text)


def shown(text: bytes) -> bytes:
    """A member as people read it: special tokens by their names, or as `<[id]>`."""
    parts = pieces(text)
    for index in range(1, len(parts), 2):
        name = parts[index].strip(MARK)
        parts[index] = b"<%b>" % name if name.startswith(b"[") else name
    return b"".join(parts)
