"""The manual: the OpenAPI document as YAML and as a page, both made from the running code (contract, section 6)."""

from typing import Any, Final

import msgspec
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kobza.api.documenting import Json
from kobza.api.openapi import openapi_document
from kobza.api.problems import KINDS
from kobza.api.yaml import to_yaml

YAML_TYPE: Final = "application/yaml; charset=utf-8"
_METHOD_ORDER: Final = ("get", "put", "post", "delete", "head")


class Manual:
    """The document in its two forms, each written when it is first asked for and kept."""

    def __init__(self, routes: list[APIRoute]) -> None:
        self._routes = routes
        self._document: Json | None = None
        self._yaml: bytes | None = None
        self._page: bytes | None = None

    @property
    def document(self) -> Json:
        """The OpenAPI document."""
        if self._document is None:
            self._document = openapi_document(self._routes)
        return self._document

    async def yaml(self, _request: Request) -> Response:
        """Answer with the document as YAML."""
        if self._yaml is None:
            self._yaml = to_yaml(self.document).encode()
        return Response(self._yaml, headers={"content-type": YAML_TYPE})

    async def page(self, _request: Request) -> Response:
        """Answer with the document as a page that needs nothing from outside, nor any script."""
        if self._page is None:
            self._page = render_page(self.document).encode()
        headers = {
            "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "x-content-type-options": "nosniff",
        }
        return Response(self._page, media_type="text/html", headers=headers)

    def routes(self) -> list[Route]:
        """Return the routes of the two paths, which are fixed by the contract."""
        return [
            Route("/manual/genericfmcapi.yaml", self.yaml, methods=["GET"]),
            Route("/manual/openapi.html", self.page, methods=["GET"]),
        ]


def render_page(document: Json) -> str:
    """Return the document as HTML."""
    environment = Environment(
        loader=PackageLoader("kobza.api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pretty"] = _pretty
    environment.filters["prose"] = _prose
    environment.filters["type_of"] = type_of
    groups: dict[str, list[Json]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method in sorted(item, key=_METHOD_ORDER.index):
            operation = item[method]
            anchor = f"{method}-{path.strip('/').replace('/', '-').replace('.', '-')}"
            groups[operation["tags"][0]].append({"method": method, "path": path, "anchor": anchor, **operation})
    template = environment.get_template("manual.html")
    return template.render(document=document, groups=groups, kinds=KINDS)


def type_of(schema: Json) -> str:
    """Return what a schema allows, in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(type_of(item) for item in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema['items'])}"
    words = [str(schema.get("type", "anything"))]
    for key, sign in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "length ≤")):
        if key in schema:
            words.append(f"{sign} {schema[key]}")
    return " ".join(words)


def _pretty(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _prose(text: str) -> list[list[tuple[str, str]]]:
    """Split the little Markdown of descriptions to paragraphs of (kind, text): kind is plain, strong or code."""
    paragraphs = []
    for paragraph in text.strip().split("\n\n"):
        parts: list[tuple[str, str]] = []
        for number, piece in enumerate(paragraph.split("`")):
            if number % 2:
                parts.append(("code", piece))
                continue
            parts += [("strong" if place % 2 else "plain", words) for place, words in enumerate(piece.split("**"))]
        paragraphs.append([part for part in parts if part[1]])
    return paragraphs
