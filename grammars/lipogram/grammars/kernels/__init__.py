"""Compiled code: functions are marked here, compiled ahead by `compiler`, loaded by `library`.

A kernel is a function that numba can compile, and its annotations are its types: `int` is 64 bits
wide, arrays have one dimension and are contiguous, a `Memory` is the address of its words. All
kernels become one library; numba is not needed to run it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

from lipogram.grammars.kernels import library
from lipogram.grammars.kernels.library import CACHE_DIR

__all__ = ["CACHE_DIR", "exported", "intrinsic", "kernel"]

Function = TypeVar("Function", bound=Callable[..., Any])

# The compiler's own process needs what is written in Python, and sees that all of it is compiled.
IS_COMPILING: Final = library.COMPILING in os.environ
KERNELS: Final[dict[str, Callable[..., Any]]] = {}  # by their names; for the compiler alone
EXPORTED: Final[set[str]] = set()


def kernel(function: Function) -> Function:
    """A function that compiled code calls, never Python."""
    if IS_COMPILING:
        KERNELS[library.name_of(function)] = function
    return function


def exported(function: Function) -> Function:
    """A kernel that Python calls, too, by position and without Python's lock.

    The first call compiles the library if there is none: a minute. A call costs a tenth of a
    microsecond. What is not an array of the right width is a TypeError; all that a kernel raises
    arrives as a MemoryError, the only error that kernels raise. Whether an array may be written to
    is not looked at.
    """
    if IS_COMPILING:
        EXPORTED.add(library.name_of(function))
        return kernel(function)
    loaded = library.loaded()
    if loaded is not None:
        return cast(Function, loaded[library.name_of(function)])

    @wraps(function)
    def compile_first(*args: Any) -> Any:
        return library.made()[library.name_of(function)](*args)

    return cast(Function, compile_first)


def intrinsic(function: Function) -> Function:
    """What compiled code has an instruction for: `intrinsics` has what it is compiled to."""
    if IS_COMPILING:
        from lipogram.grammars.kernels import intrinsics

        return cast(Function, getattr(intrinsics, function.__name__))
    return function
