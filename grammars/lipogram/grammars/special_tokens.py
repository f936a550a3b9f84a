"""Special tokens as grammar texts write them: `<|name|>`, `<name>`, `<[5]>`, `<[5,7-9]>`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass

from lipogram.grammars import ir
from lipogram.grammars.alternation import union
from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported

MAX_IDS = 1000
MARK = b"\xff"
"""The byte around a spelled special token, which UTF-8 never has."""

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
    """Whether the grammar has special tokens. Cost: linear in its size."""
    waiting: list[object] = list(grammar.rules.values())
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, bytes):
            if MARK in part:
                return True
        elif isinstance(part, tuple):
            if part and (is_dataclass(part[0]) or isinstance(part[0], bytes)):
                waiting += part
        elif is_dataclass(part):
            waiting += [getattr(part, field.name) for field in fields(part)]
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
