"""What a Lark grammar text says, before any name in it is looked up.

`at` is the offset in the text where a node begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Text:
    """`"text"`, or `"text"i` in any case."""

    text: str
    ignore_case: bool
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Span:
    """`"a".."z"`."""

    low: str
    high: str
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Pattern:
    """`/pattern/flags`."""

    pattern: str
    flags: str
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A rule, a terminal, a template's parameter, or a template with arguments."""

    name: str
    arguments: tuple[Node, ...]
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Embedded:
    """`%json {...}` or `%regex {...}`; `at` is the offset of the brace."""

    kind: str
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Special:
    """`<|name|>` or `<[5,7-9]>`: any one of the special tokens with these names."""

    names: tuple[str, ...]
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Series:
    """One after the other."""

    items: tuple[Node, ...]
    depth: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Any of the options."""

    options: tuple[Node, ...]
    depth: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Repeated:
    """The item from `minimum` to `maximum` times (None: no limit)."""

    item: Node
    minimum: int
    maximum: int | None
    depth: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Conjunction:
    """`A & B`: texts that match every item."""

    items: tuple[Node, ...]
    at: int = field(compare=False)
    depth: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Negation:
    """`~A`: texts that do not match the item."""

    item: Node
    at: int = field(compare=False)
    depth: int = field(compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """A group so deep inside others, or a part of a list so long, that it becomes a rule."""

    body: Node


Node = (
    Text
    | Span
    | Pattern
    | Name
    | Embedded
    | Special
    | Series
    | Alternatives
    | Repeated
    | Conjunction
    | Negation
    | Outlined
)


@dataclass(frozen=True, slots=True)
class Definition:
    """`name{parameters}[attributes]: body`; attributes map to their value's node or number.

    `is_captured`: it had attributes that name parts of the text and say nothing of which texts.
    """

    name: str
    parameters: tuple[str, ...]
    attributes: tuple[tuple[str, Node | str | None], ...]
    body: Node
    at: int
    is_captured: bool = False

    @property
    def is_terminal(self) -> bool:
        return is_terminal_name(self.name)


@dataclass(frozen=True, slots=True)
class Change:
    """`%override definition`, or `%extend definition`: in place of, or beside, an earlier one."""

    definition: Definition
    extend: bool


@dataclass(frozen=True, slots=True)
class Ignore:
    """`%ignore body`."""

    body: Node


@dataclass(frozen=True, slots=True)
class Import:
    """`%import module.name -> alias`; `relative` for a path that begins with a dot."""

    module: str
    name: str
    alias: str
    relative: bool
    at: int


@dataclass(frozen=True, slots=True)
class Options:
    """`%lipogram {...}` or `%llguidance {...}`; `at` is the offset of the brace."""

    kind: str
    at: int


Statement = Definition | Change | Ignore | Import | Options


def is_terminal_name(name: str) -> bool:
    """Whether the name is spelt as a terminal's: its first letter is upper case."""
    return name.lstrip("_")[:1].isupper()


def depth(node: Node) -> int:
    """How many composite nodes are nested in this one, itself included."""
    if isinstance(node, Series | Alternatives | Repeated | Conjunction | Negation):
        return node.depth
    return 0


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the text."""
    stack: list[Node] = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    if isinstance(node, Series | Conjunction):
        return node.items
    if isinstance(node, Alternatives):
        return node.options
    if isinstance(node, Repeated | Negation):
        return (node.item,)
    if isinstance(node, Outlined):
        return (node.body,)
    return node.arguments if isinstance(node, Name) else ()


def series(items: tuple[Node, ...]) -> Node:
    """One after the other; a single item stands for itself."""
    return items[0] if len(items) == 1 else Series(items, 1 + max(map(depth, items), default=0))


def alternatives(options: tuple[Node, ...]) -> Node:
    """Any of the options; a single one stands for itself."""
    return options[0] if len(options) == 1 else Alternatives(options, 1 + max(map(depth, options)))


def repeated(item: Node, minimum: int, maximum: int | None) -> Node:
    """The item that many times."""
    return Repeated(item, minimum, maximum, 1 + depth(item))
