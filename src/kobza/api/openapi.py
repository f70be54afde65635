"""The OpenAPI 3.1 document, made from the routes of the running application."""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from importlib.metadata import version
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from kobza.api.auth import RequireToken
from kobza.api.callstates import CallState, webhooks
from kobza.api.documenting import BODY_SCHEMA, WANTED, Json
from kobza.api.gate import Wanted
from kobza.api.problems import KINDS, MANUAL
from kobza.api.wire import mark_wire

FMC: Final = "/api/fmc/"
SCOPE: Final = "x-scope"
"""The scope that a token needs, on an operation of the document."""
DESCRIPTION: Final = """\
The HTTP interface of Kobza, a self-hosted Virtual Mobile PBX. It is that of the operator's service: a client written
for it works after a change of its base URL. What works with the operator's service as well is marked (`x-wire`).

**Numbers** are accepted in any usual spelling (`0671234567`, `380671234567`, `+380 67 123-45-67`) and written as
national digits (`0671234567`), foreign ones with `+`. Short codes of 2 to 6 digits stay as they are.

**Times** without an offset are wall time in Europe/Kyiv. **Durations** are whole seconds, rounded up.

**Errors** of every method are `application/problem+json` (RFC 9457) with a stable `code`. Parameters that are not
listed are ignored; listed ones may be given once. Unknown fields of a JSON body are ignored.

**Authorization** of the FMC API: the header `Authorization: Bearer <FMC token>` and the parameter `integrator_id`; you
find both in the portal under "CRM integration". The basic call information takes the same token as `token`. A token
has scopes: `history` reads calls, recordings, events and the status of phones; `control` makes calls and acts on them;
`settings` reads and changes CLIP, DND and the webhook; `supervise`, which is given by name alone, lets supervisors hear
live calls.

**Rates**: every answer to a valid token says in `RateLimit` how many requests are left, and in `RateLimit-Policy` how
many there are (draft-ietf-httpapi-ratelimit-headers-11); beyond them comes 429 with `Retry-After`.
"""
PROBLEM_SCHEMA: Final[Json] = {
    "type": "object",
    "description": "RFC 9457.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "Leads to the paragraph of this manual on the code."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "One sentence for people."},
        "code": {"type": "string", "description": "Stable, for programs.", "enum": list(KINDS)},
        "parameter": {"type": "string", "description": "The parameter that is wrong, if it is one."},
        "scope": {"type": "string", "description": "With `scope_missing`: the scope that the token needs."},
        "incident": {"type": "string", "description": "With status 500: name it when you report the error."},
    },
}
TAGS: Final = {
    "Basic call information": "Finished calls as a table, for reports and spreadsheets. Any number with the package "
    "Convergent is in it.",
    "History": "Every call with its outcome, and its recording.",
    "Calls": "Click2dial, and acting on a call that is on.",
    "Settings of a number": "What others see and hear when they call or are called, and who can be reached now.",
    "Webhook": "Where your system gets call states, and what became of each.",
    "Call states": "What Kobza posts to your system as calls ring, are answered and end.",
    "Older interface": "For clients that were written before the FMC API.",
}
SECURITY_SCHEMES: Final[Json] = {
    "fmcToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The FMC token, from the portal. Absent or malformed: 401; wrong: 403.",
    },
    "integratorId": {
        "type": "apiKey",
        "in": "query",
        "name": "integrator_id",
        "description": "The id of your integration, from the portal; it goes with the token.",
    },
    "token": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "The FMC token, 64 hex digits. Absent: 400; wrong: 403. It is masked in the access log.",
    },
    "remoteToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that you gave with the webhook; Kobza sends it with each call state.",
    },
}
HEADERS: Final[Json] = {
    "WWW-Authenticate": {
        "description": "The challenge of RFC 6750.",
        "schema": {"type": "string"},
        "example": 'Bearer realm="kobza"',
    },
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "2",
    },
    "RateLimit-Policy": {
        "description": "The policy by its name: `q` requests at once, and as many again in `w` seconds.",
        "schema": {"type": "string", "pattern": '^"[a-z]+";q=[0-9]+;w=[0-9]+$'},
        "example": '"control";q=1200;w=60',
    },
    "RateLimit": {
        "description": "What is left of the policy: `r` requests; after `t` seconds there is one more.",
        "schema": {"type": "string", "pattern": '^"[a-z]+";r=[0-9]+;t=[0-9]+$'},
        "example": '"control";r=0;t=1',
    },
    "Content-Range": {
        "description": "Which part of the whole this is; with 416 how long the whole is.",
        "schema": {"type": "string", "pattern": "^bytes ([0-9]+-[0-9]+|[*])/[0-9]+$"},
        "example": "bytes 0-65535/241920",
    },
    "Content-Disposition": {
        "description": "A name for the file, with the interval in force.",
        "schema": {"type": "string"},
        "example": 'attachment; filename="callstat_2026-03-01T00:00:00_2026-03-07T23:59:59.csv"',
    },
    "ETag": {
        "description": "The SHA-256 of the file, in quotes.",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{64}"$'},
        "example": f'"{"5f" * 32}"',
    },
    "Recording-Paused": {
        "description": "From which second to which nothing was recorded, as somebody wanted; left out when never.",
        "schema": {"type": "string"},
        "example": "12.000-15.500, 20.000-22.250",
    },
    "Recording-Undecoded": {
        "description": "Which side spoke in a codec that is not decoded: silence there means nothing. Mostly left out.",
        "schema": {"type": "string"},
        "example": "caller=G729",
    },
    "Recording-Announced": {
        "description": "By when each side had heard to its end that the call is recorded, in seconds since the start.",
        "schema": {"type": "string"},
        "example": "caller=3.290, called=3.310",
    },
    "Recording-Unannounced": {
        "description": "Which sides should have heard that and did not; left out when none.",
        "schema": {"type": "string"},
        "example": "called",
    },
    "Accept-Ranges": {"description": "Ranges of bytes work.", "schema": {"type": "string", "const": "bytes"}},
}

LINKS: Final[dict[tuple[str, str], Json]] = {
    ("post", "/api/fmc/v1/originate"): {
        "control": {
            "operationId": "control_call",
            "requestBody": {"call_control_id": "$response.body#/call_control_id", "action": "clear"},
            "description": "End the call again.",
        }
    },
    ("get", "/api/fmc/v1/callhistory"): {
        "recording": {
            "operationId": "call_record_get",
            "parameters": {"record_id": "$response.body#/calls/0/record_id"},
            "description": "Fetch the recording of a call.",
        },
        "next": {
            "operationId": "call_history",
            "parameters": {"cursor": "$response.body#/next_cursor"},
            "description": "The next page, with the other parameters as before.",
        },
    },
    ("get", "/api/fmc/v1/webhook/deliveries"): {
        "replay": {
            "operationId": "replay_delivery",
            "parameters": {"delivery_id": "$response.body#/deliveries/0/id"},
            "description": "Send a delivery once more.",
        }
    },
    ("get", "/api/fmc/v1/events"): {
        "next": {
            "operationId": "fetch_events",
            "parameters": {"after": "$response.body#/next_cursor"},
            "description": "The states that follow.",
        }
    },
}
"""What an answer leads to."""


def openapi_document(routes: Iterable[APIRoute], server: str = "/") -> Json:
    """Return the document for the routes, served at a base URL; nothing in it is shared with another document."""
    documented = list(routes)
    document: Json = get_openapi(
        title="Kobza: Generic FMC API",
        version=version("kobza"),
        openapi_version="3.1.0",
        summary="Calls of an office: history, recordings, click2dial, call control, call states",
        description=DESCRIPTION,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        servers=[{"url": server, "description": "This server"}],
        routes=documented,
        tags=[{"name": name, "description": description} for name, description in TAGS.items()],
    )
    document = deepcopy(document)
    for item in document["paths"].values():
        for operation in item.values():
            operation.pop(BODY_SCHEMA, None)
            operation.pop(WANTED, None)
            operation["responses"].pop("422", None)
    scopes = _scopes(documented)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            operation["security"] = [{"fmcToken": [], "integratorId": []} if path.startswith(FMC) else {"token": []}]
            operation[SCOPE] = scopes[path, method]
    _restore_examples(document, documented)
    _fill_components(document, documented)
    document["webhooks"] = webhooks()
    for (method, path), links in LINKS.items():
        document["paths"][path][method]["responses"]["200"]["links"] = deepcopy(links)
    mark_wire(document)
    return {key: document[key] for key in sorted(document, key=_ORDER.index)}


_ORDER: Final = ("openapi", "info", "servers", "tags", "paths", "webhooks", "components")


def _scopes(routes: Iterable[APIRoute]) -> dict[tuple[str, str], str]:
    """Return the scope that a token needs, by path and method."""
    return {
        (route.path_format, method.lower()): str(_wanted(route).scope)
        for route in routes
        for method in route.methods or ()
    }


def _wanted(route: APIRoute) -> Wanted:
    """Return what a route needs of a token: as its dependency says or, where the token is a parameter, it itself."""
    for needed in route.dependant.dependencies:
        if isinstance(needed.call, RequireToken):
            return needed.call.wanted
    wanted = (route.openapi_extra or {})[WANTED]
    assert isinstance(wanted, Wanted)  # noqa: S101 - put there by `documenting.wanted`
    return wanted


def _fill_components(document: Json, routes: Iterable[APIRoute]) -> None:
    components: Json = document.setdefault("components", {})
    schemas: Json = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for name, schema in (*_body_schemas(routes), ("CallState", _schema_of(CallState))):
        schema = deepcopy(schema)
        schemas.update(schema.pop("$defs", {}))
        schemas[name] = schema
    schemas["Problem"] = deepcopy(PROBLEM_SCHEMA)
    components["schemas"] = {name: _tidy(schemas[name]) for name in sorted(schemas)}
    components["examples"] = {
        code: {"summary": kind.title, "value": problem_example(code)} for code, kind in KINDS.items()
    }
    components["headers"] = deepcopy(HEADERS)
    components["securitySchemes"] = deepcopy(SECURITY_SCHEMES)


def problem_example(code: str) -> Json:
    """Return what an error with the code may look like."""
    kind = KINDS[code]
    example: Json = {
        "type": MANUAL + code,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.meaning,
        "code": code,
    }
    if code in ("missing_parameter", "invalid_parameter", "duplicate_parameter"):
        example["parameter"] = "from"
    if code == "scope_missing":
        example["scope"] = "control"
    if code == "internal_error":
        example["incident"] = "0192f3c4a5b67d8e9f0a1b2c3d4e5f60"
    return example


def _tidy(schema: Any) -> Any:
    """Drop what the models' library adds and no reader wants: titles made of names, `default: null`."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if isinstance(schema, float):
        return int(schema)  # the framework makes every bound one
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: {name: _tidy(field) for name, field in value.items()} if key == "properties" else _tidy(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
    }
    if "default" in kept and kept["default"] is None:
        del kept["default"]
    return kept


def _schema_of(model: type[BaseModel]) -> Json:
    return model.model_json_schema(ref_template="#/components/schemas/{model}")


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
