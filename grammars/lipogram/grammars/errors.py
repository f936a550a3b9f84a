"""The errors of all three layers share one base, which lives here, in the lowest layer.

Error
├── GrammarError          the client's grammar cannot be used; says where and what was expected
│   ├── Unsupported       well formed, but asks for something that is not compiled
│   ├── EmptyLanguage     no text at all satisfies it
│   ├── BudgetExceeded    it would take more states, bytes, nesting or seconds than allowed
│   └── NoMiddle          no text between this prefix and this suffix makes a member
│       ├── PrefixMismatch    no member begins with the prefix
│       └── SuffixMismatch    no member ends with the suffix
├── DecodingError         (decoding) see lipogram.decoding.errors
└── RequestError          (server) see lipogram.server.errors
"""

from __future__ import annotations


class Error(Exception):
    """Base of every error that lipogram raises on purpose."""


class GrammarError(Error):
    """A grammar, schema or pattern that cannot be used.

    `pointer` is a JSON Pointer into a schema; `line` and `column` count from 1 in a grammar text
    or a pattern. Those that do not apply are None.
    """

    def __init__(
        self,
        message: str,
        *,
        pointer: str | None = None,
        keyword: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        self.keyword = keyword
        self.line = line
        self.column = column

    def __str__(self) -> str:
        if self.pointer is not None:
            return f"{self.message} (at {self.pointer or 'the root'!r})"
        if self.line is not None:
            return f"{self.message} (line {self.line}, column {self.column})"
        return self.message


class Unsupported(GrammarError):
    """The construct is legal but lipogram does not compile it; nothing is ever ignored instead."""


class EmptyLanguage(GrammarError):
    """No text satisfies the grammar, so nothing could ever be generated."""


class BudgetExceeded(GrammarError):
    """Using the grammar would exceed a budget of states, bytes, nesting or seconds."""


class NoMiddle(GrammarError):
    """Some members begin with the prefix and some end with the suffix, but none does both.

    `fitting_bytes` says how many of the first bytes of the prefix go with the whole suffix.
    """

    def __init__(self, message: str, fitting_bytes: int) -> None:
        super().__init__(message)
        self.fitting_bytes = fitting_bytes

    def __reduce__(self) -> tuple[type[NoMiddle], tuple[str, int]]:
        return type(self), (self.message, self.fitting_bytes)


class PrefixMismatch(NoMiddle):
    """No member begins with the prefix; its first `fitting_bytes` bytes begin one."""


class SuffixMismatch(NoMiddle):
    """No member ends with the suffix; its last `fitting_bytes` bytes end one."""
