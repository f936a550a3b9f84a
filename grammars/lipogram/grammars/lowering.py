"""From expressions to residuals.

Parts of a sequence that can take many forms, and what is repeated, become nameless rules: then what
they are made of does not depend on what follows, and every place that has them shares their states.
Below an intersection or complement nothing may call rules, so nothing is named there.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from lipogram.grammars import ir
from lipogram.grammars.derivatives import Derivatives
from lipogram.grammars.errors import GrammarError
from lipogram.grammars.members import Item, Run
from lipogram.grammars.residuals import EMPTY, INFINITE, NOTHING


def lower(root: ir.Expression, rules: Mapping[str, int], derivatives: Derivatives) -> int:
    """The node of an expression; `rules` numbers the rules that it may call."""
    residuals = derivatives.residuals
    nodes: dict[int, int] = {}
    for expression in postorder(root, stop=(ir.Intersection, ir.Complement, ir.Members)):
        match expression:
            case ir.Sequence(items):
                node = EMPTY
                for item in reversed(items):
                    node = residuals.sequence(residuals.named(nodes[id(item)]), node)
            case ir.Repeat(item, minimum, maximum):
                node = residuals.repeat(nodes[id(item)], minimum, maximum, is_named=True)
            case ir.Choice(options):
                node = residuals.choice(nodes[id(option)] for option in options)
            case ir.Reference(name):
                node = residuals.call(rules[name])
            case ir.Members():
                node = _lower_members(expression, rules, derivatives)
            case ir.Intersection() | ir.Complement():
                node = lower_regular(expression, derivatives)
            case _:
                node = _lower_leaf(expression, derivatives)
        nodes[id(expression)] = node
    return nodes[id(root)]


def _lower_members(members: ir.Members, rules: Mapping[str, int], derivatives: Derivatives) -> int:
    """The node of a run: its items' leading bytes apart, so that few of them become nodes."""
    items = []
    for index, item in enumerate(members.items):
        text, rest = _led(item)
        node = lower(rest, rules, derivatives)
        if node != NOTHING:
            items.append(Item(text, node, index in members.required))
        elif index in members.required:
            return NOTHING
    others = lower(members.others, rules, derivatives)
    separator = lower(members.separator, rules, derivatives)
    run = Run(derivatives, items, others, separator, members.any_order)
    return run.start(members.minimum, members.maximum)


def _led(expression: ir.Expression) -> tuple[bytes, ir.Expression]:
    """The bytes that an expression begins with, and what follows them."""
    match expression:
        case ir.Literal(text):
            return text, ir.EMPTY
        case ir.Sequence((ir.Literal(text), *rest)):
            return text, ir.Sequence(tuple(rest))
    return b"", expression


def lower_regular(root: ir.Expression, derivatives: Derivatives) -> int:
    """The node of an expression without references, itself without calls.

    Raises GrammarError where there is a reference.
    """
    residuals = derivatives.residuals
    nodes: dict[int, int] = {}
    for expression in postorder(root):
        match expression:
            case ir.Sequence(items):
                node = EMPTY
                for item in reversed(items):
                    node = residuals.sequence(nodes[id(item)], node)
            case ir.Repeat(item, minimum, maximum):
                node = residuals.repeat(nodes[id(item)], minimum, maximum)
            case ir.Choice(options):
                node = residuals.choice(nodes[id(option)] for option in options)
            case ir.Intersection(items):
                node = _live(residuals.both(nodes[id(item)] for item in items), derivatives)
            case ir.Complement(item):
                node = _live(residuals.complement(nodes[id(item)]), derivatives)
            case ir.Reference(name):
                raise GrammarError(
                    f"expected a regular expression under & or ~, found the rule {name!r}"
                )
            case ir.Members():
                raise GrammarError("expected a regular expression under & or ~, found members")
            case _:
                node = _lower_leaf(expression, derivatives)
        nodes[id(expression)] = node
    return nodes[id(root)]


def _lower_leaf(expression: ir.Expression, derivatives: Derivatives) -> int:
    residuals = derivatives.residuals
    match expression:
        case ir.Literal(text):
            return residuals.chain(text, EMPTY)
        case ir.Bytes(mask):
            return residuals.byte_class(mask)
        case ir.Chars(ranges):
            return residuals.chars(ranges)
        case ir.Literals(texts):
            return residuals.literals(texts)
    raise AssertionError(expression)


def _live(node: int, derivatives: Derivatives) -> int:
    return NOTHING if derivatives.length(node) >= INFINITE else node


def children(expression: ir.Expression) -> tuple[ir.Expression, ...]:
    """The direct sub-expressions."""
    match expression:
        case ir.Sequence(items) | ir.Intersection(items):
            return items
        case ir.Choice(options):
            return options
        case ir.Repeat(item) | ir.Complement(item):
            return (item,)
        case ir.Members(items):
            return (*items, expression.others, expression.separator)
    return ()


def postorder(
    root: ir.Expression,
    known: Container[int] = frozenset(),
    stop: tuple[type[ir.Expression], ...] = (),
) -> list[ir.Expression]:
    """Every distinct sub-expression object, children first; iterative, for any depth.

    Objects whose id is in `known`, and what is below them, are left out; below those of a type in
    `stop` nothing is visited.
    """
    order: list[ir.Expression] = []
    seen: set[int] = set()
    stack: list[tuple[ir.Expression, bool]] = [(root, False)]
    while stack:
        expression, is_done = stack.pop()
        if is_done:
            order.append(expression)
        elif id(expression) not in seen and id(expression) not in known:
            seen.add(id(expression))
            stack.append((expression, True))
            if not isinstance(expression, stop):
                stack += [(child, False) for child in children(expression)]
    return order
