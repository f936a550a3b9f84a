"""From expressions to the code that builds their nodes.

Parts of a sequence that can take many forms, and what is repeated, become nameless rules: then what
they are made of does not depend on what follows, and every place that has them shares their states.
Below an intersection or complement nothing may call rules, so nothing is named there; nor in
lexemes, whose ends must be seen.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from typing import Any

import numpy as np

from lipogram.grammars import ir
from lipogram.grammars.engine import programs as op
from lipogram.grammars.engine.layout import (
    F_ANY_ORDER,
    F_COUNT,
    F_FIRST,
    F_MAXIMUM,
    F_MINIMUM,
    F_OTHERS,
    F_SEPARATOR,
    F_TOP,
    FAMILIES,
    FAMILY_COUNT,
    FAMILY_ITEMS,
    FAMILY_WIDTH,
    I_PROGRAM,
    I_REQUIRED,
    ITEM_COUNT,
    ITEM_WIDTH,
    LEXEME,
    NAMED_COUNT,
    PROGRAM,
    REGULAR_COUNT,
    REGULAR_WIDTH,
    REGULARS,
    RULE_COUNT,
    RULE_WIDTH,
    RULES,
    TEXT_STARTS,
    TEXTS,
    UNBOUNDED,
)
from lipogram.grammars.engine.memory import Memory, copy_in
from lipogram.grammars.errors import BudgetExceeded, GrammarError
from lipogram.grammars.utf8 import byte_ranges

_SHORT_CODE = 24
_KEPT_CODE = 256  # what is no longer, and means the same in all grammars, is kept with the node
_MAX_COUNT = (1 << 30) - 1  # counts beyond are as good as this


class Coder:
    """Writes the rules of one grammar as code."""

    def __init__(self, grammar: ir.Grammar, max_depth: int) -> None:
        """Raises GrammarError for references to rules that there are not, BudgetExceeded."""
        self._numbers = {name: number for number, name in enumerate(grammar.rules)}
        self._max_depth = max_depth
        self._code = array("i")
        self._rules = array("i")
        self._families = array("i")
        self._items = array("i")
        self._regulars = array("i")
        self._texts = bytearray()
        self._starts = array("i", (0,))
        self._words: dict[int, tuple[int, int, int]] = {}
        self._registers: dict[int, int] = {}
        self._regular_numbers: dict[int, int] = {}
        self._pending: list[ir.Expression] = []
        self.runs: list[ir.Members] = []  # by the numbers of their families
        self._rule = ""
        self._others = 0  # how much was written that means something else in other grammars
        self._keeps: list[int] = []  # where in the code registers are set
        for name, body in grammar.rules.items():
            self._rule = name
            is_lexeme = name in grammar.lexemes
            self._rules.extend((len(self._code), 0, LEXEME if is_lexeme else 0, 0, 0, 0, 0, 0))
            self._registers = {}
            self._write(body, not is_lexeme, 0)
            self._code.append(op.END)
        for number, expression in enumerate(self._pending):
            self._regulars[REGULAR_WIDTH * number] = len(self._code)
            self._registers = {}
            self._write(expression, False, 0, within=True)
            self._code.append(op.END)

    def number(self, name: str) -> int:
        """The number of a rule."""
        return self._numbers[name]

    def load(self, memory: Memory) -> None:
        """Put all of it into an engine's memory."""
        for number, values in (
            (PROGRAM, self._code), (RULES, self._rules), (FAMILIES, self._families),
            (FAMILY_ITEMS, self._items), (REGULARS, self._regulars),
            (TEXT_STARTS, self._starts),
        ):  # fmt: skip
            copy_in(memory, number, 0, np.frombuffer(values, np.int32))
        copy_in(memory, TEXTS, 0, np.frombuffer(self._texts, np.uint8).astype(np.int32))
        memory[RULE_COUNT] = memory[NAMED_COUNT] = len(self._rules) // RULE_WIDTH
        memory[FAMILY_COUNT] = len(self._families) // FAMILY_WIDTH
        memory[ITEM_COUNT] = len(self._items) // ITEM_WIDTH
        memory[REGULAR_COUNT] = len(self._pending)

    def _write(
        self, expression: ir.Expression, is_named: bool, depth: int, within: bool = False
    ) -> None:
        """Append the code of an expression; `within` an intersection or complement."""
        code = self._code
        written = getattr(expression, "code", None) if is_named else None
        if written is not None and len(written) <= _SHORT_CODE:
            code += written
            return
        kind = type(expression)
        if kind is ir.Literal:
            text = expression.text  # type: ignore[union-attr]
            code.extend((op.TEXT, len(text), *text))
        elif kind is ir.Reference:
            name = expression.rule  # type: ignore[union-attr]
            number = self._numbers.get(name)
            if number is None:
                raise GrammarError(f"rule {self._rule!r} refers to {name!r}: no such rule")
            if within:
                message = f"expected a regular expression under & or ~, found the rule {name!r}"
                raise GrammarError(message)
            self._others += 1
            code.extend((op.USE, number))
        elif kind is ir.Chars:
            code += _chars_code(expression.ranges)  # type: ignore[union-attr]
        elif kind is ir.Bytes:
            mask = expression.mask  # type: ignore[union-attr]
            code.extend(_class_code(mask) if mask else (op.ANY, 0))
        elif kind is ir.Literals:
            self._write_literals(expression.texts)  # type: ignore[union-attr]
        else:
            self._write_composite(expression, is_named, depth, within, written)

    def _write_composite(
        self, expression: Any, is_named: bool, depth: int, within: bool, written: array[int] | None
    ) -> None:
        """What has parts: its code is run again, not written again, where it is shared."""
        code = self._code
        register = self._registers.get(id(expression))
        if register is not None:
            self._others += 1
            code.extend((op.AGAIN, register))
            return
        if depth > self._max_depth:
            message = f"the grammar nests expressions deeper than {self._max_depth} levels"
            raise BudgetExceeded(message)
        start = len(code)
        if written is not None:
            code += written
        else:
            others, keeps = self._others, len(self._keeps)
            self._write_parts(expression, is_named, depth + 1, within)
            if others == self._others and is_named and len(code) - start <= _KEPT_CODE:
                written = code[start:]
                for at in reversed(self._keeps[keeps:]):
                    del written[at - start : at - start + 2]
                object.__setattr__(expression, "code", written)
        if len(code) - start > _SHORT_CODE:  # what is shorter may as well be written again
            register = self._registers[id(expression)] = len(self._registers)
            self._keeps.append(len(code))
            code.extend((op.KEEP, register))

    def _write_parts(self, expression: Any, is_named: bool, depth: int, within: bool) -> None:
        code = self._code
        kind = type(expression)
        if kind is ir.Sequence:
            for item in expression.items:
                self._write(item, is_named, depth, within)
            code.extend((op.JOIN_NAMED if is_named else op.JOIN, len(expression.items)))
        elif kind is ir.Choice:
            for option in expression.options:
                self._write(option, is_named, depth, within)
            code.extend((op.ANY, len(expression.options)))
        elif kind is ir.Repeat:
            self._write(expression.item, is_named, depth, within)
            most = expression.maximum
            most = UNBOUNDED if most is None else min(most, _MAX_COUNT)
            times = op.TIMES_NAMED if is_named else op.TIMES
            code.extend((times, min(expression.minimum, _MAX_COUNT), most))
        elif kind is ir.Members:
            self._others += 1
            self._write_members(expression, is_named, depth, within)
        elif not within:
            self._others += 1
            code.extend((op.REGULAR, self._regular(expression)))
        elif kind is ir.Intersection:
            for item in expression.items:
                self._write(item, False, depth, within)
            code.extend((op.ALL, len(expression.items)))
        else:
            self._write(expression.item, False, depth, within)
            code.append(op.OTHER)

    def _regular(self, expression: ir.Expression) -> int:
        """The number of an intersection or complement: it has code of its own."""
        number = self._regular_numbers.get(id(expression))
        if number is None:
            number = self._regular_numbers[id(expression)] = len(self._pending)
            self._pending.append(expression)
            self._regulars.extend((0, 0, 0, 0))
        return number

    def _write_literals(self, texts: tuple[bytes, ...]) -> None:
        if not texts:
            self._code.extend((op.ANY, 0))
            return
        self._others += 1
        words = self._words.get(id(texts))
        if words is None:
            members = sorted(set(texts))
            words = self._words[id(texts)] = (op.WORDS, len(self._starts) - 1, len(members))
            for text in members:
                self._texts += text
                self._starts.append(len(self._texts))
        self._code.extend(words)

    def _write_members(self, run: ir.Members, is_named: bool, depth: int, within: bool) -> None:
        """The items' code stands where it is measured, and is skipped where the run is built."""
        if within:
            raise GrammarError("expected a regular expression under & or ~, found a run of members")
        code = self._code
        family = len(self._families) // FAMILY_WIDTH
        self.runs.append(run)
        first = len(self._items) // ITEM_WIDTH
        row = array("i", bytes(4 * FAMILY_WIDTH))
        self._families += row
        self._items.frombytes(bytes(4 * ITEM_WIDTH * len(run.items)))
        code.extend((op.SKIP, 0))
        start = len(code)
        outer = self._registers
        for index, item in enumerate(run.items):
            at = (first + index) * ITEM_WIDTH
            self._items[at + I_PROGRAM] = len(code)
            self._items[at + I_REQUIRED] = index in run.required
            self._write_part(item, is_named, depth)
        row[F_OTHERS] = len(code)
        self._write_part(run.others, is_named, depth)
        row[F_SEPARATOR] = len(code)
        self._write_part(run.separator, is_named, depth)
        self._registers = outer
        code[start - 1] = len(code) - start
        code.extend((op.RUN, family))
        most = UNBOUNDED if run.maximum is None else min(run.maximum, _MAX_COUNT)
        row[F_FIRST], row[F_COUNT] = first, len(run.items)
        row[F_MINIMUM], row[F_MAXIMUM] = min(run.minimum, _MAX_COUNT), most
        row[F_ANY_ORDER] = run.any_order
        row[F_TOP] = max(row[F_MINIMUM], most)
        self._families[family * FAMILY_WIDTH : (family + 1) * FAMILY_WIDTH] = row

    def _write_part(self, part: ir.Expression, is_named: bool, depth: int) -> None:
        self._registers = {}  # it is built by itself
        self._write(part, is_named, depth)
        self._code.append(op.PART)


def _class_code(mask: int) -> tuple[int, ...]:
    return (op.CLASS, *np.frombuffer(mask.to_bytes(32, "little"), np.int32).tolist())


@lru_cache(maxsize=4096)
def _chars_code(ranges: tuple[tuple[int, int], ...]) -> array[int]:
    """Code of a set of characters as byte sets after byte sets, those with equal rests joined."""
    leads: dict[tuple[tuple[int, int], ...], int] = {}
    for low, high in ranges:
        for (first, last), *tail in byte_ranges(low, high):
            key = tuple(tail)
            leads[key] = leads.get(key, 0) | (1 << (last + 1)) - (1 << first)
    by_lead: dict[int, list[tuple[tuple[int, int], ...]]] = {}
    for tail_ranges, mask in leads.items():
        by_lead.setdefault(mask, []).append(tail_ranges)
    code = array("i")
    for mask, tails in by_lead.items():
        code.extend(_class_code(mask))
        if tails == [()]:
            continue
        for tail_ranges in tails:
            for low, high in tail_ranges:
                code.extend(_class_code((1 << (high + 1)) - (1 << low)))
            code.extend((op.JOIN, len(tail_ranges)))
        code.extend((op.ANY, len(tails), op.JOIN, 2))
    code.extend((op.ANY, len(by_lead)))
    return code
