"""What the portal's forms do."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.languages import LANGUAGE_COOKIE
from kobza.api.query import number_of
from kobza.api.themes import THEME_COOKIE, THEMES
from kobza.portal.access import Form, Portal, Visitor, safe_next

CHOICE_AGE: Final = 365 * 86_400
"""Seconds for which the language and the theme are remembered."""


async def choose_language(request: Request) -> Response:
    """Remember the language of the pages."""
    language = request.path_params["language"]
    answer = RedirectResponse(safe_next(request.query_params.get("next")), 303)
    if language in ("uk", "en"):
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=CHOICE_AGE, path="/", httponly=True, samesite="lax")
    return answer


async def choose_theme(request: Request) -> Response:
    """Remember whether pages are light or dark; `auto` goes by the browser again."""
    theme = request.path_params["theme"]
    answer = RedirectResponse(safe_next(request.query_params.get("next")), 303)
    if theme in THEMES:
        answer.set_cookie(THEME_COOKIE, theme, max_age=CHOICE_AGE, path="/", httponly=True, samesite="lax")
    elif theme == "auto":
        answer.delete_cookie(THEME_COOKIE, path="/", httponly=True, samesite="lax")
    return answer


async def switch_dnd(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Switch Do Not Disturb of a number, until it is switched again."""
    number = number_of(form.get("number", ""), "number")
    await portal.context.subscriber(visitor.enterprise_id, number)
    await portal.context.commands.set_dnd(visitor.enterprise_id, number, form.get("dnd") == "on", None, by=visitor.by)
    return RedirectResponse("/provisioning", 303)
