"""The page of the ringing groups: who rings for a number or a short code, and where calls go then."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.problems import not_found
from kobza.api.query import number_of
from kobza.call.errors import NumberError
from kobza.call.forwarding_form import target_of
from kobza.call.group import DEFAULT_SECONDS, MAX_MEMBERS, MAX_SECONDS, MIN_SECONDS, RingingGroup, Strategy
from kobza.call.numbers import national, normalize
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import phone_text
from kobza.portal.frame import common
from kobza.portal.lines import LineFault, clean, numbers_in
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store import NotInStore, NumberTaken, groups, numbers

PATH: Final = "/provisioning/groups"

NEW: Final = {
    **dict.fromkeys(("number", "name", "members", "then"), ""),
    "strategy": Strategy.ALL.value,
    "seconds": str(DEFAULT_SECONDS),
}
"""The form for a new group."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group as the page shows it."""

    number: str
    phone: str
    name: str
    strategy: str
    members: list[str]
    seconds: int
    then: str


async def groups_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """All groups, and a form for a new one, or for one of them."""
    chosen = request.query_params.get("number", "")
    found = None
    if chosen:
        number = number_of(chosen, "number")
        found = await portal.context.read(lambda conn: groups.find(conn, visitor.enterprise_id, number))
    form = None if found is None else _filled(found)
    return await _page(portal, request, visitor, form=form)


def _filled(group: RingingGroup) -> Form:
    return {
        "number": national(group.number),
        "name": group.name,
        "strategy": group.strategy.value,
        "members": ", ".join(national(member) for member in group.members),
        "seconds": str(group.seconds),
        "then": national(group.then or ""),
    }


async def set_group(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Add a group, or change it."""
    own, wrong = visitor.enterprise_id, ""
    now_ms = portal.context.now_ms()
    try:
        group = _read(form, own)
        await portal.context.change(
            visitor.by, "group.set", own, group.number, lambda conn, _: groups.put(conn, group, now_ms=now_ms)
        )
    except _GroupFault as fault:
        wrong = str(fault)
    except NumberTaken:
        wrong = "number_taken"
    except NotInStore:
        wrong = "members"
    if wrong:
        return await _page(portal, request, visitor, form=form, wrong=f"group_wrong_{wrong}")
    await portal.context.commands.settings_changed()
    return RedirectResponse(f"{PATH}?saved=1", 303)


async def remove_group(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Remove a group. Raises 404 for one that is not there."""
    own, number = visitor.enterprise_id, number_of(form.get("number", ""), "number")
    try:
        await portal.context.change(
            visitor.by, "group.removed", own, number, lambda conn, _: groups.remove(conn, own, number)
        )
    except NotInStore:
        raise not_found() from None
    await portal.context.commands.settings_changed()
    return RedirectResponse(f"{PATH}?saved=1", 303)


class _GroupFault(Exception):
    """A field that cannot be: its name."""


def _read(form: Form, enterprise_id: str) -> RingingGroup:
    """Return the group that a form describes. Raises _GroupFault."""
    try:
        number = normalize(form.get("number", "").strip())
    except NumberError:
        raise _GroupFault("number") from None
    try:
        members = tuple(dict.fromkeys(numbers_in(form.get("members", "").replace(",", ";"))))
    except LineFault:
        raise _GroupFault("members") from None
    if not 1 <= len(members) <= MAX_MEMBERS:
        raise _GroupFault("members")
    seconds = form.get("seconds", "").strip()
    if not (seconds.isascii() and seconds.isdecimal() and MIN_SECONDS <= int(seconds[:9]) <= MAX_SECONDS):
        raise _GroupFault("seconds")
    then = form.get("then", "").strip()
    try:
        following = target_of(number, then, "then") if then else None
        name = clean(form.get("name", ""))
        strategy = Strategy(form.get("strategy", ""))
    except NumberError:
        raise _GroupFault("then") from None
    except (LineFault, ValueError):
        raise _GroupFault("name") from None
    return RingingGroup(number, enterprise_id, name, strategy, members, int(seconds), following)


async def _page(
    portal: Portal, request: Request, visitor: Visitor, *, form: Form | None = None, wrong: str | None = None
) -> Response:
    say = say_in(page_language(request))
    found = await portal.context.read(lambda conn: groups.load(conn, visitor.enterprise_id))
    every = await portal.context.read(lambda conn: numbers.list_for(conn, visitor.enterprise_id))
    people = {one.number: one.name for one in every}
    rows = [
        GroupRow(
            national(group.number),
            phone_text(group.number, say),
            group.name,
            group.strategy.value,
            [people.get(member) or phone_text(member, say) for member in group.members],
            group.seconds,
            phone_text(group.then, say) if group.then else "",
        )
        for group in found
    ]
    return portal.pages.page(
        request,
        "groups.html",
        status=200 if wrong is None else 400,
        **common(visitor),
        rows=rows,
        form=NEW if form is None else {name: form.get(name, "") for name in NEW},
        editing=form is not None,
        wrong=wrong,
        strategies=[each.value for each in Strategy],
        saved=request.query_params.get("saved") == "1",
        least=MIN_SECONDS,
        most=MAX_SECONDS,
        most_members=MAX_MEMBERS,
    )
