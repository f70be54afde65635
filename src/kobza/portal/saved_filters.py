"""The searches of the history that somebody keeps: saved from the form, chosen by a click, removed."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.problems import ApiError, not_found
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.rendering import page_language
from kobza.portal.search_form import read_form
from kobza.portal.texts import say_in
from kobza.store import saved_filters
from kobza.store.saved_filters import MAX_NAME, MOST, TooManyFilters

MAX_QUERY: Final = 2000


async def save_filter(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Keep a search under a name. Raises ApiError with words for people."""
    say = say_in(page_language(request))
    name = " ".join(form.get("name", "").split())
    sent = dict(parse_qsl(form.get("query", "")[:MAX_QUERY]))
    search = read_form(sent, visitor.enterprise_id, visitor.only_number)
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise ApiError("invalid_parameter", say("filter_no_name", most=MAX_NAME))
    if search.wrong or search.query() == "":
        raise ApiError("invalid_parameter", say("filter_is_empty"))
    try:
        await portal.context.write(lambda conn: saved_filters.save(conn, visitor.user.user_id, name, search.query()))
    except TooManyFilters:
        raise ApiError("invalid_parameter", say("filter_too_many", most=MOST)) from None
    return RedirectResponse(f"/history?{search.query()}", 303)


async def remove_filter(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Forget a search. Raises ApiError 404 for one that is not the visitor's."""
    filter_id, user_id = form.get("filter_id", ""), visitor.user.user_id
    if not await portal.context.write(lambda conn: saved_filters.remove(conn, user_id, filter_id)):
        raise not_found()
    return RedirectResponse("/history", 303)
