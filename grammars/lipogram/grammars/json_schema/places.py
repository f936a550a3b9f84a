"""Subschemas by the place where they stand, and the resources that hold them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn

from lipogram.grammars.errors import GrammarError, Unsupported
from lipogram.grammars.json_schema.vocabulary import EVERY_DRAFT, Dialect

Where = tuple[Any, str]


@dataclass(slots=True, eq=False)
class Resource:
    """A schema with a base URI of its own, and the anchors within it."""

    uri: str
    value: Any
    pointer: str
    dialect: Dialect
    anchors: dict[str, Where] = field(default_factory=dict)
    dynamic: dict[str, Where] = field(default_factory=dict)


Scope = tuple[Resource, ...]
# Where schemas stand that no document has.
OF_NO_DRAFT = Resource("", {}, "", EVERY_DRAFT)


@dataclass(slots=True, eq=False)
class Place:
    """One subschema; the same place is always the same object.

    `scope` holds the resources gone through on the way to it, outermost first, as far as it
    matters where dynamic references within it lead.
    """

    value: Any
    resource: Resource
    scope: Scope = ()
    above: Place | None = None
    steps: tuple[str | int, ...] = ()
    within: str = ""

    @property
    def pointer(self) -> str:
        """The JSON Pointer to the schema, within its document."""
        start = self.above.pointer if self.above else self.within
        return start + "".join([f"/{escaped(str(step))}" for step in self.steps])

    @property
    def draft(self) -> int:
        """The draft whose rules apply; 0: none declared, every draft's keywords are understood."""
        return self.resource.dialect.draft

    def has(self, *keywords: str) -> bool:
        """Whether any of the keywords is there, and is one in the dialect."""
        known = self.resource.dialect.keywords
        return any(keyword in self.value and keyword in known for keyword in keywords)

    def error(self, expected: str, keyword: str) -> GrammarError:
        """The error for a keyword whose value is not what it has to be."""
        return GrammarError(
            f"expected {expected}, found {brief(self.value.get(keyword))}",
            pointer=f"{self.pointer}/{escaped(keyword)}",
            keyword=keyword,
        )

    def refuse(self, keyword: str, reason: str) -> NoReturn:
        """Raises Unsupported for the keyword."""
        raise Unsupported(
            f"{keyword}: {reason}", pointer=f"{self.pointer}/{escaped(keyword)}", keyword=keyword
        )


def escaped(name: str) -> str:
    """A name as one step of a JSON Pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def brief(value: object) -> str:
    """A value as an error message shows it, cut to 40 characters."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."
