"""What goes before a cursor and what stands behind it, as a prompt that fits the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from lipogram.decoding.errors import NoInfilling
from lipogram.decoding.fill_in_middle import File, FillInMiddle, Prompt
from lipogram.decoding.job import Job
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.server.constraints import Constraint, Place
from lipogram.server.errors import InvalidRequest
from lipogram.server.registry import Served
from lipogram.server.translate.plan import Plan
from lipogram.server.translate.sampling import check_count
from lipogram.server.wire.common import CursorOptions

_MOST_TOKENS = 512
"""The budget where a request has none, and never more than a quarter of the window."""
_MARGIN_TOKENS = 16
_STEPS = 8
_BYTES_PER_TOKEN = 16  # more is never wanted of a text that is cut anyway


Scope: TypeAlias = Literal["document", "middle"]


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a cursor; `suffix` None means that nothing is to be filled in, only continued.

    `members` are the names that the request has for the two texts.
    """

    prefix: str
    suffix: str | None = None
    files: tuple[File, ...] = ()
    name: str = ""
    members: tuple[str, str] = ("prompt", "suffix")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A document's prompt, its length in tokens, and whether text had to be left out."""

    prompt: Prompt
    tokens: int
    is_cut: bool


def infilling_of(served: Served) -> FillInMiddle:
    """The model's infilling format; raises NoInfilling."""
    if served.infilling is None:
        raise NoInfilling(f"{served.name!r} was not trained to fill in: it has no such tokens")
    return served.infilling


def with_cursor(job: Job, options: CursorOptions, served: Served, suffix: str | None) -> Job:
    """The job with what the request says about the cursor, and what is behind it."""
    job = replace(
        job,
        boundary=options.boundary or (job.boundary if served.knows_tokens else "none"),
        byte_mode=options.byte_mode or job.byte_mode,
        projection=options.projection or job.projection,
    )
    if suffix is None:
        if options.fim_order is not None:
            raise InvalidRequest("'fim_order' goes with a suffix.", param="fim_order")
        return job
    behind = b"" if options.repeat_suffix else suffix.encode()
    return replace(job, suffix=behind, ends=infilling_of(served).ends)


def places_of(
    documents: Sequence[Document],
    options: CursorOptions,
    constraint: Constraint | None,
    default: Scope = "document",
) -> tuple[Place, ...]:
    """Where in a member of the constraint each output stands; none where it is one by itself.

    Without a request's word that is so if there is no suffix, or if the `default` is "middle".
    """
    scope = options.constraint_scope
    if constraint is None and scope is not None:
        raise InvalidRequest("'constraint_scope' goes with a constraint.", param="constraint_scope")
    if scope is None and any(document.suffix is None for document in documents):
        default = "middle"
    is_whole = constraint is not None and (scope or default) == "document"
    if options.constraint_fallback and not is_whole:
        raise InvalidRequest(
            "'constraint_fallback' goes with a constraint of the whole document.",
            param="constraint_fallback",
        )
    if not is_whole:
        return ()
    return tuple(
        Place(document.prefix.encode(), (document.suffix or "").encode(), *document.members)
        for document in documents
    )


def refuse_document(options: CursorOptions, constraint: Constraint | None) -> None:
    """Refuses a constraint of a whole document where there is none: a prompt that is no text."""
    places_of((), options, constraint, "middle")
    for name in ("constraint_scope", "constraint_fallback"):
        if getattr(options, name) not in (None, False, "middle"):
            raise InvalidRequest(f"{name!r} goes with a prompt that is a text.", param=name)


def prompt_of(document: Document, options: CursorOptions, served: Served) -> Prompt:
    """The document's prompt, whole; raises NoInfilling, InvalidRequest, Unspellable."""
    if document.suffix is None:
        return Prompt(text=document.prefix.encode())
    fill = infilling_of(served)
    if options.fim_order is not None and options.fim_order not in fill.orders:
        raise InvalidRequest(
            f"Invalid value for 'fim_order': {served.name!r} was trained with"
            f" {' and '.join(fill.orders)}; found {options.fim_order!r}.",
            param="fim_order",
        )
    return fill.prompt(
        document.prefix, document.suffix, document.files, options.fim_order, document.name
    )


def budget(max_tokens: int | None, served: Served) -> int:
    """The tokens to generate at most, where an editor does not say how many."""
    window = served.model.context_tokens
    return min(window // 4, _MOST_TOKENS) if max_tokens is None else min(max_tokens, window // 2)


def fitted(document: Document, options: CursorOptions, served: Served, max_tokens: int) -> Fitted:
    """The prompt of what fits beside `max_tokens`: as much as can be of what is near the cursor.

    Three quarters are for the prefix and one for the suffix, unless the other needs less; other
    files have what is left, the last ones first. A prefix loses its beginning in steps of an eighth
    of the room, so that while somebody types the prompt goes on beginning alike. There is no more
    room than the model says is worth reading.
    """
    vocabulary, window = served.model.vocabulary, served.model.context_tokens
    most = getattr(served.model, "infilling_tokens", window)
    room = max(min(window - max_tokens, most) - _MARGIN_TOKENS, 0)
    prefix, suffix = document.prefix, document.suffix or ""
    before = _tokens(prefix[-_BYTES_PER_TOKEN * room :] if room else "", vocabulary)
    after = _tokens(suffix[: _BYTES_PER_TOKEN * room], vocabulary)
    for_suffix = min(len(after), max(room // 4, room - len(before)))
    kept = _kept(len(before), room - for_suffix)
    if kept < len(before) or len(prefix) > _BYTES_PER_TOKEN * room:
        prefix = vocabulary.decode(before[len(before) - kept :]).decode(errors="ignore")
    if for_suffix < len(after) or len(suffix) > _BYTES_PER_TOKEN * room:
        suffix = vocabulary.decode(after[:for_suffix]).decode(errors="ignore")
    is_cut = prefix != document.prefix or suffix != (document.suffix or "")
    files = _files(document.files, room - for_suffix - kept, vocabulary)
    shorter = replace(
        document,
        prefix=prefix,
        suffix=None if document.suffix is None else suffix,
        files=files,
    )
    prompt = prompt_of(shorter, options, served)
    return Fitted(prompt, len(prompt.tokens) + len(vocabulary.encode(prompt.text)), is_cut)


def plan(
    document: Document,
    options: CursorOptions,
    job: Job,
    served: Served,
    *,
    n: int = 1,
    constraint: Constraint | None = None,
    scope: Scope = "document",
) -> tuple[Plan, Fitted]:
    """The plan to fill in a document that is cut to fit; `job` says how, without the prompt.

    A constraint is for the document as it was before.
    """
    check_count(1, n)
    places = places_of([document], options, constraint, scope)
    most = budget(job.max_tokens, served)
    found = fitted(document, options, served, most)
    job = with_cursor(replace(job, max_tokens=most), options, served, document.suffix)
    falls_back = bool(options.constraint_fallback)
    return Plan(served, (found.prompt,), n, job, constraint, places, falls_back), found


def _tokens(text: str, vocabulary: Vocabulary) -> list[int]:
    return vocabulary.encode(text.encode())


def _kept(length: int, room: int) -> int:
    """How many of the last tokens stay."""
    if length <= room:
        return length
    step = max(room // _STEPS, 1)
    return max(length - -(-(length - room) // step) * step, 0)


def _files(files: Sequence[File], room: int, vocabulary: Vocabulary) -> tuple[File, ...]:
    """The last files that fit; none behind one that does not."""
    kept: list[File] = []
    for file in reversed(files):
        if len(file.name) + len(file.text) > _BYTES_PER_TOKEN * max(room, 0):
            break
        room -= len(_tokens(f"{file.name}\n{file.text}\n", vocabulary)) + 2
        if room < 0:
            break
        kept.append(file)
    return tuple(reversed(kept))
