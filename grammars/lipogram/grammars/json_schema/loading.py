"""Reading a schema document as plain values, checked to be JSON of a bounded size and depth."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from math import isfinite
from typing import Any

from lipogram.grammars.errors import BudgetExceeded, GrammarError

MAX_NESTING = 256
MAX_VALUES = 400_000
MAX_TEXT_BYTES = 8 * 1024 * 1024

_MAX_EXPONENT = 400
_SURROGATE = re.compile("[\ud800-\udfff]")
_IDENTIFYING = frozenset(
    ("$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "unevaluatedItems",
     "unevaluatedProperties", "oneOf")
)  # fmt: skip


def load(schema: object) -> tuple[Any, set[str]]:
    """The schema as plain values, and which of a few telling names its objects may have.

    The names are those that give schemas an identity, `unevaluatedItems`,
    `unevaluatedProperties` and `oneOf`: a document without them is cheaper to take.
    """
    if isinstance(schema, str):
        if len(schema) > MAX_TEXT_BYTES:
            raise BudgetExceeded(f"the schema is longer than {MAX_TEXT_BYTES} bytes", pointer="")
        try:
            schema = json.loads(schema, parse_float=Decimal, object_pairs_hook=_unique_keys)
        except RecursionError as error:
            raise BudgetExceeded("the schema is nested too deeply", pointer="") from error
        except ValueError as error:
            raise GrammarError(f"expected JSON: {error}", pointer="") from error
    return schema, _checked(schema)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise GrammarError(f"expected each name once in an object, found {twice!r} twice",
                           pointer="")  # fmt: skip
    return found


def _checked(schema: object) -> set[str]:
    names: set[str] = set()
    level: list[object] = [schema]
    count = depth = 0
    while level:
        count += len(level)
        if depth > MAX_NESTING or count > MAX_VALUES:
            raise BudgetExceeded(
                f"the schema is nested deeper than {MAX_NESTING}" if depth > MAX_NESTING
                else f"the schema has more than {MAX_VALUES} values",
                pointer="",
            )  # fmt: skip
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                if not value.isascii():
                    _check_text(value)
            elif isinstance(value, dict):
                below.extend(value.values())
                names.update(value)
            elif isinstance(value, list | tuple):
                below.extend(value)
            elif value is not True and value is not False and value is not None:
                _check_number(value)
        level = below
        depth += 1
    _check_names(names)
    return names & _IDENTIFYING


def _check_names(names: set[Any]) -> None:
    try:
        text = "".join(names)
    except TypeError:
        name = next(name for name in names if not isinstance(name, str))
        raise GrammarError(f"expected a string as a name, found {name!r}", pointer="") from None
    if not text.isascii():
        _check_text(text)


def _check_number(value: object) -> None:
    if isinstance(value, float | Decimal):
        if not isfinite(value):
            raise GrammarError(f"expected a finite number, found {value}", pointer="")
        if isinstance(value, Decimal) and abs(int(value.as_tuple().exponent)) > _MAX_EXPONENT:
            raise BudgetExceeded(f"the number {value} has too many digits", pointer="")
    elif not isinstance(value, int):
        raise GrammarError(f"expected JSON, found {type(value).__name__}", pointer="")


def _check_text(text: str) -> None:
    if _SURROGATE.search(text):
        raise GrammarError("expected text, found an unpaired surrogate", pointer="")
