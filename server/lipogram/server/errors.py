"""One table from error class to what the client is told, in OpenAI's shape.

RequestError
├── InvalidRequest      a member of the request is wrong or not supported
├── GrammarRejected     a grammar in the request cannot be used; carries the GrammarError
├── UnsupportedMedia    the body is not declared to be JSON
├── BodyTooLarge        more bytes than are read
├── Unauthorized        no key, or not one of ours
├── NotFound            no such route
├── MethodNotAllowed    no such method on this route
├── ModelNotFound       no such model
├── BodyTooSlow         the body did not arrive in time
├── DeadlineExceeded    the answer was not finished in time
├── Overloaded          the queue is full; try again
│   └── RateLimited     the key's limits are used up; try again later
└── NotReady            still starting; try again
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lipogram.decoding import errors as decoding
from lipogram.grammars import errors as grammars


class RequestError(grammars.Error):
    """The request cannot be served; `param` is the path of the member at fault."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(RequestError):
    """A member of the request is missing, wrong or not supported."""


class PromptTooLong(RequestError):
    """The prompt, or prompt and budget, do not fit the model's window."""


class GrammarRejected(RequestError):
    """A grammar in the request, at `param`, cannot be used; `error` says why."""

    def __init__(self, error: grammars.GrammarError, param: str | None) -> None:
        super().__init__(str(error), param=param)
        self.error = error


class UnsupportedMedia(RequestError):
    """The body is not declared to be JSON."""


class BodyTooLarge(RequestError):
    """The body has more bytes than are read."""


class Unauthorized(RequestError):
    """The key is missing or not one of ours."""


class NotFound(RequestError):
    """There is no such route."""


class MethodNotAllowed(RequestError):
    """The route does not know this method."""


class ModelNotFound(RequestError):
    """No model of this name is served."""


class BodyTooSlow(RequestError):
    """The body did not arrive in time."""


class DeadlineExceeded(RequestError):
    """The answer was not finished in the time that the server, or the request itself, gives."""


class Overloaded(RequestError):
    """The queue is full; the same request may succeed in `retry_after_s` seconds."""

    def __init__(
        self, message: str, *, reason: str = "queue_full", retry_after_s: float = 1.0
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s


class RateLimited(Overloaded):
    """The limits of this key are used up."""


class NotReady(RequestError):
    """The server is starting or stopping; the same request may succeed in a second."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How an error class is answered."""

    status: int
    type: str
    code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


INVALID = "invalid_request_error"
AGAIN = (("Retry-After", "1"),)

TABLE: dict[type[BaseException], Answer] = {
    InvalidRequest: Answer(400, INVALID, "invalid_request"),
    PromptTooLong: Answer(400, INVALID, "context_length_exceeded"),
    UnsupportedMedia: Answer(415, INVALID, "unsupported_media_type"),
    BodyTooLarge: Answer(413, INVALID, "request_too_large"),
    Unauthorized: Answer(401, INVALID, "invalid_api_key", (("WWW-Authenticate", "Bearer"),)),
    NotFound: Answer(404, INVALID, "unknown_url"),
    MethodNotAllowed: Answer(405, INVALID, "method_not_allowed"),
    ModelNotFound: Answer(404, INVALID, "model_not_found"),
    BodyTooSlow: Answer(408, INVALID, "request_timeout", (("Connection", "close"),)),
    DeadlineExceeded: Answer(
        504, "server_error", "deadline_exceeded", (("X-Should-Retry", "false"),)
    ),
    Overloaded: Answer(429, "rate_limit_error", "queue_full", AGAIN),
    RateLimited: Answer(429, "rate_limit_error", "rate_limit_exceeded", AGAIN),
    NotReady: Answer(503, "server_error", "not_ready", AGAIN),
    grammars.GrammarError: Answer(400, INVALID, "invalid_grammar"),
    grammars.Unsupported: Answer(400, INVALID, "unsupported_grammar"),
    grammars.EmptyLanguage: Answer(400, INVALID, "empty_language"),
    grammars.BudgetExceeded: Answer(400, INVALID, "grammar_too_complex"),
    grammars.PrefixMismatch: Answer(400, INVALID, "prefix_mismatch"),
    grammars.SuffixMismatch: Answer(400, INVALID, "suffix_mismatch"),
    grammars.NoMiddle: Answer(400, INVALID, "no_middle"),
    decoding.ContextTooLong: Answer(400, INVALID, "context_length_exceeded"),
    decoding.BudgetTooSmall: Answer(400, INVALID, "max_tokens_too_small"),
    decoding.NoInfilling: Answer(400, INVALID, "infilling_unsupported"),
    decoding.Unfillable: Answer(400, INVALID, "holes_unfillable"),
    decoding.HolesTooSmall: Answer(400, INVALID, "holes_too_small"),
    decoding.NoFaithfulText: Answer(400, INVALID, "no_faithful_text"),
    decoding.InvalidEnsemble: Answer(400, INVALID, "invalid_ensemble"),
    decoding.UnsupportedJob: Answer(400, INVALID, "unsupported_combination"),
    decoding.DeadEnd: Answer(400, INVALID, "vocabulary_dead_end"),
    decoding.TurnsRefused: Answer(400, INVALID, "conversation_refused"),
    decoding.Unspellable: Answer(400, INVALID, "unspellable_text"),
    decoding.BackendFailed: Answer(503, "server_error", "backend_failed", AGAIN),
    Exception: Answer(500, "server_error", "internal_error"),
}


_AT = {
    "max_tokens_too_small": "max_tokens",
    "infilling_unsupported": "suffix",
    "conversation_refused": "messages",
    "holes_unfillable": "infill.segments",
    "holes_too_small": "infill.max_tokens",
    "invalid_ensemble": "ensemble",
}
"""The members at fault where the decoder found out."""


def answer(error: BaseException) -> Answer:
    """The table's row for this error: that of its class, or of the nearest base."""
    if isinstance(error, GrammarRejected):
        error = error.error
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), TABLE[Exception])


def headers(error: BaseException) -> dict[str, str]:
    """The headers that go with the answer to an error."""
    given = dict(answer(error).headers)
    if isinstance(error, Overloaded):
        given["Retry-After"] = str(math.ceil(error.retry_after_s))
    return given


def body(error: BaseException) -> dict[str, Any]:
    """OpenAI's error body; an error that nobody raised on purpose is not described.

    A grammar's error also says where: `pointer` and `keyword`, or `line` and `column`, or how many
    bytes of a text fit.
    """
    row = answer(error)
    known = isinstance(error, grammars.Error) and row is not TABLE[Exception]
    described: dict[str, Any] = {
        "message": str(error) if known else "The server had an error while processing the request.",
        "type": row.type,
        "param": getattr(error, "param", None),
        "code": row.code,
    }
    if row.code is not None and row.code in _AT:
        described["param"] = _AT[row.code]
    if isinstance(error, decoding.HolesTooSmall):
        described["wanted_tokens"] = error.wanted_tokens
    grammar = error.error if isinstance(error, GrammarRejected) else error
    if isinstance(grammar, grammars.GrammarError):
        for name in ("pointer", "keyword", "line", "column", "fitting_bytes"):
            if getattr(grammar, name, None) is not None:
                described[name] = getattr(grammar, name)
    return {"error": described}
