"""Pieces of the OpenAPI document that routes carry: parameters, bodies, answers and errors with their examples."""

from typing import Any, Final

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from kobza.api.problems import KINDS, MANUAL, PROBLEM_TYPE

Json = dict[str, Any]

BODY_SCHEMA: Final = "x-kobza-body"
"""Where a route keeps the schema of its body until the document is made; it never appears there."""

FMC_ERRORS: Final = ("unauthorized", "forbidden", "missing_parameter", "invalid_parameter", "internal_error")


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


def body(model: type[BaseModel], example: Json) -> Json:
    """Describe a JSON body."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}, "example": example}}
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
        example: Json = {
            "type": MANUAL + code,
            "title": kind.title,
            "status": kind.status,
            "detail": kind.meaning,
            "code": code,
        }
        if code == "internal_error":
            example["incident"] = "0192f3c4a5b67d8e9f0a1b2c3d4e5f60"
        answer["content"][PROBLEM_TYPE]["examples"][code] = {"value": example}
    return answers


def answer(model: type[BaseModel], example: Json, description: str = "Success") -> dict[int | str, Json]:
    """Describe the JSON answer with status 200."""
    return {200: {"model": model, "description": description, "content": {"application/json": {"example": example}}}}


def raw_answer(content_type: str, schema: Json, description: str, *, example: Any = None) -> dict[int | str, Json]:
    """Describe an answer with status 200 that is no JSON of ours."""
    content: Json = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {200: {"description": description, "content": {content_type: content}}}


WALL_TIME: Final[Json] = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$"}
SWITCH: Final[Json] = {"type": "string", "enum": ["on", "off"], "default": "off"}
NUMBER: Final[Json] = {"type": "string", "maxLength": 40}
