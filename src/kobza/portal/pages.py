"""The pages that show: overview, recordings, integration, extended services."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.fmc.deliveries import with_attempts
from kobza.api.fmc.webhook import load_endpoint
from kobza.api.times import wall_text
from kobza.portal.access import Portal, Visitor
from kobza.portal.board import board_html
from kobza.portal.call_rows import days_of_calls, numbers_of
from kobza.portal.formats import wall_moment
from kobza.portal.frame import common
from kobza.portal.own_phone import own_phone
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.portal.views import delivery_view, token_row
from kobza.store import tokens
from kobza.store.search import CallSearch, FoundCall, Person, searcher
from kobza.store.tokens import Scope

LAST_CALLS: Final = 30
LAST_DELIVERIES: Final = 20
EXPIRIES: Final[dict[str, int | None]] = {"": None, "30": 30, "90": 90, "365": 365}
"""Days for which a new token may be valid, by the values of the form."""
_DAY_MS: Final = 86_400_000


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
        days=days_of_calls(calls, people, say, wall_moment(now_ms).date()),
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


def offered_overlaps(portal: Portal) -> list[int]:
    """Return the seconds for which an old token may go on after it was replaced: the usual ones and the setting."""
    return sorted({0, 3600, 86_400, 604_800, portal.context.token_overlap})


async def crm_integration(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """Integrator id, token, remote system, deliveries."""
    return await crm_page(portal, request, visitor, saved=request.query_params.get("saved") == "1")


async def crm_page(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    *,
    saved: bool = False,
    error: str | None = None,
    new_token: dict[str, Any] | None = None,
    form: dict[str, Any] | None = None,
    token_form: dict[str, Any] | None = None,
    status: int = 200,
) -> Response:
    """Answer with the page of the integration; `form` and `token_form` are what was sent, when it was wrong.

    `new_token` has the name and the secret of a token that was just made: this is the only time that it is shown.
    """
    found = await load_endpoint(portal.context, visitor.enterprise_id)
    endpoint = None
    if found is not None:
        settings, state = found
        endpoint = {
            "active": state.active,
            "reason": state.inactive_reason,
            "since": wall_text(state.changed_at),
            "failing_since": None if state.failing_since is None else wall_text(state.failing_since),
            "signed": settings.secret is not None,
        }
        form = form or {"url": settings.url, "extended": settings.extended}
    sent = await portal.context.read(lambda conn: with_attempts(conn, visitor.enterprise_id, limit=LAST_DELIVERIES))
    await portal.context.gate.uses.flush()
    known = await portal.context.read(lambda conn: tokens.list_for(conn, visitor.enterprise_id))
    rows = [token_row(token, portal.context.now_ms()) for token in reversed(known)]
    base = request.base_url
    return portal.pages.page(
        request,
        "crm.html",
        status=status,
        **common(visitor),
        saved=saved,
        error=error,
        new_token=new_token,
        tokens=[row for row in rows if row.valid],
        ended=[row for row in rows if not row.valid],
        scopes=[scope.value for scope in Scope],
        overlaps=offered_overlaps(portal),
        overlap=portal.context.token_overlap,
        expiries=EXPIRIES,
        token_form=token_form or {"name": "", "addresses": "", "scopes": list(Scope), "expires": ""},
        token_form_open=token_form is not None or not any(row.valid for row in rows),
        api_address=f"{base.scheme}://{base.netloc}/api/fmc",
        integrator_id=visitor.enterprise.integrator_id,
        endpoint=endpoint,
        form=form or {"url": "", "extended": False},
        deliveries=[delivery_view(*each) for each in sent],
    )
