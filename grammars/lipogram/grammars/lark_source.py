"""The text of a Lark grammar: positions, excerpts, and what must be read before it is parsed."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from lipogram.grammars.errors import BudgetExceeded, GrammarError

MAX_BYTES = 256 * 1024
MAX_NESTING = 500

_LEXEME = re.compile(
    r"""
      (?P<kept>    "(?:\\[^\n]|[^"\\\n])*"? | /(?![/])(?:\\[\s\S]|[^/\\])*/? )
    | (?P<comment> (?://|\#)[^\n]* )
    | (?P<blank>   \\[ \t]*\r?\n )
    | (?P<block>   %(?:json|regex|llguidance)\s*(?=\{) )
    | (?P<open>    [(\[{] )
    | (?P<close>   [)\]}] )
    | (?P<newline> \r?\n )
    | (?P<bar>     \| )
    | (?P<other>   [^\s"/\#\\%()\[\]{}|]+ | \S )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Source:
    """A grammar text, the same text with blanks for all that the parser need not see (offsets stay
    the same), and the JSON blocks by the offset of their opening brace.
    """

    text: str
    visible: str
    blocks: dict[int, str]

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def where(self, offset: int) -> str:
        """`line:column`, as the entries of a report begin."""
        return "{}:{}".format(*self.position(offset))

    def error(
        self, message: str, offset: int, kind: type[GrammarError] = GrammarError
    ) -> GrammarError:
        """An error that shows the line, with a caret under the offset."""
        offset = min(offset, len(self.text))
        line, column = self.position(offset)
        start = max(offset - column + 1, offset - 60)
        shown = re.split(r"[\r\n]", self.text[start : offset + 40], maxsplit=1)[0]
        caret = "".join("\t" if c == "\t" else " " for c in self.text[start:offset]) + "^"
        return kind(f"{message}\n  {shown}\n  {caret}", line=line, column=column)


def read(text: str) -> Source:
    """Check the budgets of a text and blank what the parser need not see. Linear in its length.

    Raises BudgetExceeded, or GrammarError for a block that is not JSON.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        found = Source(text, text, {})
        raise found.error("expected text, found an unpaired surrogate", error.start) from error
    if size > MAX_BYTES:
        raise BudgetExceeded(f"expected at most {MAX_BYTES} bytes of grammar, found {size}")
    return _Scan(text).run()


class _Scan:
    """One pass over the lexemes, keeping the offsets to blank."""

    def __init__(self, text: str) -> None:
        self.source = Source(text, text, {})
        self.blanks: list[tuple[int, int]] = []
        self.newlines: list[tuple[int, int]] = []
        self.depth = 0

    def run(self) -> Source:
        text, at = self.source.text, 0
        while match := _LEXEME.search(text, at):
            at = self._lexeme(match)
        pieces, end = [], 0
        for start, stop in sorted(self.blanks):
            pieces += [text[end:start], " " * (stop - start)]
            end = stop
        pieces += [text[end:], "\n"]
        return Source(text, "".join(pieces), self.source.blocks)

    def _lexeme(self, match: re.Match[str]) -> int:
        kind, (start, end) = match.lastgroup, match.span()
        if kind in ("comment", "blank"):
            self.blanks.append((start, end))
        elif kind == "newline":
            (self.blanks if self.depth else self.newlines).append((start, end))
        else:
            if kind == "bar":
                self.blanks += self.newlines
            self.newlines.clear()
            if kind == "open":
                self._open(start)
            elif kind == "close":
                self.depth = max(0, self.depth - 1)
            elif kind == "block":
                end = self._block(end)
        return end

    def _open(self, offset: int) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.source.error(
                f"expected at most {MAX_NESTING} nested brackets, found more",
                offset,
                BudgetExceeded,
            )

    def _block(self, brace: int) -> int:
        """Take the JSON object that begins at the brace; return where it ends."""
        try:
            end = json.JSONDecoder().raw_decode(self.source.text, brace)[1]
        except json.JSONDecodeError as error:
            raise self.source.error(f"expected JSON: {error.msg}", error.pos) from error
        except ValueError as error:
            raise self.source.error(f"expected JSON: {error}", brace) from error
        except RecursionError as error:
            message = "expected less deeply nested JSON"
            raise self.source.error(message, brace, BudgetExceeded) from error
        self.source.blocks[brace] = self.source.text[brace:end]
        self.blanks.append((brace + 1, end - 1))
        return end
