"""`POST /v1/responses`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response

from lipogram.server import sse
from lipogram.server.dialects import ResponsesRoute
from lipogram.server.responding import respond
from lipogram.server.routes.chat import answered
from lipogram.server.serving import service_of
from lipogram.server.translate import ensembles, responses
from lipogram.server.translate.chat_reply import ChatWriter
from lipogram.server.translate.response_reply import ResponseWriter
from lipogram.server.wire.replies import ChatChunk
from lipogram.server.wire.response_replies import ResponseEvent, ResponseReply
from lipogram.server.wire.responses import ResponsesRequest

router = APIRouter(route_class=ResponsesRoute, tags=["OpenAI"])


@router.post("/v1/responses", response_model=ResponseReply, responses=sse.DOCUMENTED)
async def create_response(body: ResponsesRequest, request: Request) -> Response:
    """Answer a conversation with text or with a call of a tool; nothing is stored."""
    service = service_of(request)
    served = ensembles.find(service.registry, body.model, body.ensemble)
    plan = await asyncio.to_thread(ensembles.plan, responses.plan, body, served)
    chat = ChatWriter(body.model, 1, plan.constraint, plan.job.top_logprobs is not None)
    writer = ResponseWriter(body, chat)
    events = _events(answered(service, plan, chat, request), writer)
    return await respond(request, body, events, writer, sse.NAMED)


async def _events(
    chunks: AsyncGenerator[ChatChunk, None], writer: ResponseWriter
) -> AsyncGenerator[ResponseEvent, None]:
    async with aclosing(chunks):
        async for chunk in chunks:
            for event in writer.events(chunk):
                yield event
