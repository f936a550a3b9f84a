"""Counts whose upper limit the length of the whole makes superfluous."""

from __future__ import annotations

from collections.abc import Callable

from lipogram.grammars import ir
from lipogram.grammars.regex_measures import least

_Change = Callable[[ir.Expression], ir.Expression]


def freed(expression: ir.Expression) -> ir.Expression:
    r"""The same texts, without limits that none can reach which is as short as it has to be.

    In `(?=.{1,255}$)(.{1,63}\.){1,127}[a-z]+` there is no room for a 128th piece, and what is not
    counted takes fewer states. Cost: linear, shared parts once.
    """
    done: dict[int, ir.Expression] = {}

    def free(part: ir.Expression) -> ir.Expression:
        found = done.get(id(part))
        if found is None:
            found = _changed(part, free)
            if isinstance(found, ir.Intersection):
                found = _within_length(found)
            done[id(part)] = found
        return found

    return free(expression)


def _changed(expression: ir.Expression, change: _Change) -> ir.Expression:
    """The expression with its parts changed; itself where none is."""
    match expression:
        case ir.Sequence(parts) | ir.Choice(parts) | ir.Intersection(parts):
            others = tuple(map(change, parts))
            if all(part is other for part, other in zip(parts, others, strict=True)):
                return expression
            return type(expression)(others)
        case ir.Repeat(item, minimum, maximum):
            other = change(item)
            return expression if other is item else ir.Repeat(other, minimum, maximum)
        case ir.Complement(item):
            other = change(item)
            return expression if other is item else ir.Complement(other)
    return expression


def _within_length(expression: ir.Intersection) -> ir.Expression:
    limits = [limit for limit in map(_length_limit, expression.items) if limit is not None]
    if not limits:
        return expression
    most = min(limits)

    def free(part: ir.Expression) -> ir.Expression:
        return part if _length_limit(part) is not None else _within(part, most)

    return _changed(expression, free)


def _length_limit(expression: ir.Expression) -> int | None:
    if isinstance(expression, ir.Repeat) and isinstance(expression.item, ir.Chars):
        return expression.maximum
    return None


def _within(expression: ir.Expression, most: int) -> ir.Expression:
    """The same texts of at most so many characters, and others that are longer."""
    match expression:
        case ir.Sequence(items):
            spare = most - sum(map(least, items))
            parts = tuple(_within(item, spare + least(item)) for item in items)
            return expression if parts == items else ir.Sequence(parts)
        case ir.Repeat(item, minimum, maximum):
            length = least(item)
            other = _within(item, most - length * max(minimum - 1, 0))
            if maximum is not None and length and length * maximum >= most:
                maximum = None
            return ir.Repeat(other, minimum, maximum)
        case ir.Choice() | ir.Intersection():
            return _changed(expression, lambda part: _within(part, most))
    return expression
