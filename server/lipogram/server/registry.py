"""The models that are served, by name."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from lipogram.decoding import canvas
from lipogram.decoding.autoregressive import Autoregressive
from lipogram.decoding.bytes.mixing import Mixing
from lipogram.decoding.denoising import Denoiser
from lipogram.decoding.drafting.heads import Heads, HeadWeights
from lipogram.decoding.ensemble import Ensemble
from lipogram.decoding.errors import InvalidEnsemble, NoInfilling
from lipogram.decoding.events import Event
from lipogram.decoding.fill_in_middle import FillInMiddle
from lipogram.decoding.job import Job
from lipogram.decoding.masking import warm_up
from lipogram.decoding.models.base import CausalModel, Chat, MaskedModel, Model
from lipogram.decoding.models.embedded import EmbeddedCausal
from lipogram.server.drafting import Draft, Drafting
from lipogram.server.errors import InvalidRequest, ModelNotFound
from lipogram.server.prompts import ChatTemplate, ScriptTemplate, TurnTemplate
from lipogram.server.settings import EnsembleSettings

_KEPT_ENSEMBLES = 64


@runtime_checkable
class Decoder(Protocol):
    """Turns a job into events: chunks, then exactly one finish."""

    def generate(self, job: Job) -> AsyncIterator[Event]: ...


@dataclass(frozen=True, slots=True)
class Served:
    """A model, how it is decoded, and how conversations and documents are put to it.

    `drafting` None: it is not decoded step by step here, so nobody can draft. An ensemble has
    `members`, and what is its first one's.
    """

    name: str
    model: Model
    decoder: Decoder
    template: ChatTemplate
    infilling: FillInMiddle | None
    created: int
    drafting: Drafting | None
    members: tuple[Served, ...] = ()

    @property
    def knows_tokens(self) -> bool:
        """Whether the vocabulary is the model's, and not what stands for one."""
        return bool(getattr(self.model, "knows_tokens", True))

    @property
    def fills_masks(self) -> bool:
        """Whether it fills slots in any order, rather than write from left to right."""
        return isinstance(self.model, MaskedModel)


class Registry:
    """Served models by name; the first is the default, and `aliases` are further names for it.

    `drafts` say who drafts for a model by default, where it is not all that the model has. Raises
    InvalidRequest, ModelNotFound for a draft that cannot be, InvalidEnsemble.
    """

    def __init__(
        self,
        models: Iterable[Model],
        aliases: Iterable[str] = (),
        drafts: Mapping[str, Draft] = MappingProxyType({}),
        ensembles: Iterable[EnsembleSettings] = (),
    ) -> None:
        self._served = [
            self._serve(_warmed_up(model), drafts.get(model.name, Draft(frozenset({"auto"}))))
            for model in models
        ]
        if not self._served:
            raise ValueError("expected at least one model")
        first = self._served[0]
        self._served += [replace(first, name=alias) for alias in aliases]
        self._by_name = {entry.name: entry for entry in self._served}
        self._ensembles: dict[tuple[tuple[str, ...], Mixing], Served] = {}
        for served in self._served:
            if served.drafting is not None:
                served.drafting.chain()
        for ensemble in ensembles:
            mixing = Mixing(ensemble.rule, ensemble.weights, ensemble.strength)
            entry = self.together(ensemble.name, ensemble.members, mixing)
            self._served.append(entry)
            self._by_name[entry.name] = entry

    def _serve(self, model: Model, draft: Draft) -> Served:
        decoder: Decoder
        infilling = drafting = None
        if isinstance(model, MaskedModel):
            decoder = Denoiser(model)
        else:
            with suppress(NoInfilling):
                infilling = FillInMiddle(model.vocabulary)
            if isinstance(model, Decoder):
                decoder = model
            else:
                decoder = Autoregressive(model)
                drafting = Drafting(model, draft, self._drafter, _heads(model))
        return Served(
            model.name, model, decoder, _template(model), infilling, int(time.time()), drafting
        )

    def _drafter(self, name: str) -> CausalModel:
        """The model of this name, to draft for another."""
        try:
            found = self.find(name)
        except ModelNotFound as error:
            raise ModelNotFound(error.message, param="draft.model") from None
        if found.drafting is None or found.members:
            raise InvalidRequest(
                f"Invalid value for 'draft': {name!r} is not decoded token by token here.",
                param="draft.model",
            )
        return found.drafting.model

    def all(self) -> list[Served]:
        """All names that are served, the default one first."""
        return list(self._served)

    def find(self, name: str | None) -> Served:
        """The model of this name, the default one for None; raises ModelNotFound."""
        if name is None:
            return self._served[0]
        if name not in self._by_name:
            names = ", ".join(self._by_name)
            raise ModelNotFound(
                f"The model {name[:80]!r} does not exist; this server has: {names}.", param="model"
            )
        return self._by_name[name]

    def together(self, name: str, members: Sequence[str], mixing: Mixing) -> Served:
        """An ensemble of served models; raises InvalidEnsemble.

        The last ones are kept, so that what was learnt of their drafts is.
        """
        key = tuple(members), mixing
        made = self._ensembles.pop(key, None) or self._together(members, mixing)
        self._ensembles[key] = made
        if len(self._ensembles) > _KEPT_ENSEMBLES:
            del self._ensembles[next(iter(self._ensembles))]
        return replace(made, name=name)

    def _together(self, members: Sequence[str], mixing: Mixing) -> Served:
        unknown = [member for member in members if member not in self._by_name]
        if unknown:
            names = ", ".join(self._by_name)
            raise InvalidEnsemble(f"no member {unknown[0][:80]!r}: this server has {names}")
        found = [self._by_name[member] for member in members]
        if len(set(members)) < len(members):
            raise InvalidEnsemble("expected each member once")
        decoder = Ensemble([_scoring(member) for member in found], mixing)
        first, drafting = found[0], None
        if first.drafting is not None:
            drafting = Drafting(decoder.models[0], first.drafting.default, self._drafter)
        return replace(first, decoder=decoder, drafting=drafting, members=tuple(found))


def _scoring(member: Served) -> CausalModel:
    """The model of a member, which must give scores from left to right."""
    if member.members:
        raise InvalidEnsemble(f"{member.name!r} is an ensemble: they cannot be nested")
    if isinstance(member.model, MaskedModel):
        raise InvalidEnsemble(f"{member.name!r} fills masks: it has no law of the next byte")
    if isinstance(member.model, Decoder):
        raise InvalidEnsemble(f"{member.name!r} is decoded elsewhere: it gives no scores")
    return member.model


def _template(model: Model) -> ChatTemplate:
    """The template that the model comes with, or one that fits its vocabulary."""
    chat = getattr(model, "chat", None)
    if chat is None:
        return TurnTemplate.fitting(model.vocabulary)
    return TurnTemplate(chat.turns, chat.reply) if isinstance(chat, Chat) else ScriptTemplate(chat)


def _heads(model: CausalModel) -> Heads | None:
    """The draft heads that come with the model."""
    if not isinstance(model, EmbeddedCausal) or model.draft_heads is None:
        return None
    return Heads(model, HeadWeights.read(model.draft_heads, len(model.vocabulary)))


def _warmed_up(model: Model) -> Model:
    """The model, after masks of its vocabulary were made: no request waits for what that builds."""
    warm_up(model.vocabulary)
    if isinstance(model, MaskedModel):
        canvas.warm_up(model.vocabulary)
    return model
