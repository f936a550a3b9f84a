"""`POST /tokenize` and `POST /detokenize`, in vLLM's dialect and llama.cpp's."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request

from lipogram.decoding.vocabulary import Vocabulary
from lipogram.server.body import JsonRoute
from lipogram.server.errors import InvalidRequest
from lipogram.server.registry import Served
from lipogram.server.serving import service_of
from lipogram.server.translate.chat import turns
from lipogram.server.translate.sampling import check_length, check_tokens
from lipogram.server.wire.grammars import (
    DetokenizeReply,
    DetokenizeRequest,
    Piece,
    TokenizeReply,
    TokenizeRequest,
)

router = APIRouter(route_class=JsonRoute, tags=["tokens"])


@router.post("/tokenize")
async def tokenize(body: TokenizeRequest, request: Request) -> TokenizeReply:
    """Text, or a conversation as a model sees it, as tokens."""
    served = service_of(request).registry.find(body.model)
    check_tokens(served, "model")
    ids = await asyncio.to_thread(_tokens, body, served)
    vocabulary = served.model.vocabulary
    pieces = [Piece(id=id, piece=_piece(vocabulary.tokens[id])) for id in ids]
    names = [vocabulary.tokens[id].decode(errors="backslashreplace") for id in ids]
    return TokenizeReply(
        count=len(ids),
        max_model_len=served.model.context_tokens,
        tokens=pieces if body.with_pieces else ids,
        token_strs=names if body.return_token_strs else None,
    )


@router.post("/detokenize")
async def detokenize(body: DetokenizeRequest, request: Request) -> DetokenizeReply:
    """Tokens as text; special ones have none."""
    served = service_of(request).registry.find(body.model)
    check_tokens(served, "model")
    vocabulary: Vocabulary = served.model.vocabulary
    for index, id in enumerate(body.tokens):
        if id >= len(vocabulary):
            raise InvalidRequest(
                f"expected token ids below {len(vocabulary)}, found {id}", param=f"tokens[{index}]"
            )
    text = vocabulary.decode(body.tokens).decode(errors="replace")
    return DetokenizeReply(prompt=text, content=text)


def _tokens(body: TokenizeRequest, served: Served) -> list[int]:
    given = [value for value in (body.prompt, body.content, body.messages) if value is not None]
    if len(given) != 1:
        raise InvalidRequest(
            "expected exactly one of 'prompt', 'content' and 'messages'", param="prompt"
        )
    vocabulary = served.model.vocabulary
    if body.messages is not None:
        conversation = turns(body.messages)
        for turn in conversation:
            check_length(turn.text, served, "messages")
        return list(served.template.render(conversation, vocabulary))
    text = body.prompt or body.content or ""
    check_length(text, served, "prompt" if body.content is None else "content")
    return vocabulary.encode(text.encode())


def _piece(text: bytes) -> str | list[int]:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return list(text)
