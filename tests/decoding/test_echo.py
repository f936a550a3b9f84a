"""The suffix is not repeated: the rule by examples, and the output by a plain reading of it."""

import random

import pytest

from lipogram.decoding.echo import opening
from lipogram.decoding.output import Output


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        (b"", None),
        (b"}\n", None),
        (b")\n}\n\n", None),
        (b"return\n", None),
        (b"\n    return total\n\nx = 1\n", b"\n    return total\n"),
        (b")\n}\n\nvoid other(void)\n{\n", b")\n}\n\nvoid other(void)\n"),
        (b"    else:\n        pass\nmore\n", b"    else:\n        pass\n"),
        (b"last_line_of_it", b"last_line_of_it\n"),
        ("größeres\nx".encode(), "größeres\n".encode()),
        (b"a" * 1_000_000, b"a" * 160),
        (b"a" * 160, b"a" * 160 + b"\n"),
        (b"short\n" + b"b" * 500, b"short\n" + b"b" * 154),
        (b"\xa9\n" * 20, b"\xa9\n" * 8),
    ],
)
def test_what_is_evidence(suffix: bytes, expected: bytes | None) -> None:
    assert opening(suffix) == expected


def written(suffix: bytes, pieces: list[bytes], stop: tuple[bytes, ...] = ()) -> bytes:
    output = Output(stop, suffix)
    text = b""
    for piece in pieces:
        chunk = output.push(piece)
        text += chunk.text if chunk else b""
        if output.stopped is not None:
            return text
    chunk = output.flush()
    return text + (chunk.text if chunk else b"")


SUFFIX = b"\n    return total\n\nprint(1)\n"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"a + b\n    return total\n\nprint(1)\n", b"a + b"),
        (b"a + b\n    return total", b"a + b"),
        (b"a + b\n    return totals\n", b"a + b\n    return totals\n"),
        (b"a + b\n    return tot", b"a + b\n    return tot"),
        (b"\n    return total\n", b""),
        (b"a\n}\n)\n", b"a\n}\n)\n"),
    ],
)
def test_the_output_ends_before_it(output: bytes, expected: bytes) -> None:
    generator = random.Random(1)
    for _ in range(50):
        cuts = sorted(generator.sample(range(len(output) + 1), min(5, len(output))))
        pieces = [output[a:b] for a, b in zip([0, *cuts], [*cuts, len(output)], strict=True)]
        assert written(SUFFIX, pieces) == expected


def test_without_a_suffix_nothing_is_cut() -> None:
    assert written(b"", [b"a + b\n    return total\n"]) == b"a + b\n    return total\n"


def test_stop_strings_go_on_working() -> None:
    assert written(SUFFIX, [b"a ; b\n    return total\n"], (b";",)) == b"a "
