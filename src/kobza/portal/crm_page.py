"""The page of the integration: what a CRM needs to reach Kobza, and where Kobza reaches the CRM."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.fmc.webhook import load_endpoint
from kobza.api.ports import WebhookOutcome
from kobza.api.samples import TOKEN, Sample, curl
from kobza.api.times import wall_text
from kobza.portal.access import Portal, Visitor
from kobza.portal.deliveries import looked, rows_of
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.portal.views import token_row
from kobza.store import tokens
from kobza.store.delivery_search import DeliverySearch
from kobza.store.tokens import USUAL_SCOPES, Scope

LAST_DELIVERIES: Final = 5
EXPIRIES: Final[dict[str, int | None]] = {"": None, "30": 30, "90": 90, "365": 365}
"""Days for which a new token may be valid, by the values of the form."""


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
    tried: WebhookOutcome | None = None,
    form: dict[str, Any] | None = None,
    token_form: dict[str, Any] | None = None,
    status: int = 200,
) -> Response:
    """Answer with the page of the integration; `form` and `token_form` are what was sent, when it was wrong.

    `new_token` has the name and the secret of a token that was just made: this is the only time that it is shown.
    `tried` is what the remote system answered to a test.
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
    own = visitor.enterprise_id
    sent = await portal.context.read(lambda conn: looked(conn, own, DeliverySearch(), None, LAST_DELIVERIES))
    await portal.context.gate.uses.flush()
    known = await portal.context.read(lambda conn: tokens.list_for(conn, own))
    rows = [token_row(token, portal.context.now_ms()) for token in reversed(known)]
    api_address = f"{request.base_url.scheme}://{request.base_url.netloc}/api/fmc"
    secret = TOKEN if new_token is None else str(new_token["secret"])
    return portal.pages.page(
        request,
        "crm.html",
        status=status,
        **common(visitor),
        saved=saved,
        error=error,
        new_token=new_token,
        tried=tried,
        tokens=[row for row in rows if row.valid],
        ended=[row for row in rows if not row.valid],
        scopes=[scope.value for scope in Scope],
        overlaps=offered_overlaps(portal),
        overlap=portal.context.token_overlap,
        expiries=EXPIRIES,
        token_form=token_form or {"name": "", "addresses": "", "scopes": list(USUAL_SCOPES), "expires": ""},
        token_form_open=token_form is not None or not any(row.valid for row in rows),
        api_address=api_address,
        integrator_id=visitor.enterprise.integrator_id,
        samples=_samples(api_address, visitor.enterprise.integrator_id, secret, portal.today().isoformat()),
        endpoint=endpoint,
        form=form or {"url": "", "extended": False},
        deliveries=rows_of(sent, portal.today(), say_in(page_language(request))),
    )


def _samples(address: str, integrator_id: str, token: str, today: str) -> Sequence[tuple[str, str]]:
    """Return what a CRM asks first, as commands for a shell, each with the key of its name."""
    own = {"integrator_id": integrator_id}
    call = {"originator": "0671234567", "destination": "0501112233"}
    asked: tuple[tuple[str, str, str, dict[str, str], dict[str, str] | None], ...] = (
        ("sample_history", "GET", "callhistory", {"from": f"{today}T00:00:00"}, None),
        ("sample_call", "POST", "originate", {}, call),
        ("sample_phones", "GET", "phonestatus", {}, None),
        ("sample_events", "GET", "events", {}, None),
    )
    return [
        (key, curl(Sample(key, method, f"{address}/v1/{path}", {**own, **query}, token, body)))
        for key, method, path, query, body in asked
    ]
