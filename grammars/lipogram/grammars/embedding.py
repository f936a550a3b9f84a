"""One grammar inside another: its rules under names of their own."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from lipogram.grammars import ir


def embed(grammar: ir.Grammar, prefix: str, rules: dict[str, ir.Expression]) -> ir.Reference:
    """Add a grammar's rules to `rules`, each name after the prefix; returns what starts it.

    Its lexemes are lexemes of the whole under the same names, which is for the caller to say.
    """
    for name, body in grammar.rules.items():
        rules[prefix + name] = _Renaming(prefix).rename(body)
    return ir.Reference(prefix + grammar.start)


class _Renaming:
    """Expressions with a prefix before the names in their references; shared parts stay shared."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._done: dict[int, ir.Expression] = {}

    def rename(self, expression: ir.Expression) -> ir.Expression:
        done = self._done.get(id(expression))
        if done is None:
            done = self._done[id(expression)] = self._rename(expression)
        return done

    def _rename(self, expression: ir.Expression) -> ir.Expression:
        if isinstance(expression, ir.Reference):
            return ir.Reference(self._prefix + expression.rule)
        changes: dict[str, Any] = {}
        for part in fields(expression):
            value = getattr(expression, part.name)
            if is_dataclass(value):
                changes[part.name] = self.rename(value)  # type: ignore[arg-type]
            elif isinstance(value, tuple) and value and is_dataclass(value[0]):
                changes[part.name] = tuple(map(self.rename, value))
        return replace(expression, **changes) if changes else expression
