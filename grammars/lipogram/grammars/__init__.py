"""Grammars know bytes: front-ends, the language object, and nothing of tokens or models."""

from lipogram.grammars import choice
from lipogram.grammars.automaton import Automaton, Budget, State, compile
from lipogram.grammars.errors import (
    BudgetExceeded,
    EmptyLanguage,
    Error,
    GrammarError,
    Unsupported,
)
from lipogram.grammars.ir import Grammar, Report

__all__ = [
    "Automaton",
    "Budget",
    "BudgetExceeded",
    "EmptyLanguage",
    "Error",
    "Grammar",
    "GrammarError",
    "Report",
    "State",
    "Unsupported",
    "choice",
    "compile",
]
