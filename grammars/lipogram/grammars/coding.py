"""From expressions to the code that builds their nodes.

Parts of a sequence that can take many forms, and what is repeated, become nameless rules: then what
they are made of does not depend on what follows, and every place that has them shares their states.
Below an intersection or complement nothing may call rules, so nothing is named there; nor in
lexemes, whose ends must be seen.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from struct import Struct, pack_into
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    R_FLAGS,
    R_PROGRAM,
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

_SHORT_CODE = 4 * 24
_KEPT_CODE = 4 * 512  # what is no longer, and means the same in all grammars, is kept
_FEW_WORDS = 64  # so many are remembered in order: escapes come in every grammar
_MAX_COUNT = (1 << 30) - 1  # counts beyond are as good as this
_one, _two, _three = Struct("=i").pack, Struct("=2i").pack, Struct("=3i").pack
_PART, _END, _OTHER = _one(op.PART), _one(op.END), _one(op.OTHER)


class Coder:
    """Writes the rules of one grammar as code: 32-bit integers, whose bytes are put together."""

    def __init__(self, grammar: ir.Grammar, max_depth: int) -> None:
        """Raises GrammarError for references to rules that there are not, BudgetExceeded."""
        self._numbers = {name: number for number, name in enumerate(grammar.rules)}
        self._max_depth = max_depth
        self._code = bytearray()
        self._rules = bytearray(4 * RULE_WIDTH * len(grammar.rules))
        self._families = bytearray()
        self._items = bytearray()
        self._regulars = bytearray()
        self._texts = bytearray()
        self._starts = bytearray(4)
        self._words: dict[int, bytes] = {}
        self._registers: dict[int, int] = {}
        self._parts: dict[int, bytes] = {}
        self._regular_numbers: dict[int, int] = {}
        self._pending: list[ir.Expression] = []
        self.runs: list[ir.Members] = []  # by the numbers of their families
        self._rule = ""
        self._others = 0  # how much was written that means something else in other grammars
        self._keeps: list[int] = []  # where in the code registers are set
        for number, (name, body) in enumerate(grammar.rules.items()):
            self._rule = name
            is_lexeme = name in grammar.lexemes
            row = 4 * RULE_WIDTH * number
            pack_into("=i", self._rules, row + 4 * R_PROGRAM, len(self._code) >> 2)
            pack_into("=i", self._rules, row + 4 * R_FLAGS, LEXEME if is_lexeme else 0)
            self._registers = {}
            self._write((body,), not is_lexeme, 0)
            self._code += _END
        for number, expression in enumerate(self._pending):
            pack_into("=i", self._regulars, 4 * REGULAR_WIDTH * number, len(self._code) >> 2)
            self._registers = {}
            self._write((expression,), False, 0, within=True)
            self._code += _END

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
        memory[RULE_COUNT] = memory[NAMED_COUNT] = len(self._rules) // (4 * RULE_WIDTH)
        memory[FAMILY_COUNT] = len(self._families) // (4 * FAMILY_WIDTH)
        memory[ITEM_COUNT] = len(self._items) // (4 * ITEM_WIDTH)
        memory[REGULAR_COUNT] = len(self._pending)

    def _write(
        self, expressions: tuple[Any, ...], is_named: bool, depth: int, within: bool = False
    ) -> None:
        """Append the code of expressions; `within` an intersection or complement."""
        code = self._code
        for expression in expressions:
            kind = type(expression)
            if kind is ir.Literal:
                code += expression.code or _write_text(expression)
                continue
            if kind is ir.Reference:
                self._write_call(expression.rule, within)
                continue
            written = expression.code if is_named else None
            if written is not None and len(written) <= _SHORT_CODE:
                code += written
            elif kind is ir.Chars:
                code += _chars_code(expression.ranges)
            elif kind is ir.Bytes:
                code += _class_code(expression.mask) if expression.mask else _two(op.ANY, 0)
            elif kind is ir.Literals:
                self._write_literals(expression.texts)
            else:
                self._write_composite(expression, is_named, depth, within, written)

    def _write_call(self, name: str, within: bool) -> None:
        number = self._numbers.get(name)
        if number is None:
            raise GrammarError(f"rule {self._rule!r} refers to {name!r}: no such rule")
        if within:
            message = f"expected a regular expression under & or ~, found the rule {name!r}"
            raise GrammarError(message)
        self._others += 1
        self._code += _two(op.USE, number)

    def _write_composite(
        self, expression: Any, is_named: bool, depth: int, within: bool, written: bytes | None
    ) -> None:
        """What has parts: its code is run again, not written again, where it is shared."""
        code = self._code
        key = id(expression)
        register = self._registers.get(key)
        if register is not None:
            self._others += 1
            code += _two(op.AGAIN, register)
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
                kept = code[start:]
                for at in reversed(self._keeps[keeps:]):
                    del kept[at - start : at - start + 8]
                object.__setattr__(expression, "code", bytes(kept))
        if len(code) - start > _SHORT_CODE:  # what is shorter may as well be written again
            register = self._registers[key] = len(self._registers)
            self._keeps.append(len(code))
            code += _two(op.KEEP, register)

    def _write_parts(self, expression: Any, is_named: bool, depth: int, within: bool) -> None:
        kind = type(expression)
        if kind is ir.Sequence:
            self._write(expression.items, is_named, depth, within)
            join = op.JOIN_NAMED if is_named else op.JOIN
            self._code += _two(join, len(expression.items))
        elif kind is ir.Choice:
            self._write(expression.options, is_named, depth, within)
            self._code += _two(op.ANY, len(expression.options))
        elif kind is ir.Repeat:
            self._write((expression.item,), is_named, depth, within)
            times = op.TIMES_NAMED if is_named else op.TIMES
            least = min(expression.minimum, _MAX_COUNT)
            self._code += _three(times, least, _limit(expression.maximum))
        elif kind is ir.Members:
            self._others += 1
            self._write_members(expression, is_named, depth, within)
        elif not within:
            self._others += 1
            self._code += _two(op.REGULAR, self._regular(expression))
        elif kind is ir.Intersection:
            self._write(expression.items, False, depth, within)
            self._code += _two(op.ALL, len(expression.items))
        else:
            self._write((expression.item,), False, depth, within)
            self._code += _OTHER

    def _regular(self, expression: ir.Expression) -> int:
        """The number of an intersection or complement: it has code of its own."""
        number = self._regular_numbers.get(id(expression))
        if number is None:
            number = self._regular_numbers[id(expression)] = len(self._pending)
            self._pending.append(expression)
            self._regulars += bytes(4 * REGULAR_WIDTH)
        return number

    def _write_literals(self, texts: tuple[bytes, ...]) -> None:
        if not texts:
            self._code += _two(op.ANY, 0)
            return
        self._others += 1
        words = self._words.get(id(texts))
        if words is None:
            ends, text = _few_words(texts) if len(texts) <= _FEW_WORDS else _joined(texts)
            words = _three(op.WORDS, (len(self._starts) >> 2) - 1, len(ends))
            self._words[id(texts)] = words
            self._starts += (ends + np.int32(len(self._texts))).tobytes()
            self._texts += text
        self._code += words

    def _write_members(self, run: ir.Members, is_named: bool, depth: int, within: bool) -> None:
        """The items' code stands where it is measured, and is skipped where the run is built."""
        if within:
            raise GrammarError("expected a regular expression under & or ~, found a run of members")
        code, items = self._code, self._items
        family = len(self._families)
        self._families += bytes(4 * FAMILY_WIDTH)
        self.runs.append(run)
        at = first = len(items)
        items += bytes(4 * ITEM_WIDTH * len(run.items))
        code += _two(op.SKIP, 0)
        start = len(code)
        outer = self._registers
        for item in run.items:
            pack_into("=i", items, at + 4 * I_PROGRAM, len(code) >> 2)
            at += 4 * ITEM_WIDTH
            self._write_part(item, is_named, depth)
        for index in run.required:
            pack_into("=i", items, first + 4 * (ITEM_WIDTH * index + I_REQUIRED), 1)
        row = [0] * FAMILY_WIDTH
        row[F_OTHERS] = len(code) >> 2
        self._write_part(run.others, is_named, depth)
        row[F_SEPARATOR] = len(code) >> 2
        self._write_part(run.separator, is_named, depth)
        self._registers = outer
        pack_into("=i", code, start - 4, len(code) - start >> 2)
        code += _two(op.RUN, family // (4 * FAMILY_WIDTH))
        row[F_FIRST], row[F_COUNT] = first // (4 * ITEM_WIDTH), len(run.items)
        row[F_MINIMUM], row[F_MAXIMUM] = min(run.minimum, _MAX_COUNT), _limit(run.maximum)
        row[F_ANY_ORDER] = run.any_order
        row[F_TOP] = max(row[F_MINIMUM], row[F_MAXIMUM])
        pack_into(f"={FAMILY_WIDTH}i", self._families, family, *row)

    def _write_part(self, part: Any, is_named: bool, depth: int) -> None:
        """A part of a run; it is built by itself, so it has the same code in every run."""
        code = self._code
        written = self._parts.get(id(part))
        if written is not None:
            code += written
            return
        start = len(code)
        self._registers = {}
        if type(part) is ir.Sequence and part.code is None:  # nothing else runs its code
            self._write_parts(part, is_named, depth + 1, False)
        else:
            self._write((part,), is_named, depth)
        code += _PART
        self._parts[id(part)] = bytes(code[start:])


def _limit(count: int | None) -> int:
    return UNBOUNDED if count is None else min(count, _MAX_COUNT)


def _joined(texts: tuple[bytes, ...]) -> tuple[NDArray[np.int32], bytes]:
    """Texts in order, each once and one behind the other, and where each ends."""
    members = sorted(set(texts))
    return np.fromiter(accumulate(map(len, members)), np.int32), b"".join(members)


_few_words = lru_cache(maxsize=1024)(_joined)


def _write_text(literal: ir.Literal) -> bytes:
    code = _two(op.TEXT, len(literal.text)) + literal.text.decode("latin-1").encode("utf-32-le")
    object.__setattr__(literal, "code", code)
    return code


def _class_code(mask: int) -> bytes:
    return _one(op.CLASS) + mask.to_bytes(32, "little")


@lru_cache(maxsize=4096)
def _chars_code(ranges: tuple[tuple[int, int], ...]) -> bytes:
    """Code of a set of characters as byte sets after byte sets, those with equal rests joined."""
    leads: dict[tuple[tuple[int, int], ...], int] = {}
    for low, high in ranges:
        for (first, last), *tail in byte_ranges(low, high):
            key = tuple(tail)
            leads[key] = leads.get(key, 0) | (1 << (last + 1)) - (1 << first)
    by_lead: dict[int, list[tuple[tuple[int, int], ...]]] = {}
    for tail_ranges, mask in leads.items():
        by_lead.setdefault(mask, []).append(tail_ranges)
    code = bytearray()
    for mask, tails in by_lead.items():
        code += _class_code(mask)
        if tails == [()]:
            continue
        for tail_ranges in tails:
            for low, high in tail_ranges:
                code += _class_code((1 << (high + 1)) - (1 << low))
            code += _two(op.JOIN, len(tail_ranges))
        code += _two(op.ANY, len(tails)) + _two(op.JOIN, 2)
    code += _two(op.ANY, len(by_lead))
    return bytes(code)
