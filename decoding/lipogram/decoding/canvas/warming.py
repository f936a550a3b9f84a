"""Having the compiled code of canvases ready before anybody waits."""

from __future__ import annotations

import numpy as np

from lipogram.decoding.canvas.canvas import Canvas
from lipogram.decoding.canvas.holes import Hole
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.grammars import compile, ir

_A = ir.Literal(b"a")
_NESTED = ir.choice(_A, ir.sequence(ir.Literal(b"("), ir.Reference("s"), ir.Literal(b")")))


def warm_up(vocabulary: Vocabulary) -> None:
    """Load all code that canvases run, or compile it: a minute or two on the first start ever."""
    automaton = compile(ir.Grammar({"s": ir.Repeat(_NESTED, 1)}, "s"))
    Canvas(automaton, vocabulary, [b"a(", Hole(exact_tokens=1), b")"])
    canvas = Canvas(automaton, vocabulary, [b"a(", Hole(), b")", Hole(max_tokens=2), b"a"])
    out = np.empty(-(-len(vocabulary) // 32), np.int32)
    canvas.mask(0, out)
    canvas.check(1, -1)
    canvas.commit(0, canvas.witness()[0])
