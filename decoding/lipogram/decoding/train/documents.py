"""Endless streams of training documents: code windows, infilling exercises, extraction items."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lipogram.decoding.train import vocabularies as ids
from lipogram.decoding.train.corpus import Module
from lipogram.decoding.train.extraction import Item

Encode = Callable[[str], list[int]]

_PROMPT_WEIGHT = 0.25
_MIDDLE_WEIGHT = 3.0
_SENTINELS = frozenset(
    (ids.FIM_PREFIX, ids.FIM_SUFFIX, ids.FIM_MIDDLE, ids.FILE_SEPARATOR, ids.USER)
)


@dataclass(frozen=True, slots=True)
class Document:
    """Token ids from `<|endoftext|>` on; `weights[i]` says how much predicting `ids[i]` counts."""

    ids: list[int]
    weights: list[float]


def item_document(item: Item, encode: Encode) -> Document:
    """The item as a chat turn and its answer; the answer counts most."""
    prompt = [ids.END_OF_TEXT, ids.USER, *encode(item.text), ids.END, ids.ASSISTANT]
    answer = [*encode(item.answer), ids.END, ids.END_OF_TEXT]
    return Document(prompt + answer, [_PROMPT_WEIGHT] * len(prompt) + [1.0] * len(answer))


def plain_document(text: str, header: str, ends: bool, encode: Encode) -> Document:
    """A window of a file; it is closed only where the file ends."""
    named = [ids.FILE_SEPARATOR, *encode(header)] if header else []
    return _weighed([ids.END_OF_TEXT, *named, *encode(text), *([ids.END_OF_TEXT] if ends else [])])


def infilling_document(
    text: str, first: int, second: int, suffix_first: bool, encode: Encode
) -> Document:
    """The window with text[first:second] moved to the end, in either order of the other parts.

    The three parts are encoded apart, so that models meet tokens cut anywhere.
    """
    prefix, middle, suffix = (
        encode(part) for part in (text[:first], text[first:second], text[second:])
    )
    if suffix_first:
        body = [ids.FIM_PREFIX, ids.FIM_SUFFIX, *suffix, ids.FIM_MIDDLE, *prefix, *middle]
    else:
        body = [ids.FIM_PREFIX, *prefix, ids.FIM_SUFFIX, *suffix, ids.FIM_MIDDLE, *middle]
    whole = _weighed([ids.END_OF_TEXT, *body, ids.END_OF_TEXT])
    rest = len(whole.ids) - len(middle) - 1
    return Document(whole.ids, whole.weights[:rest] + [_MIDDLE_WEIGHT] * (len(middle) + 1))


def code_documents(
    modules: tuple[Module, ...], encode: Encode, rng: random.Random, size: int, infill: float
) -> Iterator[Document]:
    """Windows of about `size` characters; each pass over the files cuts them anew and shuffles."""
    while True:
        windows = [window for module in modules for window in _windows(module, rng, size)]
        rng.shuffle(windows)
        for path, text, ends in windows:
            if rng.random() < infill and len(text) > 40:
                text = text[: int(len(text) * rng.uniform(0.05, 0.9))]
                first, second = _span(len(text), rng)
                yield infilling_document(text, first, second, rng.random() < 0.5, encode)
            else:
                yield plain_document(text, f"{path}\n" if rng.random() < 0.2 else "", ends, encode)


def noise(tokens: list[int], rng: random.Random) -> tuple[np.ndarray, float]:
    """Which tokens to mask, and what each then weighs.

    Never the first; half of the time, of an item only the answer.
    """
    rate = rng.uniform(0.05, 1.0)
    start = tokens.index(ids.ASSISTANT) + 1 if ids.ASSISTANT in tokens and rng.random() < 0.5 else 1
    masked = np.array([index >= start and rng.random() < rate for index in range(len(tokens))])
    return masked, 1 / max(rate, 0.15)


def _windows(module: Module, rng: random.Random, size: int) -> Iterator[tuple[str, str, bool]]:
    start = 0
    stop = rng.randint(size // 4, size)
    while start < len(module.text):
        line_end = module.text.rfind("\n", start, stop) + 1
        stop = min(line_end if line_end > start else stop, len(module.text))
        yield module.path, module.text[start:stop], stop == len(module.text)
        start, stop = stop, stop + size


def _span(length: int, rng: random.Random) -> tuple[int, int]:
    """A random middle, most of the time a short one."""
    if rng.random() < 0.8:
        first = rng.randrange(length)
        return first, min(length, first + rng.randint(1, 120))
    first, second = sorted((rng.randrange(length + 1), rng.randrange(length + 1)))
    return first, second


def _weighed(tokens: list[int]) -> Document:
    return Document(tokens, [0.0 if token in _SENTINELS else 1.0 for token in tokens])
