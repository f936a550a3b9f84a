"""Stop strings against `bytes.find`, whatever the tokens; tokens come with their last byte."""

import random

import pytest

from lipogram.decoding.events import ScoredToken
from lipogram.decoding.output import Output


def cut(rng: random.Random, text: bytes) -> list[bytes]:
    pieces = []
    while text:
        size = rng.randint(1, 4)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def first_met(
    text: bytes, stops: list[bytes], may_end: list[bool] | None = None
) -> tuple[int, bytes] | None:
    """The stop string whose end comes first, the longest of those, and where it begins."""
    for end in range(1, len(text) + 1):
        met = [
            stop
            for stop in stops
            if text[:end].endswith(stop) and (may_end is None or may_end[end - len(stop)])
        ]
        if met:
            longest = max(met, key=len)
            return end - len(longest), longest
    return None


def is_beginning(text: bytes, stops: list[bytes]) -> bool:
    return any(stop.startswith(text) for stop in stops)


@pytest.mark.parametrize("constrained", [False, True])
def test_random_texts_in_random_pieces(constrained: bool) -> None:
    rng = random.Random(11)
    met_count = 0
    for _ in range(3000):
        stops = [bytes(rng.choices(b"ab", k=rng.randint(1, 4))) for _ in range(rng.randint(1, 3))]
        text = bytes(rng.choices(b"abc", k=rng.randint(0, 16)))
        may_end = [rng.random() < 0.5 for _ in text] if constrained else None
        output, emitted, position = Output(stops), b"", 0
        for piece in cut(rng, text):
            flags = may_end[position : position + len(piece)] if may_end else None
            chunk = output.push(piece, None, flags)
            position += len(piece)
            if chunk is not None:
                assert chunk.text
                emitted += chunk.text
            if output.stopped is not None:
                break
            held = text[len(emitted) : position]
            assert not held or is_beginning(held, stops)
            assert not held or may_end is None or may_end[len(emitted)]
        expected = first_met(text, stops, may_end)
        if expected is None:
            rest = output.flush()
            assert emitted + (rest.text if rest else b"") == text
            assert output.stopped is None
        else:
            met_count += 1
            assert (emitted, output.stopped) == (text[: expected[0]], expected[1])
    assert met_count > 500


def test_one_stop_string_is_found_where_find_finds_it() -> None:
    rng = random.Random(4)
    for _ in range(500):
        stop = bytes(rng.choices(b"ab", k=rng.randint(1, 5)))
        text = bytes(rng.choices(b"ab", k=20))
        output = Output([stop])
        emitted = b"".join(c.text for piece in cut(rng, text) if (c := output.push(piece)))
        at = text.find(stop)
        if at >= 0:
            assert emitted.startswith(text[:at])
            assert output.stopped == stop


def test_nothing_is_held_back_without_need() -> None:
    output = Output([b"\n\n"])
    chunk = output.push(b"one\n")
    assert chunk is not None
    assert chunk.text == b"one"
    chunk = output.push(b"two")
    assert chunk is not None
    assert chunk.text == b"\ntwo"
    assert output.flush() is None


def test_tokens_come_with_their_last_byte() -> None:
    output = Output([b"xyz"])
    tokens = [ScoredToken(id, text, -1.0) for id, text in enumerate([b"ax", b"y", b"b", b"cx"])]
    assert output.push(b"ax", tokens[0]).tokens == ()  # type: ignore[union-attr]
    assert output.push(b"y", tokens[1]) is None
    chunk = output.push(b"b", tokens[2])
    assert chunk is not None
    assert (chunk.text, chunk.tokens) == (b"xyb", tuple(tokens[:3]))
    chunk = output.push(b"cx", tokens[3])
    assert chunk is not None
    assert (chunk.text, chunk.tokens) == (b"c", ())
    chunk = output.push(b"yz", ScoredToken(9, b"yz", -1.0))
    assert chunk is None
    assert output.stopped == b"xyz"


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        Output([b"a", b""])
