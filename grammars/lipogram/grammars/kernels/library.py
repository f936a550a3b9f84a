"""The library of all kernels: where it is kept, how it is made, what Python calls of it.

It is named after what its sources say, so it is never out of date, and sources that say the same
share it.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np

import lipogram

CACHE_DIR: Final = "LIPOGRAM_CACHE_DIR"  # the variable that names where libraries are kept
COMPILING: Final = "LIPOGRAM_COMPILING"  # is set in the compiler's process
TABLE: Final = "lipogram_functions"  # the symbol of an array of `Method`, the last without a name
ARRAY_TYPE: Final = "lipogram_array_type"  # of a pointer to the type of numpy's arrays
SHARED, OBJECT = ".so", ".o"  # as linked, or as it is where nothing links
# All that kernels consist of, the numbers that are compiled into them included.
_SOURCES: Final = (
    "grammars/kernels",
    "grammars/engine",
    "grammars/lattice",
    "decoding/trie.py",
    "decoding/reaches",
    "decoding/canvas/compiled",
    "decoding/canvas/chart",
)
_making = Lock()
_kept: list[Any] = []  # what holds loaded code


class Method(ctypes.Structure):
    """Python's `PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


Functions = Mapping[str, Callable[..., Any]]


def name_of(function: Callable[..., Any]) -> str:
    """The name of a kernel, which no other has."""
    return f"{function.__module__}.{function.__qualname__}"


def sources() -> list[tuple[str, Path]]:
    """The modules that are compiled, by name, and the files that they are read from."""
    found = []
    for place in _SOURCES:
        root = next(root for root in map(Path, lipogram.__path__) if (root / place).exists())
        for path in [root / place] if place.endswith(".py") else (root / place).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found.append((".".join(("lipogram", *parts)).removesuffix(".__init__"), path))
    return sorted(found)


@cache
def loaded() -> Functions | None:
    """The exported kernels by name; None where there is no library yet. Cost: 10 ms, once."""
    for suffix in (SHARED, OBJECT):
        path = _path().with_suffix(suffix)
        if path.is_file():
            try:
                return load(path)
            except (OSError, ValueError):  # broken, or where nothing may be run
                continue
    return None


def made() -> Functions:
    """The exported kernels by name; the library is compiled if there is none: a minute.

    Raises RuntimeError if it cannot be compiled, OSError if there is no place to keep it.
    """
    functions = loaded()  # without the lock: finalizers come here at any time
    if functions is None:
        with _making:
            functions = loaded() or _made()
    return functions


def _made() -> Functions:
    path = _path()
    if str(path).startswith("~"):
        raise OSError(f"there is no home to keep compiled kernels in: set {CACHE_DIR}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.parent):
        loaded.cache_clear()
        if loaded() is None:
            _compile(path)
            loaded.cache_clear()
    functions = loaded()
    if functions is None:
        raise RuntimeError(f"the compiled kernels cannot be loaded from {path.parent}")
    return functions


def load(path: Path) -> Functions:
    """The exported kernels of a library, or of an object file that nothing linked.

    The latter is linked in memory by what compiled it, which stays there: 50 MB.
    """
    if path.suffix == OBJECT:
        return _functions(_linked(path))
    shared = ctypes.PyDLL(str(path))
    return _functions(lambda name: ctypes.addressof(ctypes.c_char.in_dll(shared, name)))


def _path() -> Path:
    """The library, without the suffix that tells how it is loaded."""
    texts = [f"{name}\n{path.read_text('utf-8')}" for name, path in sources()]
    machine = (platform.machine(), sysconfig.get_config_var("SOABI"), object.__basicsize__)
    digest = hashlib.sha256(repr((machine, texts)).encode()).hexdigest()[:16]
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = os.environ.get(CACHE_DIR) or f"{cache_home}/lipogram"
    return Path(os.path.expanduser(folder)) / f"kernels-{digest}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While this is held, no other process compiles into the folder, where the system can tell."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a process forked meanwhile holds it, too


def _compile(path: Path) -> None:
    program = [sys.executable, "-P", "-m", f"{__package__}.compiler"]
    path_of_modules = os.pathsep.join(each or os.getcwd() for each in sys.path)
    places = {**os.environ, COMPILING: "1", "PYTHONPATH": path_of_modules}
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        part = Path(folder) / path.name
        ended = subprocess.run([*program, str(part)], env=places, capture_output=True, text=True)
        if ended.returncode != 0:
            raise RuntimeError(f"the kernels cannot be compiled: {ended.stderr[-2000:]}")
        for made in Path(folder).iterdir():
            made.replace(path.with_suffix(made.suffix))


def _functions(address_of: Callable[[str], int]) -> Functions:
    table = address_of(TABLE)
    array_type = address_of(ARRAY_TYPE)
    if not (table and array_type):
        raise OSError("expected a library of kernels")
    ctypes.c_void_p.from_address(array_type).value = id(np.ndarray)
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    function = make(("PyCFunction_NewEx", ctypes.pythonapi))
    functions = {}
    while (method := Method.from_address(table)).name:
        functions[method.name.decode()] = function(table, None, None)
        table += ctypes.sizeof(Method)
    return functions


def _linked(path: Path) -> Callable[[str], int]:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_path(str(path)))
    engine.finalize_object()
    _kept.append(engine)
    return engine.get_global_value_address  # type: ignore[no-any-return]
