"""Ends of middles that editors ask for, against a plain reading of the rule."""

from __future__ import annotations

import random

import pytest

from lipogram.server.translate.lines import LineLimit


def plainly(text: bytes, least: int) -> bytes:
    """The text before its first line, not counting the one it begins in, that is indented less."""
    lines = text.split(b"\n")
    for index, line in enumerate(lines[1:], 1):
        if line.strip(b" \t\r") and len(line) - len(line.lstrip(b" \t\r")) < least:
            kept = lines[:index]
            while len(kept) > 1 and not kept[-1].strip(b" \t\r"):
                kept.pop()
            return b"\n".join(kept)
    return text


@pytest.mark.parametrize("least", [0, 1, 2, 4])
def test_cut_at_random(least: int) -> None:
    generator = random.Random(least)
    for _ in range(3000):
        text = bytes(generator.choices(b"ab \n\t", (2, 2, 5, 3, 1), k=generator.randrange(30)))
        limit, found, rest = LineLimit(least), b"", text
        while rest:
            size = generator.randint(1, 5)
            found += limit.feed(rest[:size])
            rest = rest[size:]
        assert found + limit.end() == plainly(text, least), text
