"""What must be known of every rule before any text is matched: how short it can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from lipogram.grammars import ir
from lipogram.grammars.errors import BudgetExceeded, GrammarError
from lipogram.grammars.residuals import INFINITE, Residuals, children, postorder


def check_depth(root: ir.Expression, max_depth: int) -> None:
    """Raise BudgetExceeded if the expression nests deeper than `max_depth`."""
    level: dict[int, ir.Expression] = {id(root): root}
    for _ in range(max_depth):
        level = {id(child): child for node in level.values() for child in children(node)}
        if not level:
            return
    raise BudgetExceeded(f"the grammar nests expressions deeper than {max_depth} levels")


def rule_lengths(grammar: ir.Grammar, residuals: Residuals) -> dict[str, int]:
    """The bytes of a shortest member of every rule; INFINITE for rules that match nothing.

    A least fixpoint by worklist over the rules that a change can affect.
    Raises GrammarError for a reference to a rule that does not exist.
    """
    orders = {name: postorder(body) for name, body in grammar.rules.items()}
    users: dict[str, set[str]] = defaultdict(set)
    for name, order in orders.items():
        for expression in order:
            if isinstance(expression, ir.Reference):
                if expression.rule not in grammar.rules:
                    raise GrammarError(f"rule {name!r} refers to {expression.rule!r}: no such rule")
                users[expression.rule].add(name)
    lengths = dict.fromkeys(grammar.rules, INFINITE)
    boolean_lengths: dict[int, int] = {}
    todo: dict[str, None] = dict.fromkeys(reversed(list(grammar.rules)))
    while todo:
        name = next(iter(todo))
        del todo[name]
        length = _length(orders[name], lengths, boolean_lengths, residuals)
        if length < lengths[name]:
            lengths[name] = length
            todo.update(dict.fromkeys(users[name]))
    return lengths


def _length(
    order: list[ir.Expression],
    rules: Mapping[str, int],
    boolean_lengths: dict[int, int],
    residuals: Residuals,
) -> int:
    values: dict[int, int] = {}
    for expression in order:
        match expression:
            case ir.Literal(text):
                value = len(text)
            case ir.Bytes(mask):
                value = 1 if mask else INFINITE
            case ir.Chars(ranges):
                value = len(chr(ranges[0][0]).encode()) if ranges else INFINITE
            case ir.Literals(texts):
                value = min(map(len, texts), default=INFINITE)
            case ir.Sequence(items):
                value = min(sum(values[id(item)] for item in items), INFINITE)
            case ir.Choice(options):
                value = min((values[id(option)] for option in options), default=INFINITE)
            case ir.Repeat(item, minimum):
                value = min(minimum * values[id(item)], INFINITE) if minimum else 0
            case ir.Intersection() | ir.Complement():
                if id(expression) not in boolean_lengths:
                    node = residuals.lower(expression, {})
                    boolean_lengths[id(expression)] = residuals.length(node)
                value = boolean_lengths[id(expression)]
            case ir.Reference(rule):
                value = rules[rule]
        values[id(expression)] = value
    return value
