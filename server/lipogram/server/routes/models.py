"""`GET /v1/models`."""

from __future__ import annotations

from fastapi import APIRouter, Request

from lipogram.server.registry import Served
from lipogram.server.serving import service_of
from lipogram.server.wire.common import Model, ModelList

router = APIRouter(tags=["OpenAI"])


@router.get("/v1/models")
async def list_models(request: Request) -> ModelList:
    """All models, the default one first."""
    return ModelList(data=[_model(served) for served in service_of(request).registry.all()])


@router.get("/v1/models/{name:path}")
async def get_model(name: str, request: Request) -> Model:
    """One model."""
    return _model(service_of(request).registry.find(name))


def _model(served: Served) -> Model:
    return Model(
        id=served.name,
        created=served.created,
        owned_by="lipogram",
        max_model_len=served.model.context_tokens,
    )
