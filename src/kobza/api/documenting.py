"""Pieces of the OpenAPI document that routes carry: parameters, bodies, answers and errors with their examples."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from kobza.api.problems import KINDS, PROBLEM_TYPE
from kobza.call.numbers import MAX_NUMBER_LENGTH

Json = dict[str, Any]

BODY_SCHEMA: Final = "x-kobza-body"
"""Where a route keeps the schema of its body until the document is made; it never appears there."""

WANTED: Final = "x-kobza-wanted"
"""Where a route whose token is a parameter keeps what it needs of the token; it never appears in the document."""

TOKEN_ERRORS: Final = ("forbidden", "scope_missing", "address_not_allowed", "rate_limited", "unavailable")
"""What may be wrong with the token of a request, or keep it from being looked at."""
FMC_ERRORS: Final = ("unauthorized", *TOKEN_ERRORS, "missing_parameter", "invalid_parameter", "internal_error")


def router(prefix: str, tag: str) -> APIRouter:
    """Return a router whose routes are documented under a tag and known by their names; they answer as they like."""
    return APIRouter(
        prefix=prefix, tags=[tag], default_response_class=Response, generate_unique_id_function=lambda route: route.name
    )


def parameter(name: str, description: str, schema: Json, *, required: bool = False, example: Any = None) -> Json:
    """Describe a query parameter."""
    described: Json = {"name": name, "in": "query", "required": required, "description": description, "schema": schema}
    if example is not None:
        described["example"] = example
    return described


def header(name: str, description: str, schema: Json, *, example: Any = None) -> Json:
    """Describe an optional request header."""
    return {**parameter(name, description, schema, example=example), "in": "header"}


def body(model: type[BaseModel], example: Json | Mapping[str, tuple[str, Json]]) -> Json:
    """Describe a JSON body. `example` is one, or several by name, each with a summary."""
    described: Json = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}
    if example and all(isinstance(value, tuple) for value in example.values()):
        described["examples"] = {name: {"summary": told, "value": value} for name, (told, value) in example.items()}
    else:
        described["example"] = example
    content = {"application/json": described}
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": content}, BODY_SCHEMA: {model.__name__: schema}}


def errors(*codes: str) -> dict[int | str, Json]:
    """Describe the errors of a route, one answer for each status with an example for each code."""
    answers: dict[int | str, Json] = {}
    for code in codes:
        kind = KINDS[code]
        answer = answers.setdefault(
            kind.status,
            {
                "description": "",
                "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
            },
        )
        answer["description"] = "; ".join(filter(None, (answer["description"], f"`{code}`: {kind.title.lower()}")))
        answer["content"][PROBLEM_TYPE]["examples"][code] = {"$ref": f"#/components/examples/{code}"}
        for name in ERROR_HEADERS.get(code, ()):
            answer.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{name}"}
    return answers


def answer(model: type[BaseModel], example: Json, description: str = "Success") -> dict[int | str, Json]:
    """Describe the JSON answer with status 200."""
    return {200: {"model": model, "description": description, "content": {"application/json": {"example": example}}}}


def raw_answer(
    content_type: str, schema: Json, description: str, *, example: Any = None, headers: Json | None = None
) -> dict[int | str, Json]:
    """Describe an answer with status 200 that is no JSON of ours."""
    content: Json = {"schema": schema}
    if example is not None:
        content["example"] = example
    described: Json = {"description": description, "content": {content_type: content}}
    if headers is not None:
        described["headers"] = headers
    return {200: described}


ERROR_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "unauthorized": ("WWW-Authenticate",),
    "recording_not_ready": ("Retry-After",),
    "range_not_satisfiable": ("Content-Range",),
    "scope_missing": ("WWW-Authenticate",),
    "rate_limited": ("Retry-After", "RateLimit", "RateLimit-Policy"),
    "too_many_streams": ("Retry-After",),
    "unavailable": ("Retry-After",),
}
"""What else an error brings; the headers are described once, among the document's components."""

_DATE: Final = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME: Final = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
WALL_PATTERN: Final = f"^{_DATE}T{_TIME}$"
WALL_TEXT_PATTERN: Final = f"^{_DATE} {_TIME}$"
MOMENT_PATTERN: Final = f"^{_DATE}[Tt ]{_TIME}([.][0-9]{{1,9}})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?$"
WALL_TIME: Final[Json] = {"type": "string", "pattern": WALL_PATTERN}
"""A date that the calendar has, from the year 1 on: what a pattern cannot say."""
SWITCH: Final[Json] = {"type": "string", "enum": ["on", "off"], "default": "off"}

_SEPARATORS: Final = r"\t ./()\u00a0\u2009\u202f\u2010-\u2013-"
NUMBER_PATTERN: Final = rf"^[{_SEPARATORS}]*\+?[0-9{_SEPARATORS}]+$"
"""Any usual spelling; whether some numbering plan has such a number is more than a pattern can say."""
NUMBER: Final[Json] = {"type": "string", "minLength": 2, "maxLength": MAX_NUMBER_LENGTH, "pattern": NUMBER_PATTERN}

NumberText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NUMBER_LENGTH,
        examples=["0671234567"],
        json_schema_extra={"minLength": 2, "pattern": NUMBER_PATTERN},
    ),
]
"""A number in a JSON body. The pattern is documented here and enforced by `number_of`, whose error says more."""
MomentText = Annotated[
    str,
    Field(
        max_length=40,
        examples=["2026-03-01T09:30:00"],
        json_schema_extra={"pattern": MOMENT_PATTERN},
    ),
]
"""A moment in a body: RFC 3339, or wall time of Kyiv; read by `parse_moment`, whose error says more."""
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A moment in an answer: RFC 3339, UTC, with milliseconds."""
WallText = Annotated[str, Field(json_schema_extra={"pattern": WALL_TEXT_PATTERN})]
"""A moment in an answer as the operator's interface writes it: wall time of Kyiv."""
