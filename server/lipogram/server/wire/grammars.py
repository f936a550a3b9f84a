"""`/v1/grammars`, `/tokenize` and `/detokenize`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lipogram.server.wire.chat import Message
from lipogram.server.wire.common import GrammarOptions, No, Reply, Request, TokenId


class GrammarRequest(Request):
    """Check a grammar: `definition` is a schema, a pattern, a grammar text or a list of texts."""

    syntax: Literal["json_schema", "regex", "lark", "gbnf", "choice"]
    definition: dict[str, Any] | bool | str | Annotated[list[str], Field(fail_fast=True)]
    options: GrammarOptions = GrammarOptions()
    samples: Annotated[int, Field(ge=0, le=20)] = 3
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class GrammarReply(Reply):
    """The grammar can be used; `exact` is false if the language had to be narrowed.

    `shortest` and `samples` are members of it (drawn by no model: byte by byte, short ones first).
    """

    object: Literal["grammar"] = "grammar"
    syntax: str
    exact: bool
    narrowed: list[str]
    warnings: list[str]
    rules: int
    shortest: str
    samples: list[str]
    compile_ms: float


class TokenizeRequest(Request):
    """Exactly one of the first three members is turned into tokens; special names are plain text.

    `messages` are rendered as for a chat. `content` is llama.cpp's name for `prompt`.
    """

    prompt: str | None = None
    content: str | None = None
    messages: Annotated[list[Message], Field(min_length=1)] | None = None
    model: str | None = None
    return_token_strs: bool | None = None
    with_pieces: bool | None = None
    add_special_tokens: No | None = None
    add_special: No | None = None


class Piece(Reply):
    """A token and its text, or its bytes where they are not text."""

    id: int
    piece: str | list[int]


class TokenizeReply(Reply):
    """The tokens."""

    count: int
    max_model_len: int
    tokens: list[int] | list[Piece]
    token_strs: list[str] | None


class DetokenizeRequest(Request):
    """Turn tokens into text."""

    tokens: Annotated[list[TokenId], Field(fail_fast=True, max_length=1 << 20)]
    model: str | None = None


class DetokenizeReply(Reply):
    """The text, under vLLM's name and llama.cpp's; bytes that are not UTF-8 become U+FFFD."""

    prompt: str
    content: str
