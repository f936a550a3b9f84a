"""The text of a grammar: its limits, and errors that show where in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from lipogram.grammars.errors import BudgetExceeded, GrammarError

MAX_BYTES = 256 * 1024
MAX_NESTING = 500
MAX_COUNT = 1_000_000
MAX_RULES = 20_000


@dataclass(frozen=True)
class Source:
    """A grammar text. Offsets count characters from 0."""

    text: str

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

    def check_size(self) -> None:
        """Raise BudgetExceeded for a text of more than 256 KiB, GrammarError for surrogates."""
        try:
            size = len(self.text.encode())
        except UnicodeEncodeError as error:
            message = "expected text, found an unpaired surrogate"
            raise self.error(message, error.start) from error
        if size > MAX_BYTES:
            raise BudgetExceeded(f"expected at most {MAX_BYTES} bytes of grammar, found {size}")

    def too_deep(self, offset: int) -> GrammarError:
        """The error for a bracket inside too many others."""
        message = f"expected at most {MAX_NESTING} nested brackets, found more"
        return self.error(message, offset, BudgetExceeded)
