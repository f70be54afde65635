"""What those see whom a number calls: the number itself, another one of the enterprise, or none."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.query import number_of
from kobza.call.errors import NumberError
from kobza.call.numbers import normalize
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.forwarding import ANY, number_page, saved_at
from kobza.store import presentation


async def set_clip(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Set what is seen of a number, until it is set again. An empty field is the number itself."""
    number, own = number_of(form.get("number", ""), "number"), visitor.enterprise_id
    await portal.context.subscriber(own, number)
    text = form.get("shown", "").strip()
    try:
        shown = normalize(text) if text else number
    except NumberError:
        return await number_page(portal, request, visitor, number, ANY, form=form, wrong="shown")
    if not await portal.context.read(lambda conn: presentation.may_present(conn, own, shown)):
        return await number_page(portal, request, visitor, number, ANY, form=form, wrong="shown")
    other = None if shown == number else shown
    await portal.context.commands.set_clip(own, number, other, "hidden" in form, None, by=visitor.by)
    return RedirectResponse(saved_at(ANY, number), 303)
