"""Python's way into compiled code, and what compiled code needs of numba's runtime, as LLVM.

Arguments are read where they lie in Python's and numpy's objects, whose layouts are part of their
binary interfaces. Nothing of numba is linked, and no header of Python is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from llvmlite import ir as llvm
from numba import types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.codegen import CodeLibrary
from numba.np import arrayobj
from numba.np.numpy_support import as_dtype

from lipogram.grammars.kernels import library
from lipogram.grammars.kernels.intrinsics import POINTER

_I32, _I64 = llvm.IntType(32), llvm.IntType(64)
_POINTER: Final = llvm.IntType(8).as_pointer()
_HEAD: Final = object.__basicsize__  # of every object; the last word is its type
# In an array of numpy, behind the head.
_DATA, _DIMENSIONS, _SHAPE, _STRIDES, _DESCRIPTION = 0, 8, 16, 24, 40
_KIND_NUMBER = 12  # of what describes elements: `type_num`
_METH_FASTCALL: Final = 0x80
_MEMINFO_BYTES, _ALIGNMENT = 48, 64


class Signature:
    """What an entry takes and returns: numba's types."""

    def __init__(self, name: str, taken: Sequence[Any], returned: Any) -> None:
        self.name, self.taken, self.returned = name, tuple(taken), returned


def add_runtime(made: CodeLibrary) -> None:
    """Add what numba's code calls for the arrays that a kernel makes for itself.

    A `MemInfo` is a count of owners, three pointers, the third of them to the data, and its size.
    The data lies behind it, in the same piece of memory. So does a list's, as sorting needs one;
    lists do not grow here.
    """
    module = made.create_ir_module("runtime")
    malloc = llvm.Function(module, llvm.FunctionType(_POINTER, (_I64,)), "malloc")
    free = llvm.Function(module, llvm.FunctionType(llvm.VoidType(), (_POINTER,)), "free")
    for name, kind in (("alloc_aligned", _I32), ("new_varsize_dtor", _POINTER)):
        taken = llvm.FunctionType(_POINTER, (_I64, kind))
        function = llvm.Function(module, taken, f"NRT_MemInfo_{name}")
        builder = llvm.IRBuilder(function.append_basic_block())
        _allocate(builder, malloc, function.args[0])
    kind = llvm.FunctionType(llvm.VoidType(), (_POINTER,))
    function = llvm.Function(module, kind, "NRT_MemInfo_call_dtor")
    builder = llvm.IRBuilder(function.append_basic_block())
    builder.call(free, function.args)
    builder.ret_void()
    made.add_ir_module(module)


def _allocate(builder: Any, malloc: Any, size: Any) -> None:
    held = builder.call(malloc, [builder.add(size, _int(_MEMINFO_BYTES + _ALIGNMENT))])
    with cgutils.if_unlikely(builder, cgutils.is_null(builder, held)):
        builder.ret(held)
    behind = builder.add(builder.ptrtoint(held, _I64), _int(_MEMINFO_BYTES + _ALIGNMENT - 1))
    data = builder.and_(behind, _int(-_ALIGNMENT))
    words = builder.bitcast(held, _I64.as_pointer())
    for index, word in enumerate((_int(1), _int(0), _int(0), data, size)):
        builder.store(word, builder.gep(words, [_int(index)]))
    builder.ret(held)


def _int(value: int) -> llvm.Constant:
    return llvm.Constant(_I64, value)


def add_wrappers(context: BaseContext, made: CodeLibrary, entries: Sequence[Signature]) -> None:
    """Add to each entry a function that Python can call, and the table of them."""
    module = made.create_ir_module("wrappers")
    kind = llvm.LiteralStructType((_POINTER, _POINTER, _I32, _POINTER))
    none = llvm.Constant(_POINTER, None)
    llvm.GlobalVariable(module, _POINTER, library.ARRAY_TYPE).initializer = none
    rows = []
    for each in entries:
        function = _Wrapper(context, module, each).function
        name = context.insert_const_string(module, each.name)
        address = llvm.Constant.bitcast(function, _POINTER)
        flags = llvm.Constant(_I32, _METH_FASTCALL)
        rows.append(llvm.Constant.literal_struct((name, address, flags, none)))
    rows.append(llvm.Constant(kind, None))
    table = llvm.GlobalVariable(module, llvm.ArrayType(kind, len(rows)), library.TABLE)
    table.initializer = llvm.Constant(table.type.pointee, rows)
    made.add_ir_module(module)


class _Wrapper:
    """`PyObject *function(PyObject *module, PyObject *const *arguments, Py_ssize_t count)`."""

    def __init__(self, context: BaseContext, module: llvm.Module, entry: Signature) -> None:
        self._context, self._module = context, module
        kind = llvm.FunctionType(_POINTER, (_POINTER, _POINTER.as_pointer(), _I64))
        self.function = llvm.Function(module, kind, f"wrapper.{entry.name}")
        self._builder = builder = llvm.IRBuilder(self.function.append_basic_block())
        expected = _int(len(entry.taken))
        self._demand(
            builder.icmp_signed("==", self.function.args[2], expected),
            f"{entry.name} takes {len(entry.taken)} arguments",
        )
        arguments = [self._argument(self._given(i), kind) for i, kind in enumerate(entry.taken)]
        state = self._call("PyEval_SaveThread", _POINTER)
        called = llvm.Function(
            module, context.call_conv.get_function_type(entry.returned, entry.taken), entry.name
        )
        status, value = context.call_conv.call_function(
            builder, called, entry.returned, entry.taken, arguments
        )
        self._call("PyEval_RestoreThread", llvm.VoidType(), state)
        with cgutils.if_unlikely(builder, status.is_error):
            builder.ret(self._call("PyErr_NoMemory", _POINTER))
        builder.ret(self._result(value, entry.returned))

    def _given(self, index: int) -> Any:
        place = self._builder.gep(self.function.args[1], [_int(index)])
        return self._builder.load(place)

    def _argument(self, given: Any, kind: Any) -> Any:
        builder = self._builder
        if isinstance(kind, types.BaseTuple):
            parts = []
            for index, part in enumerate(kind.types):
                item = self._call("PyTuple_GetItem", _POINTER, given, _int(index))
                with cgutils.if_unlikely(builder, cgutils.is_null(builder, item)):
                    builder.ret(item)
                parts.append(self._argument(item, part))
            return self._context.make_tuple(builder, kind, parts)
        if kind == types.boolean:
            truth = self._call("PyObject_IsTrue", _I32, given)
            return builder.icmp_signed("!=", truth, llvm.Constant(_I32, 0))
        if kind == types.int64:
            return self._checked(self._call("PyLong_AsLongLong", _I64, given))
        if kind == types.uint64:
            return self._checked(self._call("PyLong_AsUnsignedLongLongMask", _I64, given))
        return self._array(given, kind)

    def _checked(self, number: Any) -> Any:
        """The number, unless it stands for an error."""
        builder = self._builder
        with cgutils.if_unlikely(builder, builder.icmp_signed("==", number, _int(-1))):
            error = self._call("PyErr_Occurred", _POINTER)
            with cgutils.if_unlikely(builder, cgutils.is_not_null(builder, error)):
                builder.ret(llvm.Constant(_POINTER, None))
        return number

    def _array(self, given: Any, kind: Any) -> Any:
        """The address of a memory's words; an array, as numba has it, of anything else."""
        builder = self._builder
        expected = builder.load(self._global(library.ARRAY_TYPE))
        is_array = builder.icmp_unsigned("==", self._field(given, -8, _POINTER), expected)
        self._demand(is_array, "an array is missing")
        one = llvm.Constant(_I32, 1)
        self._demand(
            builder.icmp_signed("==", self._field(given, _DIMENSIONS, _I32), one),
            "expected one dimension",
        )
        element = types.int64 if kind == POINTER else kind.dtype
        number = llvm.Constant(_I32, as_dtype(element).num)
        found = self._field(given, _DESCRIPTION, _POINTER)
        self._demand(
            builder.icmp_signed("==", self._field(found, _KIND_NUMBER, _I32), number),
            f"expected elements of {element}",
        )
        data, count = self._field(given, _DATA, _POINTER), self._first(given, _SHAPE)
        width = self._context.get_abi_sizeof(self._context.get_data_type(element))
        is_dense = builder.icmp_signed("==", self._first(given, _STRIDES), _int(width))
        is_short = builder.icmp_signed("<", count, _int(2))
        self._demand(builder.or_(is_dense, is_short), "expected elements one behind the other")
        if kind == POINTER:
            return builder.bitcast(data, _I64.as_pointer())
        array = arrayobj.make_array(kind)(self._context, builder)
        arrayobj.populate_array(
            array,
            data=builder.bitcast(data, array.data.type),
            shape=[count],
            strides=[_int(width)],
            itemsize=_int(width),
            meminfo=None,
        )
        return array._getvalue()

    def _first(self, given: Any, offset: int) -> Any:
        """The first of an array's numbers of one kind."""
        return self._builder.load(self._field(given, offset, _I64.as_pointer()))

    def _field(self, given: Any, offset: int, kind: Any) -> Any:
        place = self._builder.gep(given, [_int(_HEAD + offset)])
        return self._builder.load(self._builder.bitcast(place, kind.as_pointer()))

    def _result(self, value: Any, kind: Any) -> Any:
        if kind == types.none:
            none = self._global("_Py_NoneStruct")
            self._call("Py_IncRef", llvm.VoidType(), none)
            return none
        if kind == types.boolean:
            return self._call("PyBool_FromLong", _POINTER, self._builder.zext(value, _I64))
        if kind == types.uint64:
            return self._call("PyLong_FromUnsignedLongLong", _POINTER, value)
        return self._call("PyLong_FromLongLong", _POINTER, value)

    def _demand(self, holds: Any, message: str) -> None:
        """Raise TypeError unless the condition holds."""
        builder = self._builder
        with cgutils.if_unlikely(builder, builder.not_(holds)):
            kind = builder.load(self._global("PyExc_TypeError"))
            text = self._context.insert_const_string(self._module, message)
            self._call("PyErr_SetString", llvm.VoidType(), kind, text)
            builder.ret(llvm.Constant(_POINTER, None))

    def _global(self, name: str) -> Any:
        """The address of a pointer, or of an object, of Python's."""
        kind = llvm.IntType(8) if name == "_Py_NoneStruct" else _POINTER
        return self._module.globals.get(name) or llvm.GlobalVariable(self._module, kind, name)

    def _call(self, name: str, returned: Any, *arguments: Any) -> Any:
        """Call a function of Python's C interface."""
        kind = llvm.FunctionType(returned, [each.type for each in arguments])
        function = cgutils.get_or_insert_function(self._module, kind, name)
        return self._builder.call(function, arguments)
