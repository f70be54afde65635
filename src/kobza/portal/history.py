"""The history of calls: searched, listed, and sent as a file."""

from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.exports.jobs import SearchJob
from kobza.api.problems import ApiError, not_found
from kobza.api.streaming import StreamedResponse
from kobza.call.causes import cause_text
from kobza.portal.access import Portal, Visitor
from kobza.portal.call_rows import days_of_calls, numbers_of
from kobza.portal.formats import moment_text, wall_moment
from kobza.portal.frame import common
from kobza.portal.history_file import CONTENT_TYPES
from kobza.portal.rendering import page_language
from kobza.portal.search_form import CAUSES, DIRECTIONS, ORDERS, TALKS, SearchForm, read_form
from kobza.portal.texts import say_in
from kobza.store import saved_filters
from kobza.store.saved_filters import MAX_NAME
from kobza.store.search import FoundPage, Person, TooManyToSort, searcher

PAGE: Final = 50
"""Calls on a page."""
MORE: Final = "more"
"""The link that leads to the next page; its script says who asked."""


async def history(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The page of the history; for its script, the part that a changed form or the next page changes."""
    say = say_in(page_language(request))
    form = read_form(request.query_params, visitor.enterprise_id, visitor.only_number)
    found, people = FoundPage([], None, None), dict[str, Person]()
    try:
        found, people = await portal.context.read(lambda conn: _look(conn, form))
    except TooManyToSort:
        form.wrong.append("too_many_to_sort")
    today = portal.today()
    after = form.after
    values: dict[str, Any] = {
        "form": form,
        "days": days_of_calls(
            found.calls, people, say, today, shown=None if after is None else wall_moment(after.started_at).date()
        ),
        "next_page": None if found.after is None else f"/history?{form.query(after=str(found.after))}",
        "looked_to": None if found.looked_to is None else moment_text(found.looked_to, say),
        "focus": request.headers.get("hx-trigger") == MORE,
        "query": form.query(),
        "csrf": visitor.csrf,
        "max_name": MAX_NAME,
    }
    if "hx-request" in request.headers and "hx-history-restore-request" not in request.headers:
        if after is not None:
            return portal.pages.page(request, "history_rows.html", **values)
        answer = portal.pages.page(request, "history_found.html", **values)
        query = form.query()
        answer.headers["hx-push-url"] = f"/history?{query}" if query else "/history"
        return answer
    return portal.pages.page(
        request,
        "history.html",
        **{**common(visitor), **values},
        saved=await portal.context.read(lambda conn: saved_filters.list_for(conn, visitor.user.user_id)),
        directions=DIRECTIONS,
        causes=[(str(cause), cause_text(cause, say.language)) for cause in CAUSES],
        talks=list(TALKS),
        orders=ORDERS,
    )


def _look(conn: Connection, form: SearchForm) -> tuple[FoundPage, dict[str, Person]]:
    search = searcher(conn)
    found = search.page(form.search, form.after, PAGE)
    return found, search.people(form.search.enterprise_id, numbers_of(found.calls))


async def history_file(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """All that a search finds, as a file for a spreadsheet."""
    kind = request.path_params["kind"]
    if kind not in CONTENT_TYPES:
        raise not_found()
    form = read_form(request.query_params, visitor.enterprise_id, visitor.only_number)
    language = page_language(request)
    say = say_in(language)
    if form.wrong:
        raise ApiError("invalid_parameter", say(form.wrong[0]))
    try:
        await portal.context.read(lambda conn: searcher(conn).page(form.search, None, 1))
    except TooManyToSort:
        raise ApiError("invalid_parameter", say("too_many_to_sort")) from None
    job = SearchJob(visitor.enterprise_id, form.search, kind, language)
    name = f"{say('history_file')} {wall_moment(portal.context.now_ms()):%Y-%m-%d %H-%M}.{kind}"
    return StreamedResponse(
        lambda: portal.context.exports.stream(job),
        content_type=CONTENT_TYPES[job.kind],
        headers={"content-disposition": f"attachment; filename=\"history.{kind}\"; filename*=UTF-8''{quote(name)}"},
    )
