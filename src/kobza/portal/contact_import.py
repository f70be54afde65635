"""Importing contacts: a file is read, what it would change is shown, and only then it is made so."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kobza.portal.access import Form, Portal, Visitor
from kobza.portal.contact_actions import apply_changes
from kobza.portal.contact_file import Contacts
from kobza.portal.formats import phone_text
from kobza.portal.frame import common
from kobza.portal.import_drafts import Draft
from kobza.portal.rendering import page_language
from kobza.portal.sheets import MOST_LINES
from kobza.portal.texts import say_in
from kobza.portal.uploads import MAX_UPLOAD, read_file, uploaded
from kobza.store import address_book
from kobza.store.address_book import BookChanged, BookFull, Change, Entry

SHOWN: Final = 200
"""Changes and faults that the page shows; all are counted, and all changes are made."""
SUBJECT: Final = "contacts"


class Preview(NamedTuple):
    """What a file would do to the address book."""

    changes: list[Change]
    same: int
    """Numbers of which the file says what is known."""


def preview_of(read: Contacts, entries: Sequence[Entry]) -> Preview:
    """Compare a file with an address book. What a line leaves empty stays as it is."""
    known = {entry.number: entry for entry in entries}
    changes, same = [], 0
    for number, row in read.rows.items():
        before = known.get(number)
        name, department = ("", "") if before is None else (before.name, before.department)
        after = Entry(number, row.name or name, row.department or department)
        if after == before:
            same += 1
        else:
            changes.append(Change(before, after))
    return Preview(changes, same)


async def import_form(portal: Portal, request: Request, visitor: Visitor) -> Response:
    """The form that takes a file."""
    return _page(portal, request, visitor)


async def upload_contacts(portal: Portal, request: Request, visitor: Visitor, _form: Form) -> Response:
    """Read a file and show what it would change."""
    say = say_in(page_language(request))
    upload = uploaded(request)
    if upload is None:
        return _page(portal, request, visitor, wrong=say("import_no_file"), status=400)
    read = msgspec.json.decode(await read_file(portal, visitor, upload, SUBJECT), type=Contacts)
    if read.unreadable:
        wrong = say(f"import_{read.unreadable}", most=MOST_LINES)
        return _page(portal, request, visitor, wrong=wrong, status=400)
    entries = await portal.context.read(lambda conn: address_book.list_for(conn, visitor.enterprise_id))
    preview = preview_of(read, entries)
    now = portal.context.now()
    draft = Draft(visitor.login, visitor.enterprise_id, SUBJECT, tuple(preview.changes), now)
    return portal.pages.page(
        request,
        "contacts_preview.html",
        **common(visitor),
        name=upload.name[:100],
        draft=portal.drafts.keep(draft) if preview.changes else None,
        added=sum(change.before is None for change in preview.changes),
        changes=preview.changes,
        same=preview.same,
        read=read,
        shown=SHOWN,
        phone=lambda number: phone_text(number, say),
    )


async def import_contacts(portal: Portal, request: Request, visitor: Visitor, form: Form) -> Response:
    """Make the changes that were shown, if everything is still as it was then."""
    say = say_in(page_language(request))
    key = form.get("draft", "")
    draft = portal.drafts.take(key, visitor.login, visitor.enterprise_id, SUBJECT, portal.context.now())
    if draft is None:
        return _page(portal, request, visitor, wrong=say("import_gone"), status=410)
    try:
        await apply_changes(portal, visitor, list(draft.changes))
    except BookChanged:
        return _page(portal, request, visitor, wrong=say("import_changed"), status=409)
    except BookFull:
        return _page(portal, request, visitor, wrong=say("contacts_full", most=address_book.MOST), status=409)
    return RedirectResponse("/contacts?done=imported", 303)


def _page(
    portal: Portal, request: Request, visitor: Visitor, *, wrong: str | None = None, status: int = 200
) -> Response:
    values: dict[str, Any] = {"wrong": wrong, "most_lines": MOST_LINES, "most_mib": MAX_UPLOAD >> 20}
    return portal.pages.page(request, "contacts_import.html", status=status, **common(visitor), **values)
