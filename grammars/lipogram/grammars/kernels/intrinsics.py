"""What kernels do without a function: elements at addresses, bits of words, C's memory.

Only the compiler imports this. Within kernels a memory is the address of its words: an array would
be counted by each that holds it, a fifth of the time of all kernels.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir as llvm
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model


class PointerType(types.Type):  # type: ignore[misc]
    """What memories are within kernels."""

    def __init__(self) -> None:
        super().__init__(name="Memory")


POINTER: Final = PointerType()

calloc = types.ExternalFunction("calloc", types.intp(types.intp, types.intp))
memcpy = types.ExternalFunction("memcpy", types.intp(types.intp, types.intp, types.intp))
memset = types.ExternalFunction("memset", types.intp(types.intp, types.intc, types.intp))
free = types.ExternalFunction("free", types.void(types.intp))


@register_model(PointerType)
class _PointerModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, type: PointerType) -> None:
        super().__init__(manager, type, llvm.IntType(64).as_pointer())


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], PointerType):
            return signature(types.int64, POINTER, types.int64)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], PointerType):
            return signature(types.none, POINTER, types.int64, types.int64)
        return None


@lower_builtin(operator.getitem, PointerType, types.int64)  # type: ignore[untyped-decorator]
def _get_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(builder.gep(args[0], [args[1]]))


@lower_builtin(operator.setitem, PointerType, types.int64, types.int64)  # type: ignore[untyped-decorator]
def _set_item(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], builder.gep(args[0], [args[1]]))
    return context.get_dummy_value()


def _place(builder: Any, width: int, address: Any, index: Any) -> Any:
    start = builder.inttoptr(address, llvm.IntType(width).as_pointer())
    return builder.gep(start, [index])


def _start(builder: Any, memory: Any, array: Any) -> Any:
    return builder.load(builder.gep(memory, [array]))


def _reading(width: int, result: types.Type) -> Callable[..., Any]:
    """An element of an array of a memory."""

    def read(typing: Any, memory: Any, array: Any, index: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            start = _start(builder, args[0], args[1])
            return _widened(builder, builder.load(_place(builder, width, start, args[2])))

        return result(POINTER, types.int64, types.int64), code

    return intrinsic(read)  # type: ignore[no-any-return]


def _writing(width: int, value: types.Type) -> Callable[..., Any]:
    """Write an element of an array of a memory."""

    def write(typing: Any, memory: Any, array: Any, index: Any, value_type: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            place = _place(builder, width, _start(builder, args[0], args[1]), args[2])
            builder.store(_narrowed(builder, args[3], width), place)
            return context.get_dummy_value()

        return types.void(POINTER, types.int64, types.int64, value), code

    return intrinsic(write)  # type: ignore[no-any-return]


def _widened(builder: Any, value: Any) -> Any:
    return value if value.type.width == 64 else builder.sext(value, llvm.IntType(64))


def _narrowed(builder: Any, value: Any, width: int) -> Any:
    return value if width == 64 else builder.trunc(value, llvm.IntType(width))


get, get_word = _reading(32, types.int64), _reading(64, types.uint64)
put, put_word = _writing(32, types.int64), _writing(64, types.uint64)


@intrinsic  # type: ignore[untyped-decorator]
def load(typing: Any, address: Any, index: Any) -> Any:
    """The 32-bit integer at an index from an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _widened(builder, builder.load(_place(builder, 32, args[0], args[1])))

    return types.int64(types.int64, types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, address: Any, index: Any, value: Any) -> Any:
    """Write the 32-bit integer at an index from an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _place(builder, 32, args[0], args[1])
        builder.store(_narrowed(builder, args[2], 32), place)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def lowest_bit(typing: Any, word: Any) -> Any:
    """The index of the lowest bit of a word that has one."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], llvm.Constant(llvm.IntType(1), 1))

    return types.int64(types.uint64), code


@intrinsic  # type: ignore[untyped-decorator]
def bit_count(typing: Any, word: Any) -> Any:
    """How many bits of a word are set."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), code
