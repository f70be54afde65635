"""Where the calls of a number go, and how many it takes: of any for administrators, of one's own for who has one."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.problems import not_found
from kobza.api.query import number_of
from kobza.call.directory import MOST_CALLS
from kobza.call.errors import NumberError
from kobza.call.forwarding import MAX_SECONDS, MIN_SECONDS, NO_ANSWER_SECONDS, Occasion
from kobza.call.forwarding_form import forwarding_of
from kobza.call.numbers import national
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import phone_text
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store import numbers, presentation

OWN: Final = "/own/forwarding"
ANY: Final = "/provisioning/forwarding"


async def forwarding_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """Forwarding of a number. Raises 404 for a number of nobody or others."""
    number = number_of(request.query_params.get("number", ""), "number")
    return await number_page(portal, request, visitor, number, ANY)


async def own_forwarding_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """Forwarding of one's own number. Raises 404 for somebody without one."""
    return await number_page(portal, request, visitor, _own(visitor), OWN)


async def set_forwarding(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Set forwarding of a number."""
    return await _set(portal, request, visitor, number_of(form.get("number", ""), "number"), form, ANY)


async def set_own_forwarding(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Set forwarding of one's own number."""
    return await _set(portal, request, visitor, _own(visitor), form, OWN)


async def set_calls(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Set call waiting of a number, and how many calls it may have."""
    number = number_of(form.get("number", ""), "number")
    text = form.get("max_calls", "").strip()
    most = _seconds(text)
    if most is not None and not 1 <= most <= MOST_CALLS:
        return await number_page(portal, request, visitor, number, ANY, wrong="max_calls", form=form)
    return await _set_calls(portal, visitor, number, form, most, ANY)


async def set_own_calls(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Set call waiting of one's own number."""
    number = _own(visitor)
    most = (await portal.context.subscriber(visitor.enterprise_id, number)).max_calls
    return await _set_calls(portal, visitor, number, form, most, OWN)


async def _set_calls(
    portal: Portal, visitor: Visitor, number: str, form: Form, most: int | None, path: str
) -> Response:
    own, waiting = visitor.enterprise_id, "call_waiting" in form
    await portal.context.subscriber(own, number)
    await portal.context.change(
        visitor.by,
        "number.changed",
        own,
        number,
        lambda conn, _: numbers.set_calls(conn, own, number, call_waiting=waiting, max_calls=most),
    )
    await portal.context.commands.settings_changed()
    return RedirectResponse(saved_at(path, number), 303)


def saved_at(path: str, number: str) -> str:
    """Return where the page of a number says that it is saved."""
    query = "" if path == OWN else f"number={national(number).replace('+', '%2B')}&"
    return f"{path}?{query}saved=1"


async def _set(portal: Portal, request: Request, visitor: Visitor, number: str, form: Form, path: str) -> Response:
    await portal.context.subscriber(visitor.enterprise_id, number)
    targets = {each: form.get(each.value, "").strip() for each in Occasion}
    try:
        forwarding = forwarding_of(number, targets, _seconds(form.get("no_answer_after", "").strip()))
    except NumberError as error:
        return await number_page(portal, request, visitor, number, path, form=form, wrong=error.parameter)
    await portal.context.commands.set_forwarding(visitor.enterprise_id, number, forwarding, by=visitor.by)
    return RedirectResponse(saved_at(path, number), 303)


async def number_page(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    number: str,
    path: str,
    *,
    form: Form | None = None,
    wrong: str | None = None,
) -> Response:
    """Answer with the forms; `form` is what was filled in, of which the field `wrong` cannot be."""
    say = say_in(page_language(request))
    subscriber = await portal.context.subscriber(visitor.enterprise_id, number)
    forwarding = subscriber.forwarding
    values = {
        **{each.value: national(forwarding.target(each) or "") for each in Occasion},
        "no_answer_after": str(forwarding.no_answer_after or ""),
    }
    now = portal.context.now()
    values |= {"shown": national(subscriber.presentation_at(now) or ""), "max_calls": str(subscriber.max_calls or "")}
    if form is not None:
        values |= {name: form[name] for name in values if name in form}
    others = await portal.context.read(lambda conn: presentation.list_for(conn, visitor.enterprise_id))
    return portal.pages.page(
        request,
        "forwarding.html",
        status=200 if wrong is None else 400,
        **common(visitor),
        name=subscriber.name or phone_text(number, say),
        phone=phone_text(number, say),
        number=national(number),
        form_path=path,
        values=values,
        wrong=wrong,
        occasions=[each.value for each in Occasion],
        saved=request.query_params.get("saved") == "1",
        call_waiting=subscriber.call_waiting,
        hidden=subscriber.restricted_at(now) if form is None or wrong != "shown" else "hidden" in form,
        presentable=[phone_text(each, say) for each in others],
        most_calls=MOST_CALLS,
        calls_path="/own/calls" if path == OWN else "/provisioning/calls",
        usual=NO_ANSWER_SECONDS,
        least=MIN_SECONDS,
        most=MAX_SECONDS,
    )


def _seconds(text: str) -> int | None:
    """Return what was written, None for nothing; what is no number at all is 0, out of bounds."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0


def _own(visitor: Visitor) -> str:
    """Return the visitor's own number. Raises ApiError 404 for somebody without one."""
    number = visitor.own_number
    if number is None:
        raise not_found()
    return number
