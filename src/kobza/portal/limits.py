"""What may be spent on calls outside, and what is: of a number, or of a company as a whole.

An operator sets anything. Administrators make the limits of their numbers narrower than what holds without them, and
see those of the whole: a password of theirs that was guessed must not open what the limits are there to keep shut.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.query import number_of
from kobza.call.numbers import national
from kobza.call.outside import COUNTED, MAX_PREFIXES, MOST, OutsideLimits, prefix_of, too_wide
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import phone_text
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store import outside
from kobza.store.users import Role

PATH: Final = "/provisioning/limits"
PREFIXES: Final = ("denied", "allowed")
FIELDS: Final = (*COUNTED, *PREFIXES)


async def limits_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """Limits of a number, or of the company. Raises 404 for a number of nobody or others."""
    return await _page(portal, request, visitor, _named(request.query_params.get("number", "")))


async def set_limits(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Set them."""
    number, own = _named(form.get("number", "")), visitor.enterprise_id
    before = await _own(portal, visitor, number)
    given: dict[str, Any] = {}
    for name in FIELDS:
        try:
            given[name] = _read(name, form.get(name, "").strip())
        except ValueError:
            return await _page(portal, request, visitor, number, form=form, wrong=name)
    limits = OutsideLimits(**given)
    if Role.OPERATOR not in visitor.roles:
        wide = (
            "number"
            if not number
            else too_wide(limits, before, portal.context.commands.outside_allowance(own, number).usual)
        )
        if wide is not None:
            return await _page(portal, request, visitor, number, form=form, wrong=wide, wide=True)
    await portal.context.change(
        visitor.by, "limits.set", own, number or own, lambda conn, _: outside.put(conn, own, number, limits)
    )
    await portal.context.commands.settings_changed()
    query = f"number={national(number).replace('+', '%2B')}&" if number else ""
    return RedirectResponse(f"{PATH}?{query}saved=1", 303)


async def _page(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    number: str,
    *,
    form: Form | None = None,
    wrong: str | None = None,
    wide: bool = False,
) -> Response:
    """Answer with what is spent and the form; `wrong` is the field that cannot be, or is too `wide` for who asks."""
    say, own = say_in(page_language(request)), visitor.enterprise_id
    subscriber = await portal.context.subscriber(own, number) if number else None
    limits = await _own(portal, visitor, number)
    said = await portal.context.read(lambda conn: outside.of_enterprise(conn, own))
    values = {name: "" if (value := getattr(limits, name)) is None else str(value) for name in COUNTED}
    values |= {name: " ".join(getattr(limits, name)) for name in PREFIXES}
    if form is not None:
        values |= {name: form[name] for name in values if name in form}
    allowance = portal.context.commands.outside_allowance(own, number)
    is_operator = Role.OPERATOR in visitor.roles
    return portal.pages.page(
        request,
        "limits.html",
        status=200 if wrong is None else 400,
        **common(visitor),
        whole=subscriber is None,
        name="" if subscriber is None else subscriber.name or phone_text(number, say),
        phone=phone_text(number, say) if number else "",
        number=national(number) if number else "",
        spent=[(name, getattr(allowance.spent, name), getattr(allowance.limits, name) or 0) for name in COUNTED],
        values=values,
        usual={name: getattr(allowance.usual, name) or "∞" for name in COUNTED},
        denied=allowance.limits.denied,
        counted=COUNTED,
        may_change=is_operator or subscriber is not None,
        is_operator=is_operator,
        saved=request.query_params.get("saved") == "1",
        wrong=wrong,
        wide=wide,
        most=MOST,
        most_prefixes=MAX_PREFIXES,
        others=[(national(each), phone_text(each, say)) for each in said if each],
    )


async def _own(portal: Portal, visitor: Visitor, number: str) -> OutsideLimits:
    """Return what was said for a number or the company. Raises ApiError 404 for a number of nobody or others."""
    if number:
        await portal.context.subscriber(visitor.enterprise_id, number)
    return await portal.context.read(lambda conn: outside.find(conn, visitor.enterprise_id, number))


def _named(text: str) -> str:
    return number_of(text, "number") if text.strip() else ""


def _read(name: str, text: str) -> int | tuple[str, ...] | None:
    """Read a field: a count or nothing, or prefixes. Raises ValueError for what is neither."""
    if name in PREFIXES:
        prefixes = tuple(dict.fromkeys(prefix_of(each) for each in text.replace(",", " ").split()))
        if len(prefixes) > MAX_PREFIXES:
            raise ValueError(f"{len(prefixes)} prefixes")
        return prefixes
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and int(text) <= MOST):
        raise ValueError(text)
    return int(text)
