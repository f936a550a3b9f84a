"""What a caller, or a Lark grammar itself, may choose about how texts are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lipogram.grammars import lark_tree as tree
from lipogram.grammars.errors import Unsupported
from lipogram.grammars.lark_source import LarkSource

_SKIPS = ("allow_initial_skip", "allow_trailing_skip")
_TAKEN = {
    "lipogram": ("lexing", "munch", "reserved", *_SKIPS, "max_skip"),
    "llguidance": ("allow_initial_skip", "no_forcing"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """The keyword arguments of `lark.parse` that say which texts are members."""

    lexing: Literal["exact", "greedy"] = "exact"
    munch: frozenset[str] = frozenset()
    reserved: str | None = None
    allow_initial_skip: bool = False
    allow_trailing_skip: bool = False
    max_skip: int | None = None

    def joined(self, other: Options) -> Options:
        """Both: the other's choice where it made one."""
        return Options(
            self.lexing if other.lexing == "exact" else other.lexing,
            self.munch | other.munch,
            self.reserved if other.reserved is None else other.reserved,
            self.allow_initial_skip or other.allow_initial_skip,
            self.allow_trailing_skip or other.allow_trailing_skip,
            self.max_skip if other.max_skip is None else other.max_skip,
        )

    def check(
        self, source: LarkSource, definitions: Mapping[str, tree.Definition], at: int
    ) -> None:
        """Raise GrammarError, at this offset, for a value or name that is not there to choose."""
        if self.lexing not in ("exact", "greedy"):
            message = f"expected lexing to be exact or greedy, found {self.lexing!r}"
            raise source.error(message, at)
        if self.max_skip is not None and self.max_skip < 0:
            raise source.error(f"expected max_skip of at least 0, found {self.max_skip}", at)
        reserved = () if self.reserved is None else (self.reserved,)
        for name in (*sorted(self.munch), *reserved):
            if name not in definitions or not tree.is_terminal_name(name):
                message = f"expected a defined terminal to munch or reserve, found {name!r}"
                raise source.error(message, at)


def read(
    source: LarkSource, blocks: Iterable[tree.Options], definitions: Mapping[str, tree.Definition]
) -> Options:
    """What `%lipogram {...}` and `%llguidance {...}` choose, a later one over an earlier one.

    Raises Unsupported for an option that there is not, GrammarError for a value that is wrong.
    """
    options = Options()
    for block in blocks:
        found: dict[str, Any] = json.loads(source.blocks[block.at])
        for name, value in found.items():
            if name not in _TAKEN[block.kind]:
                message = f"the option {name!r} of %{block.kind} is not supported"
                raise source.error(message, block.at, Unsupported)
            if not _is_value(name, value):
                message = f"expected another value of {name}, found {json.dumps(value)}"
                raise source.error(message, block.at)
        found.pop("no_forcing", None)  # how tokens spell a text that is forced, not which
        if "munch" in found:
            found["munch"] = frozenset(found["munch"])
        chosen = Options(**found)
        chosen.check(source, definitions, block.at)
        options = options.joined(chosen)
    return options


def _is_value(name: str, value: object) -> bool:
    if name == "munch":
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if name == "max_skip":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, str if name in ("lexing", "reserved") else bool)
