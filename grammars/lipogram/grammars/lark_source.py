"""The text of a Lark grammar, and what must be read in it before it is parsed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.source import MAX_NESTING, Source

_LEXEME = re.compile(
    r"""
      (?P<kept>    "(?:\\[^\n]|[^"\\\n])*"? | /(?![/])(?:\\[\s\S]|[^/\\])*/? )
    | (?P<token>   <[^<>\n]+> )
    | (?P<comment> (?://|\#)[^\n]* )
    | (?P<blank>   \\[ \t]*\r?\n )
    | (?P<block>   %(?:json|regex|lipogram|llguidance)\s*(?=\{) )
    | (?P<open>    [(\[{] )
    | (?P<close>   [)\]}] )
    | (?P<newline> \r?\n )
    | (?P<bar>     \| )
    | (?P<other>   [^\s"/\#\\%()\[\]{}|<]+ | \S )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class LarkSource(Source):
    """The text, the same text with blanks for all that the parser need not see (offsets stay the
    same), and the JSON blocks by the offset of their opening brace.
    """

    visible: str
    blocks: dict[int, str]


def read(text: str) -> LarkSource:
    """Check the budgets of a text and blank what the parser need not see. Linear in its length.

    Raises BudgetExceeded, or GrammarError for a block that is not JSON.
    """
    Source(text).check_size()
    return _Scan(text).run()


class _Scan:
    """One pass over the lexemes, keeping the offsets to blank."""

    def __init__(self, text: str) -> None:
        self.source = LarkSource(text, text, {})
        self.blanks: list[tuple[int, int]] = []
        self.newlines: list[tuple[int, int]] = []
        self.depth = 0

    def run(self) -> LarkSource:
        text, at = self.source.text, 0
        while match := _LEXEME.search(text, at):
            at = self._lexeme(match)
        pieces, end = [], 0
        for start, stop in sorted(self.blanks):
            pieces += [text[end:start], " " * (stop - start)]
            end = stop
        pieces += [text[end:], "\n"]
        return LarkSource(text, "".join(pieces), self.source.blocks)

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
            elif kind == "other" and "::" in match[0]:
                message = "rules with a number as parameter (name::parameter) are not supported"
                raise self.source.error(message, start + match[0].index("::"), Unsupported)
        return end

    def _open(self, offset: int) -> None:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.source.too_deep(offset)

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
