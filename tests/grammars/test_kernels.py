"""Kernels: compiled once, called with arguments as they are declared, and without numba."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lipogram.grammars.kernels import library

# Compiled from a file of its own, since the engine takes a minute.
KERNELS = """
from __future__ import annotations
from typing import NamedTuple
import numpy as np
from numpy.typing import NDArray
from lipogram.grammars.engine.memory import Memory, put_word, reserve
from lipogram.grammars.kernels import exported, kernel

class Pair(NamedTuple):
    left: NDArray[np.int32]
    right: Memory

@exported
def differs(pair: Pair, factor: np.uint64, is_exact: bool) -> bool:
    return is_exact and np.uint64(pair.left[0]) * factor != np.uint64(pair.right[1])

@exported
def median(values: NDArray[np.int64]) -> int:
    own = values.copy()
    own.sort()
    return own[len(own) // 2]

@kernel
def halved(number: int) -> int:
    return number if number % 2 else halved(number // 2)

@exported
def odd_part(number: int) -> int:
    if number == 0:
        raise MemoryError
    return halved(number)

@exported
def highest(words: NDArray[np.uint64], place: int) -> np.uint64:
    return words[place]

@exported
def fill(values: NDArray[np.uint8], byte: int) -> None:
    values[:] = byte
"""
COMPILE = """
import sys
from pathlib import Path
from lipogram.grammars.kernels import EXPORTED, KERNELS, compiler, library
sys.path.append(sys.argv[1])
engine = {name: each for name, each in KERNELS.items() if "engine.memory." in name}
KERNELS.clear(), EXPORTED.clear()
KERNELS.update(engine)
library.sources = lambda: [("kernels_of_a_test", Path())]
link, compiler._link = compiler._link, lambda made, shared: False
made = Path(sys.argv[1], "made")
compiler.compile_to(made)
link(made.with_suffix(".o"), made.with_suffix(".so"))
"""
CALL = """
import sys
from pathlib import Path
import numpy as np
from lipogram.grammars.kernels import library
made = library.load(Path(sys.argv[1]))
made = {name.rpartition(".")[2]: each for name, each in made.items()}

def refused(name, *arguments):
    try:
        made[name](*arguments)
    except Exception as error:
        return type(error).__name__

values = np.array([5, -2**40, 7, 6, 1])
before = sys.getrefcount(values)
assert made["median"](values) == 5 and values[0] == 5
assert made["median"](np.arange(10_001)[::-1].copy()) == 5_000
pair = (np.array([3], np.int32), np.array([0, 6]))
assert made["differs"](pair, np.uint64(2), True) is False
assert made["differs"](pair, 2**64 - 1, True) is True
assert made["differs"](pair, 2**64 - 1, np.False_) is False
assert [made["odd_part"](number) for number in (np.int64(12), 7, -1)] == [3, 7, -1]
assert made["highest"](np.array([2**64 - 1], np.uint64), 0) == 2**64 - 1
out = np.zeros(300, np.uint8)
assert made["fill"](out, 7) is None and (out == 7).all()
frozen = np.frombuffer(b"abc", np.uint8)
assert refused("odd_part", 0) == "MemoryError"
assert refused("odd_part", 2**63) == "OverflowError"
assert refused("odd_part", "1") == refused("odd_part", None) == "TypeError"
assert refused("odd_part") == refused("odd_part", 1, 2) == "TypeError"
assert refused("median", [1, 2]) == refused("median", None) == "TypeError"
assert refused("median", np.array([1, 2], np.int32)) == "TypeError"
assert refused("median", np.arange(10)[::2]) == "TypeError"
assert refused("median", np.zeros((2, 2), int)) == refused("median", np.array(5)) == "TypeError"
assert refused("median", np.array([1], np.int8)) == refused("fill", frozen[:1], []) == "TypeError"
assert refused("median", np.array([1.0, 2.0])) == "TypeError"
assert refused("differs", pair[:1], 1, True) == "IndexError"
assert refused("differs", list(pair), 1, True) == "SystemError"
for _ in range(1000):
    refused("odd_part", 0), made["median"](values), refused("median", values[::2])
assert sys.getrefcount(values) == before
"""
WITHOUT_NUMBA = """
import sys
import numpy as np
from lipogram.decoding import Canvas, Hole, Masker, Vocabulary
from lipogram.grammars import compile, regex
vocabulary = Vocabulary.from_tokens([b"", *(bytes([byte]) for byte in range(256))], eos_ids=(0,))
automaton = compile(regex.parse("(ab|cd)+"))
masker = Masker(automaton, vocabulary)
masker.mask(masker.start())
canvas = Canvas(automaton, vocabulary, [b"ab", Hole(exact_tokens=2)])
assert canvas.check(0, 1 + ord("c")) == "accept"
assert not {"numba", "llvmlite"} & set(sys.modules)
"""


def run(program: str, *arguments: str, **variables: str) -> None:
    path = os.pathsep.join(filter(None, sys.path))
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "kernels_of_a_test.py").write_text(KERNELS)
    run(COMPILE, str(folder), **{library.COMPILING: "1"})
    return folder


def test_linked_kernels_do_what_they_say(folder: Path) -> None:
    if not (folder / "made.so").exists():
        assert shutil.which("cc") is None
        pytest.skip("nothing links here")
    run(CALL, str(folder / "made.so"))


def test_kernels_that_nothing_linked_do_what_they_say(folder: Path) -> None:
    run(CALL, str(folder / "made.o"))


def test_nothing_needs_numba_once_the_kernels_are_compiled() -> None:
    library.made()
    run(WITHOUT_NUMBA)


def test_all_that_kernels_consist_of_is_in_the_name_of_the_library() -> None:
    names = dict(library.sources())
    assert "lipogram.grammars.engine.states" in names
    for path in names.values():
        for statement in ast.walk(ast.parse(path.read_text())):
            if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(
                "lipo"
            ):
                constants = [each.name for each in statement.names if each.name.isupper()]
                assert not constants or statement.module in names, (path, constants)
    for layer in ("grammars", "decoding"):
        for path in (Path(__file__).parents[2] / layer).rglob("*.py"):
            marked = "\n@kernel" in path.read_text() or "\n@exported" in path.read_text()
            assert not marked or path in names.values(), path
