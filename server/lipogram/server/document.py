"""The OpenAPI document: every status that a route answers, and that it wants a key."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from lipogram.server.access import OPEN_PATHS
from lipogram.server.errors import TABLE
from lipogram.server.wire.common import ErrorReply

_SCHEME = "key"
_ALWAYS = {401, 429, 500}
_WITH_PATH_PARAMETERS = {404}
_WITH_BODY = {row.status for row in TABLE.values()} - {405}
_DESCRIPTION = "An error: `docs/http.md` lists them"
_REFUSAL = {
    "description": _DESCRIPTION,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorReply"}}},
}


class DocumentedApp(FastAPI):
    """An application whose document lists our own statuses instead of FastAPI's 422."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _complete(path, operation)
            components = document.setdefault("components", {})
            components["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "bearer"}}
            schemas = components.setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            reply = ErrorReply.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= reply.pop("$defs") | {"ErrorReply": reply}
        assert self.openapi_schema is not None
        return self.openapi_schema


def _complete(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    if path in OPEN_PATHS:
        return
    operation["security"] = [{_SCHEME: []}]
    statuses = set(_ALWAYS)
    if "requestBody" in operation:
        statuses |= _WITH_BODY
    if "{" in path:
        statuses |= _WITH_PATH_PARAMETERS
    for status in sorted(statuses):
        responses.setdefault(str(status), _REFUSAL)
