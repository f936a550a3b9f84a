"""Endpoints that editors know from other servers: llama.cpp, Mistral, DeepSeek, Ollama, Tabby."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Protocol

from fastapi import APIRouter, Request, Response

from lipogram.decoding.events import Event, Finish
from lipogram.decoding.models.base import MaskedModel, Query
from lipogram.server import dialects, logs, sse
from lipogram.server.body import JsonRoute
from lipogram.server.responding import Chunk, Writer, respond
from lipogram.server.serving import Service, service_of, while_connected
from lipogram.server.translate import editors, ensembles
from lipogram.server.translate.chat_reply import ChatWriter
from lipogram.server.translate.editor_replies import GenerateWriter, LlamaCppWriter, TabbyWriter
from lipogram.server.translate.infilling import Fitted
from lipogram.server.translate.plan import Plan
from lipogram.server.translate.unconstrained import Dropped
from lipogram.server.wire.llama_cpp import (
    InfillRequest,
    LlamaCppCompletionRequest,
    LlamaCppError,
    LlamaCppOptions,
    LlamaCppReply,
)
from lipogram.server.wire.mistral import FimRequest, MistralError
from lipogram.server.wire.ollama import (
    GenerateReply,
    GenerateRequest,
    OllamaError,
    Tag,
    TagDetails,
    Tags,
    Version,
)
from lipogram.server.wire.replies import ChatMessage, ChatReply
from lipogram.server.wire.tabby import TabbyHealth, TabbyRequest, TabbyVersion

llama_cpp = APIRouter(
    route_class=dialects.LlamaCppRoute,
    tags=["llama.cpp"],
    responses=dialects.documented(LlamaCppError, dialects.NOT_IMPLEMENTED),
)
mistral = APIRouter(
    route_class=dialects.MistralRoute,
    tags=["Mistral"],
    responses=dialects.documented(MistralError),
)
ollama = APIRouter(
    route_class=dialects.OllamaRoute,
    tags=["Ollama"],
    responses=dialects.documented(OllamaError),
)
tabby = APIRouter(route_class=JsonRoute, tags=["Tabby"])


class EventWriter(Writer[Chunk], Protocol[Chunk]):
    """A writer that is fed events."""

    dropped: Dropped

    @property
    def finishes(self) -> list[Finish]: ...

    def begin(self) -> list[Chunk]: ...

    def chunks(self, index: int, event: Event) -> list[Chunk]: ...


@llama_cpp.post("/infill", response_model=LlamaCppReply, responses=sse.DOCUMENTED)
async def infill(body: InfillRequest, request: Request) -> Response:
    """Fill in between a prefix and a suffix."""
    served = ensembles.find(service_of(request).registry, body.model, body.ensemble)
    planned = await asyncio.to_thread(ensembles.fitted_plan, editors.infill, body, served)
    return await _llama_cpp(body, request, *planned)


@llama_cpp.post("/completion", response_model=LlamaCppReply, responses=sse.DOCUMENTED)
@llama_cpp.post("/completions", response_model=LlamaCppReply, responses=sse.DOCUMENTED)
async def complete(body: LlamaCppCompletionRequest, request: Request) -> Response:
    """Continue a prompt."""
    served = ensembles.find(service_of(request).registry, body.model, body.ensemble)
    planned = await asyncio.to_thread(ensembles.fitted_plan, editors.completion, body, served)
    return await _llama_cpp(body, request, *planned)


async def _llama_cpp(
    body: LlamaCppOptions, request: Request, plan: Plan, fitted: Fitted
) -> Response:
    if not plan.job.max_tokens:
        await while_connected(request, _read_ahead(service_of(request), plan))
    writer = LlamaCppWriter(body, plan, fitted)
    return await respond(request, body, _chunks(plan, writer, request), writer, dialects.LLAMA_CPP)


async def _read_ahead(service: Service, plan: Plan) -> None:
    """Let the model read a prompt to which nothing is to be written yet."""
    with service.house.admitted():
        members = plan.served.members or (plan.served,)
        for served, prompts in zip(members, (plan.prompts, *plan.other_prompts), strict=True):
            model = served.model
            if isinstance(model, MaskedModel):
                return  # it keeps nothing of what it has read
            for prompt in prompts:
                ids = (*prompt.tokens, *model.vocabulary.encode(prompt.text))
                await model.logits([Query(ids)])


@mistral.post("/v1/fim/completions", response_model=ChatReply, responses=sse.DOCUMENTED)
async def fim(body: FimRequest, request: Request) -> Response:
    """Fill in between a prompt and a suffix, answered like a conversation."""
    served = ensembles.find(service_of(request).registry, body.model, body.ensemble)
    plan, _ = await asyncio.to_thread(ensembles.fitted_plan, editors.fim, body, served)
    last = ChatMessage(content="")  # plug-ins add up what all deltas have as content
    writer = ChatWriter(body.model, plan.n, plan.constraint, is_scored=False, last=last)
    return await respond(request, body, _chunks(plan, writer, request), writer)


@ollama.post("/api/generate", response_model=GenerateReply, responses=dialects.LINES_DOCUMENTED)
async def generate(body: GenerateRequest, request: Request) -> Response:
    """Fill in, answer or continue."""
    served = ensembles.find(service_of(request).registry, _untagged(body.model), body.ensemble)
    plan, _ = await asyncio.to_thread(ensembles.fitted_plan, editors.generate, body, served)
    writer = GenerateWriter(body.model)
    return await respond(request, body, _chunks(plan, writer, request), writer, dialects.OLLAMA)


@ollama.get("/api/tags")
async def tags(request: Request) -> Tags:
    """The models that are served."""
    return Tags(
        models=[
            Tag(
                name=served.name,
                model=served.name,
                modified_at=datetime.fromtimestamp(served.created, UTC).isoformat(),
                size=0,
                digest="",
                details=TagDetails(),
            )
            for served in service_of(request).registry.all()
        ]
    )


@ollama.get("/api/version")
async def get_version() -> Version:
    """The server's version."""
    return Version(version=version("lipogram"))


def _untagged(name: str) -> str:
    """Ollama's clients may say `:latest`."""
    return name.removesuffix(":latest")


async def tabby_completion(body: TabbyRequest, request: Request) -> Response:
    """Tabby's completion: on OpenAI's path, told apart by its `segments`."""
    served = ensembles.find(service_of(request).registry, None, body.ensemble)
    plan, _ = await asyncio.to_thread(ensembles.fitted_plan, editors.tabby, body, served)
    writer = TabbyWriter()
    return await respond(request, body, _chunks(plan, writer, request), writer)


@tabby.get("/v1/health")
@tabby.post("/v1/health")
async def tabby_health(request: Request) -> TabbyHealth:
    """What Tabby's clients ask before anything else."""
    served = service_of(request).registry.find(None)
    build = TabbyVersion(
        build_date="", build_timestamp="", git_sha="", git_describe=f"v{version('lipogram')}"
    )
    return TabbyHealth(
        model=served.name,
        chat_model=served.name,
        device="cpu",
        arch=platform.machine(),
        cpu_info="",
        cpu_count=os.cpu_count() or 1,
        cuda_devices=[],
        version=build,
    )


async def _chunks(
    plan: Plan, writer: EventWriter[Chunk], request: Request
) -> AsyncGenerator[Chunk, None]:
    """Runs a plan until its end, or until its writer wants nothing more."""
    service = service_of(request)
    try:
        with service.house.admitted():
            rules = await service.rules(plan, request.scope)
            writer.dropped = rules.dropped
            async with aclosing(await service.run(plan, rules)) as events:
                for chunk in writer.begin():
                    yield chunk
                async for index, event in events:
                    for chunk in writer.chunks(index, event):
                        yield chunk
                    if getattr(writer, "is_over", False):
                        break
    finally:
        logs.note_finishes(request.scope, writer.finishes)
