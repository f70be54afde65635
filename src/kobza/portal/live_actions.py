"""What the buttons of the live board do: the same commands as those of the API."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.ports import ControlAction
from kobza.api.problems import ApiError, not_found
from kobza.api.query import number_of
from kobza.portal.access import Form, Portal, Visitor

RECORDING: Final[dict[str, ControlAction]] = {
    "start": "record_start",
    "pause": "record_pause",
    "resume": "record_resume",
    "stop": "record_stop",
}
"""What the buttons of a recording say, by the command of the API."""


async def hang_up(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """End a live call."""
    return await _control(portal, request, visitor, form, "clear")


async def hold(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Put the other side on hold."""
    return await _control(portal, request, visitor, form, "hold")


async def resume(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Take the other side from hold."""
    return await _control(portal, request, visitor, form, "unhold")


async def transfer(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Hand the other side over to a number."""
    destination = number_of(form.get("destination", ""), "destination")
    return await _control(portal, request, visitor, form, "transfer", destination)


async def record(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Begin a recording, let it pause, go on, or end it."""
    action = RECORDING.get(form.get("record", ""))
    if action is None:
        raise ApiError("invalid_parameter", "record is start, pause, resume or stop.", parameter="record")
    return await _control(portal, request, visitor, form, action)


async def _control(
    portal: Portal, request: Request, visitor: Visitor, form: Form, action: ControlAction, destination: str = ""
) -> Response:
    leg = form.get("call_control_id", "")
    if not visitor.may_control:
        live = portal.context.commands.live_calls(visitor.enterprise_id)
        if not any(each.call_control_id == leg and visitor.may_act_on(each.number) for each in live):
            raise not_found()
    await portal.context.commands.control(visitor.enterprise_id, leg, action, destination=destination)
    if "hx-request" in request.headers:  # the board shows it by itself
        return Response(status_code=204)
    return RedirectResponse("/", 303)
