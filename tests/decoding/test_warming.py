"""After the warm-up, no grammar waits for compiled code."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import gc, random
import numpy as np
from numba.core.dispatcher import Dispatcher
from lipogram.decoding import Masker, Vocabulary
from lipogram.decoding import Canvas, Hole, Unfillable
from lipogram.decoding.canvas import warm_up as warm_up_canvases
from lipogram.decoding.closing import closing
from lipogram.grammars import compile, json_schema, lark, regex
from lipogram.grammars.warming import warm_up

TOKENS = [b"", *(bytes([byte]) for byte in range(256)), b'":', b"ab", "é".encode()]
vocabulary = Vocabulary.from_tokens(TOKENS, eos_ids=(0,))

def visit(automaton):
    masker = Masker(automaton, vocabulary)
    rng = random.Random(0)
    state = masker.start()
    for _ in range(30):
        masker.mask(state)
        closing(masker, state)
        options = sorted(automaton.next_bytes(state))
        if not options:
            break
        state = automaton.step(state, rng.choice(options))
        automaton.forced(state)

def fill(automaton):
    try:
        canvas = Canvas(automaton, vocabulary, [Hole(max_tokens=9)])
    except Unfillable:
        return
    canvas.mask(0, np.empty(-(-len(TOKENS) // 32), np.int32))
    for slot, token in enumerate(canvas.witness()):
        canvas.commit(slot, token)

def compiled():
    kernels = (each for each in gc.get_objects() if isinstance(each, Dispatcher))
    return {(each.py_func.__module__, each.py_func.__name__, str(signature))
            for each in kernels for signature in each.signatures}

for automaton in warm_up():
    visit(automaton)
warm_up_canvases(vocabulary)
before = compiled()
assert before
schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a|b)+$",
          "maxLength": 9}, "b": {"enum": [str(i) for i in range(99)]}}}
for grammar in (
    regex.parse("(?=.*a)(?!.*bb)[ab]{2,9}"),
    json_schema.parse(schema),
    json_schema.parse(schema, key_order="any", escapes="any"),
    json_schema.parse({"type": "array", "uniqueItems": True, "items": {"type": "number"}}),
    lark.parse('start: A* B\\nA: /a+/\\nB: /a?b/', lexing="greedy"),
    lark.parse('start: "(" start ")" | start start | "x" <[0]>?'),
):
    visit(compile(grammar))
    fill(compile(grammar))
late = compiled() - before
assert not late, late
"""


def test_everything_is_compiled_by_the_warm_up() -> None:
    places = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = [sys.executable, "-P", "-c", PROGRAM]
    ended = subprocess.run(program, env=places, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
