"""Who drafts for a served model, by what a request or a setting says."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias, get_args

from lipogram.decoding.bytes.ratio import Ratio
from lipogram.decoding.drafting.base import Drafter
from lipogram.decoding.drafting.chain import Chain
from lipogram.decoding.drafting.forced import Forced
from lipogram.decoding.drafting.heads import Heads
from lipogram.decoding.drafting.ngrams import Ngrams
from lipogram.decoding.drafting.pace import Pace
from lipogram.decoding.drafting.small import SmallModel
from lipogram.decoding.job import ByteMode
from lipogram.decoding.models.base import CausalModel, size_bytes
from lipogram.server.errors import InvalidRequest

DraftKind: TypeAlias = Literal["auto", "grammar", "prompt", "heads"]
Accept: TypeAlias = Literal["match", "ratio"]

DRAFTED_TOKENS: Final = 16  # at a time, unless a request says otherwise
_UNTOLD_COST: Final = 0.1  # of a small model's call, where a model does not tell its size
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """A choice of drafters: `kinds` of them and perhaps another served model, `tokens` at most.

    Kind "auto" stands for all that the model has. With `accept` "ratio" the other model drafts
    alone.
    """

    kinds: frozenset[DraftKind] = frozenset()
    model: str | None = None
    tokens: int = DRAFTED_TOKENS
    accept: Accept = "match"

    @classmethod
    def parse(cls, text: str) -> Draft:
        """`auto`, `none`, or some of `grammar`, `prompt`, `heads` and `model:NAME`, with `+`.

        Raises ValueError.
        """
        kinds, model = set(), None
        for part in text.split("+") if text != "none" else ():
            kind, _, name = part.partition(":")
            if kind == "model" and name and model is None:
                model = name
            elif part in get_args(DraftKind):
                kinds.add(part)
            else:
                raise ValueError(
                    "expected auto, none, or some of grammar, prompt, heads and model:NAME with"
                    f" + between, found {text!r}"
                )
        return cls(frozenset(kinds), model)  # type: ignore[arg-type]

    def without_heads(self) -> Draft:
        """The same choice but for heads."""
        kinds = {"grammar", "prompt", *self.kinds} if "auto" in self.kinds else self.kinds
        return replace(self, kinds=frozenset(kinds - {"auto", "heads"}))


@dataclass(frozen=True, slots=True)
class Drafting:
    """The drafters of one served model; what was measured of them is kept for all requests.

    `find` gives a served model by its name; `heads` are those of the model, if it has any. Bytes
    are guessed by the same drafters but heads, at a pace of their own.
    """

    model: CausalModel
    default: Draft
    find: Callable[[str], CausalModel]
    heads: Heads | None = None
    _paces: dict[ByteMode, Pace] = field(default_factory=lambda: defaultdict(Pace))
    _chains: dict[tuple[Draft, ByteMode], Chain | Ratio] = field(default_factory=dict)

    def chain(
        self, draft: Draft | None = None, byte_mode: ByteMode = "switch", is_middle: bool = False
    ) -> Chain | Ratio:
        """The drafters of a choice, None: the default one, without heads for a middle.

        In code they are right one time in four, and they read the whole prompt first.

        Raises InvalidRequest, ModelNotFound.
        """
        if draft is None:
            draft = self.default
            if byte_mode == "full" or is_middle:
                draft = draft.without_heads()
        key = draft, byte_mode
        if key not in self._chains and draft.accept == "ratio":
            self._chains[key] = self._ratio(draft, byte_mode)
        if key not in self._chains:
            drafters, pace = self._drafters(draft, byte_mode), self._paces[byte_mode]
            self._chains[key] = Chain(*drafters, most_tokens=draft.tokens, pace=pace)
        return self._chains[key]

    def _ratio(self, draft: Draft, byte_mode: ByteMode) -> Ratio:
        if byte_mode != "full":
            raise InvalidRequest(
                "Invalid value for 'draft': 'accept' \"ratio\" goes with 'byte_mode' \"full\" and"
                " with ensembles, where bytes are drawn.",
                param="draft.accept",
            )
        assert draft.model is not None  # what a request has it with
        other = self._other(draft.model)
        sizes = size_bytes(other), size_bytes(self.model)
        cost = sizes[0] / sizes[1] if all(sizes) else _UNTOLD_COST
        return Ratio(SmallModel(other, self.model.vocabulary), cost, draft.tokens)

    def _drafters(self, draft: Draft, byte_mode: ByteMode) -> list[Drafter]:
        """Cheap ones first."""
        vocabulary = self.model.vocabulary
        known: Mapping[DraftKind, Drafter | None] = {
            "grammar": Forced(vocabulary),
            "prompt": Ngrams(vocabulary),
            "heads": None if byte_mode == "full" else self.heads,
        }
        if "heads" in draft.kinds and byte_mode == "full":
            raise InvalidRequest(
                "Invalid value for 'draft': heads guess tokens, and bytes are written here.",
                param="draft",
            )
        if "heads" in draft.kinds and self.heads is None:
            raise InvalidRequest(
                f"Invalid value for 'draft': {self.model.name!r} has no draft heads.", param="draft"
            )
        chosen = known if "auto" in draft.kinds else draft.kinds
        drafters = [known[kind] for kind in known if kind in chosen]
        found: list[Drafter] = [drafter for drafter in drafters if drafter is not None]
        if draft.model is not None:
            found.append(SmallModel(self._other(draft.model), vocabulary))
        return found

    def _other(self, name: str) -> CausalModel:
        other = self.find(name)
        if other is self.model:
            raise InvalidRequest(
                f"Invalid value for 'draft': {name!r} would draft for itself.", param="draft.model"
            )
        if size_bytes(other) > size_bytes(self.model):
            _LOG.warning("%s drafts for %s, which is smaller", other.name, self.model.name)
        return other
