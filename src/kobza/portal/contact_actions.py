"""What the forms of the address book do: save, remove, merge."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.api.context import Connection
from kobza.api.problems import not_found
from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.contact_pages import contact_page, load_contacts, read_contacts
from kobza.portal.contacts import Contact, version_of
from kobza.portal.formats import phone_text
from kobza.portal.lines import LineFault, clean, numbers_in
from kobza.portal.rendering import page_language
from kobza.portal.texts import Say, say_in
from kobza.store import address_book, audit, numbers
from kobza.store.address_book import BookChanged, BookFull, Change, Entry

TOLD: Final = 200
"""Contacts outside that one entry of the audit lists; all are counted."""
NOBODY: Final = Entry("", "", "")


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
        colleagues = {subscriber.number for subscriber in numbers.list_for(conn, own)}
        # Who is outside may be erased on request, and nothing is from the audit: of them it has masked numbers alone.
        outside = [_masked(change) for change in changes if change.number not in colleagues]
        told = {**counts, **({"outside": outside[:TOLD]} if outside else {})}
        audit.note(conn, visitor.by, "contact.changed", own, "", now_ms, after=told)
        for change in changes:
            if change.number in colleagues:
                before, after = _fields(change.before, change.after), _fields(change.after, change.before)
                label = (change.after or change.before or NOBODY).name
                audit.note(
                    conn,
                    visitor.by,
                    "contact.changed",
                    own,
                    change.number,
                    now_ms,
                    label=label,
                    before=before,
                    after=after,
                )

    await portal.context.write(apply)
    await portal.context.commands.settings_changed()
    portal.context.event_streams.wake(visitor.enterprise_id)


def _fields(entry: Entry | None, other: Entry | None) -> dict[str, str] | None:
    """Return what of an entry is not as in the other one; None for no entry."""
    if entry is None:
        return None
    fields = {"name": entry.name, "department": entry.department}
    return {name: text for name, text in fields.items() if other is None or getattr(other, name) != text}


def _masked(change: Change) -> str:
    """Say which contact was changed and in what, without who it is: `+38050…33: name`."""
    before, after = change.before, change.after
    if before is None or after is None:
        what = "+" if before is None else "−"
    else:
        what = ", ".join(name for name in ("name", "department") if getattr(before, name) != getattr(after, name))
    return f"{change.number[:6]}…{change.number[-2:]}: {what}"


async def save_contact(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Save the form of a person, or show it again with what is wrong. Raises ApiError 404 for nobody."""
    say = say_in(page_language(request))
    was = form.get("was", "")
    contacts = await load_contacts(portal, visitor)
    one = next((one for one in contacts if was in one.numbers), None) if was else None
    if was and one is None:
        raise not_found()
    if was and form.get("seen", "") != version_of(one):  # what they saw is not there any more
        return await _stale(portal, request, visitor, form, one)
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
    return await contact_page(
        portal, request, visitor, _sent(form), own=one is not None and bool(one.own), wrong=said, status=400
    )


async def _stale(portal: Portal, request: Request, visitor: Visitor, form: Form, one: Contact | None) -> Response:
    """Show what was sent beside what somebody else has saved meanwhile; sent once more, it counts."""
    say = say_in(page_language(request))
    sent = {**_sent(form), "seen": version_of(one)}
    own = one is not None and bool(one.own)
    wrong = say("contacts_stale")
    return await contact_page(portal, request, visitor, sent, own=own, wrong=wrong, theirs=one, status=409)


def _sent(form: Form) -> dict[str, str]:
    return {name: form.get(name, "") for name in ("name", "department", "numbers", "was", "seen")}


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
            if form.get("seen", "") != version_of(one):
                return await _stale(portal, request, visitor, form, one)
            changes = [
                Change(Entry(number, one.name, one.department), Entry(number, "", "") if number in one.own else None)
                for number in one.numbers
            ]
            try:
                await apply_changes(portal, visitor, changes)
            except BookChanged:
                sent = {"name": one.name, "department": one.department, "numbers": "\n".join(one.numbers)}
                sent |= {"was": was, "seen": version_of(one)}
                said = say_in(page_language(request))("contacts_changed")
                return await contact_page(portal, request, visitor, sent, own=bool(one.own), wrong=said, status=409)
            return RedirectResponse("/contacts?done=removed", 303)
    raise not_found()


async def merge_contacts(portal: Portal, _request: Request, visitor: Visitor, form: Form) -> Response:
    """Give all numbers of some people the name and department of one of them. Raises ApiError 404 for nobody."""
    into, chosen = form.get("into", ""), form.get("numbers", "").split()
    try:
        changes = await portal.context.read(lambda conn: _merge(conn, visitor.enterprise_id, into, chosen))
        await apply_changes(portal, visitor, changes)
    except BookChanged:
        return RedirectResponse("/contacts/doubles?changed=1", 303)
    return RedirectResponse("/contacts?done=merged", 303)


def _merge(conn: Connection, enterprise_id: str, into: str, chosen: list[str]) -> list[Change]:
    """Return the changes that make one person of several. Raises BookChanged when one of the others is gone."""
    known = {number: one for one in read_contacts(conn, enterprise_id) for number in one.numbers}
    if into not in known:
        raise not_found()
    if any(number not in known for number in chosen):
        raise BookChanged
    one = known[into]
    changes = []
    for number in dict.fromkeys(chosen):
        other = known[number]
        if (other.name, other.department) != (one.name, one.department):
            before = Entry(number, other.name, other.department)
            changes.append(Change(before, Entry(number, one.name, one.department)))
    return changes
