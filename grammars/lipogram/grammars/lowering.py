"""From expressions to residuals."""

from __future__ import annotations

from collections.abc import Container, Mapping

from lipogram.grammars import ir
from lipogram.grammars.derivatives import Derivatives
from lipogram.grammars.errors import GrammarError
from lipogram.grammars.residuals import EMPTY, INFINITE, NOTHING


def lower(root: ir.Expression, rules: Mapping[str, int], derivatives: Derivatives) -> int:
    """The node of an expression; `rules` numbers the rules that it may call."""
    nodes: dict[int, int] = {}
    for expression in postorder(root):
        nodes[id(expression)] = _lower_one(expression, nodes, rules, derivatives)
    return nodes[id(root)]


def _lower_one(
    expression: ir.Expression,
    nodes: Mapping[int, int],
    rules: Mapping[str, int],
    derivatives: Derivatives,
) -> int:
    residuals = derivatives.residuals
    match expression:
        case ir.Literal(text):
            return residuals.literal(text)
        case ir.Bytes(mask):
            return residuals.byte_class(mask)
        case ir.Chars(ranges):
            return residuals.chars(ranges)
        case ir.Literals(texts):
            return residuals.literals(texts)
        case ir.Sequence(items):
            node = EMPTY
            for item in reversed(items):
                node = residuals.sequence(nodes[id(item)], node)
            return node
        case ir.Choice(options):
            return residuals.choice(nodes[id(option)] for option in options)
        case ir.Repeat(item, minimum, maximum):
            return residuals.repeat(nodes[id(item)], minimum, maximum)
        case ir.Intersection(items):
            return _live(residuals.both(nodes[id(item)] for item in items), derivatives)
        case ir.Complement(item):
            return _live(residuals.complement(nodes[id(item)]), derivatives)
        case ir.Reference(name):
            if name not in rules:
                raise GrammarError(
                    f"expected a regular expression under & or ~, found the rule {name!r}"
                )
            return residuals.call(rules[name])


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
    return ()


def postorder(root: ir.Expression, known: Container[int] = frozenset()) -> list[ir.Expression]:
    """Every distinct sub-expression object, children first; iterative, for any depth.

    Objects whose id is in `known`, and what is below them, are left out.
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
            stack += [(child, False) for child in children(expression)]
    return order
