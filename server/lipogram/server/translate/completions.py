"""`/v1/completions`: from the request to a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from lipogram.decoding.fill_in_middle import Prompt
from lipogram.decoding.job import Job
from lipogram.server.constraints import Constraint
from lipogram.server.errors import InvalidRequest
from lipogram.server.registry import Served
from lipogram.server.translate import constraint, denoising
from lipogram.server.translate.infilling import (
    Document,
    places_of,
    prompt_of,
    refuse_document,
    with_cursor,
)
from lipogram.server.translate.plan import Plan
from lipogram.server.translate.sampling import (
    DEFAULT_MAX_TOKENS,
    check_count,
    check_length,
    check_room,
    check_tokens,
    drafters,
    sampling,
    stops,
    with_law,
)
from lipogram.server.wire.completions import CompletionRequest


def plan(request: CompletionRequest, served: Served) -> Plan:
    """What the request wants of this model.

    Raises InvalidRequest, PromptTooLong, Unspellable.
    """
    n = request.n or 1
    if request.best_of not in (None, n):
        raise InvalidRequest("'best_of' other than 'n' is not supported.", param="best_of")
    vocabulary = served.model.vocabulary
    infill = denoising.infill(request, served)
    denoising.check_cursor(request, served)
    entries = _entries(request)
    check_count(len(entries), n)
    for entry in entries:
        if isinstance(entry, str):
            check_length(entry, served, "prompt")
    check_length(request.suffix or "", served, "suffix")
    prompts = [_prompt(request, entry, served) for entry in entries]
    max_tokens = DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
    for prompt in prompts if infill is None else ():
        ids = (*prompt.tokens, *vocabulary.encode(prompt.text))
        check_room(ids, max_tokens, served, "prompt")
    if request.stream_options is not None and not request.stream:
        raise InvalidRequest("'stream_options' goes with 'stream'.", param="stream_options")
    job = Job(
        (),
        sampling=sampling(request, vocabulary),
        max_tokens=max_tokens,
        stop=stops(request),
        top_logprobs=request.logprobs,
        ignore_eos=bool(request.ignore_eos),
        infill=infill,
        denoising=denoising.denoising(request.denoising, served, bool(request.stream)),
        drafters=drafters(request, served),
    )
    job = with_cursor(job, request, served, request.suffix)
    if request.echo:
        job = replace(job, boundary="none")
    rule = _rule(request)
    job = with_law(job, request, rule is not None)
    documents = [Document(entry, request.suffix) for entry in entries if isinstance(entry, str)]
    if len(documents) < len(entries):
        refuse_document(request, rule)
    places = places_of(documents, request, rule)
    falls_back = bool(request.constraint_fallback)
    return Plan(served, tuple(prompts), n, job, rule, places, falls_back)


def _rule(request: CompletionRequest) -> Constraint | None:
    constraint.refuse_two(request.response_format, request.structured_outputs)
    if request.structured_outputs is not None:
        return constraint.structured(request.structured_outputs)
    answer = constraint.response_format(request.response_format)
    return Constraint(answer) if answer is not None else None


def _entries(request: CompletionRequest) -> list[str | list[int]]:
    """The prompts one by one; null is the beginning of a text."""
    prompt = request.prompt
    if prompt is None or isinstance(prompt, str):
        return [prompt or ""]
    if isinstance(prompt[0], int):
        return [prompt]
    return list(cast("list[str | list[int]]", prompt))


def _prompt(request: CompletionRequest, entry: str | list[int], served: Served) -> Prompt:
    """A text is the document before the cursor; tokens stand as they are, with no suffix behind."""
    if request.echo and request.suffix is not None:
        raise InvalidRequest("'echo' with 'suffix' is not supported.", param="echo")
    if request.echo and request.boundary not in (None, "none"):
        raise InvalidRequest("'echo' goes with 'boundary' \"none\" alone.", param="boundary")
    if isinstance(entry, str):
        return prompt_of(Document(entry, request.suffix), request, served)
    check_tokens(served, "prompt")
    size = len(served.model.vocabulary)
    if max(entry, default=0) >= size:
        raise InvalidRequest(f"expected token ids below {size}, found {max(entry)}", param="prompt")
    if request.suffix is not None:
        raise InvalidRequest("'suffix' goes with a prompt that is a text.", param="prompt")
    return Prompt(tuple(entry))
