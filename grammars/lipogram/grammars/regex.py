"""Front-end for regular expressions of three dialects; a member is the whole text.

What is not regular (backreferences) or has no exact form is refused, never approximated.
"""

from __future__ import annotations

from lipogram.grammars import ir
from lipogram.grammars.errors import GrammarError, Unsupported
from lipogram.grammars.regex_escapes import Dialect
from lipogram.grammars.regex_limits import freed
from lipogram.grammars.regex_lowering import lower
from lipogram.grammars.regex_parser import read

_FEW_CHARACTERS = 1024  # of a pattern in which it is looked for limits that are superfluous

__all__ = ["Dialect", "expression", "parse"]


def expression(
    pattern: str,
    *,
    dialect: Dialect,
    search: bool = False,
    flags: frozenset[str] = frozenset(),
) -> ir.Expression:
    """The UTF-8 texts that match as a whole or, with `search`, that hold a match anywhere.

    `flags` are those of Python and Lark: i, m, s, x, u, and a for ASCII classes. Raises
    GrammarError (line 1, column), Unsupported for backreferences and possessive or atomic parts,
    BudgetExceeded beyond 64 KiB, 100 nested groups, counts of a million, or 64 assertions.
    """
    if not isinstance(pattern, str):
        raise GrammarError(f"expected a pattern, found {type(pattern).__name__}", line=1, column=1)
    if dialect not in ("python", "ecma", "rust"):
        raise GrammarError(f"expected a dialect of python, ecma, rust, found {dialect!r}")
    if flags - set("imsxua"):
        raise Unsupported(f"the flags {''.join(sorted(flags - set('imsxua')))!r} are not compiled")
    surrogate = next((i for i, c in enumerate(pattern) if "\ud800" <= c <= "\udfff"), None)
    if surrogate is not None:
        raise GrammarError(
            "expected text, found an unpaired surrogate", line=1, column=surrogate + 1
        )
    found = lower(read(pattern, dialect, flags), search=search)
    return freed(found) if "(?=" in pattern and len(pattern) <= _FEW_CHARACTERS else found


def parse(pattern: str, *, dialect: Dialect = "python") -> ir.Grammar:
    """The language of the texts that the whole pattern matches; errors as in `expression`."""
    return ir.Grammar({"start": expression(pattern, dialect=dialect)}, "start")
