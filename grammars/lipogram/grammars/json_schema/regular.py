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
    automaton = _compiled(expression, _BUDGET)
    return automaton is not None and automaton.accepts(text.encode())


def is_empty(expression: ir.Expression) -> bool:
    """Whether it is certain that there are no members."""
    if isinstance(expression, ir.Literals):
        return not expression.texts
    try:
        return _compiled(expression, _SMALL) is None
    except BudgetExceeded:
        return False
