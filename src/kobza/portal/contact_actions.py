"""What the forms of the address book do: save, remove, merge."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.api.problems import not_found
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.contact_pages import contact_page, load_contacts, read_contacts
from kobza.portal.contacts import Contact
from kobza.portal.formats import phone_text
from kobza.portal.lines import LineFault, clean, numbers_in
from kobza.portal.rendering import page_language
from kobza.portal.texts import Say, say_in
from kobza.store import address_book, audit
from kobza.store.address_book import BookChanged, BookFull, Change, Entry


class _Wrong(Exception):
    """What is wrong with a form, in words."""


async def apply_changes(portal: Portal, visitor: Visitor, changes: list[Change]) -> None:
    """Change the address book, and show the new names at once. Raises BookChanged or BookFull."""
    own, now_ms = visitor.enterprise_id, portal.context.now_ms()
    counts = {
        "added": sum(change.before is None for change in changes),
        "changed": sum(change.before is not None and change.after is not None for change in changes),
        "removed": sum(change.after is None for change in changes),
    }

    def apply(conn: Connection) -> None:
        address_book.apply(conn, own, changes)
        # Counts alone: who is in the book may be erased on request, and nothing is from the audit.
        audit.note(conn, visitor.by, "contact.changed", own, "", now_ms, after=counts)

    await portal.context.write(apply)
    await portal.context.commands.settings_changed()
    portal.context.event_streams.wake(visitor.enterprise_id)


async def save_contact(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Save the form of a person, or show it again with what is wrong. Raises ApiError 404 for nobody."""
    say = say_in(page_language(request))
    was = form.get("was", "")
    contacts = await load_contacts(portal, visitor)
    one = next((one for one in contacts if was in one.numbers), None) if was else None
    if was and one is None:
        raise not_found()
    try:
        changes = _changes(form, one, contacts, say)
        await apply_changes(portal, visitor, changes)
    except _Wrong as wrong:
        said = str(wrong)
    except BookChanged:
        said = say("contacts_changed")
    except BookFull:
        said = say("contacts_full", most=address_book.MOST)
    else:
        return RedirectResponse("/contacts?done=saved", 303)
    sent = {name: form.get(name, "") for name in ("name", "department", "numbers", "was")}
    return await contact_page(
        portal, request, visitor, sent, own=one is not None and bool(one.own), wrong=said, status=400
    )


def _changes(form: Form, one: Contact | None, contacts: list[Contact], say: Say) -> list[Change]:
    """Return what a form changes. Raises _Wrong."""
    try:
        name, department = clean(form.get("name", "")), clean(form.get("department", ""))
        wanted = list(dict.fromkeys(numbers_in(form.get("numbers", ""))))
    except LineFault as fault:
        raise _Wrong(say(f"import_{fault.code}", value=fault.value)) from None
    before = {} if one is None else {number: Entry(number, one.name, one.department) for number in one.numbers}
    if not wanted:
        raise _Wrong(say("import_no_number", value=name))
    own = [] if one is None else one.own
    if not name and (not own or len(wanted) > 1):
        raise _Wrong(say("contacts_no_name"))
    if kept := [number for number in own if number not in wanted]:
        raise _Wrong(say("contacts_own_stays", number=phone_text(kept[0], say)))
    others = {number: other for other in contacts if other is not one for number in other.numbers}
    for number in wanted:
        if (other := others.get(number)) is not None:
            if other.name:
                raise _Wrong(say("contacts_has_number", number=phone_text(number, say), name=other.name))
            before[number] = Entry(number, other.name, other.department)
    changes = [Change(before.get(number), Entry(number, name, department)) for number in wanted]
    return changes + [Change(entry, None) for number, entry in before.items() if number not in wanted]


async def remove_contact(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Remove a person with all numbers; a colleague's stay, without a name. Raises ApiError 404 for nobody."""
    was = form.get("was", "")
    for one in await load_contacts(portal, visitor):
        if was in one.numbers:
            changes = [
                Change(Entry(number, one.name, one.department), Entry(number, "", "") if number in one.own else None)
                for number in one.numbers
            ]
            try:
                await apply_changes(portal, visitor, changes)
            except BookChanged:
                sent = {"name": one.name, "department": one.department, "numbers": "\n".join(one.numbers), "was": was}
                said = say_in(page_language(request))("contacts_changed")
                return await contact_page(portal, request, visitor, sent, own=bool(one.own), wrong=said, status=409)
            return RedirectResponse("/contacts?done=removed", 303)
    raise not_found()


async def merge_contacts(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Give all numbers of some people the name and department of one of them. Raises ApiError 404 for nobody."""
    into, numbers = form.get("into", ""), form.get("numbers", "").split()
    try:
        changes = await portal.context.read(lambda conn: _merge(conn, visitor.enterprise_id, into, numbers))
        await apply_changes(portal, visitor, changes)
    except BookChanged:
        return RedirectResponse("/contacts/doubles?changed=1", 303)
    return RedirectResponse("/contacts?done=merged", 303)


def _merge(conn: Connection, enterprise_id: str, into: str, numbers: list[str]) -> list[Change]:
    """Return the changes that make one person of several. Raises BookChanged when one of the others is gone."""
    known = {number: one for one in read_contacts(conn, enterprise_id) for number in one.numbers}
    if into not in known:
        raise not_found()
    if any(number not in known for number in numbers):
        raise BookChanged
    one = known[into]
    changes = []
    for number in dict.fromkeys(numbers):
        other = known[number]
        if (other.name, other.department) != (one.name, one.department):
            before = Entry(number, other.name, other.department)
            changes.append(Change(before, Entry(number, one.name, one.department)))
    return changes
