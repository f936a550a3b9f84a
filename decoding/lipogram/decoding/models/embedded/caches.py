"""What a decoder graph keeps of the tokens it was given: how it goes in and comes out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lipogram.decoding.models.embedded.configuration import UnreadableExport
from lipogram.decoding.models.growing import Growing
from lipogram.decoding.models.prefixes import Extension

Array = NDArray[Any]
_PAST = "past_key_values."


class Caches(Protocol):
    """A layout of caches: names of inputs and outputs, and what becomes of the arrays."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    empty: tuple[Any, ...]
    bytes_per_token: int

    def feeds(self, rows: Sequence[Extension], past: int) -> list[Array]:
        """An array for each input; caches are padded on the left to `past` tokens."""
        ...

    def grown(self, row: Extension, presents: Sequence[Array], past: int) -> tuple[Any, ...]:
        """The caches of a row with its new tokens, of what the graph gave for that row."""
        ...


def layout(session: onnxruntime.InferenceSession) -> Caches:
    """The caches of a graph; raises UnreadableExport without the name of its file."""
    windows = session.get_modelmeta().custom_metadata_map.get("windows")
    inputs = [each for each in session.get_inputs() if each.name.startswith(_PAST)]
    if not inputs:
        raise UnreadableExport(f"expected inputs {_PAST}*, found none")
    kind = np.float16 if "float16" in inputs[0].type else np.float32
    if windows is None:
        return _Whole(inputs, kind)
    return _Appended(inputs, [int(window) for window in windows.split(",")])


class _Whole:
    """Optimum's: all keys and values [B, heads, tokens, width] go in, and come out longer."""

    def __init__(self, inputs: Sequence[Any], kind: type[np.floating[Any]]) -> None:
        self.inputs = tuple(each.name for each in inputs)
        self.outputs = tuple(re.sub("^past_key_values", "present", name) for name in self.inputs)
        _, heads, _, width = inputs[0].shape
        if not isinstance(heads, int) or not isinstance(width, int):
            raise UnreadableExport("expected caches of fixed heads and width")
        empty = np.zeros((heads, 0, width), kind)
        self.empty = (empty,) * len(inputs)
        self.bytes_per_token = len(inputs) * heads * width * empty.itemsize

    def feeds(self, rows: Sequence[Extension], past: int) -> list[Array]:
        """See Caches."""
        kept = zip(*(row.past.arrays for row in rows), strict=True)
        return [_stacked(arrays, past, axis=1) for arrays in kept]

    def grown(self, row: Extension, presents: Sequence[Array], past: int) -> tuple[Any, ...]:
        """See Caches."""
        first, stop = past - len(row.past.tokens), past + len(row.tokens)
        return tuple(_own(present, first, stop) for present in presents)


class _Appended:
    """Ours: keys and values [tokens, B, heads, width] go in, of new tokens alone come out.

    Of each layer's past go in the last keys and values, at most as many as its window if it has
    one, and the half of the next key that is known already, [B, 1, heads, width / 2]. A lone row's
    are not copied. Those of new tokens are [B, tokens, heads, width], with a key more.
    """

    def __init__(self, inputs: Sequence[Any], windows: Sequence[int]) -> None:
        self.inputs = tuple(each.name for each in inputs)
        self.outputs = tuple(
            f"present.{layer}.{part}" for layer in range(len(windows)) for part in ("key", "value")
        )
        self._windows = windows
        _, _, heads, width = inputs[0].shape
        self._half = width // 2
        empty = [np.zeros((1, heads, width), np.float32) for _ in self.outputs]
        self.empty = (Growing.of(empty, ahead=1),)
        self.bytes_per_token = sum(array.nbytes for array in empty)

    def feeds(self, rows: Sequence[Extension], past: int) -> list[Array]:
        """See Caches."""
        kept = [row.past.arrays[0] for row in rows]
        begun = [each.begun() for each in kept]
        last = {w: [each.last(w or past) for each in kept] for w in set(self._windows)}
        feeds: list[Array] = []
        for layer, window in enumerate(self._windows):
            most, key = min(past, window or past), 2 * layer
            feeds += [
                _beside([each[key] for each in last[window]], most),
                _beside([each[key + 1] for each in last[window]], most),
                _stacked([each[key][..., self._half :] for each in begun], 1),
            ]
        return feeds

    def grown(self, row: Extension, presents: Sequence[Array], past: int) -> tuple[Any, ...]:
        """See Caches."""
        sizes = (len(row.tokens) + 1, len(row.tokens))
        new = [present[: sizes[place % 2]] for place, present in enumerate(presents)]
        return (row.past.arrays[0].grown(new, row.left),)


def _beside(arrays: Sequence[Array], length: int) -> Array:
    """[length, B, ...], where each array is padded at its beginning."""
    if len(arrays) == 1:
        return arrays[0][:, None]
    return np.ascontiguousarray(_stacked(arrays, length).swapaxes(0, 1))


def _stacked(arrays: Sequence[Array], length: int, axis: int = 0) -> Array:
    """[B, ...], where `axis` of each array is padded at its beginning."""
    first = arrays[0]
    if len(arrays) == 1:
        return np.ascontiguousarray(first)[None]
    shape = list(first.shape)
    shape[axis] = length
    stacked = np.zeros((len(arrays), *shape), first.dtype)
    for row, array in zip(stacked, arrays, strict=True):
        row[(slice(None),) * axis + (slice(length - array.shape[axis], None),)] = array
    return stacked


def _own(array: Array, first: int, stop: int) -> Array:
    """A part of a batch's array that does not keep the batch alive."""
    part = array[:, first:stop]
    return (
        part
        if part.flags.c_contiguous and part.base is not None and part.base.nbytes == part.nbytes
        else part.copy()
    )
