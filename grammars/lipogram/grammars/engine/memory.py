"""Growing arrays for compiled code: one `Memory` holds the addresses of all arrays of an engine.

Compiled functions take the memory alone, read and write by (array, index), and make room
themselves. So a call from Python costs half a microsecond whatever the engine holds, and no view
of an array can be out of date. New elements are zero. Where an array was before it grew stays
readable until the memory is released, since readers take no lock.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Mapping
from mmap import mmap
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from lipogram.grammars.kernels import exported, intrinsic, kernel

if TYPE_CHECKING:
    Memory = list[int]  # as which it is read and written
else:
    Memory = NDArray[np.int64]

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
FLOOR: Final = _WORDS - 6  # what FUEL may fall to before `burn` stops
PAUSED: Final = _WORDS - 7  # whether it was `spend` that stopped
_LEAST_BYTES: Final = 512
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


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


def keep_freed_memory() -> None:
    """Have the C library keep 64 MB that were freed, and take large arrays from there, too.

    A page that the system gives costs more than what is then written to it, in virtual machines
    many times as much. For a process that makes and drops memories; glibc alone can do it.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_TRIM_THRESHOLD, 64 << 20)
            mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the most that is taken


def _let_go(words: Any, room: NDArray[np.uint8] | None) -> None:
    if words[:MAX_ARRAYS].any():  # else no kernel was called, and none may be there yet
        _release(words)
    del room  # the pages go with it


# The doors to the arrays: read and write the element at an index.
@intrinsic
def get(memory: Memory, array: int, index: int) -> int:
    """The 32-bit integer at the index of an array."""
    raise NotImplementedError


@intrinsic
def put(memory: Memory, array: int, index: int, value: int) -> None:
    """Write the 32-bit integer at the index of an array."""
    raise NotImplementedError


@intrinsic
def get_word(memory: Memory, array: int, index: int) -> np.uint64:
    """The 64-bit word at the index of an array."""
    raise NotImplementedError


@intrinsic
def put_word(memory: Memory, array: int, index: int, value: np.uint64) -> None:
    """Write the 64-bit word at the index of an array."""
    raise NotImplementedError


@intrinsic
def load(address: int, index: int) -> int:
    """The 32-bit integer at the index of an array whose address is known: `memory[array]`."""
    raise NotImplementedError


@intrinsic
def store(address: int, index: int, value: int) -> None:
    """Write the 32-bit integer at the index of an array whose address is known."""
    raise NotImplementedError


@intrinsic
def calloc(count: int, size: int) -> int:
    """C's."""
    raise NotImplementedError


@intrinsic
def memcpy(to: int, source: int, size: int) -> int:
    """C's."""
    raise NotImplementedError


@intrinsic
def memset(to: int, byte: int, size: int) -> int:
    """C's."""
    raise NotImplementedError


@intrinsic
def free(address: int) -> None:
    """C's."""
    raise NotImplementedError


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
    address = calloc(size, 1)
    if address == 0:
        raise MemoryError
    if old:
        memcpy(address, memory[array], old)
        if memory[_LENT] >> array & 1:
            memory[_LENT] &= ~(1 << array)
        elif array >= LOCK_FREE:
            free(memory[array])
            memory[HELD_BYTES] -= old
        else:
            if memory[_LEFT] == 0:
                memory[_LEFT] = calloc(8 * LOCK_FREE * 64, 1)  # no array doubles more often
            put_word(memory, _LEFT, memory[_LEFT_COUNT], np.uint64(memory[array]))
            memory[_LEFT_COUNT] += 1
    memory[HELD_BYTES] += size
    memory[array] = address
    memory[_CAPACITY + array] = size


@exported
def capacity(memory: Memory, array: int) -> int:
    """The bytes that the array holds without growing."""
    return memory[_CAPACITY + array]


@kernel
def clear(memory: Memory, array: int) -> None:
    """Set all elements of the array to zero."""
    if memory[array]:
        memset(memory[array], 0, memory[_CAPACITY + array])


@kernel
def burn(memory: Memory, work: int) -> None:
    """Use up some of the work that may be done; MemoryError when there is none left.

    A unit is about the time of one step in a token trie, 5 to 10 ns.
    """
    memory[FUEL] -= work
    if memory[FUEL] < memory[FLOOR]:
        raise MemoryError


@kernel
def spend(memory: Memory, work: int) -> None:
    """The same where nothing of the memory is half written, so that it can be used again."""
    memory[FUEL] -= work
    if memory[FUEL] < 0:
        memory[PAUSED] = 1
        raise MemoryError


@exported
def _release(memory: Memory) -> None:
    for index in range(memory[_LEFT_COUNT]):
        free(integer(get_word(memory, _LEFT, index)))
    for array in range(MAX_ARRAYS):
        if memory[array] and not memory[_LENT] >> array & 1:
            free(memory[array])
        memory[array] = 0


@exported
def copy_in(memory: Memory, array: int, start: int, values: NDArray[np.int32]) -> None:
    """Write 32-bit integers into an array from `start` on, with room made for them."""
    reserve(memory, array, 4 * (start + len(values)))
    for index in range(len(values)):
        put(memory, array, start + index, int(values[index]))
