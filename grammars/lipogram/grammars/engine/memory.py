"""Growing arrays for compiled code: one `Memory` holds the addresses of all arrays of an engine.

Compiled functions take the memory alone, read and write by (array, index), and make room
themselves. So a call from Python costs half a microsecond whatever the engine holds, and no view
of an array can be out of date. New elements are zero. Where an array was before it grew stays
readable until the memory is released, since readers take no lock.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import cache
from mmap import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
from llvmlite import ir as llvm
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from lipogram.grammars.engine.pointers import POINTER, words

if TYPE_CHECKING:
    Memory = list[int]  # as which it is read and written
else:
    Memory = NDArray[np.int64]
Compiled = TypeVar("Compiled", bound=Callable[..., Any])

MAX_ARRAYS: Final = 64
# A memory's first words are addresses, the next capacities in bytes; counters follow.
_CAPACITY: Final = MAX_ARRAYS
COUNTERS: Final = 2 * MAX_ARRAYS
_WORDS: Final = COUNTERS + 64
LOCK_FREE: Final = 8  # the arrays below this index are read without a lock
_LEFT: Final = MAX_ARRAYS - 1  # where the lock-free arrays were before they grew
_LEFT_COUNT: Final = _WORDS - 1
HELD_BYTES: Final = _WORDS - 2
FUEL: Final = _WORDS - 3  # work that may still be done; see `burn`
MAX_BYTES: Final = _WORDS - 4
_LENT: Final = _WORDS - 5  # bit set of the arrays that lie in the memory's own pages
_LEAST_BYTES: Final = 512

_calloc = types.ExternalFunction("calloc", types.intp(types.intp, types.intp))
_memcpy = types.ExternalFunction("memcpy", types.intp(types.intp, types.intp, types.intp))
_memset = types.ExternalFunction("memset", types.intp(types.intp, types.intc, types.intp))
_free = types.ExternalFunction("free", types.void(types.intp))


@cache
def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells when a source in the folder has changed."""
    stats = [(path.name, path.stat()) for path in sorted(folder.glob("*.py"))]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def kernel(function: Compiled) -> Compiled:
    """Compile a function when first called, cached on disk; it runs without Python's lock.

    Constant arguments are taken as integers: numba would compile the function anew for each.
    What is annotated as a Memory is its address where a kernel is called by another.
    """
    dispatcher = njit(cache=True, nogil=True)(function)
    # What is cached contains what it calls; numba looks at the function's own file only.
    index = dispatcher._cache._cache_file
    own = Path(function.__code__.co_filename).parent
    index._source_stamp = (_stamp(Path(__file__).parent), _stamp(own))
    template = dispatcher.get_call_template

    taken = [POINTER if kind == "Memory" else None for kind in function.__annotations__.values()]

    def get_call_template(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        own = zip(taken, args, strict=False)  # the last annotation is of what is returned
        return template(tuple(kind or types.unliteral(arg) for kind, arg in own), kws)

    dispatcher.get_call_template = get_call_template
    return dispatcher  # type: ignore[no-any-return]


def new_memory(max_bytes: int, pages: Mapping[int, int] | None = None) -> Memory:
    """An empty memory that may grow to `max_bytes`; its arrays are freed when it is collected.

    `pages` gives arrays that many bytes to begin with, which cost nothing until they are touched:
    what grows within them is never copied.
    """
    words = np.zeros(_WORDS, np.int64)
    words[MAX_BYTES] = max_bytes
    room = None
    if pages:
        room = np.frombuffer(mmap(-1, sum(pages.values())), np.uint8)
        address = room.ctypes.data
        for array, size in pages.items():
            words[array], words[_CAPACITY + array] = address, size
            words[_LENT] |= 1 << array
            address += size
    memory = cast(Memory, words.view())
    weakref.finalize(memory, _let_go, words, room).atexit = False
    return memory


def _let_go(words: Any, room: NDArray[np.uint8] | None) -> None:
    _release(words)
    del room  # the pages go with it


def _element(width: int) -> Callable[..., Any]:
    def address(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        memory = words(context, builder, sig.args[0], args[0])
        start = builder.load(builder.gep(memory, [args[1]]))
        pointer = builder.inttoptr(start, llvm.IntType(width).as_pointer())
        return builder.gep(pointer, [args[2]])

    return address


_at_32, _at_64 = _element(32), _element(64)


@intrinsic  # type: ignore[untyped-decorator]
def _get(typing: Any, memory: Any, array: Any, index: Any) -> Any:
    """The 32-bit integer at the index of an array."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.sext(builder.load(_at_32(context, builder, sig, args)), llvm.IntType(64))

    return types.int64(memory, types.int64, types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def _put(typing: Any, memory: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the 32-bit integer at the index of an array."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.trunc(args[3], llvm.IntType(32))
        builder.store(value, _at_32(context, builder, sig, args))
        return context.get_dummy_value()

    return types.void(memory, types.int64, types.int64, types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def _load(typing: Any, address: Any, index: Any) -> Any:
    """The 32-bit integer at the index of an array whose address is known: `memory[array]`."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        start = builder.inttoptr(args[0], llvm.IntType(32).as_pointer())
        return builder.sext(builder.load(builder.gep(start, [args[1]])), llvm.IntType(64))

    return types.int64(types.int64, types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def _store(typing: Any, address: Any, index: Any, value: Any) -> Any:
    """Write the 32-bit integer at the index of an array whose address is known."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        start = builder.inttoptr(args[0], llvm.IntType(32).as_pointer())
        value = builder.trunc(args[2], llvm.IntType(32))
        builder.store(value, builder.gep(start, [args[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def _get_word(typing: Any, memory: Any, array: Any, index: Any) -> Any:
    """The 64-bit word at the index of an array."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_at_64(context, builder, sig, args))

    return types.uint64(memory, types.int64, types.int64), code


@intrinsic  # type: ignore[untyped-decorator]
def _put_word(typing: Any, memory: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the 64-bit word at the index of an array."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[3], _at_64(context, builder, sig, args))
        return context.get_dummy_value()

    return types.void(memory, types.int64, types.int64, types.uint64), code


# The doors to the arrays: read and write the element at an index, or at an index from an address.
get = cast("Callable[[Memory, int, int], int]", _get)
put = cast("Callable[[Memory, int, int, int], None]", _put)
get_word = cast("Callable[[Memory, int, int], np.uint64]", _get_word)
put_word = cast("Callable[[Memory, int, int, np.uint64], None]", _put_word)
load = cast("Callable[[int, int], int]", _load)
store = cast("Callable[[int, int, int], None]", _store)


@kernel
def integer(word: np.uint64) -> int:
    """The word as a signed integer."""
    return np.int64(word)  # type: ignore[return-value]


@kernel
def reserve(memory: Memory, array: int, size: int) -> None:
    """Let the array hold `size` bytes; MemoryError beyond the memory's limit."""
    old = memory[_CAPACITY + array]
    if old >= size:
        return
    room = max(2 * old, _LEAST_BYTES)
    while room < size:
        room *= 2  # hash tables are indexed by masking
    size = room
    if memory[HELD_BYTES] + size > memory[MAX_BYTES]:
        raise MemoryError
    address = _calloc(size, 1)
    if address == 0:
        raise MemoryError
    if old:
        _memcpy(address, memory[array], old)
        if memory[_LENT] >> array & 1:
            memory[_LENT] &= ~(1 << array)
        elif array >= LOCK_FREE:
            _free(memory[array])
            memory[HELD_BYTES] -= old
        else:
            if memory[_LEFT] == 0:
                memory[_LEFT] = _calloc(8 * LOCK_FREE * 64, 1)  # no array doubles more often
            put_word(memory, _LEFT, memory[_LEFT_COUNT], np.uint64(memory[array]))
            memory[_LEFT_COUNT] += 1
    memory[HELD_BYTES] += size
    memory[array] = address
    memory[_CAPACITY + array] = size


@kernel
def capacity(memory: Memory, array: int) -> int:
    """The bytes that the array holds without growing."""
    return memory[_CAPACITY + array]


@kernel
def clear(memory: Memory, array: int) -> None:
    """Set all elements of the array to zero."""
    if memory[array]:
        _memset(memory[array], 0, memory[_CAPACITY + array])


@kernel
def burn(memory: Memory, work: int) -> None:
    """Use up some of the work that may be done; MemoryError when there is none left.

    A unit is about the time of one step in a token trie, 5 to 10 ns.
    """
    memory[FUEL] -= work
    if memory[FUEL] < 0:
        raise MemoryError


@kernel
def _release(memory: Memory) -> None:
    for index in range(memory[_LEFT_COUNT]):
        _free(integer(get_word(memory, _LEFT, index)))
    for array in range(MAX_ARRAYS):
        if memory[array] and not memory[_LENT] >> array & 1:
            _free(memory[array])
        memory[array] = 0


@kernel
def copy_in(memory: Memory, array: int, start: int, values: NDArray[np.int32]) -> None:
    """Write 32-bit integers into an array from `start` on, with room made for them."""
    reserve(memory, array, 4 * (start + len(values)))
    for index in range(len(values)):
        put(memory, array, start + index, int(values[index]))
