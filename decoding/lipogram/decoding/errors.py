"""Errors of the decoding layer.

DecodingError
├── ContextTooLong     prompt and budget do not fit the model's window
├── BudgetTooSmall     no member of the language fits into max_tokens
├── DeadEnd            the vocabulary cannot spell any continuation
├── Unspellable        the vocabulary has no tokens for a given text
├── Unfillable         no member has the fixed texts of a canvas where they are
│   └── HolesTooSmall  its holes would need more tokens
├── TokenRejected      a token does not fit a slot of a canvas
├── NoInfilling        the model has no tokens to say where prefix and suffix are
├── UnsupportedJob     what is asked cannot be done together
├── NoFaithfulText     no text that was begun ended in the language
├── InvalidEnsemble    an ensemble's members, rule and weights do not go together
├── UnsupportedTokenizer  a tokenizer file cannot be read as bytes
├── UnsupportedModel   a backend cannot open a model
├── TurnsRefused       a model's chat template does not take a conversation
└── BackendFailed      the engine failed; the same call may succeed later
"""

from __future__ import annotations

from lipogram.grammars.errors import Error


class DecodingError(Error):
    """Base of what can go wrong between a job and its text."""


class ContextTooLong(DecodingError):
    """The prompt, or prompt and budget, exceed the model's window (tokens)."""


class BudgetTooSmall(DecodingError):
    """No member of the language can be spelled within the job's token budget."""


class DeadEnd(DecodingError):
    """The language has continuations here, but the vocabulary has no tokens that spell one."""


class Unspellable(DecodingError):
    """The vocabulary has no tokens whose bytes are the given text."""


class Unfillable(DecodingError):
    """No member of the language consists of a canvas's fixed texts and tokens in its holes."""


class HolesTooSmall(Unfillable):
    """The holes of a canvas have the wrong sizes: at most `wanted_tokens` in each would do."""

    def __init__(self, message: str, wanted_tokens: int) -> None:
        super().__init__(message)
        self.wanted_tokens = wanted_tokens

    def __reduce__(self) -> tuple[type[HolesTooSmall], tuple[str, int]]:
        return type(self), (str(self), self.wanted_tokens)


class TokenRejected(DecodingError):
    """A token that no filling of a canvas has in this slot, or none that was found in time."""


class NoInfilling(DecodingError):
    """The model has no special tokens for infilling: it was not trained to fill in the middle."""


class UnsupportedJob(DecodingError):
    """A job whose parts exclude each other; the message says which."""


class NoFaithfulText(DecodingError):
    """Of all texts that faithful sampling began, none came to an end in the language."""


class InvalidEnsemble(DecodingError):
    """An ensemble whose members, rule and weights do not go together."""


class UnsupportedTokenizer(DecodingError):
    """A tokenizer file whose tokens' bytes cannot be told."""


class UnsupportedModel(DecodingError):
    """A model that a backend cannot open, or not as it is told to."""


class TurnsRefused(DecodingError):
    """A conversation that the model's own chat template does not take."""


class BackendFailed(DecodingError):
    """The engine failed; the same call may succeed later."""
