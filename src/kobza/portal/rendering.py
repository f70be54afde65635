"""Pages: templates, the headers that keep a page to itself, and the files it is made of."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.languages import LANGUAGE_COOKIE, Language, chosen_language
from kobza.api.packing import packed, takes_packed
from kobza.api.problems import not_found
from kobza.api.ranges import matches_etag
from kobza.api.themes import THEME_COOKIE, chosen_theme
from kobza.portal.formats import duration_text
from kobza.portal.texts import say_in

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}

ARROWS: Final = {"incoming": "↙", "outgoing": "↗", "local": "↔"}

STATIC: Final[Mapping[str, str]] = {
    "kobza.css": "text/css; charset=utf-8",
    "kobza.js": "text/javascript; charset=utf-8",
    "player.js": "text/javascript; charset=utf-8",
    "pictures.js": "text/javascript; charset=utf-8",
    "dial.js": "text/javascript; charset=utf-8",
    "phone.css": "text/css; charset=utf-8",
    "phone.js": "text/javascript; charset=utf-8",
    "phone_quality.js": "text/javascript; charset=utf-8",
    "phone_socket.js": "text/javascript; charset=utf-8",
    "phone_sounds.js": "text/javascript; charset=utf-8",
    "jssip.min.js": "text/javascript; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "kobza.svg": "image/svg+xml",
}


def make_environment() -> Environment:
    """Return the templates. Everything is escaped; an unknown name is an error."""
    return Environment(
        loader=PackageLoader("kobza.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_language(request: Request) -> Language:
    """Return the language chosen in the header of the page, else that of the browser."""
    return chosen_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


def page_theme(request: Request) -> str:
    """Return the theme chosen in the header of the page; empty: as the browser's."""
    return chosen_theme(request.cookies.get(THEME_COOKIE))


def here(request: Request) -> str:
    """Return the path of a page with its query; of what a form answered with, the page that had the form."""
    url = request.url
    if url.path.startswith("/signin/openid"):  # what the provider sent is good once
        return "/signin"
    if request.method == "POST":  # nobody can be led back there
        sent_from = urlsplit(request.headers.get("referer", ""))
        return sent_from.path if sent_from.netloc == url.netloc and sent_from.path else "/"
    return f"{url.path}?{url.query}" if url.query else url.path


class Pages:
    """Renders pages in the language of the request."""

    def __init__(self) -> None:
        self._environment = make_environment()

    def page(self, request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
        """Answer with a page."""
        return self.answer(self.part(request, template, **values), status)

    def answer(self, html: str, status: int = 200) -> Response:
        """Answer with what was rendered."""
        return Response(html, status, HEADERS, "text/html")

    def part(self, request: Request, template: str, **values: Any) -> Markup:
        """Return a page, or a part of one, in the language of the request."""
        language = page_language(request)
        say = say_in(language)
        html = self._environment.get_template(template).render(
            say=say,
            language=language,
            path=request.url.path,
            here=here(request),
            theme=page_theme(request),
            arrows=ARROWS,
            duration=lambda seconds: duration_text(seconds, say),
            **values,
        )
        return Markup(html)  # noqa: S704 - the template has escaped what is not its own


@lru_cache
def _static(name: str) -> tuple[bytes, bytes, str]:
    """Return one of the portal's own files, the same compressed, and its entity tag."""
    content = (files("kobza.portal") / "static" / name).read_bytes()
    return content, packed(content), f'"{hashlib.sha256(content).hexdigest()[:32]}"'


async def static_file(request: Request) -> Response:
    """Answer with one of the portal's own files; asked again, browsers learn that it is still the same."""
    name = request.path_params["name"]
    content_type = STATIC.get(name)
    if content_type is None:
        raise not_found()
    content, small, etag = _static(name)
    headers = {
        "content-type": content_type,
        "cache-control": "no-cache",
        "etag": etag,
        "x-content-type-options": "nosniff",
        "vary": "accept-encoding",
    }
    if matches_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if takes_packed(request.headers.get("accept-encoding")):
        return Response(small, headers={**headers, "content-encoding": "gzip"})
    return Response(content, headers=headers)
