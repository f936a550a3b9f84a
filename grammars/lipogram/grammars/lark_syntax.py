"""From the text of a Lark grammar to statements (lark_tree.py), by a parser written in Lark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.visitors import v_args

from lipogram.grammars import lark_tree as tree
from lipogram.grammars import special_tokens
from lipogram.grammars.errors import BudgetExceeded, GrammarError, Unsupported
from lipogram.grammars.lark_source import LarkSource
from lipogram.grammars.source import MAX_COUNT

_OUTLINE_DEPTH = 24
_BRANCHES = 32

_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([nrtf\\\"])|[\s\S])|\\"
)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "\\": "\\", '"': '"'}

_CAPTURES = ("capture", "stop_capture")

_LABELS = {
    "RPAR": '")"',
    "RSQB": '"]"',
    "RBRACE": '"}"',
    "OPEN": '"{"',
    "LPAR": '"("',
    "LSQB": '"["',
    "COLON": '":"',
    "COMMA": '","',
    "VBAR": '"|"',
    "AND": '"&"',
    "EQUAL": '"="',
    "DOT": '"."',
    "_NL": "end of line",
    "$END": "end of text",
    "STRING": "a string",
    "REGEXP": "a regex",
    "RULE": "a name",
    "TERMINAL": "a name",
    "NUMBER": "a number",
    "_NUMBER": "a number",
    "DECIMAL": "a number",
    "OPERATOR": "a repetition",
    "TIMES": "a repetition",
    "COUNT": "a repetition",
    "_MODIFIER": "a name",
}


class _Refused(Exception):
    """Something wrong that a callback found; `offset` is where in the text."""

    def __init__(self, message: str, offset: int, kind: type[GrammarError] = GrammarError) -> None:
        super().__init__(message)
        self.offset = offset
        self.kind = kind


def statements(source: LarkSource) -> list[tree.Statement]:
    """What the text says, in its order. Linear in the length of the text.

    Raises GrammarError with line and column for a syntax error, Unsupported for what is legal
    Lark but not compiled.
    """
    try:
        found: Any = _parser().parse(source.visible)
    except UnexpectedInput as error:
        raise _syntax_error(source, error) from error
    except _Refused as error:
        raise source.error(str(error), error.offset, error.kind) from error
    return list(found)


@cache
def _parser() -> Lark:
    text = files("lipogram.grammars").joinpath("lark_syntax.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", lexer="contextual", transformer=_Build())


def _syntax_error(source: LarkSource, error: UnexpectedInput) -> GrammarError:
    if isinstance(error, UnexpectedCharacters):
        expected, offset = set(error.allowed or ()), error.pos_in_stream or 0
        found = repr(source.visible[offset])
    else:
        assert isinstance(error, UnexpectedToken)
        expected, token = set(error.accepts or error.expected), error.token
        offset = len(source.text) if token.type == "$END" else token.start_pos or 0
        found = "end of line" if token.type == "_NL" else repr(str(token))
    if offset >= len(source.text):
        found = "end of text"
    if found == "'\"'":
        found = "a string that does not end on its line"
    return source.error(f"expected {_describe(expected)}, found {found}", offset)


def _describe(expected: set[str]) -> str:
    labels = {_LABELS[name] for name in expected if name in _LABELS}
    if {"STRING", "LPAR"} <= expected:
        labels -= {"a string", "a regex", "a name", '"("', '"["'}
        labels.add("an expression")
    elif "DECLARE" in expected:
        labels = {"a definition", "a statement"}
    *most, last = sorted(labels) or ["something else"]
    return f"{', '.join(most)} or {last}" if most else last


def unescape(literal: Token) -> str:
    """The text that a quoted string stands for."""
    offset = (literal.start_pos or 0) + 1

    def replace(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if match[4]:
            return _PLAIN_ESCAPES[match[4]]
        if code is None or int(code, 16) > 0x10FFFF:
            raise _Refused(
                r"expected one of the escapes \n \r \t \f \\ \" \xHH \uHHHH \UHHHHHHHH, "
                f"found {match[0]}",
                offset + match.start(),
            )
        return chr(int(code, 16))

    text = _ESCAPE.sub(replace, literal[1 : literal.rindex('"')])
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise _Refused("expected text, found an unpaired surrogate", offset - 1) from error


def _bounds(token: Token) -> tuple[int, int | None]:
    """The least and greatest count of `?`, `*`, `+`, `~n`, `~n..m`, `{n}`, `{m,}` or `{m,n}`."""
    if token.type == "OPERATOR":
        return {"?": (0, 1), "*": (0, None), "+": (1, None)}[token]
    offset = token.start_pos or 0
    numbers = re.findall(r"\d+|,|\.\.", token)
    if any(len(number) > 7 or int(number) > MAX_COUNT for number in numbers if number.isdigit()):
        raise _Refused(f"expected a count up to {MAX_COUNT}, found {token}", offset, BudgetExceeded)
    low = int(numbers[0]) if numbers[0].isdigit() else 0
    high = int(numbers[-1]) if numbers[-1].isdigit() else None
    if high is not None and high < low:
        raise _Refused(f"expected an increasing range, found {token}", offset)
    return low, high


def _chunks(nodes: tuple[tree.Node, ...]) -> Iterator[tuple[tree.Node, ...]]:
    for start in range(0, len(nodes), _BRANCHES):
        yield nodes[start : start + _BRANCHES]


@v_args(inline=True)
class _Build(Transformer[Token, Any]):
    """The parser's callbacks; stateless, so that one parser serves all threads."""

    def start(self, *found: tree.Statement | tuple[tree.Import, ...]) -> list[tree.Statement]:
        groups = (item if isinstance(item, tuple) else (item,) for item in found)
        return [statement for group in groups for statement in group]

    def override(self, definition: tree.Definition) -> tree.Change:
        return tree.Change(definition, extend=False)

    def extend(self, definition: tree.Definition) -> tree.Change:
        return tree.Change(definition, extend=True)

    def ignore(self, body: tree.Node) -> tree.Ignore:
        return tree.Ignore(body)

    def import_one(self, path: list[Token], alias: Token | None) -> tree.Import:
        relative, *module, name = path
        at = path[1].start_pos or 0
        return tree.Import(".".join(module), name, alias or name, bool(relative), at)

    def import_many(self, path: list[Token], *names: Token) -> tuple[tree.Import, ...]:
        relative, *module = path
        return tuple(
            tree.Import(".".join(module), name, name, bool(relative), name.start_pos or 0)
            for name in names
        )

    def path(self, *parts: Token | None) -> list[Token | None]:
        return list(parts)

    def declare(self, keyword: Token, *names: Token) -> None:
        message = "%declare is not supported: a declared terminal has no text"
        raise _Refused(message, keyword.start_pos or 0, Unsupported)

    def options(self, keyword: Token, brace: Token) -> tree.Options:
        return tree.Options(keyword.removeprefix("%"), brace.start_pos or 0)

    def definition(
        self,
        name: Token,
        parameters: tuple[str, ...] | None,
        attributes: tuple[tuple[str, tree.Node | str | None], ...] | None,
        body: tree.Node,
    ) -> tree.Definition:
        found = attributes or ()
        kept = tuple(item for item in found if item[0] not in _CAPTURES)
        at = name.start_pos or 0
        is_captured = len(kept) < len(found)
        return tree.Definition(str(name), parameters or (), kept, body, at, is_captured)

    def parameters(self, *names: Token) -> tuple[str, ...]:
        if len(set(names)) < len(names) or any(map(tree.is_terminal_name, names)):
            message = "expected different parameters in lower case"
            raise _Refused(message, names[0].start_pos or 0)
        return tuple(map(str, names))

    def attributes(self, *found: Any) -> tuple[Any, ...]:
        return found

    def attribute(self, name: Token, value: Token | None) -> tuple[str, tree.Node | str | None]:
        if name in _CAPTURES and value is not None and value.type != "STRING":
            raise _Refused(f"expected a string as {name}, found {value}", value.start_pos or 0)
        if value is None or value.type in ("NUMBER", "DECIMAL"):
            return str(name), value
        if value.type == "STRING":
            return str(name), self.string(value)
        return str(name), self.pattern(value) if value.type == "REGEXP" else self.use(value)

    def alternatives(self, *options: tree.Node) -> tree.Node:
        texts = tuple(option for option in options if isinstance(option, tree.Text))
        others = tuple(option for option in options if not isinstance(option, tree.Text))
        while len(others) > _BRANCHES:
            chunks = _chunks(others)
            others = tuple(tree.Outlined(tree.alternatives(chunk)) for chunk in chunks)
            options = texts + others
        return tree.alternatives(options)

    def branch(self, body: tree.Node, *alias: Token) -> tree.Node:
        return body

    def conjunction(self, *parts: Any) -> tree.Node:
        if len(parts) == 1:
            only: tree.Node = parts[0]
            return only
        items = parts[::2]
        depth = 1 + max(map(tree.depth, items))
        return tree.Conjunction(items, parts[1].start_pos or 0, depth)

    def series(self, *items: tree.Node) -> tree.Node:
        while len(items) > _BRANCHES:
            items = tuple(tree.Outlined(tree.series(chunk)) for chunk in _chunks(items))
        return tree.series(items)

    def repeated(self, item: tree.Node, count: Token) -> tree.Node:
        return tree.repeated(item, *_bounds(count))

    def group(self, body: tree.Node) -> tree.Node:
        return body if tree.depth(body) < _OUTLINE_DEPTH else tree.Outlined(body)

    def maybe(self, body: tree.Node) -> tree.Node:
        return tree.repeated(self.group(body), 0, 1)

    def negated(self, operator: Token, item: tree.Node) -> tree.Node:
        if isinstance(item, tree.Negation):
            return item.item
        return tree.Negation(item, operator.start_pos or 0, 1 + tree.depth(item))

    def string(self, literal: Token) -> tree.Text:
        ignore_case = literal.endswith("i")
        return tree.Text(unescape(literal), ignore_case, literal.start_pos or 0)

    def span(self, first: Token, last: Token) -> tree.Span:
        low, high, at = unescape(first), unescape(last), first.start_pos or 0
        if len(low) != 1 or len(high) != 1 or low > high or "i" in (first[-1], last[-1]):
            raise _Refused("expected a range of two characters in order", at)
        return tree.Span(low, high, at)

    def pattern(self, literal: Token) -> tree.Pattern:
        end = literal.rindex("/")
        pattern, flags, at = literal[1:end], literal[end + 1 :], literal.start_pos or 0
        if "\n" in pattern and "x" not in flags:
            raise _Refused("expected a regex on one line (or the flag x)", at)
        return tree.Pattern(pattern, flags, at)

    def use(self, name: Token) -> tree.Name:
        return tree.Name(str(name), (), name.start_pos or 0)

    def instance(self, name: Token, *arguments: tree.Node) -> tree.Name:
        return tree.Name(str(name), arguments, name.start_pos or 0)

    def json(self, brace: Token) -> tree.Embedded:
        return tree.Embedded("json", brace.start_pos or 0)

    def structured(self, brace: Token) -> tree.Embedded:
        return tree.Embedded("regex", brace.start_pos or 0)

    def special(self, token: Token) -> tree.Special:
        at = token.start_pos or 0
        try:
            return tree.Special(special_tokens.names(token), at)
        except GrammarError as error:
            raise _Refused(error.message, at, type(error)) from error

    def subgrammar(self, token: Token) -> None:
        message = f"grammars by name are not supported, found {token}"
        raise _Refused(message, token.start_pos or 0, Unsupported)

    def name(self, token: Token) -> Token:
        return token
