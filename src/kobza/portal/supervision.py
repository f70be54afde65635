"""Supervision in the portal: hearing live calls by one's own phone, and whether people are told of it."""

from typing import Final, cast

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.api.ports import SuperviseMode
from kobza.api.problems import ApiError, not_found
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store import audit, enterprises

MODES: Final = ("listen", "whisper", "join")
POLICIES: Final = ("announced", "silent")


async def supervise(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Ring the visitor's own phones, and let them hear a live call; once more in another way changes it."""
    mode = form.get("mode", "")
    if mode not in MODES:
        raise ApiError("invalid_parameter", f"mode is {', '.join(MODES)}.", parameter="mode")
    leg, commands = form.get("call_control_id", ""), portal.context.commands
    if not any(each.call_control_id == leg for each in commands.live_calls(visitor.enterprise_id)):
        raise not_found()
    number = visitor.own_number
    if number is None:
        say = say_in(page_language(request))
        raise ApiError("wrong_state", say("supervise_no_number"))
    await commands.supervise(visitor.enterprise_id, leg, number, cast("SuperviseMode", mode), by=visitor.by)
    if "hx-request" in request.headers:  # the board shows it by itself
        return Response(status_code=204)
    return RedirectResponse("/", 303)


async def set_policy(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Choose whether people hear a tone while a supervisor hears them."""
    policy = form.get("supervision", "")
    if policy not in POLICIES:
        raise ApiError("invalid_parameter", f"supervision is {' or '.join(POLICIES)}.", parameter="supervision")
    enterprise_id, now_ms = visitor.enterprise_id, int(portal.context.now() * 1000)

    def write(conn: Connection) -> None:
        with audit.noted(conn, visitor.by, "enterprise.changed", enterprise_id, enterprise_id, now_ms):
            enterprises.set_supervision(conn, enterprise_id, announced=policy == "announced")

    await portal.context.write(write)
    return RedirectResponse("/provisioning?saved=1#supervision", 303)
