"""The grammar that every front-end produces and every decoder reads: a set of byte strings.

An expression denotes a language over bytes. Rules may refer to each other; everything else is
regular. The nodes say what is meant and nothing of how it is matched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lipogram.grammars.immutable import immutable

Kind = TypeVar("Kind", bound="type[_Node]")


@immutable(eq=False)
class _Node:
    _hash: int | None = field(default=None, init=False, repr=False, compare=False)
    # What the engine's coder wrote for it, where that is the same in all grammars.
    code: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def __reduce__(self) -> tuple[type[_Node], tuple[Any, ...]]:
        fields: tuple[str, ...] = self.__match_args__
        return type(self), tuple([getattr(self, name) for name in fields])


def _node(kind: Kind) -> Kind:
    """Remember hashes: large expressions are asked for theirs again and again."""
    look: Callable[[_Node], int] = kind.__hash__
    same: Callable[[_Node, object], bool] = kind.__eq__

    def __hash__(self: _Node) -> int:
        value = self._hash
        if value is None:
            value = look(self)
            object.__setattr__(self, "_hash", value)
        return value

    def __eq__(self: _Node, other: object) -> bool:
        return self is other or (type(other) is kind and same(self, other))

    kind.__hash__ = __hash__  # type: ignore[method-assign, assignment]
    kind.__eq__ = __eq__  # type: ignore[method-assign, assignment]
    return kind


@_node
@immutable()
class Literal(_Node):
    """Exactly these bytes; `Literal(b"")` is the empty string."""

    text: bytes


@_node
@immutable()
class Bytes(_Node):
    """Any one byte of the set; bit b of `mask` stands for byte b."""

    mask: int


@_node
@immutable()
class Chars(_Node):
    """Any one Unicode scalar value of the inclusive ranges, UTF-8 encoded.

    Ranges are sorted and disjoint; surrogates (D800-DFFF) are never members.
    """

    ranges: tuple[tuple[int, int], ...]


@_node
@immutable()
class Sequence(_Node):
    """One after the other."""

    items: tuple[Expression, ...]


@_node
@immutable()
class Choice(_Node):
    """Any of the options; `Choice(())` is the empty language."""

    options: tuple[Expression, ...]


@_node
@immutable()
class Literals(_Node):
    """Any of many byte strings: a Choice of Literals that costs no more than the ones visited."""

    texts: tuple[bytes, ...]


@_node
@immutable()
class Repeat(_Node):
    """`item` at least `minimum` and at most `maximum` times (None: no limit)."""

    item: Expression
    minimum: int = 0
    maximum: int | None = None


@_node
@immutable()
class Intersection(_Node):
    """What all items have in common. Items are regular: no Reference below."""

    items: tuple[Expression, ...]


@_node
@immutable()
class Complement(_Node):
    """All byte strings that are not in `item`, invalid UTF-8 included; `item` is regular."""

    item: Expression


@_node
@immutable()
class Reference(_Node):
    """Whatever the rule of this name denotes."""

    rule: str


EMPTY = Literal(b"")
NOTHING = Choice(())


@_node
@immutable()
class Members(_Node):
    """A run of members with separators between them: the body of a JSON object, above all.

    Each of `items` comes at most once, those at the indexes in `required` exactly once: in this
    order, or in any order if `any_order`. `others` may come any number of times: behind the last
    item, or anywhere if `any_order`. There are at least `minimum` and at most `maximum` members in
    all (None: no limit); with none of them the run is empty. Not below Intersection or Complement.
    """

    items: tuple[Expression, ...]
    required: frozenset[int] = frozenset()
    others: Expression = NOTHING
    separator: Expression = EMPTY
    minimum: int = 0
    maximum: int | None = None
    any_order: bool = False


Expression = (
    Literal
    | Bytes
    | Chars
    | Sequence
    | Choice
    | Literals
    | Repeat
    | Intersection
    | Complement
    | Reference
    | Members
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a front-end did with its input.

    `exact` is false iff `narrowed` is not empty: then the language is a sound subset of the one
    asked for. Entries are sentences that begin with where: a JSON Pointer, line:column, everywhere.
    """

    narrowed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        return not self.narrowed


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules by name, the one to start from, the front-end's report, and which rules are lexemes.

    A lexeme is a regular rule under maximal munch: its text ends only where the next byte, if any,
    extends none of the lexemes in progress. Where `is_text`, the front-end knows that all members
    are UTF-8, so that no special token is among the rules.
    """

    rules: Mapping[str, Expression]
    start: str
    report: Report = field(default_factory=Report)
    lexemes: frozenset[str] = frozenset()
    is_text: bool = False


ANY_CHAR = Chars(((0, 0xD7FF), (0xE000, 0x10FFFF)))


def sequence(*items: Expression) -> Expression:
    """Concatenation, flattened, with neighbouring literals joined."""
    flat: list[Expression] = []
    last: Literal | None = None  # as long as it is the last one
    for item in items:
        for part in item.items if isinstance(item, Sequence) else (item,):
            if not isinstance(part, Literal):
                flat.append(part)
                last = None
            elif last is not None:
                flat[-1] = last = Literal(last.text + part.text)
            elif part.text:
                flat.append(part)
                last = part
    if len(flat) == 1:
        return flat[0]
    return Sequence(tuple(flat)) if flat else EMPTY


def choice(*options: Expression) -> Expression:
    """Alternation, flattened, in order and without repeats."""
    flat: dict[Expression, None] = {}
    for option in options:
        for part in option.options if isinstance(option, Choice) else (option,):
            flat[part] = None
    return next(iter(flat)) if len(flat) == 1 else Choice(tuple(flat))


def intersection(*items: Expression) -> Expression:
    """What all items have in common, with counts of the same characters joined into one count."""
    flat: dict[Expression, None] = {}
    counts: dict[Chars, tuple[int, int | None]] = {}
    for item in items:
        for part in item.items if isinstance(item, Intersection) else (item,):
            match part:
                case Repeat(Chars() as character, minimum, maximum):
                    # A text has one length, so two bounds on it are one.
                    low, high = counts.get(character, (0, None))
                    bounds = [bound for bound in (high, maximum) if bound is not None]
                    counts[character] = (max(low, minimum), min(bounds, default=None))
                case _:
                    flat[part] = None
    for character, (low, high) in counts.items():
        if high is not None and high < low:
            return NOTHING
        flat[Repeat(character, low, high)] = None
    return next(iter(flat)) if len(flat) == 1 else Intersection(tuple(flat))


def optional(item: Expression) -> Expression:
    """`item` or nothing."""
    return Repeat(item, 0, 1)


def chars(ranges: Iterable[tuple[int, int]]) -> Expression:
    """A Chars node from ranges in any order, overlapping or not, surrogates cut out."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        for piece in ((low, min(high, 0xD7FF)), (max(low, 0xE000), high)):
            if piece[0] > piece[1]:
                continue
            if merged and piece[0] <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], piece[1]))
            else:
                merged.append(piece)
    return Chars(tuple(merged)) if merged else NOTHING


def one_of(characters: str) -> Expression:
    """Any one of these characters."""
    return chars((ord(c), ord(c)) for c in characters)


def special(name: str) -> Literal:
    """A special token, which no text can spell: its name between two bytes that UTF-8 never has.

    `name` is the token's own text, such as `<|im_end|>`, or `[id]` with the id in decimal. What
    reads the automaton through a vocabulary takes the three parts for that one token.
    """
    return Literal(b"\xff" + name.encode() + b"\xff")
