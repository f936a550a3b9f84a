"""`POST /v1/chat/completions`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response

from lipogram.server import logs, sse
from lipogram.server.body import JsonRoute
from lipogram.server.responding import respond
from lipogram.server.serving import Service, service_of
from lipogram.server.translate import chat, ensembles
from lipogram.server.translate.chat_reply import ChatWriter
from lipogram.server.translate.plan import Plan
from lipogram.server.wire.chat import ChatRequest
from lipogram.server.wire.replies import ChatChunk, ChatReply

router = APIRouter(route_class=JsonRoute, tags=["OpenAI"])


@router.post("/v1/chat/completions", response_model=ChatReply, responses=sse.DOCUMENTED)
async def create_chat_completion(body: ChatRequest, request: Request) -> Response:
    """Answer a conversation, `n` times, with text or with a call of a tool."""
    service = service_of(request)
    served = ensembles.find(service.registry, body.model, body.ensemble)
    plan = await asyncio.to_thread(ensembles.plan, chat.plan, body, served)
    writer = ChatWriter(body.model, plan.n, plan.constraint, bool(body.logprobs))
    return await respond(request, body, answered(service, plan, writer, request), writer)


async def answered(
    service: Service, plan: Plan, writer: ChatWriter, request: Request
) -> AsyncGenerator[ChatChunk, None]:
    """The chunks of the answers to a plan; the log is told how they ended."""
    try:
        with service.house.admitted():
            rules = await service.rules(plan, request.scope)
            async with aclosing(await service.run(plan, rules)) as events:
                for chunk in writer.begin():
                    yield chunk
                async for index, event in events:
                    for chunk in writer.chunks(index, event):
                        yield chunk
    finally:
        logs.note_finishes(request.scope, writer.finishes)
