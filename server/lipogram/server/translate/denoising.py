"""What requests say about filling masks and holes, as the decoder wants to hear it."""

from __future__ import annotations

from lipogram.decoding.events import Sketch
from lipogram.decoding.job import Denoising, Infill
from lipogram.server.errors import InvalidRequest, PromptTooLong
from lipogram.server.registry import Served
from lipogram.server.translate.sampling import DEFAULT_MAX_TOKENS, check_length
from lipogram.server.wire.common import Canvas, DenoisingOptions
from lipogram.server.wire.completions import CompletionRequest

_NOT_WITH_INFILL = (
    "suffix", "max_tokens", "echo", "stop", "logprobs", "boundary", "byte_mode", "projection",
    "fim_order", "repeat_suffix", "constraint_scope", "constraint_fallback",
)  # fmt: skip


def denoising(options: DenoisingOptions | None, served: Served, is_streamed: bool) -> Denoising:
    """How masks are filled; what is left out or null has the default."""
    if options is None:
        return Denoising()
    if not served.fills_masks:
        raise InvalidRequest(
            f"'denoising' goes with a model that fills masks; {served.name!r} writes from left"
            " to right.",
            param="denoising",
        )
    if options.stream_canvas and not is_streamed:
        raise InvalidRequest("'stream_canvas' goes with 'stream'.", param="denoising.stream_canvas")
    neutral = Denoising()
    return Denoising(
        steps=options.steps,
        order=options.order or neutral.order,
        block_tokens=options.block_tokens or neutral.block_tokens,
        remask=options.remask or 0.0,
        sketches=bool(options.stream_canvas),
        lengths=options.lengths or neutral.lengths,
    )


def infill(request: CompletionRequest, served: Served) -> Infill | None:
    """The text with holes, if that is what the request has."""
    wanted = request.infill
    if wanted is None:
        return None
    for name in _NOT_WITH_INFILL:
        if getattr(request, name) not in (None, False):
            raise InvalidRequest(f"{name!r} with 'infill' is not supported.", param=name)
    if isinstance(request.prompt, list) and not isinstance(request.prompt[0], int):
        raise InvalidRequest("'infill' goes with one prompt, or none.", param="infill")
    for index, segment in enumerate(wanted.segments):
        check_length(segment, served, f"infill.segments[{index}]")
    if not served.fills_masks and served.infilling is None:
        raise InvalidRequest(
            f"{served.name!r} was not trained to fill in: it has no such tokens", param="infill"
        )
    holes = len(wanted.segments) - 1
    given = DEFAULT_MAX_TOKENS if wanted.max_tokens is None else wanted.max_tokens
    most = [given] * holes if isinstance(given, int) else given
    if len(most) != holes:
        raise InvalidRequest(
            f"Invalid value for 'infill.max_tokens': expected {holes} numbers, one for each hole"
            f" between two segments; found {len(most)}.",
            param="infill.max_tokens",
        )
    if sum(most) > served.model.context_tokens:
        raise PromptTooLong(
            f"This model's maximum context length is {served.model.context_tokens} tokens; the"
            f" holes may take {sum(most)}.",
            param="infill.max_tokens",
        )
    return Infill(tuple(segment.encode() for segment in wanted.segments), tuple(most))


def check_cursor(request: CompletionRequest, served: Served) -> None:
    """Refuses what a model that fills masks cannot do at a cursor."""
    if not served.fills_masks:
        return
    if request.suffix is not None:
        raise InvalidRequest(
            f"{served.name!r} fills masks: 'infill' has the texts before and behind a hole.",
            param="suffix",
        )
    for name, only in (("boundary", "none"), ("byte_mode", "switch")):
        if getattr(request, name) not in (None, only):
            raise InvalidRequest(
                f"{served.name!r} fills masks with whole tokens: {name!r} can only be {only!r}.",
                param=name,
            )


def canvas(sketch: Sketch) -> Canvas:
    """A sketch for a client."""
    pieces = [
        piece if isinstance(piece, int) else piece.decode(errors="replace")
        for piece in sketch.pieces
    ]
    return Canvas(step=sketch.step, pieces=pieces)
