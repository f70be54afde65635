"""The operator's page: all enterprises, and entering one."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.problems import not_found
from kobza.portal.access import Form, Portal, Visitor, lead_to
from kobza.portal.frame import common
from kobza.store import audit, enterprises, numbers, sessions, users


@dataclass(frozen=True, slots=True)
class EnterpriseRow:
    """One enterprise."""

    enterprise_id: str
    name: str
    integrator_id: str
    numbers: int
    people: int
    entered: bool


async def enterprises_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """All enterprises of the installation."""
    found = await portal.context.read(enterprises.list_all)
    own = await portal.context.read(numbers.count_by_enterprise)
    people = await portal.context.read(users.count_by_enterprise)
    rows = [
        EnterpriseRow(
            enterprise_id=each.enterprise_id,
            name=each.name,
            integrator_id=each.integrator_id,
            numbers=own.get(each.enterprise_id, 0),
            people=people.get(each.enterprise_id, 0),
            entered=visitor.at is not None and visitor.at.enterprise_id == each.enterprise_id,
        )
        for each in found
    ]
    return portal.pages.page(request, "enterprises.html", **common(visitor), rows=rows)


async def enter(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Go on as the administrator of an enterprise. Raises ApiError 404 when there is none such."""
    enterprise_id = form.get("enterprise_id", "")
    now_ms = portal.context.now_ms()

    def enter_it(conn: Connection) -> bool:
        found = enterprises.find(conn, enterprise_id)
        if found is None:
            return False
        sessions.enter(conn, visitor.session.session_id, enterprise_id)
        audit.note(conn, visitor.by, "enterprise.entered", enterprise_id, enterprise_id, now_ms, label=found.name)
        return True

    if not await portal.context.write(enter_it):
        raise not_found()
    return lead_to(request, "/")


async def leave(portal: Portal, request: Request, visitor: Visitor, _form: Form) -> Response:
    """Go back to all enterprises."""
    await portal.context.write(lambda conn: sessions.enter(conn, visitor.session.session_id, None))
    return lead_to(request, "/enterprises")
