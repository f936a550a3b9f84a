"""From a pattern's syntax tree to an expression, lookaround and anchors included, exactly.

A lookahead constrains everything that follows it, so what follows is known before it is applied:
nodes are lowered in continuation-passing style. Text consumed so far is kept as one pending
expression, which is what a lookbehind constrains:

    pending (?=X) rest   =   pending . (rest & X.*)
    pending (?<=X) rest  =   (pending & .*X) . rest

Where a lookbehind would reach back over an earlier lookahead, or an assertion is repeated without
limit, there is no such form and the pattern is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lipogram.grammars import ir, regex_classes
from lipogram.grammars.errors import BudgetExceeded, Unsupported
from lipogram.grammars.regex_measures import (
    assertions,
    fewest_characters,
    last_characters,
    least,
    longest,
    looks_ahead,
    matches_empty,
    only_ends,
)
from lipogram.grammars.regex_syntax import (
    Alternation,
    Anchor,
    Boundary,
    Characters,
    Concatenation,
    Look,
    Node,
    Quantified,
)

MAX_NESTED_COUNT = 10**6
MAX_ASSERTIONS = 64
MAX_BRANCHES = 4096
MAX_UNROLLED = 8

ANY_TEXT = ir.Repeat(ir.ANY_CHAR)
_ANYTHING = Quantified(Characters(regex_classes.EVERY), 0, None)


@dataclass(frozen=True, slots=True)
class _Left:
    """What stands before the position.

    `pending` follows either the start of the text, a point that is certainly later, or a point of
    which nothing is known. `ended`: the position is the end of the text.
    """

    origin: Literal["start", "later", "unknown"] = "start"
    pending: ir.Expression = ir.EMPTY
    ended: bool = False
    last: regex_classes.Ranges | None = None

    def cut(self) -> _Left:
        """The same position with nothing pending."""
        if self.origin == "start" and self.pending == ir.EMPTY:
            return self
        later = self.origin == "later" or least(self.pending) > 0
        origin: Literal["later", "unknown"] = "later" if later else "unknown"
        return _Left(origin, ir.EMPTY, self.ended, last_characters(self.pending, self.last))


_Continuation = Callable[[_Left], ir.Expression]


def plain(node: Node, times: int = 1) -> ir.Expression:
    """The expression of a node without assertions, which may be repeated so many times."""
    match node:
        case Characters(ranges):
            if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
                return ir.Literal(chr(ranges[0][0]).encode())
            return ir.Chars(ranges) if ranges else ir.NOTHING
        case Concatenation(items):
            return ir.sequence(*(plain(item, times) for item in items))
        case Alternation(options):
            return ir.choice(*(plain(option, times) for option in options))
        case Quantified(item, minimum, maximum):
            times *= max(minimum, maximum or 0, 1)
            if times > MAX_NESTED_COUNT:
                raise BudgetExceeded(
                    f"nested counts multiply to more than {MAX_NESTED_COUNT}", line=1, column=1
                )
            return ir.Repeat(plain(item, times), minimum, maximum)
        case _:
            raise AssertionError(node)


def _joined(before: ir.Expression, after: ir.Expression) -> ir.Expression:
    if ir.NOTHING in (before, after):
        return ir.NOTHING
    return ir.sequence(before, after)


class _Lowering:
    def __init__(self) -> None:
        self.branches = 0

    def run(self, node: Node, left: _Left, then: _Continuation) -> ir.Expression:
        """What may stand after `left.origin`: the pending text, the node, then the rest."""
        self.branches += 1
        if self.branches > MAX_BRANCHES:
            raise BudgetExceeded(
                f"assertions and alternatives multiply to more than {MAX_BRANCHES} cases",
                line=1, column=1,
            )  # fmt: skip
        if not assertions(node):
            return self._consume(plain(node), left, then)
        match node:
            case Concatenation(items):
                return self._concatenation(items, left, then)
            case Alternation(options):
                return _union(self.run(option, left, then) for option in options)
            case Quantified():
                return self._repeated(node, left, then)
            case Anchor():
                return self._anchor(node, left, then)
            case Boundary():
                return self.run(_as_looks(node), left, then)
            case Look():
                return self._look(node, left, then)
            case _:
                raise AssertionError(node)

    def _consume(
        self, expression: ir.Expression, left: _Left, then: _Continuation
    ) -> ir.Expression:
        if expression == ir.NOTHING:
            return ir.NOTHING
        if left.ended:
            return then(left) if matches_empty(expression) else ir.NOTHING
        return then(replace(left, pending=ir.sequence(left.pending, expression)))

    def _concatenation(
        self, items: tuple[Node, ...], left: _Left, then: _Continuation
    ) -> ir.Expression:
        index = next((i for i, item in enumerate(items) if assertions(item)), len(items))
        rest = items[index + 1 :]

        def on_pivot(at: _Left) -> ir.Expression:
            if index == len(items):
                return then(at)
            return self.run(items[index], at, on_rest)

        def on_rest(at: _Left) -> ir.Expression:
            return self._concatenation(rest, at, then) if rest else then(at)

        if index == 0:
            return on_pivot(left)
        return self._consume(plain(Concatenation(items[:index])), left, on_pivot)

    def _repeated(self, node: Quantified, left: _Left, then: _Continuation) -> ir.Expression:
        if node.maximum is not None and node.maximum <= MAX_UNROLLED:
            return _union(
                self.run(Concatenation((node.item,) * count), left, then)
                for count in range(node.minimum, node.maximum + 1)
            )
        if node.minimum <= 1 and only_ends(node.item):
            return self._until_end(node, left, then)
        if isinstance(node.item, Concatenation) and len(node.item.items) == 2:
            look, characters = node.item.items
            if isinstance(look, Look) and not look.behind and isinstance(characters, Characters):
                return self._tempered(node, look, characters, left, then)
        raise Unsupported("an assertion that is repeated without limit", line=1, column=1)

    def _until_end(self, node: Quantified, left: _Left, then: _Continuation) -> ir.Expression:
        """`(a|b$)*`: rounds that do not look for the end, and perhaps one that stands at it."""
        inner = plain(_endless(node.item))

        def at_end(at: _Left) -> ir.Expression:
            return then(at) if at.ended else ir.NOTHING

        def last(at: _Left) -> ir.Expression:
            return self.run(node.item, at, at_end)

        before = self._consume(ir.Repeat(inner, node.minimum), left, then)
        return _union((before, self._consume(ir.Repeat(inner), left, last)))

    def _tempered(
        self,
        node: Quantified,
        look: Look,
        characters: Characters,
        left: _Left,
        then: _Continuation,
    ) -> ir.Expression:
        """`((?!X).)*rest`, where the rest is a fixed text: the lookahead holds before it only."""
        found = self._ahead(look, _Left("unknown"))
        bad = found if look.negated else ir.Intersection((ANY_TEXT, ir.Complement(found)))
        rest = ir.EMPTY if left.ended else then(_Left("unknown"))
        if rest == ANY_TEXT and node.minimum <= MAX_UNROLLED:
            return self.run(Concatenation((node.item,) * node.minimum), left, then)
        ends = rest.options if isinstance(rest, ir.Choice) else (rest,)
        run = ir.Repeat(plain(characters), node.minimum, node.maximum)
        whole: list[ir.Expression] = []
        for end in ends:
            if not isinstance(end, ir.Literal):
                raise Unsupported("an assertion that is repeated without limit", line=1, column=1)
            within = ir.Repeat(ir.ANY_CHAR, 1 + len(end.text.decode()))
            somewhere = ir.sequence(ANY_TEXT, ir.Intersection((within, bad)))
            whole.append(ir.Intersection((ir.sequence(run, end), ir.Complement(somewhere))))
        if left.ended:
            return then(left) if any(map(matches_empty, whole)) else ir.NOTHING
        return ir.sequence(left.pending, ir.choice(*whole))

    def _ahead(self, look: Look, left: _Left) -> ir.Expression:
        return self.run(look.item, left, lambda at: at.pending if at.ended
                        else _joined(at.pending, ANY_TEXT))  # fmt: skip

    def _look(self, look: Look, left: _Left, then: _Continuation) -> ir.Expression:
        if look.behind:
            return self._behind(look, left, then)
        here = left.cut()
        found = self._ahead(look, here)
        if left.ended:
            return then(left) if matches_empty(found) != look.negated else ir.NOTHING
        if found == ir.NOTHING or found == ANY_TEXT:
            holds = (found == ANY_TEXT) != look.negated
            return then(left) if holds else ir.NOTHING
        rest = then(here)
        if ir.NOTHING in (rest, left.pending):
            return ir.NOTHING
        if rest == ir.EMPTY:
            return left.pending if matches_empty(found) != look.negated else ir.NOTHING
        if look.negated:
            found = ir.Complement(found)
        both = found if rest == ANY_TEXT and not look.negated else ir.Intersection((rest, found))
        return ir.sequence(left.pending, both)

    def _behind(self, look: Look, left: _Left, then: _Continuation) -> ir.Expression:
        if looks_ahead(look.item):
            raise _refused("an assertion about what follows, inside a lookbehind", look)
        if left.origin != "start" and isinstance(look.item, Characters) and not left.ended:
            return self._one_behind(look, look.item.ranges, left, then)
        if left.origin != "start":
            reach = None if assertions(look.item) else longest(look.item)
            if reach is None or fewest_characters(left.pending) < reach:
                raise _refused("a lookbehind that reaches back over a lookahead", look)
        before = Concatenation((_ANYTHING, look.item))
        found = self.run(before, _Left(), lambda at: at.pending)
        if left.pending == ir.EMPTY and left.origin == "start":
            return then(left) if matches_empty(found) != look.negated else ir.NOTHING
        if found == ir.NOTHING:
            return then(left) if look.negated else ir.NOTHING
        pending = ir.Intersection((left.pending, ir.Complement(found) if look.negated else found))
        return then(replace(left, pending=pending))

    def _one_behind(
        self, look: Look, ranges: regex_classes.Ranges, left: _Left, then: _Continuation
    ) -> ir.Expression:
        """A lookbehind of one character: it reaches back over a lookahead where nothing pends."""
        found = ir.sequence(ANY_TEXT, plain(Characters(ranges)))
        condition = ir.Complement(found) if look.negated else found
        pending: ir.Expression = ir.Intersection((left.pending, condition))
        if not matches_empty(left.pending):
            return then(replace(left, pending=pending))
        common = None if left.last is None else regex_classes.intersect(left.last, ranges)
        if common is None or common not in ((), left.last):
            raise _refused("a lookbehind that reaches back over a lookahead", look)
        holds = (common == left.last) != look.negated
        if left.pending == ir.EMPTY:
            return then(left) if holds else ir.NOTHING
        if holds and not look.negated:
            pending = ir.optional(pending)
        elif not holds and look.negated:
            pending = ir.Intersection((pending, ir.Repeat(ir.ANY_CHAR, 1)))
        return then(replace(left, pending=pending))

    def _anchor(self, anchor: Anchor, left: _Left, then: _Continuation) -> ir.Expression:
        breaks = Characters(anchor.breaks)
        match anchor.edge:
            case "text_start":
                return self._text_start(left, then)
            case "text_end":
                return then(replace(left, ended=True))
            case "line_start":
                behind = Look(breaks, True, False, 1)
                return _union((self._text_start(left, then), self.run(behind, left, then)))
            case "line_end" | "last_line_end":
                at_end = Anchor("text_end", anchor.breaks)
                follows: Node = breaks
                if anchor.edge == "last_line_end":
                    follows = Concatenation((breaks, at_end))
                ahead = Look(follows, False, False, 1)
                return _union((self.run(at_end, left, then), self.run(ahead, left, then)))

    def _text_start(self, left: _Left, then: _Continuation) -> ir.Expression:
        if left.origin == "later" or least(left.pending) > 0:
            return ir.NOTHING
        if left.origin == "unknown":
            raise Unsupported("'^' after a lookahead of unknown position", line=1, column=1)
        if not matches_empty(left.pending):
            return ir.NOTHING
        return then(replace(left, pending=ir.EMPTY))


def _endless(node: Node) -> Node:
    """The node without the alternatives that look for the end of the text."""
    match node:
        case Concatenation(items):
            return Concatenation(tuple(map(_endless, items)))
        case Alternation(options):
            return Alternation(tuple(map(_endless, options)))
        case Quantified(item, minimum, maximum):
            return Quantified(_endless(item), minimum, maximum)
        case Anchor():
            return Characters(())
        case _:
            return node


def _union(options: Iterable[ir.Expression]) -> ir.Expression:
    return ir.choice(*(option for option in options if option != ir.NOTHING))


def _refused(what: str, look: Look) -> Unsupported:
    return Unsupported(f"{what}, is not compiled", line=1, column=look.column)


def _as_looks(boundary: Boundary) -> Node:
    word = Characters(boundary.word)

    def case(before: bool, after: bool) -> Node:
        return Concatenation((Look(word, True, not before, 1), Look(word, False, not after, 1)))

    pairs = ((True, True), (False, False)) if boundary.negated else ((True, False), (False, True))
    return Alternation(tuple(case(*pair) for pair in pairs))


def lower(node: Node, *, search: bool) -> ir.Expression:
    """The texts that the pattern matches as a whole or, with `search`, anywhere within.

    Raises Unsupported or BudgetExceeded; never approximates.
    """
    if search:
        node = Concatenation((_ANYTHING, node, _ANYTHING))
    count = assertions(node)
    if not count:
        return plain(node)
    if count > MAX_ASSERTIONS:
        raise BudgetExceeded(
            f"the pattern has {count} assertions, more than {MAX_ASSERTIONS}", line=1, column=1
        )
    try:
        return _Lowering().run(node, _Left(), lambda at: at.pending)
    except RecursionError as error:
        message = "expected fewer assertions within groups"
        raise BudgetExceeded(message, line=1, column=1) from error
