"""The page of people: who may sign in, as what, with which number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.api.problems import not_found
from kobza.api.query import number_of
from kobza.call.numbers import national
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.formats import moment_text, phone_text
from kobza.portal.frame import common
from kobza.portal.passwords import password_hash, temporary_password
from kobza.portal.rendering import page_language
from kobza.portal.texts import Say, say_in
from kobza.store import NameTaken, NotInStore, PersonRefused, numbers, second_factor, users
from kobza.store.users import Role, User

COMPANY_ROLES: Final = (Role.ADMIN, Role.SUPERVISOR, Role.EMPLOYEE)
"""What an administrator may make of the people of an enterprise."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person."""

    login: str
    name: str
    role: str
    number: str
    """As it is written in the form; empty: none."""
    phone: str
    """As people read it."""
    second_factor: bool
    must_change: bool
    signed_in: str
    """When they signed in last; empty: never."""
    own: bool


async def people(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The people of the enterprise; for an operator who is in none, the operators."""
    return await _page(portal, request, visitor, saved=request.query_params.get("saved") == "1")


async def _page(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    *,
    saved: bool = False,
    error: str | None = None,
    new: dict[str, str] | None = None,
    form: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """Answer with the page. `new` has login and temporary password of somebody: the only time that it is shown."""
    say = say_in(page_language(request))
    enterprise_id = _enterprise_of(visitor)
    found = await portal.context.read(lambda conn: users.list_for(conn, enterprise_id))
    own = []
    if enterprise_id is not None:
        own = await portal.context.read(lambda conn: numbers.list_for(conn, enterprise_id))
    offered = [(national(each.number), " · ".join(_said(each.name, phone_text(each.number, say)))) for each in own]
    return portal.pages.page(
        request,
        "people.html",
        status=status,
        **common(visitor),
        saved=saved,
        error=error,
        new=new,
        people=[_row(each, visitor, say) for each in found],
        roles=[role.value for role in _roles(visitor)],
        numbers=offered,
        form=form or {"login": "", "name": "", "role": "", "number": ""},
        form_open=form is not None or len(found) == 1,
    )


def _said(*words: str) -> list[str]:
    return [word for word in words if word]


def _enterprise_of(visitor: Visitor) -> str | None:
    return None if visitor.at is None else visitor.at.enterprise_id


def _roles(visitor: Visitor) -> tuple[Role, ...]:
    return (Role.OPERATOR,) if visitor.at is None else COMPANY_ROLES


def _row(user: User, visitor: Visitor, say: Say) -> PersonRow:
    return PersonRow(
        login=user.login,
        name=user.name,
        role=user.role.value,
        number="" if user.number is None else national(user.number),
        phone="" if user.number is None else phone_text(user.number, say),
        second_factor=user.totp_sealed is not None,
        must_change=user.must_change,
        signed_in="" if user.signed_in_at is None else moment_text(user.signed_in_at, say),
        own=user.user_id == visitor.user.user_id,
    )


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a form says of a person."""

    role: Role
    name: str
    number: str | None


def _sent(visitor: Visitor, form: Form) -> _Sent:
    """Read a form. Raises PersonRefused for a role that was not offered; a number is checked by the store."""
    roles = {role.value: role for role in _roles(visitor)}
    role = roles.get(form.get("role", ""))
    if role is None:
        raise PersonRefused("role", "no such role is offered")
    written = form.get("number", "").strip()
    return _Sent(role, form.get("name", "").strip(), number_of(written, "number") if written else None)


async def add_person(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Add somebody, with a password that is shown once and has to be changed at the first sign-in."""
    say = say_in(page_language(request))
    login, now_ms = form.get("login", "").strip(), portal.context.now_ms()
    password, hashed = await _new_password(portal)
    try:
        sent = _sent(visitor, form)
        await portal.context.change(
            visitor.by,
            "person.added",
            _enterprise_of(visitor),
            login,
            lambda conn, _: users.add(
                conn,
                login,
                hashed,
                sent.role,
                _enterprise_of(visitor),
                now_ms,
                name=sent.name,
                number=sent.number,
                must_change=True,
            ),
        )
    except (PersonRefused, NameTaken) as refused:
        kept = {name: form.get(name, "") for name in ("login", "name", "role", "number")}
        words = _refusal(refused, say)
        return await _page(portal, request, visitor, error=words, form=kept, status=400)
    return await _page(portal, request, visitor, new={"login": login, "password": password})


async def change_person(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Give somebody another role, name or number."""

    def change(conn: Connection) -> User:
        sent = _sent(visitor, form)
        login = form.get("login", "")
        return users.change(conn, _enterprise_of(visitor), login, role=sent.role, name=sent.name, number=sent.number)

    return await _changed(portal, request, visitor, "person.changed", form, change)


async def reset_person(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Give somebody who has lost their password, or their authenticator, a temporary password."""
    login = form.get("login", "")
    password, hashed = await _new_password(portal)

    def change(conn: Connection) -> User:
        user = users.get(conn, _enterprise_of(visitor), login)
        if user.user_id == visitor.user.user_id:
            raise PersonRefused("self", "one's own password is changed on the page of the account")
        users.set_password(conn, login, hashed, must_change=True)
        users.set_account(conn, user.user_id, None)
        if form.get("factor") == "off":
            second_factor.clear(conn, user.user_id)
        return user

    return await _changed(
        portal, request, visitor, "person.reset", form, change, new={"login": login, "password": password}
    )


async def remove_person(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Take somebody's login away, with all their sessions."""
    login = form.get("login", "")

    def change(conn: Connection) -> User:
        if login == visitor.login:
            raise PersonRefused("self", "nobody removes themselves")
        return users.remove(conn, _enterprise_of(visitor), login)

    return await _changed(portal, request, visitor, "person.removed", form, change)


async def _changed(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    action: str,
    form: Form,
    change: Callable[[Connection], User],
    *,
    new: dict[str, str] | None = None,
) -> Response:
    """Change somebody who is on the page. Raises ApiError 404 for somebody of another enterprise."""
    try:
        await portal.context.change(
            visitor.by, action, _enterprise_of(visitor), form.get("login", ""), lambda conn, _: change(conn)
        )
    except NotInStore:
        raise not_found() from None
    except PersonRefused as refused:
        words = _refusal(refused, say_in(page_language(request)))
        return await _page(portal, request, visitor, error=words, status=400)
    if new is not None:
        return await _page(portal, request, visitor, new=new)
    return RedirectResponse("/people?saved=1", 303)


async def _new_password(portal: Portal) -> tuple[str, str]:
    password = temporary_password()
    async with portal.hashing:
        return password, await anyio.to_thread.run_sync(password_hash, password)


def _refusal(error: PersonRefused | NameTaken, say: Say) -> str:
    return say("person_refused_taken" if isinstance(error, NameTaken) else f"person_refused_{error.reason}")
