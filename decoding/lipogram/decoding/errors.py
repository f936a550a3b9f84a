"""Errors of the decoding layer.

DecodingError
├── ContextTooLong     prompt and budget do not fit the model's window
├── BudgetTooSmall     no member of the language fits into max_tokens
├── DeadEnd            the vocabulary cannot spell any continuation
├── Unspellable        the vocabulary has no tokens for a given text
├── NoInfilling        the model has no tokens to say where prefix and suffix are
├── UnsupportedJob     what is asked cannot be done together
├── UnsupportedTokenizer  a tokenizer file cannot be read as bytes
└── BackendFailed      the engine failed; the same call may succeed later
"""

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


class NoInfilling(DecodingError):
    """The model has no special tokens for infilling: it was not trained to fill in the middle."""


class UnsupportedJob(DecodingError):
    """A job whose parts exclude each other; the message says which."""


class UnsupportedTokenizer(DecodingError):
    """A tokenizer file whose tokens' bytes cannot be told."""


class BackendFailed(DecodingError):
    """The engine failed; the same call may succeed later."""
