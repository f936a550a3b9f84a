"""What was stopped for its budget is freed, though compiled code has raised with it."""

from __future__ import annotations

import gc

import pytest

from lipogram.decoding import Canvas, Hole, Vocabulary
from lipogram.grammars import Budget, BudgetExceeded, compile, regex
from lipogram.grammars.engine.layout import NODES

BYTES = Vocabulary.from_tokens([b"", *[bytes([byte]) for byte in range(256)]], eos_ids=(0,))


def test_an_automaton_that_was_stopped_is_freed() -> None:
    automaton = compile(regex.parse("[ab]*a[ab]{9}"), budget=Budget(max_step_s=1e-7))
    words = automaton.memory.base
    with pytest.raises(BudgetExceeded):
        automaton.accepts(b"abab" * 20)
    assert words[NODES]
    del automaton
    gc.collect()
    assert not words[NODES]


def test_an_automaton_with_another_start_keeps_the_memory() -> None:
    automaton = compile(regex.parse("(ab)*c"))
    other = automaton.between(b"ab", b"")
    del automaton
    gc.collect()
    assert other.accepts(b"abc")
    assert not other.accepts(b"bc")


def test_a_canvas_that_could_not_tell_is_freed() -> None:
    automaton = compile(regex.parse("([ab]{3}|[bc]{4}x)*"))
    canvas = Canvas(automaton, BYTES, [b"ab", Hole(max_tokens=9), b"x"], max_check_s=1e-7)
    board = canvas._decisions.board
    memories = [memory.base for memory in (board._k, board._r, board._w, board._c)]
    verdicts = {canvas.check(slot, 1 + byte) for slot in range(9) for byte in b"abcx"}
    assert "unknown" in verdicts
    del canvas, board
    gc.collect()
    assert not any(words[array] for words in memories for array in range(64))
