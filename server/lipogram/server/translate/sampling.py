"""What both OpenAI endpoints say about sampling, as the decoder wants to hear it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from lipogram.decoding.bytes.ratio import Ratio
from lipogram.decoding.drafting.chain import Chain
from lipogram.decoding.drafting.ngrams import Ngrams
from lipogram.decoding.events import Evidence
from lipogram.decoding.job import ByteMode, Faithful, Job, Sampling
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.server.drafting import DRAFTED_TOKENS, Draft, DraftKind
from lipogram.server.errors import InvalidRequest, PromptTooLong
from lipogram.server.registry import Served
from lipogram.server.wire import common

MAX_SEQUENCES = 128
DEFAULT_MAX_TOKENS = 16
"""Of a completion, and of a hole."""

Number = TypeVar("Number", int, float)


def sampling(request: common.Sampling, vocabulary: Vocabulary) -> Sampling:
    """How tokens are drawn; what the request leaves out or null has OpenAI's default."""
    neutral = Sampling()
    return Sampling(
        temperature=_given(request.temperature, neutral.temperature),
        top_p=_given(request.top_p, neutral.top_p),
        top_k=max(_given(request.top_k, neutral.top_k), 0),
        min_p=_given(request.min_p, neutral.min_p),
        presence_penalty=_given(request.presence_penalty, neutral.presence_penalty),
        frequency_penalty=_given(request.frequency_penalty, neutral.frequency_penalty),
        repetition_penalty=_given(request.repetition_penalty, neutral.repetition_penalty),
        logit_bias=_bias(request.logit_bias or {}, vocabulary),
        seed=request.seed,
    )


def with_law(job: Job, request: common.Sampling, is_ruled: bool) -> Job:
    """The job with the law of texts that the request wants under its rule.

    A faithful text begins and ends where the rule and the model say: the token before the cursor
    is left as it is, unless the request says otherwise, and no suffix is looked for.
    """
    if request.sampling != "faithful":
        if request.particles is not None:
            raise InvalidRequest(
                "'particles' goes with 'sampling' \"faithful\".", param="particles"
            )
        return job
    if not is_ruled:
        raise InvalidRequest(
            "'sampling' \"faithful\" goes with a constraint: without, all sampling is.",
            param="sampling",
        )
    if job.prediction or (job.drafters is not None and job.drafters.drafters):
        raise InvalidRequest("nobody drafts for 'sampling' \"faithful\".", param="draft")
    given = request.boundary if isinstance(request, common.CursorOptions) else None
    neutral = Faithful()
    faithful = Faithful(particles=_given(request.particles, neutral.particles))
    return replace(job, faithful=faithful, boundary=given or "none", suffix=b"")


def evidence(found: Evidence) -> common.SamplingEvidence:
    """How a faithful text came about, for the client."""
    return common.SamplingEvidence(
        stage=found.stage, effective_samples=round(found.effective_samples, 2)
    )


def stops(request: common.Sampling) -> tuple[bytes, ...]:
    """The stop strings, as bytes."""
    if request.stop is None:
        return ()
    texts = [request.stop] if isinstance(request.stop, str) else request.stop
    if not all(texts):
        raise InvalidRequest("Invalid value for 'stop': expected text, found ''.", param="stop")
    if max(map(len, texts), default=0) > common.MAX_STOP_CHARACTERS:
        raise InvalidRequest(
            f"'stop' has a text of more than {common.MAX_STOP_CHARACTERS} characters.", param="stop"
        )
    return tuple(text.encode() for text in texts)


def drafters(
    request: common.Sampling, served: Served, prediction: str = ""
) -> Chain | Ratio | None:
    """Who drafts, None: whoever does by default. Raises InvalidRequest, ModelNotFound."""
    mode = request.byte_mode if isinstance(request, common.CursorOptions) else None
    return chain(request.draft, mode or "switch", served, bool(prediction))


def chain(
    draft: common.Draft | None, byte_mode: ByteMode, served: Served, has_prediction: bool
) -> Chain | Ratio | None:
    """The drafters that a request names, None for none named; see `drafters`."""
    if served.drafting is None:
        if draft or has_prediction:
            raise InvalidRequest(
                f"{served.name!r} is not decoded step by step here: nobody can draft for it.",
                param="draft" if draft else "prediction",
            )
        return None
    found = None if draft is None else served.drafting.chain(_draft(draft), byte_mode)
    asked = served.drafting.chain(None, byte_mode) if found is None else found
    if has_prediction and not any(isinstance(drafter, Ngrams) for drafter in asked.drafters):
        raise InvalidRequest(
            "'prediction' goes with a 'draft' that has \"prompt\" in it.", param="prediction"
        )
    return found


def _draft(value: common.Draft) -> Draft:
    match value:
        case common.DraftModel():
            kinds: frozenset[DraftKind] = frozenset({"grammar", "prompt"})
            tokens = value.tokens or DRAFTED_TOKENS
            return Draft(kinds, value.model, tokens, value.accept or "match")
        case list():
            return Draft(frozenset(value))
        case str():
            return Draft.parse(value)
        case _:
            return Draft()


def repeated(job: Job, n: int) -> list[Job]:
    """`n` jobs that differ in their seed alone."""
    seed = job.sampling.seed
    if seed is None:
        return [job] * n
    return [replace(job, sampling=replace(job.sampling, seed=seed + index)) for index in range(n)]


def check_count(prompts: int, n: int) -> None:
    """Refuses more sequences than one request may have."""
    if prompts * n > MAX_SEQUENCES:
        raise InvalidRequest(
            f"expected at most {MAX_SEQUENCES} sequences (prompts times n), found {prompts * n}",
            param="n",
        )


def check_tokens(served: Served, param: str) -> None:
    """Refuses to talk of tokens where nobody here knows the model's."""
    if not served.knows_tokens:
        raise InvalidRequest("This model's tokens are not known here.", param=param)


def check_length(text: str, served: Served, param: str) -> None:
    """Refuses a text that cannot fit the window however it is encoded, before it is."""
    window = served.model.context_tokens
    most = window * served.model.vocabulary.longest_token_bytes
    if len(text) > most:
        raise PromptTooLong(
            f"This model's maximum context length is {window} tokens, at most {most} bytes; "
            f"the text has {len(text)} characters.",
            param=param,
        )


def check_room(prompt: Sequence[int], max_tokens: int | None, served: Served, param: str) -> None:
    """Refuses a budget that does not fit behind the prompt."""
    window = served.model.context_tokens
    wanted = len(prompt) + (max_tokens if max_tokens is not None else 1)
    if wanted > window:
        raise PromptTooLong(
            f"This model's maximum context length is {window} tokens; the request needs {wanted} "
            f"({len(prompt)} in the prompt, {wanted - len(prompt)} for the output).",
            param=param,
        )


def _given(value: Number | None, default: Number) -> Number:
    return default if value is None else value


def _bias(entries: dict[str, float], vocabulary: Vocabulary) -> dict[int, float]:
    bias: dict[int, float] = {}
    for key, value in entries.items():
        if not (key.isascii() and key.isdigit() and len(key) < 10) or int(key) >= len(vocabulary):
            raise InvalidRequest(
                f"Invalid key in 'logit_bias': expected a token id below {len(vocabulary)}, "
                f"found {key[:40]!r}.",
                param="logit_bias",
            )
        bias[int(key)] = value
    return bias
