"""Sending once more what was, or was not, taken."""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.api.fmc.deliveries import cursor_of
from kobza.portal.access import Form, Portal, Visitor, error_page
from kobza.portal.deliveries import LOG, DeliveriesForm, log_page, read_form
from kobza.portal.kyiv_days import day_of, first_ms
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store import endpoints, replays
from kobza.store.replays import MOST_CHOSEN, Recovered

MAX_QUERY: Final = 1000


async def replay_chosen(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Send chosen deliveries once more. They are the fields `d:CURSOR`."""
    chosen = [cursor for name in form if name.startswith("d:") and (cursor := cursor_of(name[2:])) is not None]
    if not chosen or len(chosen) > MOST_CHOSEN:
        say = say_in(page_language(request))
        return await log_page(
            portal, request, visitor, _search(form), wrong=say("deliveries_choose", most=MOST_CHOSEN), status=400
        )
    count = await _owe(portal, visitor, lambda conn: replays.replay_chosen(conn, visitor.enterprise_id, chosen))
    return RedirectResponse(f"{LOG}?{_search(form).query(again=str(count))}", 303)


async def replay_one(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Send a delivery once more."""
    cursor = cursor_of(form.get("cursor", ""))
    chosen = [] if cursor is None else [cursor]
    if not await _owe(portal, visitor, lambda conn: replays.replay_chosen(conn, visitor.enterprise_id, chosen)):
        return error_page(portal, request, 404, say_in(page_language(request))("delivery_unknown"))
    return RedirectResponse(f"{LOG}/{cursor}", 303)


async def recover(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Send all that was not taken since the beginning of a day, or that nobody was there to be sent."""
    say, own = say_in(page_language(request)), visitor.enterprise_id
    day = day_of(form.get("since", "").strip())
    if day is None:
        return await log_page(portal, request, visitor, _search(form), wrong=say("wrong_day"), status=400)

    def again(conn: Connection) -> int:
        endpoint = endpoints.get(conn, own)
        if endpoint is None:
            return -1
        owed: Recovered = replays.recover(conn, own, first_ms(day), extended=endpoint.extended)
        return owed.failed + owed.missed

    count = await _owe(portal, visitor, again)
    if count < 0:
        return await log_page(portal, request, visitor, _search(form), wrong=say("webhook_none"), status=409)
    return RedirectResponse(f"{LOG}?{_search(form).query(again=str(count))}", 303)


async def _owe(portal: Portal, visitor: Visitor, again: Callable[[Connection], int]) -> int:
    """Owe something once more, and have it sent at once; return how many that are. Raises ApiError 503."""
    webhooks = portal.context.needed_webhooks()
    count = await portal.context.write(again)
    webhooks.recheck(visitor.enterprise_id)
    return count


def _search(form: Form) -> DeliveriesForm:
    """Return what the log was searched for when something was chosen in it."""
    return read_form(dict(parse_qsl(form.get("query", "")[:MAX_QUERY])))
