"""One's own number: Do Not Disturb, and dialling from it. For everybody to whom a number is given."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.problems import not_found
from kobza.api.query import number_of
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import phone_text
from kobza.portal.texts import Say
from kobza.store import numbers


@dataclass(frozen=True, slots=True)
class OwnPhone:
    """The number of a visitor."""

    phone: str
    status: str
    dnd: bool
    forwarded: bool
    """Whether its calls go elsewhere on some occasion."""


async def own_phone(portal: Portal, visitor: Visitor, say: Say) -> OwnPhone | None:
    """Return a visitor's own number, None for somebody without one."""
    number = visitor.user.number
    if number is None:
        return None
    subscriber = await portal.context.read(lambda conn: numbers.find(conn, visitor.enterprise_id, number))
    if subscriber is None:
        return None
    phones = portal.context.commands.phone_status(visitor.enterprise_id, (number,))
    return OwnPhone(
        phone=phone_text(number, say),
        status=phones[0].status if phones else "unavailable",
        dnd=subscriber.dnd_at(portal.context.now()),
        forwarded=subscriber.forwarding.is_on,
    )


async def dial(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Ring one's own phone, then the number. Raises KobzaError: no phone is registered, one is in a call."""
    destination = number_of(form.get("destination", ""), "destination")
    await portal.context.commands.originate(visitor.enterprise_id, _own(visitor), destination)
    if "hx-request" in request.headers:
        return Response(status_code=204)
    return RedirectResponse("/", 303)


async def switch_own_dnd(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Switch Do Not Disturb of one's own number, until it is switched again."""
    number = _own(visitor)
    await portal.context.subscriber(visitor.enterprise_id, number)
    await portal.context.commands.set_dnd(visitor.enterprise_id, number, form.get("dnd") == "on", None, by=visitor.by)
    return RedirectResponse("/", 303)


def _own(visitor: Visitor) -> str:
    """Return the visitor's own number. Raises ApiError 404 for somebody without one."""
    number = visitor.own_number
    if number is None:
        raise not_found()
    return number
