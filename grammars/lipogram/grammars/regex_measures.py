"""What can be told of an expression or a pattern without matching: lengths and assertions."""

from __future__ import annotations

from lipogram.grammars import ir, regex_classes
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


def least(expression: ir.Expression) -> int:
    """A lower bound of the characters of the expression's members; regular ones of text only."""
    match expression:
        case ir.Literal(text):
            return len(text.decode())
        case ir.Sequence(items):
            return sum(map(least, items))
        case ir.Choice(options):
            return min(map(least, options), default=1)
        case ir.Repeat(item, minimum):
            return least(item) * minimum
        case ir.Intersection(items):
            return max(map(least, items))
        case ir.Complement():
            return 0 if matches_empty(expression) else 1
        case ir.Literals(texts):
            return min((len(text.decode()) for text in texts), default=1)
        case _:
            return 1


def matches_empty(expression: ir.Expression) -> bool:
    """Whether the empty string is a member; regular expressions only."""
    match expression:
        case ir.Literal(text):
            return not text
        case ir.Sequence(items) | ir.Intersection(items):
            return all(map(matches_empty, items))
        case ir.Choice(options):
            return any(map(matches_empty, options))
        case ir.Repeat(item, minimum):
            return minimum == 0 or matches_empty(item)
        case ir.Complement(item):
            return not matches_empty(item)
        case ir.Literals(texts):
            return b"" in texts
        case _:
            return False


def assertions(node: Node) -> int:
    """How many assertions the node holds."""
    match node:
        case Concatenation(items) | Alternation(items):
            return sum(map(assertions, items))
        case Quantified(item):
            return assertions(item)
        case Look(item):
            return 1 + assertions(item)
        case Characters():
            return 0
        case _:
            return 1


def longest(node: Node) -> int | None:
    """The most characters that a node without assertions can match; None: no limit."""
    match node:
        case Characters():
            return 1
        case Concatenation(items):
            lengths = [longest(item) for item in items]
            return None if None in lengths else sum(n for n in lengths if n is not None)
        case Alternation(options):
            lengths = [longest(option) for option in options]
            return None if None in lengths else max(n for n in lengths if n is not None)
        case Quantified(item, _, maximum):
            length = longest(item)
            return length * maximum if length is not None and maximum is not None else None
        case _:
            return None


def fewest_characters(expression: ir.Expression) -> int:
    """A lower bound of the length in characters of the expression's members."""
    match expression:
        case ir.Literal(text):
            return len(text.decode())
        case ir.Sequence(items):
            return sum(map(fewest_characters, items))
        case ir.Choice(options):
            return min(map(fewest_characters, options), default=1)
        case ir.Repeat(item, minimum):
            return fewest_characters(item) * minimum
        case ir.Intersection(items):
            return max(map(fewest_characters, items))
        case ir.Chars():
            return 1
        case _:
            return 0


def last_characters(
    expression: ir.Expression, before: regex_classes.Ranges | None
) -> regex_classes.Ranges | None:
    """Characters among which the last one is after a member; None: not known.

    `before` are those among which the last one is where the member is empty.
    """
    match expression:
        case ir.Literal(text):
            return ((ord(text.decode()[-1]),) * 2,) if text else before
        case ir.Chars(ranges):
            return ranges
        case ir.Sequence(items):
            for item in items:
                before = last_characters(item, before)
            return before
        case ir.Choice(options):
            found = [last_characters(option, before) for option in options]
            return _all_known(found)
        case ir.Repeat(item, minimum):
            again = last_characters(item, before)
            return again if minimum else _all_known([again, before])
        case ir.Intersection(items):
            known = (last_characters(item, before) for item in items)
            return next((ranges for ranges in known if ranges is not None), None)
        case _:
            return None


def _all_known(found: list[regex_classes.Ranges | None]) -> regex_classes.Ranges | None:
    known = [ranges for ranges in found if ranges is not None]
    return regex_classes.union(*known) if len(known) == len(found) else None


def looks_ahead(node: Node) -> bool:
    """Whether the node asserts anything about what follows it."""
    match node:
        case Concatenation(items) | Alternation(items):
            return any(map(looks_ahead, items))
        case Quantified(item):
            return looks_ahead(item)
        case Look(item, behind):
            return not behind or looks_ahead(item)
        case Anchor(edge):
            return edge not in ("text_start", "line_start")
        case _:
            return isinstance(node, Boundary)


def only_ends(node: Node) -> bool:
    """Whether all assertions of the node are that the text ends there."""
    match node:
        case Concatenation(items) | Alternation(items):
            return all(map(only_ends, items))
        case Quantified(item):
            return only_ends(item)
        case Anchor(edge):
            return edge == "text_end"
        case _:
            return isinstance(node, Characters)
