"""Requests to ensembles: the request is put to each member in its own way, and the plans joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.errors import InvalidEnsemble
from lipogram.decoding.fill_in_middle import Prompt
from lipogram.server.errors import InvalidRequest
from lipogram.server.registry import Registry, Served
from lipogram.server.translate.infilling import Fitted
from lipogram.server.translate.plan import Plan
from lipogram.server.translate.sampling import chain
from lipogram.server.wire.common import CursorOptions, EnsembleOptions, Mixed
from lipogram.server.wire.completions import CompletionRequest
from lipogram.server.wire.llama_cpp import LlamaCppCompletionRequest

Body = TypeVar("Body", bound=Mixed)


def find(registry: Registry, name: str | None, options: EnsembleOptions | None) -> Served:
    """The model of this name, or the ensemble that a request makes of it and others.

    Raises ModelNotFound, InvalidRequest, InvalidEnsemble.
    """
    served = registry.find(name)
    if options is None:
        return served
    if served.name not in options.members:
        raise InvalidRequest(
            f"expected 'model' to be a member of the ensemble, found {served.name!r}", param="model"
        )
    mixing = Mixing(options.rule or "linear", tuple(options.weights or ()), options.strength)
    return registry.together(served.name, options.members, mixing)


def plan(translate: Callable[[Body, Served], Plan], body: Body, served: Served) -> Plan:
    """What `translate` makes of a request for this model; of an ensemble, for every member."""
    if not served.members:
        return translate(body, served)
    own = _checked(body)
    return _joined(body, [translate(own, member) for member in served.members], served)


def fitted_plan(
    translate: Callable[[Body, Served], tuple[Plan, Fitted]], body: Body, served: Served
) -> tuple[Plan, Fitted]:
    """The same where the prompt is cut to fit: each member's to its own window."""
    if not served.members:
        return translate(body, served)
    asked = _checked(body)
    found = [translate(asked, member) for member in served.members]
    return _joined(body, [own for own, _ in found], served), found[0][1]


def _checked(body: Body) -> Body:
    """What members are asked: all but who drafts. Refuses what is said about one's tokens."""
    if isinstance(body, CursorOptions):
        for name, wanted in (("byte_mode", "full"), ("projection", "byte")):
            found = getattr(body, name)
            if found not in (None, wanted):
                raise InvalidRequest(
                    f"Invalid value for {name!r}: an ensemble has {wanted!r}; found {found!r}.",
                    param=name,
                )
    if isinstance(body, CompletionRequest | LlamaCppCompletionRequest):
        pieces = body.prompt if isinstance(body.prompt, list) else []
        if not all(isinstance(piece, str) for piece in pieces):
            raise InvalidRequest(
                "an ensemble has a prompt of text: its members' tokens differ", param="prompt"
            )
    if isinstance(body, CompletionRequest) and body.infill is not None:
        raise InvalidRequest("an ensemble has no 'infill'.", param="infill")
    if isinstance(body, CompletionRequest) and body.echo and body.logprobs is not None:
        raise InvalidRequest(
            "an ensemble has no 'echo' with 'logprobs': its members' tokens differ", param="echo"
        )
    return body.model_copy(update={"draft": None}) if getattr(body, "draft", None) else body


def _joined(body: Mixed, plans: Sequence[Plan], served: Served) -> Plan:
    """One plan, told to each member in its own tokens; raises InvalidEnsemble, InvalidRequest."""
    first, *others = plans
    for plan, member in zip(plans, served.members, strict=True):
        if plan.job.stop != first.job.stop:
            raise InvalidEnsemble(
                f"{served.members[0].name!r} and {member.name!r} share no end of an answer: one"
                " ends it by a token, the other by a text"
            )
    budgets = [plan.job.max_tokens for plan in plans if plan.job.max_tokens is not None]
    job = replace(
        first.job,
        max_tokens=min(budgets, default=None),
        byte_mode="full",
        projection="byte",
        drafters=chain(getattr(body, "draft", None), "full", served, bool(first.job.prediction)),
    )
    return replace(
        first, served=served, job=job, other_prompts=tuple(_prompts(plan) for plan in others)
    )


def _prompts(plan: Plan) -> tuple[Prompt, ...]:
    return tuple(replace(prompt, ends=plan.job.ends) for prompt in plan.prompts)
