"""What the forms for FMC tokens do: make, replace, revoke. Who did it is in the log; the token itself never is."""

import logging
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.api.problems import ApiError, not_found
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.crm_page import EXPIRIES, crm_page, offered_overlaps
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store import NotInStore, TokenRefused, tokens
from kobza.store.audit import Noting
from kobza.store.tokens import NewToken, Scope

log = logging.getLogger(__name__)

_DAY_MS: Final = 86_400_000
_SEPARATORS: Final = re.compile(r"[\s,;]+")

Result = TypeVar("Result")


async def add_token(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Make a token and show it, this once."""
    say = say_in(page_language(request))
    scopes = [scope for scope in Scope if form.get(f"scope_{scope}") == "on"]
    sent = {
        "name": form.get("name", "").strip(),
        "addresses": form.get("addresses", ""),
        "scopes": scopes,
        "expires": form.get("expires", ""),
    }

    async def wrong(sentence: str) -> Response:
        return await crm_page(portal, request, visitor, error=sentence, token_form=sent, status=400)

    words = [word for word in _SEPARATORS.split(form.get("addresses", "")) if word]
    try:
        networks = tokens.parse_networks(words)
    except ValueError:
        return await wrong(f"{say('token_addresses_wrong')} {say('token_addresses_hint')}")
    if sent["expires"] not in EXPIRIES:
        raise ApiError("invalid_parameter", "The end is none of those offered.", parameter="expires")
    days = EXPIRIES[form.get("expires", "")]
    now_ms = portal.context.now_ms()

    def add(conn: Connection, noting: Noting) -> NewToken:
        made = tokens.add(
            conn,
            visitor.enterprise_id,
            now_ms,
            name=form.get("name", "").strip(),
            scopes=scopes,
            networks=networks,
            expires_at=None if days is None else now_ms + days * _DAY_MS,
        )
        noting.key = made.token.token_id
        return made

    try:
        made = await portal.context.change(visitor.by, "token.added", visitor.enterprise_id, "", add)
    except TokenRefused as refused:
        return await wrong(say(f"token_refused_{refused.reason}"))
    return await _show(portal, request, visitor, made, "made")


async def rotate_token(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Put a new token in the place of one, and show it, this once."""
    overlap = int(form["overlap"]) if form.get("overlap", "").isdecimal() else -1
    if overlap not in offered_overlaps(portal):
        raise ApiError("invalid_parameter", "The time for the old token is none of those offered.", parameter="overlap")
    now_ms, token_id = portal.context.now_ms(), form.get("token_id", "")
    made = await _change(
        portal,
        request,
        visitor,
        "token.rotated",
        token_id,
        lambda conn: tokens.rotate(conn, visitor.enterprise_id, token_id, now_ms, overlap * 1000),
    )
    return await _show(portal, request, visitor, made, f"put in the place of {token_id}")


async def revoke_token(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """End a token at once."""
    now_ms, token_id = portal.context.now_ms(), form.get("token_id", "")
    await _change(
        portal,
        request,
        visitor,
        "token.revoked",
        token_id,
        lambda conn: tokens.revoke(conn, visitor.enterprise_id, token_id, now_ms),
    )
    portal.context.gate.tokens.changed()
    log.info("the token %s was revoked by %s", token_id, visitor.login)
    return RedirectResponse("/crm-integration?saved=1", 303)


async def _change(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    action: str,
    token_id: str,
    change: Callable[[Connection], Result],
) -> Result:
    """Change a token that the page showed. Raises ApiError: one of others does not exist, one may have ended since."""
    try:
        own = visitor.enterprise_id
        return await portal.context.change(visitor.by, action, own, token_id, lambda conn, _: change(conn))
    except NotInStore:
        raise not_found() from None
    except TokenRefused as refused:
        say = say_in(page_language(request))
        raise ApiError("wrong_state", say(f"token_refused_{refused.reason}")) from None


async def _show(portal: Portal, request: Request, visitor: Visitor, made: NewToken, done: str) -> Response:
    portal.context.gate.tokens.changed()
    log.info("the token %s was %s by %s", made.token.token_id, done, visitor.login)
    shown: dict[str, Any] = {"secret": made.secret, "name": made.token.name}
    return await crm_page(portal, request, visitor, new_token=shown)
