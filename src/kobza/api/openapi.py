"""The OpenAPI 3.1 document, made from the routes of the running application."""

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from kobza.api.documenting import BODY_SCHEMA, Json, parameter

FMC: Final = "/api/fmc/"
DESCRIPTION: Final = """\
The HTTP interface of Kobza, a self-hosted Virtual Mobile PBX. It is that of the operator's service: a client written
for it works after a change of its base URL.

**Numbers** are accepted in any usual spelling and written as national digits (`0671234567`), foreign ones with `+`.
**Times** without an offset are wall time in Europe/Kyiv. **Durations** are whole seconds, rounded up.
**Errors** of every method are `application/problem+json` (RFC 9457) with a stable `code`; parameters that are not
listed are ignored, listed ones may be given once.
**Authorization** of the FMC API: the header `Authorization: Bearer <FMC token>` and the parameter `integrator_id`; you
find both in the portal under "CRM integration".
"""
PROBLEM_SCHEMA: Final[Json] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "Leads to the paragraph of this manual on the code."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people."},
        "code": {"type": "string", "description": "Stable, for programs."},
        "parameter": {"type": "string", "description": "The parameter that is wrong, if it is one."},
        "incident": {"type": "string", "description": "With status 500: name it when you report the error."},
    },
}
INTEGRATOR: Final = parameter(
    "integrator_id",
    "The id of your integration, from the portal.",
    {"type": "string", "maxLength": 64},
    required=True,
    example="0192f3c4a5b67d8e9f0a1b2c3d4e5f00",
)
TAGS: Final = ("Basic call information", "History", "Calls", "Settings of a number", "Webhook", "Older interface")


def openapi_document(app: FastAPI, routes: Iterable[APIRoute]) -> Json:
    """Return the document for the routes; made once, as it never changes while the application runs."""
    documented = list(routes)
    document: Json = get_openapi(
        title="Kobza: Generic FMC API",
        version=version("kobza"),
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=documented,
        tags=[{"name": name} for name in TAGS],
    )
    schemas: Json = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for name, schema in _body_schemas(documented):
        schemas.update(schema.get("$defs", {}))
        schemas[name] = {key: value for key, value in schema.items() if key != "$defs"}
    schemas["Problem"] = PROBLEM_SCHEMA
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["components"]["securitySchemes"] = {
        "fmcToken": {"type": "http", "scheme": "bearer", "description": "The FMC token."}
    }
    for path, item in document["paths"].items():
        for operation in item.values():
            operation.pop(BODY_SCHEMA, None)
            operation["responses"].pop("422", None)
            if path.startswith(FMC):
                operation["security"] = [{"fmcToken": []}]
                operation["parameters"] = [INTEGRATOR, *operation.get("parameters", [])]
    _restore_examples(document, documented)
    document["servers"] = [{"url": app.root_path or "/"}]
    return document


def _body_schemas(routes: Iterable[APIRoute]) -> Iterator[tuple[str, Json]]:
    for route in routes:
        extra: dict[str, Any] = route.openapi_extra or {}
        yield from extra.get(BODY_SCHEMA, {}).items()


def _restore_examples(document: Json, routes: Iterable[APIRoute]) -> None:
    """Put the examples of answers back as they are: the framework drops every null in them."""
    for route in routes:
        for method in route.methods or ():
            written = document["paths"][route.path_format][method.lower()]["responses"]
            for status, given in route.responses.items():
                for content_type, content in given.get("content", {}).items():
                    if "example" in content:
                        written[str(status)]["content"][content_type]["example"] = content["example"]
