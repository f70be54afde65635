"""The first page: the live board and the last calls."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.fmc.webhook import load_endpoint
from kobza.portal.access import Portal, Visitor
from kobza.portal.board import board_html
from kobza.portal.call_rows import days_of_calls, numbers_of
from kobza.portal.frame import common
from kobza.portal.own_phone import own_phone
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store.search import CallSearch, FoundCall, Person, searcher

LAST_CALLS: Final = 30


async def overview(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The live board and the last calls."""
    say = say_in(page_language(request))
    calls, people = await portal.context.read(lambda conn: _last_calls(conn, visitor))
    now_ms = portal.context.now_ms()
    return portal.pages.page(
        request,
        "overview.html",
        **common(visitor),
        board=await board_html(portal, request, visitor),
        now_ms=now_ms,
        days=days_of_calls(calls, people, say, portal.today()),
        next_page=None,
        focus=False,
        own_phone=await own_phone(portal, visitor, say),
        everybody=visitor.only_number is None,
        webhook_off=await _webhook_off(portal, visitor) if visitor.may_control else None,
    )


def _last_calls(conn: Connection, visitor: Visitor) -> tuple[list[FoundCall], dict[str, Person]]:
    search, enterprise_id = searcher(conn), visitor.enterprise_id
    calls = search.page(CallSearch(enterprise_id, party=visitor.only_number), None, LAST_CALLS).calls
    return calls, search.people(enterprise_id, numbers_of(calls))


async def _webhook_off(portal: Portal, visitor: Visitor) -> str | None:
    """Return why call states are not sent any more, which its administrator should know at once; None: they are."""
    found = await load_endpoint(portal.context, visitor.enterprise_id)
    if found is None or found[1].active:
        return None
    return found[1].inactive_reason or ""
