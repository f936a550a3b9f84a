"""Draws a form that a masked model fills in, as SVG: the picture in `docs/infilling.md`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from html import escape

from lipogram.decoding import Denoiser, Denoising, Infill, Job, Masker, Sampling
from lipogram.decoding.events import Chunk, Sketch
from lipogram.decoding.models import embedded
from lipogram.grammars import compile, json_schema

PROMPT = b"Grace Hopper is 45 years old and lives in Boston.\n"
SEGMENTS = (b'{"name": "', b'", "age": ', b', "city": "', b'"}')
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "city": {"type": "string"},
    },
    "required": ["name", "age", "city"],
    "additionalProperties": False,
}
WIDTH, LINE, LEFT = 8.4, 30, 70
FIXED, NEW = "#52606d", "#0b62d6"
_TEXT = '<text x="{}" y="{}" textLength="{}" fill="{}" xml:space="preserve">{}</text>'
_BOX = '<rect x="{}" y="{}" width="{}" height="18" rx="3" fill="#cfd8e3"/>'


async def sketches() -> list[Sketch]:
    """The canvas after each step."""
    model = embedded.load("embedded-diffusion")
    job = Job(
        (),
        Masker(compile(json_schema.parse(SCHEMA)), model.vocabulary),
        Sampling(temperature=0),
        text=PROMPT,
        infill=Infill(SEGMENTS, (6, 6, 6)),
        denoising=Denoising(steps=6, sketches=True),
    )
    events = [event async for event in Denoiser(model).generate(job)]
    return [event.sketch for event in events if isinstance(event, Chunk) and event.sketch]


def parts(text: bytes, segments: list[bytes]) -> Iterator[tuple[bytes, str]]:
    """A text of fixed segments, which are taken off the list, and of what fills holes."""
    while segments and segments[0] in text:
        filled, _, text = text.partition(segments[0])
        yield filled, NEW
        yield segments.pop(0), FIXED
    yield text, NEW


def row(sketch: Sketch, top: float) -> list[str]:
    """One canvas; a box is a slot."""
    drawn, left, segments = [], float(LEFT), list(SEGMENTS)
    for piece in sketch.pieces:
        if isinstance(piece, int):
            places = (round(left + 26 * slot + 1, 1) for slot in range(piece))
            drawn += [_BOX.format(place, top - 14, 24) for place in places]
            left += 26 * piece
            continue
        for text, colour in parts(piece, segments):
            if text:
                drawn.append(written(text.decode(), left, top, colour))
                left += WIDTH * len(text.decode())
    return drawn


def written(text: str, left: float, top: float, colour: str) -> str:
    """A text as wide as its characters are many, whatever the font."""
    length = round(WIDTH * len(text), 1)
    return _TEXT.format(round(left, 1), top, length, colour, escape(text))


def drawing(found: list[Sketch]) -> str:
    """The picture of all steps."""
    body = []
    for index, sketch in enumerate(found):
        top = LINE * (index + 1)
        body += [written(f"step {index + 1}", 4, top, "#7b8794"), *row(sketch, top)]
    size = f'width="640" height="{LINE * len(found) + 16}"'
    style = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14"'
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>'
    return "\n".join([opening, '<rect width="100%" height="100%" fill="#fff"/>', *body, "</svg>"])


if __name__ == "__main__":
    print(drawing(asyncio.run(sketches())))
