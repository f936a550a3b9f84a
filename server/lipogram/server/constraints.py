"""What a request wants its output to obey: plain values that can be compared, hashed and sent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias

from lipogram.grammars.json_schema import Escapes, Formats, KeyOrder, Whitespace
from lipogram.grammars.regex import Dialect

Lexing: TypeAlias = Literal["exact", "greedy"]
Syntax: TypeAlias = Literal["json_schema", "regex", "choice", "lark", "gbnf", "grammar", "text"]

MARK = b"<tool_call>"
"""A text that begins with it is a call, and any other text is an answer."""
_END = b"\n</tool_call>"


@dataclass(frozen=True, slots=True)
class Options:
    """How a front-end is to read a grammar; None is its default. `lexing` is Lark's."""

    key_order: KeyOrder | None = None
    escapes: Escapes | None = None
    whitespace: Whitespace | None = None
    formats: Formats | None = None
    lexing: Lexing | None = None

    @property
    def given(self) -> dict[str, str]:
        """Those that are not None, by name."""
        values = {option.name: getattr(self, option.name) for option in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def foreign(self, syntax: Syntax) -> str | None:
        """An option that is given, but that the syntax does not have."""
        is_lark = syntax in ("lark", "grammar")
        for name in self.given:
            if not (is_lark if name == "lexing" else syntax == "json_schema"):
                return name
        return None


@dataclass(frozen=True, slots=True)
class Source:
    """A grammar as the client wrote it; schema and choices as JSON, `text` is any UTF-8.

    `grammar` is Lark if it is Lark or has options, else GBNF; `dialect` is that of a `regex`.
    `param` is where in the request it stood.
    """

    syntax: Syntax
    definition: str = ""
    options: Options = Options()
    dialect: Dialect = "python"
    param: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that may be called: `head`, a member of `payload`, `tail`."""

    name: str
    kind: Literal["function", "custom"]
    payload: Source

    @property
    def head(self) -> bytes:
        """What a call of this tool, and of no other, begins with."""
        if self.kind == "function":
            return MARK + b'\n{"name": ' + json.dumps(self.name).encode() + b', "arguments": '
        return MARK + b"\n" + self.name.encode() + b"\n"

    @property
    def tail(self) -> bytes:
        """What a call ends with."""
        return (b"}" if self.kind == "function" else b"") + _END


@dataclass(frozen=True, slots=True)
class Constraint:
    """The output is a member of `answer`, or a call of one of `calls`.

    With calls, an answer is text that does not begin with MARK. `bare`: the only call's payload
    is generated without head and tail, because there is nothing to choose.
    """

    answer: Source | None = None
    calls: tuple[Call, ...] = ()

    @property
    def bare(self) -> bool:
        return self.answer is None and len(self.calls) == 1

    @property
    def sources(self) -> tuple[Source, ...]:
        """All grammars of the client's in it."""
        answer = (self.answer,) if self.answer else ()
        return (*answer, *(call.payload for call in self.calls))


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document an output stands: `prefix`, output and `suffix` together are a member.

    The `param`s are where in the request the two stood.
    """

    prefix: bytes
    suffix: bytes
    prefix_param: str = field(default="prompt", compare=False)
    suffix_param: str = field(default="suffix", compare=False)

    @property
    def digest(self) -> bytes:
        """Tells places apart, however long their texts are."""
        size = len(self.prefix).to_bytes(8, "big")
        return hashlib.sha256(size + self.prefix + self.suffix).digest()
