"""From a job to the body of a request, and what no body can say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from lipogram.decoding.errors import UnsupportedJob
from lipogram.decoding.job import Job, Sampling, Written
from lipogram.decoding.vocabulary import Vocabulary

Constraints: TypeAlias = Literal["", "structured_outputs", "response_format"]

_ROLES: Final = ("system", "user", "assistant")
_MIDDLE: Final = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
_END: Final = "<|end|>"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the server is declared to understand.

    `constraints` names the member that carries them: vLLM's `structured_outputs`, or OpenAI's
    `response_format` with a JSON Schema. `extensions` are vLLM's `top_k`, `min_p` and
    `repetition_penalty`.
    """

    constraints: Constraints = ""
    suffix: bool = False
    logprobs: bool = False
    extensions: bool = False


def vocabulary(abilities: Abilities) -> Vocabulary:
    """Bytes, and marks between the turns of a conversation and the parts of a document.

    The server's own tokens are not known; these say what a prompt is made of, exactly.
    """
    names = [*(f"<|{role}|>" for role in _ROLES), _END, *(_MIDDLE if abilities.suffix else ())]
    tokens = [bytes([byte]) for byte in range(256)] + [b""] * len(names)
    specials = {name: 256 + index for index, name in enumerate(names)}
    return Vocabulary.from_tokens(tokens, eos_ids=(specials[_END],), specials=specials)


@dataclass(frozen=True, slots=True)
class Request:
    """A path below the base URL, and the body to send there."""

    path: str
    body: dict[str, Any]

    @property
    def is_chat(self) -> bool:
        return self.path == "/chat/completions"


def request_of(job: Job, model: str, own: Vocabulary, abilities: Abilities) -> Request:
    """The request that says all that the job says; raises UnsupportedJob where none does."""
    _check(job, abilities)
    names = {id: name for name, id in own.specials.items()}
    roles = {own.specials[f"<|{role}|>"]: role for role in _ROLES}
    body: dict[str, Any] = {"model": model, "stream": True}
    body["stream_options"] = {"include_usage": True}
    is_chat = bool(job.prompt) and job.prompt[0] in roles
    if is_chat:
        body["messages"] = _messages(job.prompt, roles, own)
    else:
        body |= _document(job, names, own)
    body |= _sampling(job.sampling)
    if job.max_tokens is not None:
        body["max_completion_tokens" if is_chat else "max_tokens"] = job.max_tokens
    if job.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": job.top_logprobs}
    if job.written is not None:
        body |= _constraint(job.written, abilities)
    request = Request("/chat/completions" if is_chat else "/completions", body)
    if job.top_logprobs is not None and not request.is_chat:
        raise UnsupportedJob("a remote model has log-probabilities in chat alone")
    return request


def _check(job: Job, abilities: Abilities) -> None:
    sampling = job.sampling
    is_plain = not sampling.top_k and not sampling.min_p and sampling.repetition_penalty == 1.0
    is_unwritten = job.masker is not None and job.written is None
    refused = {
        "several holes": job.infill is not None,
        "faithful sampling": job.faithful is not None,
        "byte_mode full": job.byte_mode == "full",
        f"boundary {job.boundary}": bool(job.text) and job.boundary != "none",
        "log-probabilities of the prompt": job.echo_logprobs,
        "logit_bias": bool(sampling.logit_bias),
        "ignore_eos": job.ignore_eos,
        "top_k, min_p or repetition_penalty": not is_plain and not abilities.extensions,
        "log-probabilities": job.top_logprobs is not None and not abilities.logprobs,
        "log-probabilities under a constraint": bool(job.masker and job.top_logprobs is not None),
        "a constraint": job.masker is not None and not abilities.constraints,
        "this constraint (tools, a document's, or one with options)": is_unwritten,
    }
    for what, is_asked in refused.items():
        if is_asked:
            raise UnsupportedJob(f"the remote server behind this model cannot do: {what}")


def _sampling(sampling: Sampling) -> dict[str, Any]:
    neutral = Sampling()
    body: dict[str, Any] = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    for name in ("top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty"):
        if getattr(sampling, name) != getattr(neutral, name):
            body[name] = getattr(sampling, name)
    if sampling.seed is not None:
        body["seed"] = sampling.seed % 2**63
    return body


def _messages(prompt: tuple[int, ...], roles: dict[int, str], own: Vocabulary) -> Any:
    """The conversation that the template of this vocabulary made the prompt of."""
    messages: list[dict[str, str]] = []
    text: list[int] = []
    for id in prompt:
        if id in roles:
            messages.append({"role": roles[id], "content": ""})
            text = []
        elif id in own.eos_ids:
            messages[-1]["content"] = _text(own.decode(text))
        else:
            text.append(id)
    return messages[:-1]  # the last one is the answer's, and open


def _document(job: Job, names: dict[int, str], own: Vocabulary) -> dict[str, str]:
    """The text before the cursor, and that behind it where the prompt has one."""
    marks = [place for place, id in enumerate(job.prompt) if names.get(id) in _MIDDLE]
    if not marks:
        return {"prompt": _text(own.decode(job.prompt) + job.text)}
    first, between, last = marks
    prefix = own.decode(job.prompt[first + 1 : between]) + job.text
    suffix = own.decode(job.prompt[between + 1 : last])
    return {"prompt": _text(prefix), "suffix": _text(suffix)}


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UnsupportedJob("a remote model takes UTF-8 alone") from error


def _constraint(written: Written, abilities: Abilities) -> dict[str, Any]:
    if abilities.constraints == "response_format":
        if written.syntax != "json_schema":
            raise UnsupportedJob(
                f"the remote server behind this model takes JSON Schemas, found {written.syntax}"
            )
        schema = {"name": "output", "schema": json.loads(written.text), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if written.syntax in ("json_schema", "choice"):
        name = "json" if written.syntax == "json_schema" else "choice"
        return {"structured_outputs": {name: json.loads(written.text)}}
    name = "regex" if written.syntax == "regex" else "grammar"
    return {"structured_outputs": {name: written.text}}
