"""The statistics: a page of chosen days, its tables as files, its charts as pictures."""

import asyncio
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.exports.jobs import TallyJob
from kobza.api.problems import ApiError, not_found
from kobza.portal.access import Portal, Visitor
from kobza.portal.days_form import DaysForm, read_days, spans
from kobza.portal.figures import PARTS, Part, figures, numbers_in, part
from kobza.portal.frame import common
from kobza.portal.rendering import HEADERS, page_language
from kobza.portal.tables import csv_lines, shown
from kobza.portal.tally import Tally
from kobza.portal.texts import Say, say_in
from kobza.store import address_book
from kobza.store.search import Person, searcher

ROWS: Final = 200
"""Rows of a table on a page; its file has all."""
LOST_SHOWN: Final = 10
"""Callers nobody called back who are listed on the page itself."""


async def statistics(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The page; for its script, the part that changed days change."""
    say = say_in(page_language(request))
    form = _form(portal, request)
    tally = await _count(portal, visitor, form)
    people = await _people(portal, visitor, tally)
    made = {}
    for key in PARTS:
        made[key] = part(key, tally, form, people, say)
        await asyncio.sleep(0)  # each takes milliseconds, and calls go first
    today = portal.today()
    values: dict[str, Any] = {
        "form": form,
        "spans": spans(today),
        "figures": figures(tally, say),
        "parts": made,
        "cell": lambda cell: shown(cell, say),
        "any_calls": bool(tally.days),
        "lost_shown": LOST_SHOWN,
        "lost_count": tally.lost_count,
    }
    if "hx-request" in request.headers and "hx-history-restore-request" not in request.headers:
        answer = portal.pages.page(request, "statistics_found.html", **values)
        answer.headers["hx-push-url"] = f"/statistics?{form.query()}"
        return answer
    departments = await portal.context.read(lambda conn: address_book.departments(conn, visitor.enterprise_id))
    return portal.pages.page(request, "statistics.html", **common(visitor), **values, departments=departments)


async def statistics_part(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The table of one part: what the script puts under its chart, or a page of its own."""
    say = say_in(page_language(request))
    form, found = await _part(portal, request, visitor)
    values: dict[str, Any] = {"part": found, "rows_shown": ROWS, "cell": lambda cell: shown(cell, say)}
    if "hx-request" in request.headers and "hx-history-restore-request" not in request.headers:
        return portal.pages.page(request, "statistics_table.html", **values)
    name = _name(found, form, say)
    return portal.pages.page(request, "statistics_part.html", **common(visitor), **values, form=form, name=name)


async def statistics_file(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The table of one part as CSV."""
    form, found = await _part(portal, request, visitor)
    name = _name(found, form, say_in(page_language(request)))
    return Response("".join(csv_lines(found.table)), 200, _attached(found, name, "csv"), "text/csv; charset=utf-8")


async def statistics_picture(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The chart of one part as an SVG that stands alone."""
    form, found = await _part(portal, request, visitor)
    if found.chart is None:
        raise not_found()
    name = _name(found, form, say_in(page_language(request)))
    answer = portal.pages.page(request, "statistics_picture.svg", part=found, chart=found.chart, name=name)
    return Response(answer.body, 200, {**HEADERS, **_attached(found, name, "svg")}, "image/svg+xml")


async def _part(portal: Portal, request: Request, visitor: Visitor) -> tuple[DaysForm, Part]:
    """Return the form and the part that the path names. Raises ApiError."""
    say = say_in(page_language(request))
    form, key = _form(portal, request), request.path_params["part"]
    if key not in PARTS:
        raise not_found()
    if form.wrong:
        raise ApiError("invalid_parameter", say(form.wrong[0]))
    tally = await _count(portal, visitor, form)
    people = await _people(portal, visitor, tally)
    return form, part(key, tally, form, people, say)


def _name(part: Part, form: DaysForm, say: Say) -> str:
    days = f"{form.first}" if form.first == form.last else f"{form.first} – {form.last}"
    return ", ".join((say(f"stat_part_{part.key}"), *((form.department,) if form.department else ()), days))


def _attached(part: Part, name: str, kind: str) -> dict[str, str]:
    disposition = f"attachment; filename=\"{part.key}.{kind}\"; filename*=UTF-8''{quote(f'{name}.{kind}', safe='')}"
    return {"content-disposition": disposition, "cache-control": "no-store", "x-content-type-options": "nosniff"}


def _form(portal: Portal, request: Request) -> DaysForm:
    return read_days(request.query_params, portal.today())


async def _count(portal: Portal, visitor: Visitor, form: DaysForm) -> Tally:
    """Count in the export process, or remember. Raises ApiError when it has too much to do."""
    job = TallyJob(visitor.enterprise_id, form.from_ms, form.to_ms, form.department)
    now = portal.context.now()
    if (known := portal.tallies.find(job, now)) is not None:
        return known
    async with aclosing(portal.context.exports.stream(job)) as chunks:
        tally = msgspec.json.decode(b"".join([chunk async for chunk in chunks]), type=Tally)
    portal.tallies.keep(job, tally, now)
    return tally


async def _people(portal: Portal, visitor: Visitor, tally: Tally) -> dict[str, Person]:
    def read(conn: Connection) -> dict[str, Person]:
        return searcher(conn).people(visitor.enterprise_id, numbers_in(tally))

    return await portal.context.read(read)
