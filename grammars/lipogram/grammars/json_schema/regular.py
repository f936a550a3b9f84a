"""Questions about regular expressions over text that are answered while a schema is read."""

from __future__ import annotations

from functools import lru_cache

from lipogram.grammars import ir
from lipogram.grammars.automaton import Automaton, Budget, compile
from lipogram.grammars.errors import BudgetExceeded, EmptyLanguage

ANY_TEXT = ir.Repeat(ir.ANY_CHAR)
# Many are kept at once; what asks for more is answered by BudgetExceeded or "not certain".
_BUDGET = Budget(max_nodes=20_000, max_states=10_000, max_bytes=32 << 20, max_compile_s=0.1)
_SMALL = Budget(max_nodes=3_000, max_states=2_000, max_bytes=8 << 20, max_compile_s=0.02)


@lru_cache(maxsize=512)
def _compiled(expression: ir.Expression, budget: Budget) -> Automaton | None:
    try:
        return compile(ir.Grammar({"start": expression}, "start"), budget=budget)
    except EmptyLanguage:
        return None


def holds(expression: ir.Expression, text: str) -> bool:
    """Whether the text is a member; BudgetExceeded where that takes too much."""
    if expression == ANY_TEXT:
        return True
    encoded = text.encode()
    if not encoded.startswith(_beginning(expression)):
        return False
    automaton = _compiled(expression, _BUDGET)
    return automaton is not None and automaton.accepts(encoded)


@lru_cache(maxsize=1024)
def is_empty(expression: ir.Expression) -> bool:
    """Whether it is certain that there are no members."""
    if isinstance(expression, ir.Literals):
        return not expression.texts
    if _length(expression) is not None:
        return False
    if isinstance(expression, ir.Intersection):
        *others, longest = sorted(map(_beginning, expression.items), key=len)
        if not all(map(longest.startswith, others)):
            return True
    try:
        return _compiled(expression, _SMALL) is None
    except BudgetExceeded:
        return False


def _beginning(expression: ir.Expression) -> bytes:
    """What all members begin with, as far as that is plain."""
    if isinstance(expression, ir.Sequence) and expression.items:
        expression = expression.items[0]
    return expression.text if isinstance(expression, ir.Literal) else b""


def _length(expression: ir.Expression, wanted: int = 0) -> int | None:
    """The characters of some member, as many as wanted or more if that is plain, too.

    None where it is not plain that there is a member.
    """
    match expression:
        case ir.Literal(text):
            return len(text.decode())
        case ir.Chars():
            return 1
        case ir.Literals(texts) if texts:
            return len(texts[0].decode())
        case ir.Choice(options):
            lengths = [length for length in map(_length, options) if length is not None]
            return max(lengths, default=None)
        case ir.Repeat(item, minimum, maximum):
            length = _length(item) if maximum != 0 else 0
            if not length:
                return length if minimum else 0
            times = max(minimum, -(-wanted // length))
            return length * (times if maximum is None else min(times, maximum))
        case ir.Sequence(items):
            return _length_of_all(items, wanted)
        case ir.Intersection(items):
            return _length_within(items)
    return None


def _length_of_all(items: tuple[ir.Expression, ...], wanted: int) -> int | None:
    """The same of one item after the other."""
    total = 0
    for item in items:
        length = _length(item)
        if length is None:
            return None
        total += length
    for item in items if total < wanted else ():
        own = _length(item) or 0
        total += (_length(item, wanted - total + own) or own) - own
    return total


def _length_within(items: tuple[ir.Expression, ...]) -> int | None:
    """The same of what all items have in common, all but one of which only ask for a length."""
    least, most, others = 0, None, []
    for item in items:
        if isinstance(item, ir.Repeat) and item.item == ir.ANY_CHAR:
            least = max(least, item.minimum)
            most = min((m for m in (most, item.maximum) if m is not None), default=None)
        else:
            others.append(item)
    if len(others) > 1:
        return None
    length = _length(others[0], least) if others else least
    fits = length is not None and least <= length and (most is None or length <= most)
    return length if fits else None
