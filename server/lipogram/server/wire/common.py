"""What the requests of several endpoints share."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from lipogram.decoding.bytes.mixing import MixingRule

MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256
MAX_COUNT = 2**31 - 1
MAX_MEMBERS = 8
MAX_PARTICLES = 256


class Request(BaseModel):
    """A JSON object from a client: types are exact, and an unknown member is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Reply(BaseModel):
    """A JSON object for a client."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _refused(value: object) -> None:
    if value is not None:
        raise PydanticCustomError("unsupported", "this member is not supported by this server")


Refused = Annotated[None, BeforeValidator(_refused, json_schema_input_type=None)]
"""A member that OpenAI documents and that is not supported: only null is accepted."""


def _boolean(value: object) -> object:
    if value is not None and not isinstance(value, bool):
        raise PydanticCustomError("bool_type", "expected a boolean")
    return value


# A literal alone would take 0 and 1 as well.
No = Annotated[Literal[False], BeforeValidator(_boolean)]
Yes = Annotated[Literal[True], BeforeValidator(_boolean)]

Biases = Annotated[dict[str, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=1024)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
TokenId = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Unit = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Least = Annotated[int, Field(ge=-1, le=MAX_COUNT)]
StopText = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]
StopTexts = Annotated[list[StopText], Field(fail_fast=True, max_length=MAX_STOPS)]


DraftKind = Literal["auto", "grammar", "prompt", "heads"]
_SOME = Field(fail_fast=True, min_length=1, max_length=4)


class StreamOptions(Request):
    """How a stream is sent."""

    include_usage: bool | None = None
    include_obfuscation: No | None = None


class JsonOptions(Request):
    """How JSON of a schema is written."""

    key_order: Literal["schema", "any"] | None = None
    escapes: Literal["canonical", "any"] | None = None
    whitespace: Literal["bounded", "compact", "spaced"] | None = None
    formats: Literal["asserted", "annotations"] | None = None


class LarkOptions(Request):
    """How a Lark grammar's terminals divide a text."""

    lexing: Literal["exact", "greedy"] | None = None


class GrammarOptions(JsonOptions, LarkOptions):
    """The options of a grammar of any syntax; one that its syntax does not have is refused."""


class LarkOrGbnf(LarkOptions):
    """A grammar and the language it is written in."""

    syntax: Literal["lark", "gbnf"]
    definition: str


class StructuredOutputs(GrammarOptions):
    """vLLM's object with options: exactly one of its first five members constrains the output.

    A `grammar` without `syntax` is taken for Lark if it is Lark or has `lexing`, else for GBNF.
    """

    json_: dict[str, Any] | bool | str | None = Field(None, alias="json")
    regex: str | None = None
    choice: Annotated[list[str], Field(fail_fast=True, min_length=1)] | None = None
    grammar: str | None = None
    json_object: Yes | None = None
    syntax: Literal["lark", "gbnf"] | None = None
    disable_any_whitespace: bool | None = None
    disable_fallback: bool | None = None
    disable_additional_properties: No | None = None
    whitespace_pattern: Refused = None
    structural_tag: Refused = None


class DraftModel(Request):
    """Another served model that guesses beside grammar and prompt, so many tokens at most.

    A guess counts where it is what is drawn, or (`accept` "ratio", of bytes alone) by the ratio of
    the two models' laws; then nobody guesses beside it.
    """

    model: str
    tokens: Annotated[int, Field(ge=1, le=32)] | None = None
    accept: Literal["match", "ratio"] | None = None


Draft = No | DraftKind | Annotated[list[DraftKind], _SOME] | DraftModel
"""Who guesses ahead of the model, which changes what an output costs and not its law."""


class Sampling(Request):
    """How the next token is drawn, and when to stop; the same for both OpenAI endpoints.

    `sampling` "projected" draws token by token under the rule's mask, "faithful" from the model's
    law of texts given the rule, with so many `particles` where attempts without it fail.
    """

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Least | None = None
    min_p: Unit | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = None
    logit_bias: Biases | None = None
    seed: Seed | None = None
    stop: str | StopTexts | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    ignore_eos: bool | None = None
    sampling: Literal["projected", "faithful"] | None = None
    particles: Annotated[int, Field(ge=1, le=MAX_PARTICLES)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    structured_outputs: StructuredOutputs | None = None
    draft: Draft | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    store: No | None = None
    service_tier: Literal["auto", "default"] | None = None


class EnsembleOptions(Request):
    """Served models, and the rule by which their laws of the next byte become one."""

    members: Annotated[list[str], Field(fail_fast=True, min_length=2, max_length=MAX_MEMBERS)]
    rule: MixingRule | None = None
    weights: Annotated[list[float], Field(min_length=1, max_length=MAX_MEMBERS)] | None = None
    strength: float | None = None


class Mixed(Request):
    """What may be asked of several models together; `model` is one of the members."""

    ensemble: EnsembleOptions | None = None


class CursorOptions(Mixed):
    """How an output joins the texts before and behind the cursor.

    `boundary`, `byte_mode` and `projection` are those of a job. `fim_order` puts the suffix first
    ("spm") or the prefix; with `repeat_suffix` the output may go on into a copy of the suffix. A
    constraint holds for prefix, output and suffix together, `constraint_scope` "document", or for
    the output alone, "middle". Where no output fits prefix and suffix, `constraint_fallback` drops
    the constraint, and the answer has `unconstrained`.
    """

    boundary: Literal["exact", "heal", "none"] | None = None
    byte_mode: Literal["switch", "full"] | None = None
    projection: Literal["token", "byte"] | None = None
    fim_order: Literal["spm", "psm"] | None = None
    repeat_suffix: bool | None = None
    constraint_scope: Literal["document", "middle"] | None = None
    constraint_fallback: bool | None = None


class DenoisingOptions(Request):
    """How a model that fills masks goes about it: the members of a job's `Denoising`.

    `stream_canvas` sends the whole canvas after each step.
    """

    steps: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    order: Literal["confidence", "entropy", "random"] | None = None
    block_tokens: Annotated[int, Field(ge=1, le=MAX_COUNT)] | None = None
    remask: Annotated[float, Field(ge=0, lt=1)] | None = None
    lengths: Literal["likeliest", "full"] | None = None
    stream_canvas: bool | None = None


class Canvas(Reply):
    """An output after a step: texts, and numbers of slots that are still masked."""

    step: int
    pieces: list[str | int]


class Unconstrained(Reply):
    """Why a constraint was dropped, as the error would have said it that was not to be."""

    message: str
    param: str | None
    code: str | None
    fitting_bytes: int


class SamplingEvidence(Reply):
    """How a text came about whose law was to be the model's own, given its rule."""

    stage: Literal["attempts", "particles"]
    effective_samples: float


class MemberUsage(Reply):
    """How many positions a member of an ensemble scored."""

    model: str
    calls: int


class Usage(Reply):
    """Token counts of a request; details of slots that were filled, where there were any.

    `members` are there where an ensemble answers.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens
    completion_tokens_details: DraftedTokens | FilledTokens
    members: list[MemberUsage] | None = None


class CachedTokens(Reply):
    """How many of the prompt's tokens did not have to be computed again."""

    cached_tokens: int


class FilledTokens(Reply):
    """How slots were filled: see `Usage` of the decoding layer."""

    denoising_steps: int
    witness_tokens: int


class DraftedTokens(Reply):
    """How an output came about: guesses that were right and wrong, tokens that the grammar alone
    determined, and how often the model was asked."""

    accepted_prediction_tokens: int
    rejected_prediction_tokens: int
    forced_tokens: int
    model_passes: int


class Model(Reply):
    """A model that is served."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    max_model_len: int


class ModelList(Reply):
    """All models that are served."""

    object: Literal["list"] = "list"
    data: list[Model]


class Fault(Reply):
    """What went wrong; a grammar's error also has pointer and keyword, or line and column.

    Where nothing fits between two texts, it has `fitting_bytes`; where holes are too small,
    `wanted_tokens`: with so many in each there is a filling.
    """

    message: str
    type: str
    param: str | None
    code: str | None
    pointer: str | None = None
    keyword: str | None = None
    line: int | None = None
    column: int | None = None
    fitting_bytes: int | None = None
    wanted_tokens: int | None = None


class ErrorReply(Reply):
    """The body of every answer from 400 on."""

    error: Fault


class Status(Reply):
    """Whether the server is well."""

    status: Literal["ok", "ready", "starting"]
