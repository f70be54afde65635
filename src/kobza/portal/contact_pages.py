"""The address book: people searched as one types, one person's page, probable doubles, files."""

from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from kobza.api.context import Connection
from kobza.api.exports.jobs import BookJob
from kobza.api.problems import not_found
from kobza.api.streaming import StreamedResponse
from kobza.portal.access import WATCHERS, Portal, Visitor
from kobza.portal.contacts import Contact, contacts_of, doubles, found, in_order, version_of
from kobza.portal.formats import phone_text, wall_moment
from kobza.portal.frame import common
from kobza.portal.rendering import page_language
from kobza.portal.texts import say_in
from kobza.store import address_book, numbers

PAGE: Final = 50
"""People on a page."""
DOUBLES: Final = 50
"""Groups of doubles on a page."""
MAX_TEXT: Final = 100
KINDS: Final = ("own", "outside")
DONE: Final = ("saved", "removed", "merged", "imported")
"""What a page may be told that was done, by the keys of the texts behind `contacts_`."""
CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "vcf": "text/vcard; charset=utf-8"}


def read_contacts(conn: Connection, enterprise_id: str) -> list[Contact]:
    """Return all people of an address book."""
    own = {subscriber.number for subscriber in numbers.list_for(conn, enterprise_id)}
    return contacts_of(address_book.list_for(conn, enterprise_id), own)


async def load_contacts(portal: Portal, visitor: Visitor) -> list[Contact]:
    """Return all people of the visitor's address book."""
    return await portal.context.read(lambda conn: read_contacts(conn, visitor.enterprise_id))


def departments_of(contacts: list[Contact]) -> list[str]:
    """Return the departments that somebody is in, in order."""
    return sorted({one.department for one in contacts if one.department}, key=in_order)


async def contacts(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The page; for its script, the part that a changed form or the next page changes."""
    sent = request.query_params
    form = {
        "q": sent.get("q", "").strip()[:MAX_TEXT],
        "kind": sent.get("kind", "") if sent.get("kind") in KINDS else "",
        "department": sent.get("department", "").strip()[: 2 * MAX_TEXT],
    }
    skip = sent.get("skip", "")
    begin = int(skip) if skip.isascii() and skip.isdigit() and len(skip) < 7 else 0
    every = await load_contacts(portal, visitor)
    chosen = found(every, form["q"], form["department"], form["kind"])
    query = {name: text for name, text in form.items() if text}
    more = begin + PAGE < len(chosen)
    say = say_in(page_language(request))
    values: dict[str, Any] = {
        "form": form,
        "query": urlencode(query),
        "count": len(chosen),
        "any_contacts": bool(every),
        "shown": chosen[begin : begin + PAGE],
        "next_page": f"/contacts?{urlencode({**query, 'skip': str(begin + PAGE)})}" if more else None,
        "phone": lambda number: phone_text(number, say),
        "focus": begin > 0,
        "may_export": bool(WATCHERS.roles & visitor.roles),
    }
    if "hx-request" in request.headers and "hx-history-restore-request" not in request.headers:
        if begin:
            return portal.pages.page(request, "contacts_rows.html", **values, may_control=visitor.may_control)
        answer = portal.pages.page(request, "contacts_found.html", **values, may_control=visitor.may_control)
        answer.headers["hx-push-url"] = f"/contacts?{urlencode(query)}" if query else "/contacts"
        return answer
    done = sent.get("done")
    return portal.pages.page(
        request,
        "contacts.html",
        **common(visitor),
        **values,
        departments=departments_of(every),
        doubles=len(doubles(every)),
        done=done if done in DONE else None,
    )


async def new_contact(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The form for somebody who is not in the book yet; `number` may come with the address."""
    form = {"name": "", "department": "", "numbers": request.query_params.get("number", "")[:MAX_TEXT]}
    form |= {"was": "", "seen": ""}
    return await contact_page(portal, request, visitor, form)


async def contact(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The form of one person, who is named by a number. Raises ApiError 404."""
    number = request.query_params.get("number", "")
    one = next((one for one in await load_contacts(portal, visitor) if number in one.numbers), None)
    if one is None:
        raise not_found()
    say = say_in(page_language(request))
    lines = "\n".join(phone_text(each, say) for each in one.numbers)
    form = {
        "name": one.name,
        "department": one.department,
        "numbers": lines,
        "was": number,
        "seen": version_of(one),
    }
    return await contact_page(portal, request, visitor, form, own=bool(one.own))


async def contact_page(
    portal: Portal,
    request: Request,
    visitor: Visitor,
    form: dict[str, str],
    *,
    own: bool = False,
    wrong: str | None = None,
    theirs: Contact | None = None,
    status: int = 200,
) -> Response:
    """Answer with the form of a person, as it is or as it was sent; `theirs` is what somebody else saved meanwhile."""
    say = say_in(page_language(request))
    departments = departments_of(await load_contacts(portal, visitor))
    return portal.pages.page(
        request,
        "contact.html",
        status=status,
        **common(visitor),
        form=form,
        own=own,
        wrong=wrong,
        theirs=theirs,
        phone=lambda number: phone_text(number, say),
        departments=departments,
    )


async def doubles_page(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """Groups of people that are probably one each."""
    say = say_in(page_language(request))
    groups = doubles(await load_contacts(portal, visitor))
    return portal.pages.page(
        request,
        "contacts_doubles.html",
        **common(visitor),
        groups=groups[:DOUBLES],
        count=len(groups),
        phone=lambda number: phone_text(number, say),
        changed=request.query_params.get("changed") == "1",
    )


async def contacts_file(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The whole address book as a file."""
    kind = request.path_params["kind"]
    if kind not in CONTENT_TYPES:
        raise not_found()
    language = page_language(request)
    job = BookJob(visitor.enterprise_id, kind, language)
    name = f"{say_in(language)('contacts')} {wall_moment(portal.context.now_ms()):%Y-%m-%d}.{kind}"
    return StreamedResponse(
        lambda: portal.context.exports.stream(job),
        content_type=CONTENT_TYPES[kind],
        headers={"content-disposition": f"attachment; filename=\"contacts.{kind}\"; filename*=UTF-8''{quote(name)}"},
    )
