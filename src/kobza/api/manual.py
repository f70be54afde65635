"""The manual over HTTP: the OpenAPI document as YAML and as a page, the guide, their style and script.

All of it is made from the running code, once for each language and day, in a thread; a request only puts in the address
that it came to. Nothing is fetched from outside, and nothing inline is needed: see the policy below.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal

import anyio.to_thread
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kobza.api.documenting import Json
from kobza.api.languages import LANGUAGE_COOKIE, Language, chosen_language
from kobza.api.manual_guide import render_guide
from kobza.api.manual_page import render_page
from kobza.api.openapi import openapi_document
from kobza.api.packing import packed, takes_packed
from kobza.api.problems import not_found
from kobza.api.ranges import matches_etag
from kobza.api.themes import THEME_COOKIE, chosen_theme
from kobza.api.times import wall_of
from kobza.api.yaml import to_yaml

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
YAML_TYPE: Final = "application/yaml; charset=utf-8"
HTML_TYPE: Final = "text/html; charset=utf-8"
ASSETS: Final[Mapping[str, str]] = {
    "manual.css": "text/css; charset=utf-8",
    "manual.js": "text/javascript; charset=utf-8",
}

Kind = Literal["yaml", "page", "guide"]

ANY_BASE: Final = "http://base-url.invalid"
"""Stands for the server's address while a text is made; a request replaces it by its own."""
ANY_THEME: Final = 'data-theme="any"'
"""Stands for what the reader chose, at the beginning of a page."""
_BASE: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,255}(/[A-Za-z0-9._~/-]{0,255})?")
"""An address that may stand in any of the texts as it is; a Host header may hold anything."""
FALLBACK_BASE: Final = "https://kobza.example.com"
_KEPT: Final = 12
"""Answers kept, each for a language, an address and a day: some 200 KB each, and a Host header may hold anything."""


class Manual:
    """The texts, each made when it is first asked for and kept for the day."""

    def __init__(self, routes: list[APIRoute], now: Callable[[], float]) -> None:
        self._routes = routes
        self._now = now
        self._text = lru_cache(maxsize=_KEPT)(self._make)
        self._answer = lru_cache(maxsize=_KEPT)(self._finish)

    @property
    def document(self) -> Json:
        """Return the OpenAPI document, made anew."""
        return openapi_document(self._routes, ANY_BASE)

    async def yaml(self, request: Request) -> Response:
        """Answer with the document as YAML."""
        return await self._serve(request, "yaml", YAML_TYPE)

    async def page(self, request: Request) -> Response:
        """Answer with the document as a page."""
        return await self._serve(request, "page", HTML_TYPE)

    async def guide(self, request: Request) -> Response:
        """Answer with the guide as a page."""
        return await self._serve(request, "guide", HTML_TYPE)

    def routes(self) -> list[Route]:
        """Return the routes; the paths of the document and its page are fixed by the contract."""
        return [
            Route("/manual/genericfmcapi.yaml", self.yaml, methods=["GET"]),
            Route("/manual/openapi.html", self.page, methods=["GET"]),
            Route("/manual/guide.html", self.guide, methods=["GET"]),
            Route("/manual/{name}", asset, methods=["GET"]),
        ]

    def _make(self, kind: Kind, language: Language, today: datetime | None) -> str:
        match kind:
            case "guide":
                return render_guide(language, ANY_BASE)
            case "yaml":
                return to_yaml(self.document)
            case "page":
                assert today is not None  # noqa: S101 - see _serve
                return render_page(self.document, language, ANY_BASE, today)

    def _finish(
        self, kind: Kind, language: Language, today: datetime | None, theme: str, base: str
    ) -> tuple[bytes, bytes, str]:
        """Return an answer, the same compressed, and its entity tag."""
        text = self._text(kind, language, today).replace(ANY_THEME, f'data-theme="{theme}"', 1)
        content = text.replace(ANY_BASE, base).encode()
        return content, packed(content), _etag(content)

    async def _serve(self, request: Request, kind: Kind, content_type: str) -> Response:
        base = str(request.base_url).rstrip("/")
        if not _BASE.fullmatch(base):
            base = FALLBACK_BASE
        language: Language = "en"
        today = None
        theme = ""
        if kind != "yaml":
            theme = chosen_theme(request.cookies.get(THEME_COOKIE))
            language = chosen_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))
        if kind == "page":
            today = wall_of(self._now()).replace(hour=0, minute=0, second=0)
        found = await anyio.to_thread.run_sync(self._answer, kind, language, today, theme, base)
        return _answered(request, *found, content_type)


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _answered(request: Request, content: bytes, small: bytes, etag: str, content_type: str) -> Response:
    headers = {
        "content-type": content_type,
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cache-control": "no-cache",
        "vary": "accept-encoding, accept-language, cookie",
        "etag": etag,
    }
    if matches_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if takes_packed(request.headers.get("accept-encoding")):
        return Response(small, headers={**headers, "content-encoding": "gzip"})
    return Response(content, headers=headers)


@lru_cache
def _asset(name: str) -> tuple[bytes, bytes, str]:
    content = (files("kobza.api") / "assets" / name).read_bytes()
    return content, packed(content), _etag(content)


async def asset(request: Request) -> Response:
    """Answer with one of the manual's own files."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise not_found()
    return _answered(request, *_asset(name), ASSETS[name])
