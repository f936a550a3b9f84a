"""Requests of editors, in four dialects: from what was sent to a plan."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Protocol

from lipogram.decoding.fill_in_middle import File, Prompt
from lipogram.decoding.job import Job, Sampling
from lipogram.decoding.vocabulary import Vocabulary
from lipogram.server.constraints import Constraint, Source
from lipogram.server.errors import InvalidRequest
from lipogram.server.prompts import Turn
from lipogram.server.registry import Served
from lipogram.server.translate import constraint, infilling, sampling
from lipogram.server.translate.infilling import Document, Fitted
from lipogram.server.translate.plan import Plan
from lipogram.server.wire.llama_cpp import InfillRequest, LlamaCppCompletionRequest, LlamaCppOptions
from lipogram.server.wire.mistral import FimRequest
from lipogram.server.wire.ollama import GenerateRequest, OllamaOptions
from lipogram.server.wire.tabby import TabbyRequest

Planned = tuple[Plan, Fitted]

_SAMPLERS = frozenset(
    ("penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature",
     "infill")
)  # fmt: skip
_LLAMA_CPP = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05}
_OLLAMA = {"temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.0}
_TABBY = {"temperature": 0.1, "top_k": 0, "top_p": 0.95, "min_p": 0.0}
_ANY_OBJECT = '{"type": "object"}'


class _Steps(Protocol):
    """The members about sampling that llama.cpp and Ollama share."""

    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repeat_penalty: float | None
    presence_penalty: float | None
    frequency_penalty: float | None
    seed: int | None


def infill(request: InfillRequest, served: Served) -> Planned:
    """llama.cpp's `/infill`."""
    files = [File(extra.filename or "tmp", extra.text) for extra in request.input_extra or []]
    prefix = request.input_prefix + (request.prompt or "")
    members = ("input_prefix", "input_suffix")
    document = Document(prefix, request.input_suffix, tuple(files), members=members)
    return infilling.plan(
        document, request, _llama_cpp_job(request), served,
        n=request.n_cmpl or 1, constraint=_llama_cpp_rule(request),
    )  # fmt: skip


def completion(request: LlamaCppCompletionRequest, served: Served) -> Planned:
    """llama.cpp's `/completion`."""
    job, n, rule = _llama_cpp_job(request), request.n_cmpl or 1, _llama_cpp_rule(request)
    if isinstance(request.prompt, str):
        return infilling.plan(Document(request.prompt), request, job, served, n=n, constraint=rule)
    infilling.refuse_document(request, rule)
    ids = _mixed(request.prompt, served.model.vocabulary)
    most = infilling.budget(job.max_tokens, served)
    sampling.check_room(ids, most, served, "prompt")
    job = infilling.with_cursor(replace(job, max_tokens=most), request, served, None)
    prompt = Prompt(tuple(ids))
    return Plan(served, (prompt,), n, job, rule), Fitted(prompt, len(ids), False)


def fim(request: FimRequest, served: Served) -> Planned:
    """Mistral's `/v1/fim/completions`; no suffix is an empty one."""
    if request.seed is not None and request.random_seed is not None:
        raise InvalidRequest("'seed' and 'random_seed' are the same.", param="random_seed")
    if request.stream_options is not None and not request.stream:
        raise InvalidRequest("'stream_options' goes with 'stream'.", param="stream_options")
    drawn = sampling.sampling(request, served.model.vocabulary)
    if request.random_seed is not None:
        drawn = replace(drawn, seed=request.random_seed)
    job = Job(
        (), sampling=drawn, max_tokens=request.max_tokens, stop=sampling.stops(request),
        ignore_eos=bool(request.ignore_eos), drafters=sampling.drafters(request, served),
    )  # fmt: skip
    outputs = request.structured_outputs
    rule = constraint.structured(outputs) if outputs is not None else None
    document = Document(request.prompt, request.suffix or "")
    plan, found = infilling.plan(document, request, job, served, n=request.n or 1, constraint=rule)
    job = sampling.with_law(plan.job, request, rule is not None)
    return replace(plan, job=job), found


def generate(request: GenerateRequest, served: Served) -> Planned:
    """Ollama's `/api/generate`: fills in where there is a suffix, else answers, or continues."""
    options = request.options or OllamaOptions()
    most = options.num_predict
    job = Job(
        (),
        sampling=_steps(options, _OLLAMA),
        max_tokens=most if most is not None and most >= 0 else None,
        stop=_stops(options.stop),
    )
    rule = _ollama_rule(request)
    if request.suffix is not None or request.raw:
        if request.system:
            raise InvalidRequest("'system' goes with no suffix and without 'raw'.", param="system")
        document = Document(request.prompt, request.suffix)
        return infilling.plan(document, request, job, served, constraint=rule, scope="middle")
    infilling.refuse_document(request, rule)
    turns = [Turn("system", request.system)] if request.system else []
    ids = served.template.render([*turns, Turn("user", request.prompt)], served.model.vocabulary)
    most = infilling.budget(job.max_tokens, served)
    sampling.check_room(ids, most, served, "prompt")
    job = replace(job, max_tokens=most, stop=(*job.stop, *served.template.stops))
    job = infilling.with_cursor(job, request, served, None)
    prompt = Prompt(ids)
    return Plan(served, (prompt,), 1, job, rule), Fitted(prompt, len(ids), False)


def tabby(request: TabbyRequest, served: Served) -> Planned:
    """Tabby's segments; what is nearest to the cursor stands nearest."""
    segments = request.segments
    snippets = [
        *(segments.relevant_snippets_from_recently_opened_files or []),
        *(segments.relevant_snippets_from_changed_files or []),
        *(segments.declarations or []),
    ]
    files = [File(snippet.filepath, snippet.body) for snippet in snippets]
    if segments.clipboard:
        files.insert(0, File("clipboard", segments.clipboard))
    document = Document(
        segments.prefix, segments.suffix or "", tuple(files), segments.filepath or ""
    )
    drawn = Sampling(
        temperature=_TABBY["temperature"] if request.temperature is None else request.temperature,
        top_p=_TABBY["top_p"],
        seed=request.seed,
    )
    job = Job((), sampling=drawn, max_tokens=64)
    return infilling.plan(document, request, job, served)


def _llama_cpp_job(request: LlamaCppOptions) -> Job:
    if request.n_predict is not None and request.max_tokens is not None:
        raise InvalidRequest("'n_predict' and 'max_tokens' are the same.", param="max_tokens")
    most = request.max_tokens if request.n_predict is None else request.n_predict
    return Job(
        (),
        sampling=_chosen(_steps(request, _LLAMA_CPP), request),
        max_tokens=most if most is not None and most >= 0 else None,
        stop=_stops(request.stop),
        top_logprobs=request.n_probs or 0,
        ignore_eos=bool(request.ignore_eos),
    )


def _chosen(steps: Sampling, request: LlamaCppOptions) -> Sampling:
    """Only the steps that `samplers` names, where it is given; temperature 0 is always greedy."""
    names = request.samplers
    if names is None:
        return steps
    for index, name in enumerate(names):
        if name not in _SAMPLERS:
            raise InvalidRequest(
                f"Invalid value for 'samplers': expected some of {', '.join(sorted(_SAMPLERS))};"
                f" found {name[:40]!r}.",
                param=f"samplers[{index}]",
            )
    neutral = Sampling(seed=steps.seed)
    kept = {name: getattr(steps, name) for name in _LLAMA_CPP if name in names}
    if request.temperature == 0:
        kept["temperature"] = 0.0
    if "penalties" in names:
        penalties = ("repetition_penalty", "presence_penalty", "frequency_penalty")
        kept |= {name: getattr(steps, name) for name in penalties}
    return replace(neutral, **kept)


def _steps(given: _Steps, defaults: dict[str, float]) -> Sampling:
    def value(name: str) -> float:
        own: float | None = getattr(given, name)
        return defaults[name] if own is None else own

    top_p = value("top_p")
    return Sampling(
        temperature=value("temperature"),
        top_k=max(int(value("top_k")), 0),
        top_p=top_p if top_p > 0 else 1e-9,
        min_p=value("min_p"),
        repetition_penalty=given.repeat_penalty or 1.0,
        presence_penalty=given.presence_penalty or 0.0,
        frequency_penalty=given.frequency_penalty or 0.0,
        seed=None if given.seed is None or given.seed < 0 else given.seed,
    )


def _stops(texts: list[str] | None) -> tuple[bytes, ...]:
    return tuple(text.encode() for text in texts or [])


def _llama_cpp_rule(request: LlamaCppOptions) -> Constraint | None:
    if request.grammar and request.json_schema is not None:
        raise InvalidRequest("expected 'grammar' or 'json_schema', found both", param="grammar")
    if request.grammar:
        return Constraint(Source("gbnf", request.grammar, param="grammar"))
    if request.json_schema is not None:
        schema = json.dumps(request.json_schema)
        return Constraint(Source("json_schema", schema, param="json_schema"))
    return None


def _ollama_rule(request: GenerateRequest) -> Constraint | None:
    if not request.format:
        return None
    schema = _ANY_OBJECT if request.format == "json" else json.dumps(request.format)
    return Constraint(Source("json_schema", schema, param="format"))


def _mixed(prompt: list[int | str], vocabulary: Vocabulary) -> list[int]:
    """Texts and tokens, one after the other."""
    ids: list[int] = []
    for index, piece in enumerate(prompt):
        if isinstance(piece, str):
            ids += vocabulary.encode(piece.encode())
        elif piece < len(vocabulary):
            ids.append(piece)
        else:
            raise InvalidRequest(
                f"expected token ids below {len(vocabulary)}, found {piece}",
                param=f"prompt[{index}]",
            )
    return ids
