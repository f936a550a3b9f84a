"""`POST /v1/completions`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Discriminator, Tag

from lipogram.decoding.events import Finish, ScoredToken
from lipogram.decoding.job import Job
from lipogram.server import logs, sse
from lipogram.server.body import JsonRoute
from lipogram.server.responding import respond
from lipogram.server.routes.editors import tabby_completion
from lipogram.server.serving import Service, service_of
from lipogram.server.translate import completions, ensembles
from lipogram.server.translate.completion_reply import CompletionWriter
from lipogram.server.translate.plan import Plan
from lipogram.server.wire.completions import CompletionReply, CompletionRequest
from lipogram.server.wire.tabby import TabbyReply, TabbyRequest

router = APIRouter(route_class=JsonRoute, tags=["OpenAI"])


def _dialect(body: object) -> str:
    return "tabby" if isinstance(body, dict) and "segments" in body else "openai"


Body = Annotated[
    Annotated[CompletionRequest, Tag("openai")] | Annotated[TabbyRequest, Tag("tabby")],
    Discriminator(_dialect),
]


@router.post(
    "/v1/completions", response_model=CompletionReply | TabbyReply, responses=sse.DOCUMENTED
)
async def create_completion(body: Body, request: Request) -> Response:
    """Continue each prompt, `n` times; or answer Tabby's clients, who send `segments`."""
    if isinstance(body, TabbyRequest):
        return await tabby_completion(body, request)
    return await create_openai_completion(body, request)


@router.post("/v1/beta/completions", response_model=CompletionReply, responses=sse.DOCUMENTED)
@router.post("/beta/completions", response_model=CompletionReply, responses=sse.DOCUMENTED)
async def create_openai_completion(body: CompletionRequest, request: Request) -> Response:
    """Continue each prompt, `n` times; DeepSeek's paths for filling in."""
    service = service_of(request)
    served = ensembles.find(service.registry, body.model, body.ensemble)
    plan = await asyncio.to_thread(ensembles.plan, completions.plan, body, served)
    count = len(plan.prompts) * plan.n
    holes = 0 if plan.job.infill is None else len(plan.job.infill.max_tokens)
    writer = CompletionWriter(body.model, count, plan.n, body.logprobs is not None, holes)
    chunks = _chunks(service, plan, writer, bool(body.echo), request)
    return await respond(request, body, chunks, writer)


async def _chunks(
    service: Service, plan: Plan, writer: CompletionWriter, is_echoed: bool, request: Request
) -> AsyncGenerator[CompletionReply, None]:
    try:
        with service.house.admitted():
            rules = await service.rules(plan, request.scope)
            writer.dropped = rules.dropped
            echoes = await _echoes(service, plan) if is_echoed else []
            async with aclosing(await service.run(plan, rules)) as events:
                for place, (data, tokens) in enumerate(echoes):
                    for index in range(place * plan.n, (place + 1) * plan.n):
                        yield writer.echo(index, data, tokens)
                async for index, event in events:
                    chunk = writer.chunk(index, event)
                    if chunk is not None:
                        yield chunk
    finally:
        logs.note_finishes(request.scope, writer.finishes)


async def _echoes(service: Service, plan: Plan) -> list[tuple[bytes, tuple[ScoredToken, ...]]]:
    """The prompts' texts, and their tokens' scores where those are asked for."""
    vocabulary = plan.served.model.vocabulary
    texts = [vocabulary.decode(prompt.tokens) + prompt.text for prompt in plan.prompts]
    if plan.job.top_logprobs is None:
        return [(text, ()) for text in texts]
    base = Job((), max_tokens=0, top_logprobs=plan.job.top_logprobs, echo_logprobs=True)
    jobs = [replace(base, prompt=prompt.tokens, text=prompt.text) for prompt in plan.prompts]
    scored: list[tuple[ScoredToken, ...]] = [()] * len(jobs)
    async with aclosing(service.house.run(plan.served.decoder, jobs)) as events:
        async for index, event in events:
            if isinstance(event, Finish):
                scored[index] = event.prompt_tokens
    return list(zip(texts, scored, strict=True))
