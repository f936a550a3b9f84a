"""Special tokens as grammar texts write them: `<|name|>`, `<name>`, `<[5]>`, `<[5,7-9]>`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lipogram.grammars import ir
from lipogram.grammars.alternation import union
from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported

MAX_IDS = 1000

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
