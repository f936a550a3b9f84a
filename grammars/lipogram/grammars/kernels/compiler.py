"""Compiles all kernels into one object and links it; a program of its own.

Each kernel is typed by its annotations, so each is read once, in any order, and all are optimised
together. numba's own way, a library for each function with all that it calls in it, took three
times as long and loaded a hundred times the code.
"""

from __future__ import annotations

import ctypes
import importlib
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from numba import types
from numba.core.base import BaseContext
from numba.core.codegen import CodeLibrary
from numba.core.compiler import Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.runtime import nrtdynmod
from numba.core.typing.templates import make_concrete_template, signature

from lipogram.grammars.kernels import EXPORTED, KERNELS, library
from lipogram.grammars.kernels.intrinsics import POINTER
from lipogram.grammars.kernels.wrappers import Signature, add_runtime, add_wrappers

# What nearly all processors of these kinds have, so that what is made here runs anywhere.
_PROCESSORS: Final = {"x86_64": "x86-64-v2", "AMD64": "x86-64-v2"}
_TYPES: Final[dict[str, Any]] = {
    "None": types.none,
    "bool": types.boolean,
    "int": types.int64,
    "np.uint64": types.uint64,
    "Memory": POINTER,
    **{
        f"NDArray[np.{name}]": types.Array(getattr(types, name), 1, "C")
        for name in ("bool_", "uint8", "int32", "int64", "uint64")
    },
}


def _signature(name: str, kernel: Callable[..., Any]) -> Signature:
    annotations = dict(kernel.__annotations__)
    returned = _type_of(annotations.pop("return"), kernel)
    return Signature(name, [_type_of(each, kernel) for each in annotations.values()], returned)


def _type_of(text: str, kernel: Callable[..., Any]) -> Any:
    if text in _TYPES:
        return _TYPES[text]
    if text.startswith("tuple["):
        parts = text.removeprefix("tuple[").removesuffix("]").split(", ")
        return types.UniTuple(_TYPES[parts[0]], len(parts))
    named = kernel.__globals__[text]
    fields = (each.__forward_arg__ for each in named.__annotations__.values())
    return types.NamedTuple([_TYPES[field] for field in fields], named)


class _Descriptor:
    """What a call of a kernel needs to know, also of one that is still to be compiled."""

    inline = noalias = False

    def __init__(self, each: Signature) -> None:
        self.mangled_name = each.name
        self.restype, self.argtypes = each.returned, each.taken
        self.args = [f"argument_{index}" for index in range(len(each.taken))]


def compile_to(path: Path) -> None:
    """Compile all kernels; they lie at the path, linked or as an object, by the suffix."""
    for name, _ in library.sources():
        importlib.import_module(name)
    with global_compiler_lock:
        machine_code = _compiled()
    made = path.with_suffix(library.OBJECT)
    made.write_bytes(machine_code)
    shared = path.with_suffix(library.SHARED)
    if _link(made, shared):
        made.unlink()
    else:
        shared.unlink(missing_ok=True)


def _compiled() -> bytes:
    context = _context()
    signatures = {name: _signature(name, kernel) for name, kernel in KERNELS.items()}
    for name, each in signatures.items():
        _declare(context, KERNELS[name], each)
    made = context.codegen().create_library("lipogram")
    runtime, _ = nrtdynmod.create_nrt_module(context)
    made.add_ir_module(runtime)
    flags = Flags()
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.nrt = True
    for name, each in signatures.items():
        compile_extra(
            cpu_target.typing_context,
            context,
            KERNELS[name],
            each.taken,
            each.returned,
            flags,
            locals={},
            library=made,
        )
    add_runtime(made)
    add_wrappers(context, made, [signatures[name] for name in sorted(EXPORTED)])
    _hide(made)
    made.finalize()
    return bytes(made.emit_native_object())


def _context() -> BaseContext:
    """numba's, with the names of kernels as their symbols."""
    processor = _PROCESSORS.get(sysconfig.get_platform().rpartition("-")[2], "")
    context = cpu_target.target_context.with_aot_codegen("lipogram", cpu_name=processor)
    mangler = context.mangler
    context.mangler = lambda name, *args, **options: (
        name if name in KERNELS else mangler(name, *args, **options)
    )
    return context


def _declare(context: BaseContext, kernel: Callable[..., Any], each: Signature) -> None:
    taken = signature(each.returned, *each.taken)
    template = make_concrete_template(each.name, kernel, [taken])
    cpu_target.typing_context.insert_user_function(kernel, template)
    context.insert_user_function(kernel, _Descriptor(each))


def _hide(made: CodeLibrary) -> None:
    """Keep all but what is looked up to the library, so that what is inlined is dropped."""
    module = made._final_module
    for linked in dict.fromkeys(made._linking_libraries):
        module.link_in(linked._get_module_for_linking(), preserve=True)
    made._linking_libraries.clear()
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration and each.name not in (library.TABLE, library.ARRAY_TYPE):
            each.linkage = "internal"


def _link(made: Path, shared: Path) -> bool:
    """Link an object by the system's compiler; False where there is none, or nothing may be run."""
    for linker in (sysconfig.get_config_var("LDSHARED"), "cc -shared"):
        try:
            command = [*shlex.split(linker or ""), str(made), "-o", str(shared)]
            if subprocess.run(command, capture_output=True).returncode == 0:
                ctypes.PyDLL(str(shared))
                return True
        except OSError:
            continue
    return False


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
