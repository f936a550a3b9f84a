"""Telling that an output has begun to repeat what stands behind the cursor."""

from __future__ import annotations

import re
from typing import Final

LEAST_WORD_BYTES: Final = 8
"""Letters, digits, underscores and bytes beyond ASCII that a beginning needs to be evidence."""
_MOST_BYTES: Final = 160

_WORD_BYTE = re.compile(rb"[0-9A-Za-z_\x80-\xff]")


def opening(suffix: bytes) -> bytes | None:
    """The shortest run of whole lines that `suffix` begins with and that says enough to be told.

    An output that contains it has arrived at the suffix: cut before it, prefix, output and suffix
    read on exactly as the model wrote. It ends with a line break (also after the last line of a
    file), so a longer line that begins alike is no match, and it has LEAST_WORD_BYTES, so a lone
    brace or `return` is none. Of a line too long to wait for, the beginning is enough. None where
    the suffix does not say so much. Cost: independent of the suffix's length.
    """
    head = suffix[:_MOST_BYTES]
    words = [match.end() for match in _WORD_BYTE.finditer(head)]
    if len(words) < LEAST_WORD_BYTES:
        return None
    end = head.find(b"\n", words[LEAST_WORD_BYTES - 1]) + 1 or len(head)
    is_cut = end == len(head) < len(suffix)
    return head[:end] if is_cut or head[:end].endswith(b"\n") else head + b"\n"
