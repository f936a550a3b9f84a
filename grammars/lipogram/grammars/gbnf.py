"""Front-end for GBNF, the grammar notation of llama.cpp.

Rules over Unicode characters; there are no terminals and nothing is ignored between symbols.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice

from lipogram.grammars import ir, special_tokens
from lipogram.grammars.alternation import union
from lipogram.grammars.errors import BudgetExceeded, GrammarError
from lipogram.grammars.source import MAX_COUNT, MAX_NESTING, MAX_RULES, Source

_SUGGESTED_FROM = 1000
_OUTLINE_DEPTH = 16
_STACKED_OPERATORS = 8
_SERIES_ITEMS = 64
_LINTED_REFERENCES = 2_000

_BLANK = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_COUNT = re.compile(r"\{[ \t]*(\d+)[ \t]*(?:(,)[ \t]*(?:(\d+)[ \t]*)?)?\}")
_TOKEN = re.compile(r"!?<[^>\n]*>")
_CHARACTER = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([nrt\\\"\[\]-]))|[^\\]"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_OPERATORS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def parse(text: str, *, root: str = "root") -> ir.Grammar:
    """The language of the rule `root`. Cost: linear in the length of the text.

    Raises GrammarError with line and column; Unsupported for tokens by exclusion (`!<think>`);
    BudgetExceeded (256 KiB of text, 500 nested parentheses, 20,000 rules).
    """
    source = Source(text)
    source.check_size()
    rules, defined, used = _Parser(source).rules()
    if root not in defined:
        raise GrammarError(f"expected a rule named {root!r}, found none", line=1, column=1)
    for name, offset in used.items():
        if name not in defined:
            close = get_close_matches(name, islice(defined, _SUGGESTED_FROM), 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise source.error(f"expected a defined rule, found {name}{hint}", offset)
    ending = _ending(rules)
    warnings = [
        f"{source.where(offset)}: {name} {'is never used' if unused else 'never comes to an end'}"
        for name, offset in defined.items()
        if (unused := name not in used and name != root) or name not in ending
    ]
    return ir.Grammar(rules, root, ir.Report(warnings=tuple(warnings)))


def _ending(rules: Mapping[str, ir.Expression]) -> set[str]:
    """The rules that some text ends; of many references, all are taken to."""
    users: dict[str, list[str]] = {name: [] for name in rules}
    for name, body in rules.items():
        for used in _references(body):
            users[used].append(name)
    if sum(map(len, users.values())) > _LINTED_REFERENCES:
        return set(rules)
    found: set[str] = set()
    todo = list(rules)
    while todo:
        name = todo.pop()
        if name not in found and _ends(rules[name], found):
            found.add(name)
            todo += users[name]
    return found


def _references(expression: ir.Expression) -> Iterator[str]:
    match expression:
        case ir.Reference(rule):
            yield rule
        case ir.Sequence(parts) | ir.Choice(parts):
            for part in parts:
                yield from _references(part)
        case ir.Repeat(item):
            yield from _references(item)


def _ends(expression: ir.Expression, ending: set[str]) -> bool:
    match expression:
        case ir.Reference(rule):
            return rule in ending
        case ir.Sequence(items):
            return all(_ends(item, ending) for item in items)
        case ir.Choice(options):
            return any(_ends(option, ending) for option in options)
        case ir.Repeat(item, minimum):
            return not minimum or _ends(item, ending)
        case _:
            return True


@dataclass(slots=True)
class _Group:
    """What has been read of a rule's body, or of a group in parentheses."""

    offset: int
    options: list[ir.Expression] = field(default_factory=list)
    items: list[ir.Expression] = field(default_factory=list)
    depth: int = 0


class _Parser:
    """Reads the text from left to right; open groups are kept on a stack, not by recursion."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._at = 0
        self._rules: dict[str, ir.Expression] = {}
        self._defined: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def rules(self) -> tuple[dict[str, ir.Expression], dict[str, int], dict[str, int]]:
        """The rules, and where each name is defined and first used."""
        self._skip(_BLANK_LINES)
        while self._at < len(self._text):
            offset, name = self._at, self._expect(_NAME, "a rule's name")[0]
            if name in self._defined:
                where = self._source.where(self._defined[name])
                message = f"expected one definition of {name}, found another at {where}"
                raise self._source.error(message, offset)
            self._defined[name] = offset
            if len(self._defined) > MAX_RULES:
                message = f"expected at most {MAX_RULES} rules, found more"
                raise self._source.error(message, offset, BudgetExceeded)
            self._skip(_BLANK)
            self._expect(re.compile("::="), '"::="')
            self._skip(_BLANK_LINES)
            self._rules[name] = self._body()
            self._skip(_BLANK_LINES)
        return self._rules, self._defined, self._used

    def _body(self) -> ir.Expression:
        """The alternatives of one rule, up to the end of its line."""
        groups = [_Group(self._at)]
        while not self._ends_rule(groups):
            character = self._text[self._at]
            if character == "(":
                if len(groups) > MAX_NESTING:
                    raise self._source.too_deep(self._at)
                groups.append(_Group(self._at))
                self._at += 1
            elif character == ")" and len(groups) > 1:
                self._at += 1
                self._close(groups.pop(), groups[-1])
            elif character == "|":
                self._end_option(groups[-1])
                self._at += 1
                self._skip(_BLANK_LINES)
            elif character in _OPERATORS or character == "{":
                self._repeat(groups[-1].items)
            else:
                groups[-1].items.append(self._symbol(character))
            self._skip(_BLANK_LINES if len(groups) > 1 else _BLANK)
        self._end_option(groups[0])
        return union(groups[0].options)

    def _ends_rule(self, groups: list[_Group]) -> bool:
        """At the end of a line outside parentheses, unless the next line begins with "|"."""
        if self._at < len(self._text) and self._text[self._at] not in "\r\n":
            return False
        if len(groups) > 1:
            message = f'expected ")" for the "(" at {self._source.where(groups[-1].offset)}'
            raise self._source.error(f"{message}, found end of text", self._at)
        beyond = _BLANK_LINES.match(self._text, self._at)
        if beyond and self._text.startswith("|", beyond.end()):
            self._at = beyond.end()
            return False
        return True

    def _end_option(self, group: _Group) -> None:
        items = group.items
        while len(items) > _SERIES_ITEMS:  # long ones in parts, each a rule
            parts: list[ir.Expression] = []
            for start in range(0, len(items), _SERIES_ITEMS):
                name = f"%part{len(self._rules)}"
                self._rules[name] = ir.sequence(*items[start : start + _SERIES_ITEMS])
                parts.append(ir.Reference(name))
            items = parts
        group.options.append(ir.sequence(*items))
        group.items = []

    def _close(self, group: _Group, parent: _Group) -> None:
        self._end_option(group)
        expression = union(group.options)
        if group.depth + 1 > _OUTLINE_DEPTH:
            name = f"%group{group.offset}"
            self._rules[name] = expression
            parent.items.append(ir.Reference(name))
        else:
            parent.items.append(expression)
            parent.depth = max(parent.depth, group.depth + 1)

    def _repeat(self, items: list[ir.Expression]) -> None:
        offset = self._at
        if not items:
            raise self._error("a symbol to repeat")
        bounds = _OPERATORS.get(self._text[offset])
        if bounds is None:
            match = self._expect(_COUNT, "a count such as {2} or {2,3}")
            bounds = self._counts(match, offset)
        else:
            self._at += 1
        inner, stacked = items[-1], 1
        while isinstance(inner, ir.Repeat):
            inner, stacked = inner.item, stacked + 1
        if stacked > _STACKED_OPERATORS:
            message = f"expected at most {_STACKED_OPERATORS} repetitions of repetitions"
            raise self._source.error(message, offset, BudgetExceeded)
        items[-1] = ir.Repeat(items[-1], *bounds)

    def _counts(self, match: re.Match[str], offset: int) -> tuple[int, int | None]:
        low, comma, high = match.groups("")
        if max(len(low), len(high)) > 7 or max(int(low), int(high or 0)) > MAX_COUNT:
            message = f"expected a count up to {MAX_COUNT}, found {match[0]}"
            raise self._source.error(message, offset, BudgetExceeded)
        if high and int(high) < int(low):
            raise self._source.error(f"expected an increasing range, found {match[0]}", offset)
        return int(low), int(high) if high else (None if comma else int(low))

    def _symbol(self, character: str) -> ir.Expression:
        if character == '"':
            return self._string()
        if character == "[":
            return self._class()
        if character == ".":
            self._at += 1
            return ir.ANY_CHAR
        if token := _TOKEN.match(self._text, self._at):
            return self._special(token)
        offset, name = self._at, self._expect(_NAME, "a symbol")[0]
        self._used.setdefault(name, offset)
        return ir.Reference(name)

    def _special(self, token: re.Match[str]) -> ir.Expression:
        try:
            names = special_tokens.names(token[0])
        except GrammarError as error:
            raise self._source.error(error.message, self._at, type(error)) from error
        self._at = token.end()
        return special_tokens.expression(names)

    def _string(self) -> ir.Expression:
        self._at += 1
        codes: list[int] = []
        while not self._text.startswith('"', self._at):
            codes.append(self._character('"'))
        self._at += 1
        return ir.Literal("".join(map(chr, codes)).encode())

    def _class(self) -> ir.Expression:
        offset = self._at
        self._at += 2 if self._text.startswith("[^", offset) else 1
        is_negated = self._at - offset == 2
        ranges: list[tuple[int, int]] = []
        while not self._text.startswith("]", self._at):
            start = self._at
            low = high = self._character("]")
            if self._text.startswith("-", self._at) and self._text[self._at + 1 :][:1] != "]":
                self._at += 1
                high = self._character("]")
            if high < low:
                message = f"expected an increasing range, found {self._text[start : self._at]}"
                raise self._source.error(message, start)
            ranges.append((low, high))
        if not ranges:
            raise self._error("a character")
        self._at += 1
        return ir.chars(_outside(ranges) if is_negated else ranges)

    def _character(self, end: str) -> int:
        match = _CHARACTER.match(self._text, self._at)
        if not match:
            is_escape = self._text.startswith("\\", self._at)
            expected = r"one of the escapes \n \r \t \\ \" \[ \] \- \xHH \uHHHH \UHHHHHHHH"
            raise self._error(expected if is_escape else f"{end!r}")
        code = match[1] or match[2] or match[3]
        value = int(code, 16) if code else ord(_ESCAPES.get(match[4], match[4] or match[0]))
        if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
            raise self._error("a Unicode character")
        self._at = match.end()
        return value

    def _skip(self, blanks: re.Pattern[str]) -> None:
        if match := blanks.match(self._text, self._at):
            self._at = match.end()

    def _expect(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if not match:
            raise self._error(what)
        self._at = match.end()
        return match

    def _error(self, expected: str) -> GrammarError:
        found = repr(self._text[self._at]) if self._at < len(self._text) else "end of text"
        return self._source.error(f"expected {expected}, found {found}", self._at)


def _outside(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The code points in none of the ranges."""
    outside: list[tuple[int, int]] = []
    start = 0
    for low, high in sorted(ranges):
        if start < low:
            outside.append((start, low - 1))
        start = max(start, high + 1)
    return [*outside, (start, 0x10FFFF)] if start <= 0x10FFFF else outside
