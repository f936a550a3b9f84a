"""The type as which kernels pass a memory on: the address of its words.

An array would be counted by each that holds it, a fifth of the time of all kernels.
"""

from __future__ import annotations

import operator
from typing import Any, Final

from llvmlite import ir as llvm
from numba import types
from numba.core.imputils import lower_cast
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model
from numba.np import arrayobj


class PointerType(types.Type):  # type: ignore[misc]
    """What arrays of words are within kernels."""

    def __init__(self) -> None:
        super().__init__(name="Memory")


POINTER: Final = PointerType()


@register_model(PointerType)
class _PointerModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, type: PointerType) -> None:
        super().__init__(manager, type, llvm.IntType(64).as_pointer())


@lower_cast(types.Array, PointerType)  # type: ignore[untyped-decorator]
def _words_of_array(context: Any, builder: Any, array: Any, pointer: Any, value: Any) -> Any:
    return words(context, builder, array, value)


def words(context: Any, builder: Any, type: Any, value: Any) -> Any:
    """The address of the words of a memory, which is an array where Python called."""
    if isinstance(type, PointerType):
        return value
    return arrayobj.make_array(type)(context, builder, value).data


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
